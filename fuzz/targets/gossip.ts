/** Everything that a peer sends. */
import { encodeBlockId, encodeCommit } from "@quorate/chain";
import { BodyDecoder, encodeBodyHeader } from "../../packages/gossip/src/bodies/wire.ts";
import { GossipError } from "../../packages/gossip/src/errors.ts";
import { GossipBudget, GossipStreamScanner } from "../../packages/gossip/src/host/gossip-scanner.ts";
import { nodeKeyFromSeed, peerIdOf } from "../../packages/gossip/src/host/node-key.ts";
import { LIMITS } from "../../packages/gossip/src/limits.ts";
import {
  decodeAnswer,
  decodeRequest,
  encodeAnswer,
  encodeRequest,
} from "../../packages/gossip/src/reqresp/codec.ts";
import {
  decodeRoundState,
  decodeStatus,
  encodeRoundState,
  encodeStatus,
} from "../../packages/gossip/src/roundstate/codec.ts";
import { decodePeerMessage } from "../../packages/gossip/src/roundstate/messages.ts";
import {
  decodePack,
  encodeItem,
  type Item,
  type ItemKind,
  joinPack,
} from "../../packages/gossip/src/topics/items.ts";
import type { BitArray, PeerStatus, RoundState } from "../../packages/gossip/src/types.ts";
import { FrameDecoder, frame } from "../../packages/gossip/src/wire/frames.ts";
import { mutateBytes, mutateProto } from "../mutate.ts";
import type { Random } from "../random.ts";
import { canonical, refusable, sameBytes, type Target, Violation } from "../target.ts";
import * as values from "../values.ts";

const refusals = [GossipError];
const list = <T>(random: Random, max: number, make: () => T): T[] =>
  Array.from({ length: random.between(0, max) }, make);

const ITEMS: readonly ((random: Random) => Item)[] = [
  (random) => ({ kind: "vote", vote: values.vote(random) }),
  (random) => ({ kind: "certificate", certificate: values.certificate(random) }),
  (random) => ({
    kind: "proposal",
    proposal: values.proposal(random),
    body: random.oneIn(2) ? null : random.bytes(random.below(200)),
  }),
  (random) => ({
    kind: "part",
    height: values.height(random),
    blockId: values.blockId(random),
    part: values.part(random),
  }),
  (random) => ({
    kind: "body",
    height: values.height(random),
    blockId: values.blockId(random),
    bytes: random.bytes(random.below(200)),
  }),
  (random) => ({ kind: "evidence", evidence: values.evidence(random) }),
  (random) => ({ kind: "tx", raw: random.bytes(random.between(1, 200)) }),
];
const ALL_KINDS: ReadonlySet<ItemKind> = new Set<ItemKind>([
  "vote",
  "certificate",
  "proposal",
  "part",
  "body",
  "evidence",
  "tx",
]);

const items = (random: Random): Item[] =>
  Array.from({ length: random.between(1, 4) }, () => random.pick(ITEMS)(random));
const packOf = (list: readonly Item[]): Uint8Array => joinPack(list.map(encodeItem));

const bits = (random: Random, limit: number): BitArray => {
  const size = random.count(limit);
  const array = random.bytes((size + 7) >> 3);
  if (size % 8 !== 0) array[array.length - 1]! &= (1 << (size % 8)) - 1;
  return { size, bits: array };
};

const voteType = (random: Random): 1 | 2 => random.pick([1, 2] as const);

const roundState = (random: Random): RoundState => ({
  height: values.height(random),
  round: values.round(random),
  step: random.below(256),
  proposal: values.blockIdOrNil(random),
  parts: bits(random, LIMITS.parts),
  votes: list(random, random.oneIn(10) ? LIMITS.roundStateVotes : 3, () => ({
    round: values.round(random),
    type: voteType(random),
    have: bits(random, random.oneIn(10) ? LIMITS.validators : 8),
  })),
  maj23: list(random, random.oneIn(10) ? LIMITS.roundStateMaj23 : 3, () => ({
    round: values.round(random),
    type: voteType(random),
    blockId: values.blockIdOrNil(random),
  })),
  direct: bits(random, LIMITS.validators),
  elReady: random.oneIn(2),
  leaving: random.oneIn(2),
});

const status = (random: Random): PeerStatus => ({
  protocolVersion: random.below(3),
  chainId: random.pick(["quorate-1", "", "x".repeat(50)]),
  genesisHash: random.bytes(32),
  upgradesHash: random.bytes(32),
  elGenesisHash: random.bytes(32),
  height: values.height(random),
  earliestHeight: values.height(random),
  moniker: random.pick(["node-0", "", "ünïcödé", "y".repeat(LIMITS.monikerBytes)]),
  ...(random.oneIn(2) ? {} : { binding: { pubKey: random.bytes(32), signature: random.bytes(64) } }),
});

const peerMessage = (random: Random): Uint8Array => {
  const [kind, payload] = random.pick([
    () => [0, encodeStatus(status(random))] as const,
    () => [1, random.bytes(1)] as const,
    () => [2, encodeRoundState(roundState(random))] as const,
    () => [3, packOf(items(random))] as const,
    () => {
      const id = encodeBlockId(values.blockId(random));
      const head = new Uint8Array(16);
      const view = new DataView(head.buffer);
      view.setUint32(4, values.height(random) % 2 ** 32);
      view.setUint32(12, id.length);
      return [4, Uint8Array.from([...head, ...id])] as const;
    },
  ])();
  return Uint8Array.from([kind, ...payload]);
};

/** Cuts a stream as a hostile sender may: whole, in halves, byte by byte; decided by the stream's own last byte. */
function chunksOf(stream: Uint8Array): Uint8Array[] {
  const size = [stream.length, 1, 7, 1000][(stream.at(-1) ?? 0) & 3]!;
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < stream.length; at += Math.max(1, size))
    chunks.push(stream.slice(at, at + Math.max(1, size)));
  return chunks;
}

/** Every stream of frames and bodies is cut in several ways and must give the same. */
function sameHoweverCut(stream: Uint8Array, read: (chunks: readonly Uint8Array[]) => string): void {
  const whole = read([stream]);
  const cut = read(chunksOf(stream));
  if (whole !== cut) throw new Violation(`whole: ${whole.slice(0, 120)}, cut up: ${cut.slice(0, 120)}`);
}

const describe = (error: unknown): string => {
  if (error instanceof GossipError) return error.code;
  throw error;
};

function readFramesOf(chunks: readonly Uint8Array[]): string {
  const decoder = new FrameDecoder(LIMITS.frameBytes);
  const found: string[] = [];
  try {
    for (const chunk of chunks) {
      decoder.push(chunk, (content) => found.push(Buffer.from(content).toString("latin1")));
      if (decoder.buffered > LIMITS.frameBytes + 4) throw new Violation("more is held than one frame");
    }
    return `${found.length} ${found.join("|")} ${decoder.partial}`;
  } catch (error) {
    return `${found.length} ${found.join("|")} ${describe(error)}`;
  }
}

const frames: Target = {
  name: "frames",
  what: "stream of length-prefixed frames",
  valid: (random) => {
    const stream = list(random, 5, () => frame(random.bytes(random.below(300))));
    return Uint8Array.from(stream.flatMap((each) => [...each]));
  },
  mutate: mutateBytes,
  run: (input) => {
    sameHoweverCut(input, readFramesOf);
    return readFramesOf([input]).includes("OVERSIZED") ? "refused" : "accepted";
  },
};

function readBodiesOf(chunks: readonly Uint8Array[]): string {
  const found: string[] = [];
  const decoder = new BodyDecoder({
    // What is not wanted must not be allocated: only small bodies are.
    accept: (header) => header.length < 65_536,
    progress: () => undefined,
    body: (header, bytes) => found.push(`${header.height} ${Buffer.from(bytes).toString("latin1")}`),
  });
  try {
    for (const chunk of chunks) {
      decoder.push(chunk);
      if (decoder.held > 65_536) throw new Violation("a body is held that was not accepted");
    }
    return `${found.join("|")} ${decoder.partial}`;
  } catch (error) {
    return `${found.join("|")} ${describe(error)}`;
  }
}

const bodies: Target = {
  name: "bodies",
  what: "direct stream of block bodies",
  valid: (random) => {
    const stream = Array.from({ length: random.between(1, 3) }, () => {
      const body = random.bytes(random.between(1, 400));
      const header = encodeBodyHeader({
        height: values.height(random),
        blockId: values.blockId(random),
        proposal: random.oneIn(2) ? null : values.proposal(random),
        length: body.length,
      });
      return [...header, ...body];
    });
    return Uint8Array.from(stream.flat());
  },
  mutate: mutateBytes,
  run: (input) => {
    sameHoweverCut(input, readBodiesOf);
    return /MALFORMED|OVERSIZED/.test(readBodiesOf([input])) ? "refused" : "accepted";
  },
};

const varint = (value: number): number[] => {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) | 128);
  return [...out, rest];
};
const field = (number: number, content: readonly number[]): number[] => [
  ...varint(number * 8 + 2),
  ...varint(content.length),
  ...content,
];

/** A gossipsub RPC as gossipsub itself writes it. */
function gossipsubRpc(random: Random): number[] {
  const topic = [...Buffer.from("/quorate/01020304/votes/1")];
  const subscription = field(1, [8, random.below(2), ...field(2, topic)]);
  const message = field(2, [...field(2, [...random.bytes(random.below(80))]), ...field(4, topic)]);
  const control = field(3, field(1, [...field(1, topic), ...field(2, [...random.bytes(20)])]));
  return [
    ...(random.oneIn(2) ? subscription : []),
    ...list(random, 3, () => message).flat(),
    ...(random.oneIn(2) ? control : []),
  ];
}

function scan(chunks: readonly Uint8Array[]): string {
  const scanner = new GossipStreamScanner(LIMITS.frameBytes, new GossipBudget(() => 0));
  for (const chunk of chunks) {
    const found = scanner.push(chunk);
    if (typeof found === "string") return found;
  }
  return "sound";
}

const inspector: Target = {
  name: "gossipsub",
  what: "gossipsub stream beside its own reader",
  valid: (random) =>
    Uint8Array.from(
      Array.from({ length: random.between(1, 3) }, () => {
        const rpc = gossipsubRpc(random);
        return [...varint(rpc.length), ...rpc];
      }).flat(),
    ),
  mutate: (bytes, random, others) =>
    random.oneIn(2) ? mutateBytes(bytes, random, others) : mutateProto(bytes, random, others),
  run: (input) => {
    sameHoweverCut(input, scan);
    return scan([input]) === "sound" ? "accepted" : "refused";
  },
};

const pack: Target = {
  name: "pack",
  what: "pack of items on a topic",
  valid: (random) => packOf(items(random)),
  mutate: mutateBytes,
  run: (input) =>
    refusable(refusals, () => {
      const again = packOf(decodePack(input, ALL_KINDS));
      if (!sameBytes(again, input)) throw new Violation("a pack that was accepted encodes to other bytes");
    }),
};

const peer: Target = {
  name: "peer-message",
  what: "message of the peer stream",
  valid: peerMessage,
  mutate: mutateBytes,
  run: (input) => refusable(refusals, () => void decodePeerMessage(input)),
};

const nodeKey: Target = {
  name: "node-key",
  what: "libp2p key of the node",
  valid: (random) => nodeKeyFromSeed(new Uint8Array(32).fill(random.below(4))),
  mutate: mutateProto,
  run: (input) => refusable(refusals, () => void peerIdOf(input)),
};

export const gossipTargets: readonly Target[] = [
  pack,
  peer,
  canonical({
    name: "round-state",
    what: "round state of a peer",
    refusals,
    make: roundState,
    encode: encodeRoundState,
    decode: decodeRoundState,
    mutate: mutateBytes,
  }),
  canonical({
    name: "status",
    what: "status of a peer",
    refusals,
    make: status,
    encode: encodeStatus,
    decode: decodeStatus,
    mutate: mutateBytes,
  }),
  canonical({
    name: "sync-request",
    what: "request for blocks",
    refusals,
    make: (random) => ({
      kind: "blocks" as const,
      from: values.height(random),
      count: random.between(1, LIMITS.requestBlocks),
    }),
    encode: encodeRequest,
    decode: decodeRequest,
    mutate: mutateBytes,
  }),
  canonical({
    name: "sync-answer",
    what: "frame of an answer with blocks",
    refusals,
    make: (random) =>
      random.oneIn(4)
        ? ({ kind: random.pick(["end", "busy"] as const) } as const)
        : ({
            kind: "block",
            block: {
              height: values.height(random),
              block: random.bytes(random.below(200)),
              commit: encodeCommit(values.commit(random)),
            },
          } as const),
    encode: encodeAnswer,
    decode: decodeAnswer,
    mutate: mutateBytes,
  }),
  frames,
  bodies,
  inspector,
  nodeKey,
];
