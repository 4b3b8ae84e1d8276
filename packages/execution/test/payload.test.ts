import assert from "node:assert/strict";
import { test } from "node:test";
import { type EnvelopeV1, type PayloadAttributes, stateFromGenesis, type Withdrawal } from "@quorate/chain";
import fc from "fast-check";
import { mismatch, payloadFromJson } from "../src/payload/from-engine.ts";
import { ShapeError } from "../src/payload/hex.ts";
import { fingerprint, payloadToJson, refusal } from "../src/payload/to-engine.ts";
import type { ExecutionPayload } from "../src/types.ts";
import { testGenesis } from "./support/chain.ts";

const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });
const PLAIN = { noNullPrototype: true };
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const safe = fc.maxSafeNat();
const withdrawal: fc.Arbitrary<Withdrawal> = fc.record(
  {
    index: u64,
    validatorIndex: u64,
    address: bytes(20),
    amountGwei: u64,
  },
  PLAIN,
);
const requests = fc
  .uniqueArray(fc.nat(255), { maxLength: 4 })
  .map((types) => types.sort((a, b) => a - b).map((type) => new Uint8Array([type, 1, 2])));
const envelope: fc.Arbitrary<EnvelopeV1> = fc.record(
  {
    version: fc.constant(1 as const),
    parentHash: bytes(32),
    feeRecipient: bytes(20),
    stateRoot: bytes(32),
    receiptsRoot: bytes(32),
    logsBloom: bytes(256),
    prevRandao: bytes(32),
    blockNumber: safe,
    gasLimit: u64,
    gasUsed: u64,
    timestamp: safe,
    extraData: fc.uint8Array({ maxLength: 32 }),
    baseFeePerGas: fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
    blockHash: bytes(32),
    blobGasUsed: fc.constant(0n),
    excessBlobGas: u64,
    withdrawals: fc.array(withdrawal, { maxLength: 16 }),
    executionRequests: requests,
  },
  PLAIN,
);
const payload: fc.Arbitrary<ExecutionPayload> = fc.record(
  {
    envelope,
    transactions: fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 5 }),
  },
  PLAIN,
);

function asReply(given: ExecutionPayload): unknown {
  const executionRequests = given.envelope.executionRequests.map(
    (r) => `0x${Buffer.from(r).toString("hex")}`,
  );
  return JSON.parse(JSON.stringify({ executionPayload: payloadToJson(given), executionRequests }));
}

test("what is written for the Engine API reads back as the same payload", () => {
  fc.assert(fc.property(payload, (given) => assert.deepEqual(payloadFromJson(asReply(given)), given)));
});

test("quantities are minimal hex, data keeps its length", () => {
  fc.assert(
    fc.property(payload, (given) => {
      const json = payloadToJson(given);
      for (const field of [
        "blockNumber",
        "gasLimit",
        "gasUsed",
        "timestamp",
        "baseFeePerGas",
        "excessBlobGas",
      ]) {
        assert.match(String(json[field]), /^0x(0|[1-9a-f][0-9a-f]*)$/);
      }
      assert.equal(String(json["logsBloom"]).length, 2 + 512);
    }),
  );
});

test("any JSON is a payload or a ShapeError, never another exception", () => {
  const broken = fc.oneof(
    fc.jsonValue(),
    fc.tuple(payload, fc.string(), fc.jsonValue()).map(([given, , value]) => {
      const reply = asReply(given) as { executionPayload: Record<string, unknown> };
      const keys = Object.keys(reply.executionPayload);
      const key = keys[JSON.stringify(value).length % keys.length]!;
      return { ...reply, executionPayload: { ...reply.executionPayload, [key]: value } };
    }),
  );
  fc.assert(
    fc.property(broken, (value) => {
      try {
        payloadFromJson(value);
      } catch (error) {
        assert.ok(error instanceof ShapeError, String(error));
      }
    }),
  );
});

test("payloads that differ in anything have different fingerprints", () => {
  fc.assert(
    fc.property(payload, payload, bytes(32), (a, b, root) => {
      const same = JSON.stringify(asReply(a)) === JSON.stringify(asReply(b));
      assert.equal(fingerprint(a, root) === fingerprint(b, root), same);
      assert.notEqual(
        fingerprint(a, root),
        fingerprint(
          a,
          root.map((byte) => byte ^ 1),
        ),
      );
    }),
  );
});

test("only payloads without blobs and with ordered requests are handed to an EL", () => {
  fc.assert(
    fc.property(payload, (given) => {
      const blob = given.transactions.some((tx) => tx[0] === 3);
      assert.equal(refusal(given) === null, !blob);
      const reversed = [...given.envelope.executionRequests].reverse();
      const unordered = { ...given, envelope: { ...given.envelope, executionRequests: reversed } };
      if (reversed.length > 1) assert.notEqual(refusal(unordered), null);
    }),
  );
});

test("a payload is what was asked for only with every field that the chain fixes, each of its withdrawals in full", () => {
  const state = stateFromGenesis(testGenesis());
  const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);
  const owed = (changes: Partial<Withdrawal> = {}): Withdrawal => ({
    index: 3n,
    validatorIndex: 0n,
    address: filled(20, 4),
    amountGwei: 5n,
    ...changes,
  });
  const attributes: PayloadAttributes = {
    timestamp: 1_800_000_000,
    prevRandao: filled(32, 1),
    suggestedFeeRecipient: filled(20, 2),
    withdrawals: [owed()],
    parentBeaconBlockRoot: filled(32, 3),
  };
  const [sample] = fc.sample(envelope, 1);
  const asked: EnvelopeV1 = {
    ...sample!,
    parentHash: state.el.blockHash,
    blockNumber: state.el.number + 1,
    timestamp: attributes.timestamp,
    prevRandao: attributes.prevRandao,
    feeRecipient: attributes.suggestedFeeRecipient,
    withdrawals: [owed({ address: filled(20, 4) })],
    gasLimit: state.el.gasLimit,
  };
  const reason = (changes: Partial<EnvelopeV1>): string | undefined =>
    mismatch({ envelope: { ...asked, ...changes }, transactions: [] }, state, attributes)?.reason;
  assert.equal(reason({}), undefined);
  const cases: readonly (readonly [changes: Partial<EnvelopeV1>, words: RegExp])[] = [
    [{ parentHash: filled(32, 9) }, /another parent/],
    [{ blockNumber: state.el.number + 2 }, /another number/],
    [{ timestamp: attributes.timestamp + 1 }, /another timestamp/],
    [{ prevRandao: filled(32, 9) }, /another prevRandao/],
    [{ feeRecipient: filled(20, 9) }, /another fee recipient/],
    [{ withdrawals: [] }, /another list of withdrawals/],
    [{ withdrawals: [owed(), owed({ index: 4n })] }, /another list of withdrawals/],
    [{ withdrawals: [owed({ index: 4n })] }, /another list of withdrawals/],
    [{ withdrawals: [owed({ validatorIndex: 1n })] }, /another list of withdrawals/],
    [{ withdrawals: [owed({ amountGwei: 6n })] }, /another list of withdrawals/],
    [{ withdrawals: [owed({ address: filled(20, 5) })] }, /another list of withdrawals/],
    [{ gasLimit: 1n }, /gas limit 1, the chain's is/],
  ];
  for (const [changes, words] of cases) assert.match(reason(changes) ?? "taken", words);
});
