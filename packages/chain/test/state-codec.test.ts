import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  ChainError,
  type ChainState,
  decodeEnvelope,
  decodeState,
  type Envelope,
  type EnvelopeV1,
  encodeEnvelope,
  encodeState,
  type Registry,
  registryRoot,
} from "@quorate/chain";
import fc from "fast-check";
import { chainOf, makeFixture } from "./state-fixture.ts";

const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });
const u64: fc.Arbitrary<bigint> = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const safe: fc.Arbitrary<number> = fc.nat({ max: Number.MAX_SAFE_INTEGER });

const requests: fc.Arbitrary<Uint8Array[]> = fc
  .uniqueArray(fc.tuple(fc.nat({ max: 255 }), fc.uint8Array({ minLength: 1, maxLength: 40 })), {
    maxLength: 5,
    selector: ([type]) => type,
  })
  .map((list) => list.sort(([a], [b]) => a - b).map(([type, data]) => Uint8Array.of(type, ...data)));

const envelopes: fc.Arbitrary<EnvelopeV1> = fc.record(
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
    blobGasUsed: u64,
    excessBlobGas: u64,
    withdrawals: fc.array(
      fc.record(
        { index: u64, validatorIndex: u64, address: bytes(20), amountGwei: u64 },
        { noNullPrototype: true },
      ),
      {
        maxLength: 16,
      },
    ),
    executionRequests: requests,
  },
  { noNullPrototype: true },
);

/** Decoding any bytes gives a value that re-encodes to them, or ChainError DECODE. */
function total<T>(
  decode: (bytes: Uint8Array) => T,
  encode: (value: T) => Uint8Array,
  input: Uint8Array,
): void {
  let value: T;
  try {
    value = decode(input);
  } catch (error) {
    assert.ok(error instanceof ChainError && error.code === "DECODE", String(error));
    return;
  }
  assert.deepEqual(encode(value), input);
}

/** One byte changed, some cut off, or some appended. */
function mutations(original: Uint8Array): fc.Arbitrary<Uint8Array> {
  return fc.oneof(
    fc.tuple(fc.nat({ max: original.length - 1 }), fc.nat({ max: 255 })).map(([at, value]) => {
      const copy = original.slice();
      copy[at] = value;
      return copy;
    }),
    fc.nat({ max: original.length }).map((length) => original.slice(0, length)),
    fc.uint8Array({ minLength: 1, maxLength: 4 }).map((tail) => Uint8Array.of(...original, ...tail)),
  );
}

describe("the execution envelope", () => {
  it("decodes to what was encoded", () => {
    fc.assert(
      fc.property(envelopes, (envelope) => {
        assert.deepEqual(decodeEnvelope(encodeEnvelope(envelope)), envelope);
      }),
    );
    assert.deepEqual(decodeEnvelope(Uint8Array.of(0)), { version: 0 });
    assert.deepEqual(encodeEnvelope({ version: 0 }), Uint8Array.of(0));
  });

  it("has the layout of the protocol: fields at fixed places", () => {
    const fill = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);
    const encoded = encodeEnvelope({
      version: 1,
      parentHash: fill(32, 1),
      feeRecipient: fill(20, 2),
      stateRoot: fill(32, 3),
      receiptsRoot: fill(32, 4),
      logsBloom: fill(256, 5),
      prevRandao: fill(32, 6),
      blockNumber: 7,
      gasLimit: 8n,
      gasUsed: 9n,
      timestamp: 10,
      extraData: Uint8Array.of(11, 11),
      baseFeePerGas: 12n,
      blockHash: fill(32, 13),
      blobGasUsed: 14n,
      excessBlobGas: 15n,
      withdrawals: [{ index: 16n, validatorIndex: 17n, address: fill(20, 18), amountGwei: 19n }],
      executionRequests: [Uint8Array.of(0, 20), Uint8Array.of(1, 21, 22)],
    });
    const hex = [
      "01",
      "01".repeat(32),
      "02".repeat(20),
      "03".repeat(32),
      "04".repeat(32),
      "05".repeat(256),
      "06".repeat(32),
      "0000000000000007",
      "0000000000000008",
      "0000000000000009",
      "000000000000000a",
      "020b0b",
      `${"00".repeat(31)}0c`,
      "0d".repeat(32),
      "000000000000000e",
      "000000000000000f",
      `0100000000000000100000000000000011${"12".repeat(20)}0000000000000013`,
      "0200000002001400000003011516",
    ];
    assert.equal(Buffer.from(encoded).toString("hex"), hex.join(""));
  });

  it("decodes any bytes to a value that re-encodes to them, or refuses them", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 700 }),
          envelopes.chain((envelope) => mutations(encodeEnvelope(envelope))),
        ),
        (input) => total<Envelope>(decodeEnvelope, encodeEnvelope, input),
      ),
      { numRuns: 400 },
    );
  });

  it("refuses requests that repeat a type, descend, or have no data, in both directions", () => {
    const [envelope] = fc.sample(envelopes, 1);
    const bad = [
      [Uint8Array.of(1, 1), Uint8Array.of(1, 2)],
      [Uint8Array.of(2, 1), Uint8Array.of(1, 2)],
      [Uint8Array.of(1)],
      [new Uint8Array(0)],
    ];
    for (const executionRequests of bad) {
      assert.throws(() => encodeEnvelope({ ...envelope!, executionRequests }), ChainError);
    }
    const good = encodeEnvelope({
      ...envelope!,
      executionRequests: [Uint8Array.of(1, 1), Uint8Array.of(2, 2)],
    });
    const swapped = good.slice();
    swapped[swapped.length - 2] = 1;
    assert.throws(() => decodeEnvelope(swapped), /do not ascend/);
  });

  it("refuses fields of a wrong length or out of range when encoding", () => {
    const [envelope] = fc.sample(envelopes, 1);
    const bad: readonly Partial<EnvelopeV1>[] = [
      { parentHash: new Uint8Array(31) },
      { feeRecipient: new Uint8Array(32) },
      { logsBloom: new Uint8Array(0) },
      { extraData: new Uint8Array(33) },
      { blockNumber: -1 },
      { timestamp: 1.5 },
      { baseFeePerGas: 1n << 256n },
      { gasLimit: 1n << 64n },
      { withdrawals: Array.from({ length: 17 }, () => envelope!.withdrawals[0]!) },
    ];
    for (const changes of bad) assert.throws(() => encodeEnvelope({ ...envelope!, ...changes }));
  });
});

function withQueues(state: ChainState): ChainState {
  const fill = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);
  return {
    ...state,
    registry: {
      ...state.registry,
      policy: 1,
      nextDepositIndex: 7n,
      nextWithdrawalIndex: 8n,
      changes: [
        { pubKey: fill(32, 1), owner: fill(20, 2), kind: 1, value: 2n ** 64n - 1n, height: 2 },
        { pubKey: fill(32, 3), owner: fill(20, 4), kind: 3, value: 0n, height: 2 },
      ],
      payouts: [
        { pubKey: fill(32, 5), address: fill(20, 6), gwei: 9n, unlockHeight: 10, unlockTimeMs: 11_000 },
        { pubKey: fill(32, 5), address: fill(20, 6), gwei: 0n, unlockHeight: 0, unlockTimeMs: 0 },
      ],
      scheduled: [
        { kind: "param", name: "precision", value: 300, height: 4 },
        { kind: "upgrade", appVersion: 2, height: 900 },
      ],
    },
  };
}

describe("the stored chain state", () => {
  const upgrades = [{ height: 100, appVersion: 2, params: { gas_limit: 30_000_000, precision: 400 } }];
  const states: readonly (readonly [name: string, state: ChainState])[] = [
    ["before the first block", chainOf(makeFixture("engine", { upgrades }), 0).state],
    ["with execution", chainOf(makeFixture("engine", { powers: [5n, 1n, 9n] }), 3).state],
    ["without execution", chainOf(makeFixture("none"), 2).state],
    ["with changes and payouts in its queues", withQueues(chainOf(makeFixture("engine"), 2).state)],
  ];

  for (const [name, state] of states) {
    it(`decodes to what was encoded ${name}`, () => {
      assert.deepEqual(decodeState(encodeState(state)), state);
    });

    it(`decodes any change of its bytes to a value that re-encodes to them, or refuses them, ${name}`, () => {
      fc.assert(
        fc.property(mutations(encodeState(state)), (input) => total(decodeState, encodeState, input)),
        { numRuns: 300 },
      );
    });
  }

  it("has a registry root that changes with every item of every queue", () => {
    const { registry } = withQueues(chainOf(makeFixture("engine"), 2).state);
    const variants: readonly Registry[] = [
      registry,
      { ...registry, changes: registry.changes.slice(1) },
      { ...registry, changes: registry.changes.toReversed() },
      { ...registry, payouts: registry.payouts.slice(1) },
      { ...registry, payouts: registry.payouts.toReversed() },
      { ...registry, scheduled: registry.scheduled.slice(1) },
      { ...registry, scheduled: registry.scheduled.toReversed() },
    ];
    const roots = variants.map((variant) => Buffer.from(registryRoot(variant)).toString("hex"));
    assert.equal(new Set(roots).size, variants.length);
  });

  it("refuses bytes of no or another format", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (input) => total(decodeState, encodeState, input)),
    );
    assert.throws(() => decodeState(Uint8Array.of(9)), /format 9/);
  });
});
