import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { createBlock } from "@ethereumjs/block";
import type { Common } from "@ethereumjs/common";
import fc from "fast-check";
import { fromHex } from "../src/hex.ts";
import { parseElGenesis } from "../src/index.ts";
import { Candidates } from "../src/pool/candidates.ts";
import { Heap } from "../src/pool/heap.ts";
import { DEFAULT_POOL_LIMITS, type PoolLimits, TxPool } from "../src/pool/pool.ts";
import type { SenderAccount } from "../src/pool/rules.ts";
import { createCommon } from "../src/vm/common.ts";
import { loadCrypto } from "../src/vm/crypto.ts";
import { effectiveTip } from "../src/vm/transaction.ts";
import { CHAIN_ID, testGenesis } from "./support/process.ts";
import { Signers } from "./support/transactions.ts";

const GWEI = 1_000_000_000n;
const signers = new Signers();
let common: Common;

before(async () => {
  common = createCommon(parseElGenesis(testGenesis()), (await loadCrypto()).custom);
});

/** A pool over accounts that the test writes. */
function poolOn(accounts: Map<string, SenderAccount>, limits: PoolLimits = DEFAULT_POOL_LIMITS): TxPool {
  const head = createBlock(
    { header: { number: 1n, gasLimit: 15_000_000n, baseFeePerGas: GWEI } },
    { common },
  );
  return new TxPool(
    {
      common,
      head: () => head,
      account: (address) =>
        Promise.resolve(accounts.get(address) ?? { nonce: 0n, balance: 10n ** 24n, isContract: false }),
    },
    limits,
  );
}

interface Fields {
  readonly sender?: number;
  readonly nonce?: number;
  readonly cap?: bigint;
  readonly tip?: bigint;
  readonly gas?: bigint;
  readonly value?: bigint;
  readonly chainId?: number;
  readonly data?: `0x${string}`;
}

async function raw(fields: Fields = {}): Promise<Uint8Array> {
  const signed = await signers.accounts[fields.sender ?? 0]!.signTransaction({
    type: "eip1559",
    chainId: fields.chainId ?? CHAIN_ID,
    nonce: fields.nonce ?? 0,
    to: "0x000000000000000000000000000000000000dead",
    gas: fields.gas ?? 21_000n,
    value: fields.value ?? 0n,
    data: fields.data ?? "0x",
    maxFeePerGas: fields.cap ?? 3n * GWEI,
    maxPriorityFeePerGas: fields.tip ?? GWEI,
  });
  return fromHex(signed);
}

describe("what the pool refuses, in the words that wallets look for", () => {
  const cases: Record<string, [Fields, RegExp]> = {
    "an old nonce": [{ sender: 1, nonce: 4 }, /nonce too low: next nonce 5, tx nonce 4/],
    "more than the balance": [
      { sender: 2, value: 10n ** 18n },
      /insufficient funds for gas \* price \+ value/,
    ],
    "a contract as sender": [{ sender: 3 }, /sender not an eoa/],
    "no tip": [{ tip: 0n }, /transaction underpriced: gas tip cap 0, minimum needed 1/],
    "too little gas": [{ gas: 20_999n }, /intrinsic gas too low: gas 20999, minimum needed 21000/],
    "too little gas for its data": [{ gas: 21_100n, data: `0x${"ff".repeat(100)}` }, /intrinsic gas too low/],
    "more gas than a block has": [{ gas: 15_000_001n }, /exceeds block gas limit/],
    "more gas than a transaction may have": [
      { gas: 16_777_217n },
      /transaction gas limit too high|exceeds block gas limit/,
    ],
    "another chain's signature": [{ chainId: 1 }, /chain ?id/i],
  };
  for (const [name, [fields, reason]] of Object.entries(cases)) {
    test(name, async () => {
      const accounts = new Map<string, SenderAccount>([
        [signers.address(1), { nonce: 5n, balance: 10n ** 24n, isContract: false }],
        [signers.address(2), { nonce: 0n, balance: 10n ** 15n, isContract: false }],
        [signers.address(3), { nonce: 0n, balance: 10n ** 24n, isContract: true }],
      ]);
      await assert.rejects(poolOn(accounts).add(await raw(fields)), reason);
    });
  }

  test("blobs, garbage, oversized data and what it has already", async () => {
    const pool = poolOn(new Map());
    await assert.rejects(pool.add(new Uint8Array([3, 0xc0])), /transaction type not supported/);
    await assert.rejects(pool.add(new Uint8Array([2, 0xc0, 0x01])), /invalid transaction/);
    await assert.rejects(pool.add(new Uint8Array(0)), /invalid transaction/);
    await assert.rejects(pool.add(new Uint8Array(131_073)), /oversized data/);
    await pool.add(await raw());
    await assert.rejects(pool.add(await raw()), /already known/);
  });

  test("together more than the balance", async () => {
    const accounts = new Map([[signers.address(0), { nonce: 0n, balance: 10n ** 18n, isContract: false }]]);
    const pool = poolOn(accounts);
    await pool.add(await raw({ nonce: 0, value: 6n * 10n ** 17n }));
    await assert.rejects(pool.add(await raw({ nonce: 1, value: 6n * 10n ** 17n })), /insufficient funds/);
  });
});

test("a replacement takes the place only with 10 % more in tip and fee cap", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 90, max: 130 }),
      fc.integer({ min: 90, max: 130 }),
      async (capPercent, tipPercent) => {
        const pool = poolOn(new Map());
        const old = await pool.add(await raw({ cap: 10n * GWEI, tip: GWEI }));
        const next = await raw({
          cap: (10n * GWEI * BigInt(capPercent)) / 100n,
          tip: (GWEI * BigInt(tipPercent)) / 100n,
          value: 1n,
        });
        const taken = await pool.add(next).then(
          () => true,
          () => false,
        );
        assert.equal(taken, capPercent >= 110 && tipPercent >= 110);
        assert.equal(pool.size, 1);
        assert.equal(pool.get(old) === undefined, taken);
      },
    ),
    { numRuns: 40 },
  );
});

test("candidates come by tip, each sender's in nonce order without a gap, none below the base fee", async () => {
  const entry = fc.record({
    sender: fc.integer({ min: 0, max: 4 }),
    nonce: fc.integer({ min: 0, max: 5 }),
    cap: fc.integer({ min: 1, max: 8 }),
    tip: fc.integer({ min: 1, max: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 25 }), async (entries) => {
      const pool = poolOn(new Map());
      for (const { sender, nonce, cap, tip } of entries) {
        const transaction = await raw({
          sender,
          nonce,
          cap: BigInt(cap) * GWEI,
          tip: BigInt(Math.min(cap, tip)) * GWEI,
        });
        await pool.add(transaction).catch(() => undefined);
      }
      const baseFee = 3n * GWEI;
      const candidates = new Candidates(pool, baseFee, new Set());
      const next = new Map<string, bigint>();
      let taken = 0;
      for (let candidate = candidates.next(); candidate !== undefined; candidate = candidates.next()) {
        const { entry: one } = candidate;
        assert.equal(one.nonce, next.get(one.from) ?? 0n);
        assert.ok(one.feeCap >= baseFee);
        for (const { transactions } of pool.bySender()) {
          const rival = [...transactions.values()].find(
            (other) => other.nonce === (next.get(other.from) ?? 0n),
          );
          if (rival === undefined) continue;
          const tip = effectiveTip(rival.transaction, baseFee);
          assert.ok(tip < 0n || tip <= effectiveTip(one.transaction, baseFee));
        }
        next.set(one.from, one.nonce + 1n);
        taken += 1;
        candidate.follow();
      }
      let executable = 0;
      for (const { transactions } of pool.bySender()) {
        for (let nonce = 0n; ; nonce += 1n) {
          const one = transactions.get(nonce);
          if (one === undefined || one.feeCap < baseFee) break;
          executable += 1;
        }
      }
      assert.equal(taken, executable);
    }),
    { numRuns: 30 },
  );
});

test("bounds hold, and a better paying newcomer takes the place of the cheapest", async () => {
  const limits = { transactions: 5, bytes: 100_000, perSender: 3 };
  const pool = poolOn(new Map(), limits);
  for (let nonce = 0; nonce < 3; nonce++) await pool.add(await raw({ sender: 0, nonce, tip: 10n }));
  await assert.rejects(pool.add(await raw({ sender: 0, nonce: 3, tip: 10n })), /account limit exceeded/);
  for (let nonce = 0; nonce < 2; nonce++) await pool.add(await raw({ sender: 1, nonce, tip: 20n }));
  await assert.rejects(pool.add(await raw({ sender: 2, tip: 5n })), /txpool is full/);
  await pool.add(await raw({ sender: 2, tip: 30n }));
  assert.equal(pool.size, 5);
  assert.equal(pool.nextNonce(signers.address(0), 0n), 2n, "the last of the cheapest sender is gone");
});

test("the next nonce counts what follows without a gap; the rest is queued", async () => {
  const pool = poolOn(new Map());
  for (const nonce of [0, 1, 3]) await pool.add(await raw({ nonce }));
  assert.equal(pool.nextNonce(signers.address(0), 0n), 2n);
  const lists = pool.content().get(signers.address(0));
  assert.deepEqual(
    lists?.pending.map((entry) => entry.nonce),
    [0n, 1n],
  );
  assert.deepEqual(
    lists?.queued.map((entry) => entry.nonce),
    [3n],
  );
  await pool.add(await raw({ nonce: 2 }));
  assert.equal(pool.nextNonce(signers.address(0), 0n), 4n);
});

test("when the head moves, included, outdated and unaffordable transactions leave", async () => {
  const accounts = new Map<string, SenderAccount>();
  const pool = poolOn(accounts);
  const included = await raw({ sender: 0, nonce: 0 });
  await pool.add(included);
  const follows = await pool.add(await raw({ sender: 0, nonce: 1 }));
  await pool.add(await raw({ sender: 1, nonce: 0 }));
  await pool.add(await raw({ sender: 2, nonce: 0, value: 10n ** 20n }));
  const untouched = await pool.add(await raw({ sender: 3, nonce: 0 }));
  accounts.set(signers.address(0), { nonce: 1n, balance: 10n ** 24n, isContract: false });
  accounts.set(signers.address(1), { nonce: 7n, balance: 10n ** 24n, isContract: false });
  accounts.set(signers.address(2), { nonce: 0n, balance: 1n, isContract: false });
  const entry = pool.all()[0];
  assert.ok(entry);
  const block = createBlock({ header: { number: 2n }, transactions: [entry.transaction] }, { common });
  const touched = new Set([0, 1, 2].map((i) => signers.address(i)));
  await pool.onHead({ added: [block], removed: [], touched });
  assert.deepEqual(
    pool.all().map((one) => one.hash),
    [follows, untouched],
  );
});

test("a heap gives its items in order", () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), (items) => {
      const heap = new Heap<number>((a, b) => a < b);
      for (const item of items) heap.push(item);
      const popped = items.map(() => heap.pop());
      assert.deepEqual(
        popped,
        [...items].sort((a, b) => a - b),
      );
      assert.equal(heap.pop(), undefined);
    }),
  );
});
