import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { MIN_STAKE_GWEI, parseGenesis, stateFromGenesis } from "@quorate/chain";
import { loadPeerBinding } from "@quorate/node/composition";
import { homePaths } from "@quorate/node/home";
import { initHome } from "../src/home/init.ts";
import { invoke as command } from "./support/invoke.ts";

function temporaryHome(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "quorate-init-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, "home");
}

/** Path, mode and content of every file. */
function fingerprint(home: string): string[] {
  return readdirSync(home, { recursive: true, encoding: "utf8" })
    .map((path) => join(home, path))
    .filter((path) => statSync(path).isFile())
    .map((path) => {
      const hash = createHash("sha256").update(readFileSync(path)).digest("hex");
      return `${path} ${(statSync(path).mode & 0o777).toString(8)} ${hash}`;
    })
    .sort();
}

test("init makes every file of a home, secrets for the owner alone", async (context) => {
  const home = temporaryHome(context);
  const { created, kept } = await initHome({ home, chainId: "unit-chain" });
  assert.deepEqual(kept, []);
  assert.deepEqual([...created].sort(), [
    "config/config.toml",
    "config/el-genesis.json",
    "config/genesis.json",
    "config/jwt.hex",
    "config/node_key.json",
    "config/owner_key.json",
    "config/peer_binding.json",
    "config/priv_validator_key.json",
    "data/priv_validator_state.bin",
  ]);
  for (const secret of ["priv_validator_key.json", "node_key.json", "jwt.hex", "owner_key.json"]) {
    assert.equal(statSync(join(home, "config", secret)).mode & 0o777, 0o600, secret);
  }
});

test("the genesis it makes is a chain of one validator that every node accepts", async (context) => {
  const home = temporaryHome(context);
  const result = await initHome({ home, chainId: "unit-chain", evmChainId: 4242, blockIntervalMs: 700 });
  const genesis = parseGenesis(readFileSync(join(home, "config", "genesis.json"), "utf8"));
  assert.equal(genesis.chainId, "unit-chain");
  assert.equal(genesis.evmChainId, 4242);
  assert.equal(genesis.params.blockIntervalMs, 700);
  assert.deepEqual(
    genesis.validators.map(({ pubKey }) => Buffer.from(pubKey).toString("base64")),
    [result.pub_key.value],
  );
  const owner = JSON.parse(readFileSync(join(home, "config", "owner_key.json"), "utf8")).address;
  assert.equal(`0x${Buffer.from(genesis.validators[0]!.owner).toString("hex")}`, owner.toLowerCase());
  assert.equal(stateFromGenesis(genesis).lastHeight, 0);
});

test("a second run changes no byte and names everything as kept", async (context) => {
  const home = temporaryHome(context);
  const first = await initHome({ home, moniker: "one" });
  const before = fingerprint(home);
  const second = await initHome({ home, moniker: "two" });
  assert.deepEqual(fingerprint(home), before);
  assert.deepEqual(second.created, []);
  assert.deepEqual([...second.kept].sort(), [...first.created].sort());
  assert.equal(second.validator_address, first.validator_address);
});

test("what is missing is made anew, what is there stays", async (context) => {
  const home = temporaryHome(context);
  await initHome({ home });
  const key = readFileSync(join(home, "config", "priv_validator_key.json"));
  rmSync(join(home, "config", "jwt.hex"));
  const again = await initHome({ home });
  assert.deepEqual(again.created, ["config/jwt.hex"]);
  assert.deepEqual(readFileSync(join(home, "config", "priv_validator_key.json")), key);
});

test("beside an existing key no sign state is ever made", async (context) => {
  const home = temporaryHome(context);
  await initHome({ home });
  rmSync(join(home, "data", "priv_validator_state.bin"));
  const again = await initHome({ home });
  assert.deepEqual(again.created, []);
  assert.ok(!again.kept.includes("data/priv_validator_state.bin"));
  const check = await command("config", "check", "--home", home);
  assert.equal(check.code, 3);
  assert.match(check.out, /priv_validator_state\.bin/);
});

test("a network's genesis is joined as it is, and the own key is not in it", async (context) => {
  const network = temporaryHome(context);
  await initHome({ home: network, chainId: "joined-chain" });
  const home = temporaryHome(context);
  const genesisFile = join(network, "config", "genesis.json");
  const result = await initHome({ home, genesisFile, persistentPeers: ["/ip4/192.0.2.1/tcp/1/p2p/12D3"] });
  assert.equal(result.chain_id, "joined-chain");
  for (const name of ["genesis.json", "el-genesis.json"]) {
    assert.deepEqual(readFileSync(join(home, "config", name)), readFileSync(join(network, "config", name)));
  }
  assert.match(readFileSync(join(home, "config", "config.toml"), "utf8"), /192\.0\.2\.1/);
});

test("a chain id that contradicts the kept genesis is refused with exit 3", async (context) => {
  const home = temporaryHome(context);
  await initHome({ home, chainId: "first" });
  await assert.rejects(initHome({ home, chainId: "second" }), { exitCode: 3 });
});

test("a height above 1 needs the block to build on, an owner needs 20 bytes: exit 2", async (context) => {
  const home = temporaryHome(context);
  await assert.rejects(initHome({ home, initialHeight: 5 }), { exitCode: 2 });
  await assert.rejects(initHome({ home, owner: "0x12" }), { exitCode: 2 });
  await assert.rejects(initHome({ home, execution: "geth" }), { exitCode: 2 });
  assert.throws(() => statSync(home), "a refused init must leave nothing");
});

test("a chain without execution client needs no EL genesis", async (context) => {
  const home = temporaryHome(context);
  const { created } = await initHome({ home, execution: "none", initialHeight: 7 });
  assert.ok(!created.includes("config/el-genesis.json"));
  const genesis = parseGenesis(readFileSync(join(home, "config", "genesis.json"), "utf8"));
  assert.deepEqual([genesis.execution, genesis.initialHeight], ["none", 7]);
});

test("init --stake makes a chain at Ethereum's deposit contract, whose validator has 32 ether at stake", async (context) => {
  const home = temporaryHome(context);
  const made = await command(
    "init",
    "--home",
    home,
    "--stake",
    "--unbonding",
    "90",
    "--block-interval",
    "500",
  );
  assert.equal(made.code, 0, made.err);
  const genesis = parseGenesis(readFileSync(join(home, "config", "genesis.json"), "utf8"));
  const { registry } = stateFromGenesis(genesis);
  assert.equal(registry.policy, 1);
  assert.deepEqual(
    registry.entries.map(({ power, stakeGwei }) => [power, stakeGwei]),
    [[32n, MIN_STAKE_GWEI]],
  );
  assert.deepEqual(
    [genesis.params.evidenceMaxAgeMs, genesis.params.evidenceMaxAgeBlocks],
    [90_000, 180],
    "by blocks evidence is not too old after it is so by time",
  );
  const el = JSON.parse(readFileSync(join(home, "config", "el-genesis.json"), "utf8"));
  const { deployedBytecode } = JSON.parse(
    readFileSync(new URL("../../../config/contracts/DepositContract.json", import.meta.url), "utf8"),
  );
  const contract = el.alloc[el.config.depositContractAddress];
  assert.deepEqual(contract, { balance: "0x0", nonce: "0x1", code: deployedBytecode });
  for (const eip of ["000f3df6", "0000f908", "00000961", "0000bbdd"]) {
    assert.ok(
      Object.keys(el.alloc).some((address) => address.startsWith(`0x${eip}`)),
      eip,
    );
  }
  assert.equal((await command("config", "check", "--home", home)).code, 0);
});

test("an el-genesis.json that is there decides on the mode, and --stake is refused where it contradicts: exit 3", async (context) => {
  const [staked, home, other] = [1, 2, 3].map(() => temporaryHome(context)) as [string, string, string];
  await initHome({ home: staked, stake: true });
  mkdirSync(join(home, "config"), { recursive: true });
  writeFileSync(
    join(home, "config", "el-genesis.json"),
    readFileSync(join(staked, "config", "el-genesis.json"), "utf8"),
  );
  await initHome({ home });
  const genesis = parseGenesis(readFileSync(join(home, "config", "genesis.json"), "utf8"));
  assert.deepEqual([stateFromGenesis(genesis).registry.policy, genesis.validators[0]!.power], [1, 32n]);
  await initHome({ home: other });
  await assert.rejects(initHome({ home: other, stake: true }), { exitCode: 3 }, "genesis is kept");
  rmSync(join(other, "config", "genesis.json"));
  await assert.rejects(initHome({ home: other, stake: true }), { exitCode: 3 }, "el-genesis is kept");
});

test("a chain in stake mode has no registry's owner, and needs an execution client: exit 2", async (context) => {
  const home = temporaryHome(context);
  await assert.rejects(initHome({ home, stake: true, registryOwner: `0x${"11".repeat(20)}` }), {
    exitCode: 2,
  });
  await assert.rejects(initHome({ home, stake: true, execution: "none" }), { exitCode: 2 });
});

test("init --json prints exactly one document with the keys of the contract", async (context) => {
  const home = temporaryHome(context);
  const { code, out } = await command("init", "alice", "--home", home, "--json");
  assert.equal(code, 0);
  assert.deepEqual(Object.keys(JSON.parse(out)), [
    "home",
    "chain_id",
    "validator_address",
    "pub_key",
    "peer_id",
    "created",
    "kept",
  ]);
  const shown = JSON.parse((await command("key", "show", "--home", home, "--json")).out);
  assert.equal(shown.address, JSON.parse(out).validator_address);
  assert.equal(shown.peer_id, JSON.parse(out).peer_id);
});

test("config check accepts a fresh home and names a secret that others can read", async (context) => {
  const home = temporaryHome(context);
  await initHome({ home });
  assert.equal((await command("config", "check", "--home", home)).code, 0);
  chmodSync(join(home, "config", "jwt.hex"), 0o640);
  const refused = await command("config", "check", "--home", home, "--json");
  assert.equal(refused.code, 3);
  const { problems } = JSON.parse(refused.out);
  assert.equal(problems.length, 1);
  assert.match(problems[0].what, /jwt\.hex has mode 0640/);
});

test("config check finds an EL genesis that is not the one genesis names", async (context) => {
  const home = temporaryHome(context);
  await initHome({ home });
  const file = join(home, "config", "el-genesis.json");
  const document = JSON.parse(readFileSync(file, "utf8"));
  writeFileSync(file, JSON.stringify({ ...document, timestamp: "0x1" }));
  const { code, out } = await command("config", "check", "--home", home);
  assert.equal(code, 3);
  assert.match(out, /el-genesis\.json has the hash 0x/);
});

test("key new refuses to replace a key; export and import of the sign state agree", async (context) => {
  const home = temporaryHome(context);
  await initHome({ home });
  assert.equal((await command("key", "new", "--home", home)).code, 3);
  const exported = await command("key", "state", "export", "--home", home);
  assert.equal(exported.code, 0);
  const file = join(home, "export.json");
  writeFileSync(file, exported.out);
  const imported = await command("key", "state", "import", file, "--home", home, "--json");
  assert.equal(imported.code, 0, imported.err);
  assert.equal(JSON.parse(imported.out).changed, false);
  assert.equal((await command("key", "state", "init", "--home", home)).code, 5);
});

test("the consensus key vouches for the peer id of its home, also for a new one; key bind-peer says it anew", async (context) => {
  const home = temporaryHome(context);
  await initHome({ home });
  const paths = homePaths(home);
  const bound = async (): Promise<boolean> => {
    const warnings: string[] = [];
    const quiet = () => undefined;
    const log = { debug: quiet, info: quiet, warn: (text: string) => void warnings.push(text), error: quiet };
    const binding = await loadPeerBinding(paths, log);
    assert.equal(binding === null, warnings.length > 0);
    return binding !== null;
  };
  assert.equal(await bound(), true);
  const old = readFileSync(paths.peerBinding, "utf8");
  rmSync(paths.nodeKey);
  await initHome({ home });
  assert.equal(await bound(), true);
  for (const stale of [old, "{}", "no JSON"]) {
    writeFileSync(paths.peerBinding, stale);
    assert.equal(await bound(), false, "the node runs without it, and says so");
  }
  const { code, out } = await command("key", "bind-peer", "--home", home, "--json");
  assert.equal(code, 0);
  const shown = await command("key", "show", "--home", home, "--json");
  assert.equal(JSON.parse(out).peer_id, JSON.parse(shown.out).peer_id);
  assert.equal(await bound(), true);
});

test("key show shows a consensus key that key new made alone, without a peer id", async (context) => {
  const home = temporaryHome(context);
  const made = JSON.parse((await command("key", "new", "--home", home, "--json")).out);
  const shown = await command("key", "show", "--home", home, "--json");
  assert.equal(shown.code, 0, shown.err);
  assert.deepEqual(JSON.parse(shown.out), { ...made, peer_id: null, owner: null });
  const { code, out } = await command("key", "show", "--home", home);
  assert.equal(code, 0);
  assert.match(out, new RegExp(`^address {2}${made.address}$`, "m"));
  assert.doesNotMatch(out, /peer id/);
});

test("key show still names a node key that is malformed", async (context) => {
  const home = temporaryHome(context);
  await initHome({ home });
  writeFileSync(join(home, "config", "node_key.json"), "{}");
  const { code, err } = await command("key", "show", "--home", home);
  assert.equal(code, 3);
  assert.match(err, /node_key\.json does not hold an Ed25519 key/);
});

test("reset removes the data and keeps keys and sign state", async (context) => {
  const home = temporaryHome(context);
  await initHome({ home });
  mkdirSync(join(home, "data", "wal"));
  writeFileSync(join(home, "data", "wal", "0001"), "x");
  const state = readFileSync(join(home, "data", "priv_validator_state.bin"));
  const { code, out, err } = await command("reset", "--home", home, "--json");
  assert.equal(code, 0, err);
  assert.deepEqual(JSON.parse(out), { home, removed: ["wal"] });
  assert.deepEqual(readFileSync(join(home, "data", "priv_validator_state.bin")), state);
});
