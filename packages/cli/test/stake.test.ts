/** What the commands of stake mode say and refuse, against a node and a client that answer as ours do. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { decodeFunctionData, sha256 } from "viem";
import { depositArtefact } from "../src/home/deposit-contract.ts";
import { initHome } from "../src/home/init.ts";
import { depositDataRoot } from "../src/registry/calls.ts";
import { etherText, parseEther } from "../src/registry/view.ts";
import { invoke } from "./support/invoke.ts";

const OTHER = `0x${"0f".repeat(20)}`;

async function serve(
  context: TestContext,
  answer: (asked: string, body: string) => unknown,
): Promise<string> {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString("utf8");
    });
    request.on("end", () => {
      const result = answer((request.url ?? "").slice(1), body);
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ jsonrpc: "2.0", id: body === "" ? 1 : JSON.parse(body).id, result }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Scene {
  readonly home: string;
  readonly owner: string;
  readonly pubKey: string;
  readonly node: string;
  /** Methods of the client that were asked beyond reading fee and chain. */
  readonly sent: readonly string[];
  /** Runs a command of this home against the fakes. */
  command(...words: string[]): Promise<{ code: number; out: string; err: string }>;
}

/** A home of a chain in stake mode whose registry shows `entry` for its key, or none. */
async function scene(
  context: TestContext,
  entry: object | null,
  {
    fee = 1n,
    sameChain = true,
    chainId = (id) => id,
    genesisHash = null,
    other = {},
  }: Partial<{
    fee: bigint;
    sameChain: boolean;
    chainId: (genuine: number) => number;
    genesisHash: string | null;
    /** Of the other validator's entry. */
    other: object;
  }> = {},
): Promise<Scene> {
  const directory = mkdtempSync(join(tmpdir(), "quorate-stake-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const home = join(directory, "home");
  const made = await initHome({ home, stake: true, chainId: "stake-test" });
  const text = (name: string): string => readFileSync(join(home, "config", name), "utf8");
  const owner: string = JSON.parse(text("owner_key.json")).address.toLowerCase();
  const genesis = JSON.parse(text("genesis.json"));
  const row = {
    address: made.validator_address,
    pub_key: made.pub_key,
    owner,
    voting_power: "40",
    status: "active",
    stake_gwei: "40500000000",
    unlock_height: "0",
  };
  const registry = {
    block_height: "9",
    policy: "stake",
    validators: [
      ...(entry === null ? [] : [{ ...row, ...entry }]),
      { ...row, address: "0E".repeat(20), pub_key: { ...row.pub_key, value: "" }, ...other },
    ],
    queued: [],
    payouts: [
      {
        address: row.address,
        owner,
        gwei: "1500000000",
        unlock_height: "120",
        unlock_time_ms: "1800000000000",
      },
      { address: row.address, owner, gwei: "0", unlock_height: "0", unlock_time_ms: "0" },
      { address: row.address, owner, gwei: "7", unlock_height: "0", unlock_time_ms: "0" },
    ],
    scheduled: [],
  };
  const node = await serve(context, (asked) =>
    asked.startsWith("genesis_chunked")
      ? {
          chunk: "0",
          total: "1",
          data: Buffer.from(
            JSON.stringify(sameChain ? genesis : { ...genesis, chain_id: "another" }),
          ).toString("base64"),
        }
      : asked === "registry"
        ? registry
        : undefined,
  );
  const sent: string[] = [];
  const eth = await serve(context, (_asked, body) => {
    const method: string = JSON.parse(body).method;
    if (method === "eth_call") return `0x${fee.toString(16).padStart(64, "0")}`;
    if (method === "eth_chainId") return `0x${chainId(Number(genesis.app_state.evm_chain_id)).toString(16)}`;
    if (method === "eth_getBlockByNumber") return { hash: genesisHash ?? genesis.app_state.el_genesis_hash };
    sent.push(method);
    return "0x1";
  });
  return {
    home,
    owner,
    pubKey: made.pub_key.value,
    node,
    sent,
    command: (...words) => invoke(...words, "--home", home, "--node", node, "--eth", eth),
  };
}

test("validators shows what is at stake, and what is held before it is paid", async (context) => {
  const { node, owner } = await scene(context, {});
  const { out } = await invoke("validators", "--node", node);
  assert.match(out, new RegExp(`40 {2}active {6}stake 40\\.5 +owner ${owner}`));
  assert.match(
    out,
    /held: 1\.5 ether of \w{40} to 0x\w{40}, not before at height 120, 2027-01-15T08:00:00\.000Z/,
  );
  assert.match(out, /held: 0\.000000007 ether of .* not before when the next block fixes/);
  assert.equal(out.match(/held:/g)?.length, 2, "a payout of nothing is no money held");
});

test("join --print is a call of the deposit contract whose fields and root belong together", async (context) => {
  const { command, owner, pubKey } = await scene(context, null);
  const { code, out } = await command("join", "--amount", "33.5", "--print");
  assert.equal(code, 0);
  const { call, operator } = JSON.parse(out);
  assert.equal(operator.toLowerCase(), owner);
  assert.equal(call.to, "0x00000000219ab540356cbb839cbe05303d7705fa");
  assert.equal(call.value, "33500000000000000000");
  const { functionName, args } = decodeFunctionData({ abi: depositArtefact().abi, data: call.data });
  assert.equal(functionName, "deposit");
  const [key, credentials, signature, root] = (args as readonly `0x${string}`[]).map(
    (hex) => new Uint8Array(Buffer.from(hex.slice(2), "hex")),
  );
  assert.equal(Buffer.from(key!.subarray(0, 32)).toString("base64"), pubKey);
  assert.equal(Buffer.from(credentials!).toString("hex"), `01${"00".repeat(11)}${owner.slice(2)}`);
  assert.deepEqual(depositDataRoot(key!, credentials!, 33_500_000_000n, signature!), root);
  assert.notEqual(sha256(signature!), sha256(new Uint8Array(96)));
});

test("a deposit that the chain would keep for nothing is refused before it is sent: exit 3", async (context) => {
  const cases: readonly (readonly [said: RegExp, entry: object | null, ...words: string[]])[] = [
    [/begins with 32 ether or more: 31\.999999999 would be lost/, null, "--amount", "31.999999999"],
    [/is leaving/, { status: "leaving", voting_power: "0", stake_gwei: "0" }, "--amount", "32"],
    [/can never validate again/, { status: "tombstoned", voting_power: "0" }, "--amount", "32"],
    [/at most 9000000000 ether/, { stake_gwei: "8999999999000000000" }, "--amount", "2"],
  ];
  for (const [said, entry, ...words] of cases) {
    const { command } = await scene(context, entry);
    const { code, err } = await command("join", ...words);
    assert.equal(code, 3, err);
    assert.match(err, said);
  }
});

test("a registration made for another chain or another owner is refused before it is paid for: exit 3", async (context) => {
  const foreign = await scene(context, null, { sameChain: false });
  const { code, err } = await foreign.command("join");
  assert.equal(code, 3, err);
  assert.match(err, /the proof of \S+ does not hold for 0x\w{40} on another/);
});

test("an execution client of another chain gets nothing: its deposit contract may be Ethereum's: exit 3", async (context) => {
  const cases: readonly (readonly [chainId: (genuine: number) => number, genesisHash: string | null])[] = [
    [() => 1, null],
    [(genuine) => genuine, `0x${"d4".repeat(32)}`],
  ];
  for (const [chainId, genesisHash] of cases) {
    const { command, sent } = await scene(context, null, { chainId, genesisHash });
    const { code, err } = await command("join");
    assert.equal(code, 3, err);
    assert.match(err, /nothing was sent/);
    assert.deepEqual(sent, []);
  }
});

test("--power has no meaning in stake mode, and amounts are decimal ether: exit 2", async (context) => {
  const { command } = await scene(context, null);
  assert.equal((await command("join", "--power", "10")).code, 2);
  for (const amount of ["0", "1e3", "-1", "0.0000000001", ".5", "1.", "0x20", ""]) {
    assert.equal((await command("join", "--amount", amount, "--print")).code, 2, amount);
  }
  assert.equal((await command("withdraw")).code, 2);
  assert.equal((await command("power", "AB".repeat(20), "3")).code, 3);
});

test("withdraw and exit pay twice the fee that the contract asks, and never more than --max-fee", async (context) => {
  const priced = async (fee: bigint, ...words: string[]): Promise<{ code: number; value: string }> => {
    const { command } = await scene(context, {}, { fee });
    const { code, out } = await command("withdraw", "--amount", "8.5", "--print", ...words);
    return { code, value: code === 0 ? JSON.parse(out).call.value : "" };
  };
  assert.deepEqual(await priced(1n), { code: 0, value: "2" });
  assert.deepEqual(await priced(700n * 10n ** 12n), { code: 0, value: String(10n ** 15n) });
  assert.deepEqual(await priced(10n ** 15n + 1n), { code: 10, value: "" });
  assert.deepEqual(await priced(10n ** 15n + 1n, "--max-fee", "5000000"), {
    code: 0,
    value: String(2n * (10n ** 15n + 1n)),
  });
});

test("a withdrawal names key and gwei as EIP-7002 reads them, an exit has amount 0", async (context) => {
  const { command, pubKey } = await scene(context, {});
  const key = `${Buffer.from(pubKey, "base64").toString("hex")}${"00".repeat(16)}`;
  const callOf = async (...words: string[]): Promise<{ to: string; data: string }> =>
    JSON.parse((await command(...words, "--print")).out).call;
  const part = await callOf("withdraw", "--amount", "8.5");
  assert.equal(part.to, "0x00000961ef480eb55e80d19ad83579a64c007002");
  assert.equal(part.data, `0x${key}${8_500_000_000n.toString(16).padStart(16, "0")}`);
  assert.equal((await callOf("exit")).data, `0x${key}${"00".repeat(8)}`);
});

test("what the chain would ignore of a withdrawal or an exit is refused before it is sent: exit 3", async (context) => {
  const cases: readonly (readonly [said: RegExp, entry: object | null, ...words: string[]])[] = [
    [/at most 8\.5, or everything/, {}, "withdraw", "--amount", "8.500000001"],
    [/take everything with/, { stake_gwei: "32000000000" }, "withdraw", "--amount", "1"],
    [/is leaving already/, { status: "leaving" }, "withdraw", "--amount", "1"],
    [/was punished/, { status: "tombstoned" }, "withdraw", "--amount", "1"],
    [/is leaving already/, { status: "leaving" }, "exit"],
    [/is no validator/, null, "exit"],
    [/does not own this validator, 0x0f0f/, { owner: OTHER }, "exit"],
  ];
  for (const [said, entry, ...words] of cases) {
    const { command } = await scene(context, entry);
    const { code, err } = await command(...words);
    assert.equal(code, 3, err);
    assert.match(err, said);
  }
});

test("the last validator with power is told that it cannot leave: exit 3", async (context) => {
  const { command } = await scene(context, {}, { other: { voting_power: "0", status: "leaving" } });
  const { code, err } = await command("exit");
  assert.equal(code, 3, err);
  assert.match(err, /the last validator of a chain cannot leave/);
});

test("gwei and ether convert exactly, either way", () => {
  for (const [text, gwei] of [
    ["0.000000001", 1n],
    ["1", 10n ** 9n],
    ["32.5", 32_500_000_000n],
    ["9000000000", 9n * 10n ** 18n],
    ["100", 10n ** 11n],
  ] as const) {
    assert.equal(parseEther(text, "amount"), gwei);
    assert.equal(etherText(gwei), text);
  }
  assert.equal(etherText(0n), "0");
});
