/** Four validators over four stock Geths: agreement, contracts, and what happens when clients or all of it is killed. */
import assert from "node:assert/strict";
import { mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import {
  createPublicClient,
  createWalletClient,
  defineChain,
  type Hex,
  http,
  type PublicClient,
  parseEther,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { ethBlockAt, ethCall, ethChain } from "./support/eth.ts";
import { provideGeth } from "./support/geth.ts";
import { LiveNetwork, signal } from "./support/live.ts";
import { judgeVotes } from "./support/votes.ts";
import { eventually, isAlive, rpc } from "./support.ts";

/** Where the parent beacon block roots of the last 8191 blocks lie (EIP-4788). */
const BEACON_ROOTS = "0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02";

/** keccak256("Stored(uint256)") */
const STORED = "0xc6d8c0af6d21f291e7c359603aa97e0ed500f04db6e983b9fce75a91c6b8da6b";
/**
 * Keeps the word that it is called with in slot 0 and emits it: CALLDATALOAD(0) DUP1 SSTORE(0) MSTORE(0)
 * LOG1(0, 32, STORED). Called without data it returns slot 0.
 */
const RUNTIME = [
  "36", // CALLDATASIZE
  "6010", // PUSH1 write
  "57", // JUMPI
  "5f54", // PUSH0 SLOAD
  "5f52", // PUSH0 MSTORE
  "6020", // PUSH1 32
  "5ff3", // PUSH0 RETURN
  "00000000", // STOP: fills up to the jump target
  "5b", // write: JUMPDEST
  "5f35", // PUSH0 CALLDATALOAD
  "80", // DUP1
  "5f55", // PUSH0 SSTORE
  "5f52", // PUSH0 MSTORE
  `7f${STORED.slice(2)}`, // PUSH32 topic
  "6020", // PUSH1 32
  "5f", // PUSH0
  "a1", // LOG1
  "00", // STOP
].join("");
const CREATION: Hex = `0x60${size(RUNTIME)}600a5f3960${size(RUNTIME)}5ff3`;

function size(code: string): string {
  return (code.length / 2).toString(16).padStart(2, "0");
}

const geth = await provideGeth();
const skip =
  "absent" in geth ? `NO GETH AND NO GO: nothing was proven with real Geth here (${geth.absent})` : false;

describe("four validators over four Geths", { skip, timeout: 900_000 }, () => {
  let net: LiveNetwork;
  let contract: Hex;
  let readers: readonly PublicClient[];
  let wallet: ReturnType<typeof walletOf>;

  function chainOf(url: string) {
    return defineChain({
      id: net.evmChainId,
      name: "testnet",
      nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
      rpcUrls: { default: { http: [url] } },
    });
  }
  function walletOf(url: string) {
    const account = privateKeyToAccount(net.accounts[0]!.private_key);
    return createWalletClient({ chain: chainOf(url), transport: http(url), account });
  }

  before(async () => {
    net = await LiveNetwork.start("--el", "path" in geth ? geth.path : "");
    await net.advances(1);
    const urls = (await net.nodes()).map(({ eth_rpc }) => eth_rpc);
    readers = urls.map((url) =>
      createPublicClient({ chain: chainOf(url), transport: http(url), pollingInterval: 200 }),
    );
    wallet = walletOf(urls[0]!);
    // A Geth that has just begun answers receipts with an error until its index has caught up.
    const unknown = `0x${"00".repeat(32)}`;
    for (const url of urls) {
      await eventually(`the transaction index of ${url}`, () =>
        ethCall(url, "eth_getTransactionReceipt", [unknown]).then(
          () => true,
          () => false,
        ),
      );
    }
  });
  afterEach((context) => {
    if ("diagnostic" in context && "passed" in context && context.passed === false) {
      context.diagnostic(net.logTails());
    }
  });
  after(async () => {
    await net?.dispose();
  });

  async function everywhere(height: number): Promise<void> {
    await net.untilReady(...net.names);
    for (const { eth_rpc } of await net.nodes()) await ethBlockAt(eth_rpc, height);
  }

  /** All four Geths hold the same block hash and state root at every height so far. */
  async function agree(): Promise<void> {
    const height = (await net.advances(1)) - 1;
    await net.untilReady(...net.names);
    const chains = await Promise.all((await net.nodes()).map(({ eth_rpc }) => ethChain(eth_rpc, height)));
    for (const chain of chains) assert.deepEqual(chain, chains[0]);
    assert.ok(chains[0]!.every((block) => block !== "absent"));
    assert.deepEqual(net.divergedHeights(), []);
    for (const { height: at, el_hash } of net.commitsOf("node0")) {
      if (at <= height) assert.equal(chains[0]![at - 1]!.split("/")[0], el_hash);
    }
  }

  test("a transfer sent to one is seen by all, with its receipt", async () => {
    const to = "0x00000000000000000000000000000000000b0b01";
    const hash = await wallet.sendTransaction({ to, value: parseEther("1.25") });
    const { blockNumber, status } = await readers[0]!.waitForTransactionReceipt({ hash });
    assert.equal(status, "success");
    await everywhere(Number(blockNumber));
    for (const reader of readers) assert.equal(await reader.getBalance({ address: to }), parseEther("1.25"));
  });

  test("a contract is deployed; its state and its log are the same on all four", async () => {
    const deployed = await wallet.sendTransaction({ data: `${CREATION}${RUNTIME}` });
    const { contractAddress } = await readers[0]!.waitForTransactionReceipt({ hash: deployed });
    assert.ok(contractAddress);
    contract = contractAddress;
    const word: Hex = `0x${"5e".repeat(32)}`;
    const called = await wallet.sendTransaction({ to: contract, data: word });
    const { blockNumber, status } = await readers[0]!.waitForTransactionReceipt({ hash: called });
    assert.equal(status, "success");
    await everywhere(Number(blockNumber));
    for (const reader of readers) {
      const [log, ...rest] = await reader.getLogs({ address: contract, fromBlock: 0n });
      assert.equal(rest.length, 0);
      assert.deepEqual([log?.data, log?.topics[0], log?.transactionHash], [word, STORED, called]);
      assert.equal((await reader.call({ to: contract })).data, word);
    }
  });

  test("block hash and state root are equal on all four at every height", async () => {
    await agree();
  });

  test("a block reads inside the EVM what +2/3 signed for its parent: the BlockID hash by EIP-4788", async () => {
    const { rpc: url, eth_rpc } = await net.node("node1");
    const height = net.height - 1;
    const { timestamp } = await ethBlockAt(eth_rpc, height);
    const call = { to: BEACON_ROOTS, data: `0x${BigInt(timestamp).toString(16).padStart(64, "0")}` };
    const root = await ethCall<Hex>(eth_rpc, "eth_call", [call, `0x${height.toString(16)}`]);
    const { block_id } = await rpc<{ readonly block_id: { readonly hash: string } }>(
      url,
      `block?height=${height - 1}`,
    );
    assert.equal(root.slice(2).toUpperCase(), block_id.hash);
  });

  test("a Geth that is killed is started again; meanwhile its node follows, afterwards it takes part", async () => {
    const { el_pid } = await net.node("node1");
    signal(el_pid, "SIGKILL");
    await net.advances(3);
    await eventually("another Geth of node1", async () => {
      const now = await net.node("node1");
      return typeof now.el_pid === "number" && now.el_pid !== el_pid && now.el_pid > 0;
    });
    await net.untilReady("node1");
    await net.signs("node1");
    await agree();
  });

  test("a Geth whose data directory is gone is rebuilt from its node's store", async () => {
    const { el_pid, home } = await net.node("node2");
    // Stopped first, so that the directory is gone before anybody can start it again.
    signal(el_pid, "SIGSTOP");
    mkdirSync(join(home, "lost"));
    renameSync(join(home, "data", "geth"), join(home, "lost", "geth"));
    signal(el_pid, "SIGKILL");
    await eventually("the end of that Geth", () => !isAlive(el_pid));
    await eventually("another Geth of node2", async () => {
      const now = await net.node("node2");
      return typeof now.el_pid === "number" && now.el_pid !== el_pid && now.el_pid > 0;
    });
    await agree();
    await net.signs("node2");
  });

  test("all four validators and all four Geths killed at once come back with everything", async () => {
    const height = net.height;
    for (const { el_pid } of await net.nodes()) if (typeof el_pid === "number") signal(el_pid, "SIGKILL");
    await net.kill(...net.names);
    await net.restart(...net.names);
    for (const name of net.names) await net.network.reaches(name, height + 2);
    await agree();
    await Promise.all(net.names.map((name) => net.signs(name)));
    assert.equal((await readers[3]!.call({ to: contract })).data, `0x${"5e".repeat(32)}`);
  });

  test("nobody ever signed two different messages for one height, round and type", async () => {
    const nodes = await net.nodes();
    assert.equal((await net.network.stop()).code, 0);
    const { conflicts, signed } = judgeVotes(nodes.map(({ home }) => home));
    assert.deepEqual(conflicts, []);
    for (const { name, address } of nodes) assert.ok((signed.get(address) ?? 0) > 20, name);
    for (const { name, el_pid } of nodes) {
      if (typeof el_pid === "number")
        assert.ok(!isAlive(el_pid), `the Geth of ${name} ended with the network`);
    }
  });
});
