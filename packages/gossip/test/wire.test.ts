import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { VoteType } from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import fc from "fast-check";
import { BodyDecoder, type BodyHeader, encodeBodyHeader } from "../src/bodies/wire.ts";
import { GossipError } from "../src/errors.ts";
import { GossipBudget, GossipStreamScanner } from "../src/host/gossip-scanner.ts";
import { LIMITS } from "../src/limits.ts";
import { decodeAnswer, decodeRequest, encodeAnswer, encodeRequest } from "../src/reqresp/codec.ts";
import { bitsOf, countBits, emptyBits, hasBit, lostBits, missingBits } from "../src/roundstate/bits.ts";
import { decodeRoundState, decodeStatus, encodeRoundState, encodeStatus } from "../src/roundstate/codec.ts";
import { decodePeerMessage } from "../src/roundstate/messages.ts";
import { decodePack, encodeItem, type Item, type ItemKind, joinPack } from "../src/topics/items.ts";
import { packsOf } from "../src/topics/outbox.ts";
import type { RoundState } from "../src/types.ts";
import { FrameDecoder, frame } from "../src/wire/frames.ts";
import { makeBody, makeCommittee, polka, seedOf, signProposal, signVote } from "./support.ts";

const PLAIN = { noNullPrototype: true } as const;
const bytes = (max: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: max });
const bits = (max: number): fc.Arbitrary<ReturnType<typeof emptyBits>> =>
  fc.tuple(fc.nat(max), fc.array(fc.nat(max))).map(([size, positions]) => bitsOf(size, positions));
const hash: fc.Arbitrary<Uint8Array> = fc.uint8Array({ minLength: 32, maxLength: 32 });
const blockId = fc
  .tuple(hash, hash, fc.integer({ min: 1, max: 256 }))
  .map(([id, parts, total]) => ({ hash: id, parts: { total, hash: parts } }));
const round = fc.nat(2 ** 31 - 1);
const type = fc.constantFrom(VoteType.prevote, VoteType.precommit);
const roundState: fc.Arbitrary<RoundState> = fc.record(
  {
    height: fc.nat(Number.MAX_SAFE_INTEGER),
    round,
    step: fc.nat(255),
    proposal: fc.option(blockId),
    parts: bits(LIMITS.parts),
    votes: fc.array(fc.record({ round, type, have: bits(LIMITS.validators) }, PLAIN), {
      maxLength: LIMITS.roundStateVotes,
    }),
    maj23: fc.array(fc.record({ round, type, blockId: fc.option(blockId) }, PLAIN), {
      maxLength: LIMITS.roundStateMaj23,
    }),
    direct: bits(LIMITS.validators),
    elReady: fc.boolean(),
    leaving: fc.boolean(),
  },
  PLAIN,
);

/** A decoder of bytes from outside gives a value or a GossipError, whatever the bytes. */
function total(decode: (input: Uint8Array) => unknown): void {
  fc.assert(
    fc.property(bytes(300), (input) => {
      try {
        decode(input);
      } catch (error) {
        assert.ok(error instanceof GossipError, String(error));
      }
    }),
    { numRuns: 300 },
  );
}

describe("bit arrays", () => {
  it("say of every position whether it was set, and nothing behind their end", () => {
    fc.assert(
      fc.property(fc.nat(600), fc.array(fc.nat(700)), (size, positions) => {
        const array = bitsOf(size, positions);
        for (let i = -1; i < 710; i++) assert.equal(hasBit(array, i), i < size && positions.includes(i));
        assert.equal(countBits(array), new Set(positions.filter((p) => p < size)).size);
      }),
    );
  });

  it("name exactly what another one lacks", () => {
    fc.assert(
      fc.property(bits(200), bits(200), (have, other) => {
        const missing = missingBits(have, other);
        const expected = Array.from({ length: have.size }, (_, i) => i).filter(
          (i) => hasBit(have, i) && !hasBit(other, i),
        );
        assert.deepEqual(missing, expected);
        assert.equal(lostBits(have, other), expected.length > 0);
      }),
    );
  });
});

describe("codecs of the peer stream", () => {
  it("give every round state back", () => {
    fc.assert(
      fc.property(roundState, (state) => {
        assert.deepEqual(decodeRoundState(encodeRoundState(state)), state);
      }),
    );
  });

  it("refuse bits behind the end of an array: two encodings would mean the same", () => {
    const state: RoundState = {
      height: 1,
      round: 0,
      step: 0,
      proposal: null,
      parts: { size: 3, bits: Uint8Array.of(0b1000) },
      votes: [],
      maj23: [],
      direct: emptyBits(0),
      elReady: true,
      leaving: false,
    };
    assert.throws(() => decodeRoundState(encodeRoundState(state)), { code: "MALFORMED" });
  });

  it("give every status back", () => {
    const status = fc.record(
      {
        protocolVersion: fc.nat(2 ** 32 - 1),
        chainId: fc.string({ maxLength: 12, unit: "grapheme" }),
        genesisHash: hash,
        upgradesHash: hash,
        elGenesisHash: hash,
        height: fc.nat(Number.MAX_SAFE_INTEGER),
        earliestHeight: fc.nat(Number.MAX_SAFE_INTEGER),
        moniker: fc.string({ maxLength: 12 }),
      },
      PLAIN,
    );
    const binding = fc.record(
      { pubKey: hash, signature: fc.uint8Array({ minLength: 64, maxLength: 64 }) },
      PLAIN,
    );
    fc.assert(
      fc.property(status, fc.option(binding), (plain, bound) => {
        fc.pre(new TextEncoder().encode(plain.chainId).length <= LIMITS.chainIdBytes);
        const value = bound === null ? plain : { ...plain, binding: bound };
        assert.deepEqual(decodeStatus(encodeStatus(value)), value);
      }),
    );
  });

  it("cut a moniker that is too long at a character, rather than be refused by every peer", () => {
    const status = decodeStatus(
      encodeStatus({
        protocolVersion: 1,
        chainId: "c",
        genesisHash: seedOf("g"),
        upgradesHash: seedOf("u"),
        elGenesisHash: seedOf("e"),
        height: 1,
        earliestHeight: 1,
        moniker: "€".repeat(100),
      }),
    );
    assert.equal(status.moniker, "€".repeat(23));
  });

  it("are total", () => {
    total(decodeRoundState);
    total(decodeStatus);
    total(decodePeerMessage);
    total((input) => decodePeerMessage(Uint8Array.of(3, ...input)));
  });
});

describe("packs", () => {
  const committee = makeCommittee(4);
  const body = makeBody("pack", 500);
  const votes = committee.signers.map((signer) =>
    signVote(signer, { type: VoteType.precommit, height: 7, round: 1, blockId: body.blockId }),
  );
  const items: readonly Item[] = [
    ...votes.map((vote): Item => ({ kind: "vote", vote })),
    { kind: "certificate", certificate: polka(votes) },
    {
      kind: "proposal",
      proposal: signProposal(committee.set, committee.signers, {
        height: 7,
        round: 1,
        blockId: body.blockId,
      }),
      body: body.bytes,
    },
    { kind: "body", height: 7, blockId: body.blockId, bytes: body.bytes },
    { kind: "tx", raw: Uint8Array.of(1, 2, 3) },
  ];
  const all = new Set<ItemKind>(["vote", "certificate", "proposal", "part", "body", "evidence", "tx"]);

  it("give all their items back in order", () => {
    assert.deepEqual(decodePack(joinPack(items.map(encodeItem)), all), items);
  });

  it("are refused when empty, too long, cut anywhere, or of a kind that the topic does not carry", () => {
    const pack = joinPack(items.map(encodeItem));
    assert.throws(() => decodePack(new Uint8Array(0), all), { code: "MALFORMED" });
    assert.throws(() => decodePack(pack, all, 3), { code: "MALFORMED" });
    assert.throws(() => decodePack(pack, new Set<ItemKind>(["vote"])), { code: "MALFORMED" });
    const boundaries = new Set([0]);
    let at = 0;
    for (const item of items) {
      at += encodeItem(item).length;
      boundaries.add(at);
    }
    for (let cut = 0; cut < pack.length; cut += 7) {
      if (!boundaries.has(cut))
        assert.throws(() => decodePack(pack.subarray(0, cut), all), { code: "MALFORMED" });
    }
  });

  it("are total", () => total((input) => decodePack(input, all)));

  it("keep order and bounds when items are divided among them", () => {
    fc.assert(
      fc.property(
        fc.array(bytes(40).filter((item) => item.length > 0)),
        fc.integer({ min: 1, max: 5 }),
        (list, n) => {
          const packs = packsOf(list, n, 60);
          assert.deepEqual(joinPack(packs), joinPack(list));
          for (const pack of packs)
            assert.ok(pack.length <= 60 || list.some((item) => item.length === pack.length));
          assert.ok(packs.length <= list.length);
        },
      ),
    );
  });
});

describe("frames", () => {
  it("come out of any division of the stream as they went in", () => {
    fc.assert(
      fc.property(
        fc.array(bytes(50)),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }),
        fc.constantFrom(10, Number.POSITIVE_INFINITY),
        (list, cuts, shared) => {
          const stream = joinPack(list.map((content) => frame(content)));
          const decoder = new FrameDecoder(50, 4, shared);
          const out: Uint8Array[] = [];
          for (let at = 0, i = 0; at < stream.length; i++) {
            const size = cuts[i % cuts.length]!;
            // Of long frames the memory is used again.
            decoder.push(stream.subarray(at, at + size), (content) => out.push(content.slice()));
            at += size;
          }
          assert.deepEqual(
            out.map((content) => [...content]),
            list.map((content) => [...content]),
          );
          assert.equal(decoder.partial, false);
        },
      ),
    );
  });

  it("above the bound are refused at their length, before their content", () => {
    const decoder = new FrameDecoder(1000);
    assert.throws(() => decoder.push(Uint8Array.of(0, 0, 3, 233), () => undefined), { code: "OVERSIZED" });
    assert.ok(decoder.buffered <= 4);
  });
});

describe("bodies on a direct stream", () => {
  it("come out of any division, and those not accepted are skipped", () => {
    const wanted = makeBody("wanted", 3000);
    const other = makeBody("other", 2000);
    const stream = joinPack([
      encodeBodyHeader({ height: 3, blockId: other.blockId, proposal: null, length: 2000 }),
      other.bytes,
      encodeBodyHeader({ height: 3, blockId: wanted.blockId, proposal: null, length: 3000 }),
      wanted.bytes,
    ]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6000 }), (step) => {
        const bodies: { header: BodyHeader; bytes: Uint8Array }[] = [];
        const decoder = new BodyDecoder({
          accept: (header) => bytesEqual(header.blockId.hash, wanted.blockId.hash),
          progress: () => undefined,
          body: (header, content) => bodies.push({ header, bytes: content }),
        });
        for (let at = 0; at < stream.length; at += step) decoder.push(stream.subarray(at, at + step));
        assert.equal(bodies.length, 1);
        assert.deepEqual(bodies[0]!.bytes, wanted.bytes);
        assert.equal(decoder.partial, false);
        assert.equal(decoder.held, 0);
      }),
      { numRuns: 40 },
    );
  });
});

describe("sync requests and answers", () => {
  it("come back as they were", () => {
    const request = { kind: "blocks", from: 2 ** 40, count: 500 } as const;
    assert.deepEqual(decodeRequest(encodeRequest(request)), request);
    const block = { height: 9, block: seedOf("b"), commit: seedOf("c") };
    assert.deepEqual(decodeAnswer(encodeAnswer({ kind: "block", block })), { kind: "block", block });
    assert.deepEqual(decodeAnswer(encodeAnswer({ kind: "end" })), { kind: "end" });
    assert.deepEqual(decodeAnswer(encodeAnswer({ kind: "busy" })), { kind: "busy" });
  });

  it("ask for 1 to 512 blocks from height 1", () => {
    for (const request of [
      { kind: "blocks", from: 0, count: 1 },
      { kind: "blocks", from: 1, count: 0 },
      { kind: "blocks", from: 1, count: 513 },
    ] as const) {
      assert.throws(() => decodeRequest(encodeRequest(request)), { code: "MALFORMED" });
    }
  });

  it("are total", () => {
    total(decodeRequest);
    total(decodeAnswer);
  });
});

describe("the scanner of gossip streams", () => {
  const rpc = Uint8Array.of(7, 0x0a, 5, 0x08, 1, 0x12, 1, 97);
  const scanning = (limit: number, now: () => number = () => 0): GossipStreamScanner =>
    new GossipStreamScanner(limit, new GossipBudget(now));

  it("finds nothing wrong with well-formed RPCs, however they are divided", () => {
    for (let cut = 0; cut <= rpc.length; cut++) {
      const scanner = scanning(100);
      assert.equal(scanner.push(rpc.subarray(0, cut)), cut);
      assert.equal(scanner.push(rpc.subarray(cut)), rpc.length - cut);
    }
  });

  it("names frames above the bound and fields that end outside their message", () => {
    assert.equal(scanning(100).push(Uint8Array.of(101)), "oversized");
    assert.equal(scanning(100).push(Uint8Array.of(2, 0x0a, 5)), "malformed");
    assert.equal(scanning(100).push(Uint8Array.of(1, 0x07)), "malformed");
    assert.equal(scanning(100).push(Uint8Array.of(128, 128, 128, 128, 128, 1)), "malformed");
  });

  const framed = (...fields: readonly (readonly number[])[]): Uint8Array => {
    const content = fields.flat();
    const length =
      content.length < 128 ? [content.length] : [(content.length & 127) | 128, content.length >> 7];
    return Uint8Array.from([...length, ...content]);
  };
  const message = [0x12, 2, 0x12, 0];
  /** RPCs in a row at one moment before the first that is too many. */
  const untilFlood = (one: Uint8Array): number => {
    const scanner = scanning(LIMITS.frameBytes);
    for (let count = 0; count < 100_000; count++) if (scanner.push(one) === "flood") return count;
    return Number.POSITIVE_INFINITY;
  };

  it("regression: names a flood of what gossipsub itself does not count: RPCs, repeated messages, grafts, ids", () => {
    const graft = [0x1a, 4, 0x1a, 2, 0x0a, 0];
    const unwanted = [0x1a, 104, 0x2a, 102, 0x0a, 100, ...new Uint8Array(100)];
    assert.equal(untilFlood(framed(message)), LIMITS.gossipBurst);
    assert.equal(untilFlood(framed(message, message)), LIMITS.gossipBurst / 2);
    assert.equal(untilFlood(framed(graft)), LIMITS.membershipBurst);
    const many = Array.from({ length: 10 }, () => unwanted);
    assert.equal(untilFlood(framed(...many)), Math.floor(LIMITS.controlBurst / 1040));
  });

  it("regression: names a flood of RPCs with nothing in them, or nothing that it knows, as soon as one of grafts", () => {
    assert.equal(untilFlood(framed()), LIMITS.membershipBurst);
    assert.equal(untilFlood(framed([0x78, 1])), LIMITS.membershipBurst);
  });

  it("regression: names a flood of offers and wishes by their lists, long before their bytes are many", () => {
    for (const tag of [0x0a, 0x12])
      assert.equal(untilFlood(framed([0x1a, 4, tag, 2, 0x0a, 0])), LIMITS.listBurst);
  });

  it("finds no fault with a peer that has waited for what its budget lacked", () => {
    let now = 0;
    const scanner = scanning(LIMITS.frameBytes, () => now);
    const one = framed(message);
    for (let i = 0; i < LIMITS.gossipBurst; i++) assert.equal(scanner.push(one), one.length);
    now = 1000;
    for (let i = 0; i < LIMITS.gossipPerSecond; i++) assert.equal(scanner.push(one), one.length);
    assert.equal(scanner.push(one), "flood");
  });

  it("finds no flood in an honest neighbour of a crowded set, not even when it is read only every five seconds", () => {
    // 100 validators at three heights a second, each vote by itself; 19,000 transactions a second in packs of 256.
    const MESSAGES_PER_SECOND = 600 + 75;
    const ids = (tag: number, count: number): number[] => {
      const list = Array.from({ length: count }, () => [tag === 0x0a ? 0x12 : 0x0a, 3, 1, 2, 3]).flat();
      return [tag, (list.length & 127) | 128, list.length >> 7, ...list];
    };
    const control = (...lists: readonly number[][]): number[] => {
      const content = lists.flat();
      return [0x1a, (content.length & 127) | 128, content.length >> 7, ...content];
    };
    // A heartbeat: what four topics offer, what is wanted of that, a graft or a prune.
    const offers = framed(control(ids(0x0a, 600), ids(0x0a, 600), ids(0x0a, 600), ids(0x0a, 600)));
    const wish = framed(control(ids(0x12, 100)));
    const graft = framed([0x1a, 4, 0x1a, 2, 0x0a, 0]);
    let now = 0;
    const scanner = scanning(LIMITS.frameBytes, () => now);
    for (let pause = 0; pause < 12; pause++) {
      now += 5000;
      for (let second = 0; second < 5; second++) {
        for (const one of [offers, wish, graft]) assert.equal(scanner.push(one), one.length);
        for (let i = 0; i < MESSAGES_PER_SECOND; i++) assert.equal(scanner.push(framed(message)), 5);
      }
    }
  });

  it("regression: counts all streams of a connection together", () => {
    const budget = new GossipBudget(() => 0);
    const streams = Array.from({ length: 3 }, () => new GossipStreamScanner(LIMITS.frameBytes, budget));
    const found = Array.from({ length: LIMITS.gossipBurst + 1 }, (_, i) =>
      streams[i % streams.length]!.push(framed(message)),
    );
    assert.equal(found.pop(), "flood");
    assert.ok(found.every((one) => one === framed(message).length));
  });

  it("stops at the end of an RPC once it has done so much work, and goes on from there", () => {
    const chunk = joinPack([framed(message), framed(), framed(message, message), framed(), rpc]);
    const ends: (number | string)[] = [];
    const scanner = scanning(100);
    for (let at = 0; at < chunk.length; at = Number(ends.at(-1))) ends.push(scanner.push(chunk, at, 3));
    assert.deepEqual(ends, [6, 15, 24]);
    assert.equal(scanner.work, 5 + 3 + 1);
    assert.equal(scanner.push(chunk, 0, 0), 0);
  });

  it("regression: takes no RPC with more subscriptions than gossipsub reads", () => {
    const subscription = [0x0a, 0];
    const of = (count: number): number | string =>
      scanning(1000).push(framed(...Array.from({ length: count }, () => subscription)));
    assert.ok(Number(of(LIMITS.membershipChanges)) > 0);
    assert.equal(of(LIMITS.membershipChanges + 1), "oversized");
  });

  it("is total", () => {
    fc.assert(
      fc.property(fc.array(bytes(60)), (chunks) => {
        const scanner = scanning(100);
        for (const chunk of chunks) if (typeof scanner.push(chunk) === "string") break;
      }),
    );
  });
});

describe("regression: a stream that comes byte by byte", () => {
  // With the old way of joining chunks these took minutes, and held an object for every byte.
  const BYTES = 400_000;
  const LIMIT_MS = 4000;
  const cpuMsSince = (started: NodeJS.CpuUsage): number => {
    const { user, system } = process.threadCpuUsage(started);
    return (user + system) / 1000;
  };

  it("costs a frame no more than its bytes", () => {
    const content = new Uint8Array(BYTES).map((_, i) => i % 251);
    const stream = frame(content);
    const decoder = new FrameDecoder(LIMITS.frameBytes);
    const found: Uint8Array[] = [];
    const one = new Uint8Array(1);
    const started = process.threadCpuUsage();
    for (const byte of stream) {
      // The same array each time: what came must have been copied, not kept in pieces.
      one[0] = byte;
      decoder.push(one, (bytes) => found.push(bytes));
    }
    assert.ok(cpuMsSince(started) < LIMIT_MS);
    assert.equal(found.length, 1);
    assert.equal(Buffer.compare(found[0]!, content), 0);
    assert.equal(decoder.partial, false);
  });

  it("costs the scanner of gossip streams no more than its bytes", () => {
    const varint = (value: number): number[] =>
      value < 128 ? [value] : [(value % 128) | 128, ...varint(value >> 7)];
    // Field 4 of an RPC: bytes that are not looked into.
    const field = [0x22, ...varint(BYTES), ...new Uint8Array(BYTES)];
    const scanner = new GossipStreamScanner(LIMITS.frameBytes, new GossipBudget(() => 0));
    const one = new Uint8Array(1);
    const started = process.threadCpuUsage();
    for (const byte of [...varint(field.length), ...field]) {
      one[0] = byte;
      if (scanner.push(one) !== 1) assert.fail("the stream is sound");
    }
    assert.ok(cpuMsSince(started) < LIMIT_MS);
  });

  it("is cut into the same frames as one that comes whole", () => {
    const stream = Uint8Array.from(
      [[], [1], [2, 3], [], [4, 5, 6, 7, 8]].flatMap((each) => [...frame(Uint8Array.from(each))]),
    );
    const framesBy = (size: number): string[] => {
      const decoder = new FrameDecoder(100);
      const found: string[] = [];
      for (let at = 0; at < stream.length; at += size) {
        decoder.push(stream.slice(at, at + size), (bytes) => found.push(bytes.join()));
      }
      return found;
    };
    for (let size = 1; size <= stream.length; size++) {
      assert.deepEqual(framesBy(size), ["", "1", "2,3", "", "4,5,6,7,8"]);
    }
  });
});
