/**
 * Stake mode by its user's commands: deposit, top-up, partial withdrawal and exit, paid by the chain. Over Geth where there is
 * one, else over embedded clients; QUORATE_STAKE_EL=embedded or a path chooses.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { createPublicClient, createWalletClient, defineChain, type Hex, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { findGeth } from "../../packages/execution/src/index.ts";
import { consensusHeaderAbi, proveHeader } from "../../packages/proofs/src/index.ts";
import { type EthBlock, ethBlock, ethCall } from "./support/eth.ts";
import { LiveNetwork } from "./support/live.ts";
import { judgeVotes } from "./support/votes.ts";
import { eventually, ROOT, rpc, validator } from "./support.ts";

const el = process.env["QUORATE_STAKE_EL"] ?? (await findGeth(process.env))?.path ?? "embedded";
const GWEI = 1_000_000_000n;
const UNBONDING_S = 5;
const BLOCK_INTERVAL_MS = 500;
const EVIDENCE_BLOCKS = (UNBONDING_S * 1000) / BLOCK_INTERVAL_MS;

interface Delivered {
  readonly height: number;
  readonly power: string;
  readonly in_force: number;
  readonly stake_gwei: string;
}

interface RegistryDocument {
  readonly block_height: string;
  readonly policy: string;
  readonly next_withdrawal_index: string;
  readonly validators: readonly { readonly address: string; readonly voting_power: string }[];
  readonly payouts: readonly { readonly address: string; readonly gwei: string }[];
}

describe(`a chain in stake mode over ${el === "embedded" ? "embedded clients" : "Geth"}`, {
  timeout: 600_000,
}, () => {
  let net: LiveNetwork;
  let home: string;
  let node: string;
  let eth: string;
  let address: string;
  let withdrawnAt = 0;
  let balanceBefore = 0n;
  before(async () => {
    net = await LiveNetwork.start(
      ...["--stake", "--unbonding", String(UNBONDING_S), "--validators", "1", "--full", "1", "--load", "0"],
      ...["--block-interval", String(BLOCK_INTERVAL_MS), "--el", el],
    );
    ({ home, rpc: node, eth_rpc: eth, address } = await net.node("node1"));
  });
  afterEach((context) => {
    if ("diagnostic" in context && "passed" in context && context.passed === false) {
      context.diagnostic(net.logTails());
    }
  });
  after(async () => {
    await net?.dispose();
  });

  const delivered = async (...words: readonly string[]): Promise<Delivered> => {
    const [first = "", ...rest] = words;
    const ended = await validator(first, ...rest, "--home", home, "--json", "--timeout", "120");
    assert.equal(ended.code, 0, ended.err);
    return JSON.parse(ended.out) as Delivered;
  };
  const registry = (): Promise<RegistryDocument> => rpc<RegistryDocument>(node, "registry");
  const balance = async (): Promise<bigint> => {
    const { owner } = JSON.parse((await validator("key", "show", "--home", home, "--json")).out);
    return BigInt(await ethCall<string>(eth, "eth_getBalance", [owner, "latest"]));
  };
  /** What blocks from `from` on paid. */
  const withdrawalsSince = async (
    from: number,
  ): Promise<readonly { readonly height: number; readonly index: number; readonly gwei: bigint }[]> => {
    const found = [];
    for (let height = from; ; height++) {
      const block = (await ethBlock(eth, height)) as
        | (EthBlock & { readonly withdrawals: readonly { index: Hex; amount: Hex }[] })
        | null;
      if (block === null) return found;
      for (const { index, amount } of block.withdrawals) {
        found.push({ height, index: Number(index), gwei: BigInt(amount) });
      }
    }
  };
  const powers = async (height: number): Promise<ReadonlyMap<string, string>> => {
    const { validators } = await rpc<RegistryDocument>(node, `validators?height=${height}`);
    return new Map(validators.map((row) => [row.address, row.voting_power]));
  };

  test("nobody but the depositor is asked: 32 ether and a proof make a full node a validator", async () => {
    const joined = await delivered("join");
    assert.deepEqual([joined.power, joined.stake_gwei], ["32", String(32n * GWEI)]);
    assert.equal((await powers(joined.in_force - 1)).get(address), "24", "by parts of a third of the total");
    assert.equal((await powers(joined.in_force)).get(address), "32");
    await net.advances(2);
    await net.signs("node1");
  });

  test("a second deposit adds to the stake, and power is its whole ethers", async () => {
    const more = await delivered("join", "--amount", "8.75");
    assert.deepEqual([more.power, more.stake_gwei], ["40", "40750000000"]);
  });

  test("a partial withdrawal lowers the power two heights on", async () => {
    balanceBefore = await balance();
    const less = await delivered("withdraw", "--amount", "5");
    assert.deepEqual([less.power, less.stake_gwei], ["35", "35750000000"]);
    withdrawnAt = less.height;
  });

  test("who leaves is paid everything by the chain itself, after the time in which evidence counts", async (t) => {
    const left = await delivered("exit");
    assert.deepEqual([left.power, left.stake_gwei], ["0", "0"]);
    await eventually("the payouts", async () => (await registry()).payouts.length === 0);
    const after = await registry();
    await eventually("the client's head", async () => {
      return (await ethBlock(eth, Number(after.block_height))) !== null;
    });
    assert.deepEqual([after.policy, after.validators.length], ["stake", 1], "and forgotten");
    const payouts = await withdrawalsSince(withdrawnAt);
    t.diagnostic(payouts.map(({ height, gwei }) => `${gwei} gwei at ${height}`).join(", "));
    const held = EVIDENCE_BLOCKS + 2;
    const [part, whole] = payouts;
    assert.ok(part !== undefined && whole !== undefined);
    assert.equal(part.gwei, 5n * GWEI, "the oldest first");
    assert.ok(part.height > withdrawnAt + held && whole.height > left.height + held, "not before");
    assert.equal(payouts.length, Number(after.next_withdrawal_index));
    const paid = (await balance()) - balanceBefore;
    const stake = 40_750_000_000n * GWEI;
    assert.ok(
      paid <= stake && paid > stake - 10n ** 16n,
      `${paid} wei: all of it but the gas of two requests`,
    );
  });

  test("a contract is shown what the validators signed: height, set and app hash of a header", async (t) => {
    const transport = http(eth);
    const client = createPublicClient({ transport, pollingInterval: 200 });
    const { bytecode } = JSON.parse(
      readFileSync(join(ROOT, "config", "contracts", "ConsensusHeader.json"), "utf8"),
    ) as { bytecode: Hex };
    const chain = defineChain({
      id: net.evmChainId,
      name: "quorate",
      nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
      rpcUrls: { default: { http: [eth] } },
    });
    const account = privateKeyToAccount(net.accounts[0]!.private_key);
    const hash = await createWalletClient({ account, chain, transport }).deployContract({
      abi: consensusHeaderAbi,
      bytecode,
    });
    const receipt = await client.waitForTransactionReceipt({ hash });
    const height = await net.advances(1);
    await eventually("the block that carries the header", async () => {
      return (await client.getBlockNumber({ cacheTime: 0 })) > BigInt(height);
    });
    const { timestamp, facts, hash: signed } = await proveHeader(node, client, height);
    const { validators_hash, app_hash } = (
      await rpc<{ signed_header: { header: { validators_hash: string; app_hash: string } } }>(
        node,
        `commit?height=${height}`,
      )
    ).signed_header.header;
    assert.deepEqual(
      [facts.validatorsHash, facts.appHash],
      [`0x${validators_hash.toLowerCase()}`, `0x${app_hash.toLowerCase()}`],
    );
    const request = {
      address: receipt.contractAddress!,
      abi: consensusHeaderAbi,
      functionName: "requireFacts",
      args: [timestamp, facts],
    } as const;
    assert.equal(await client.readContract(request), signed);
    t.diagnostic(`proven for ${await client.estimateContractGas({ ...request, account })} gas`);
    const lie = { ...facts, appHash: facts.validatorsHash };
    await assert.rejects(client.readContract({ ...request, args: [timestamp, lie] }), /Unproven/);
  });

  test("both clients have the same blocks, and nobody signed twice", async () => {
    await net.advances(2);
    assert.deepEqual(net.divergedHeights(), []);
    const homes = (await net.nodes()).map((row) => row.home);
    const { code } = await net.network.stop();
    assert.equal(code, 0);
    assert.deepEqual(judgeVotes(homes).conflicts, []);
    assert.ok(homes.includes(join(net.home, "node1")));
  });
});
