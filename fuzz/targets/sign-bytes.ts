/** What validators sign: sign bytes of votes and proposals mean one message only. */
import { type Proposal, proposalSignBytes, type Vote, VoteType, voteSignBytes } from "@quorate/chain";
import type { Random } from "../random.ts";
import { type Target, Violation } from "../target.ts";
import * as values from "../values.ts";
import { hex, seeded } from "./seeded.ts";

type Signed =
  | { readonly kind: "vote"; readonly chainId: string; readonly content: Vote }
  | { readonly kind: "proposal"; readonly chainId: string; readonly content: Proposal };

const CHAIN_IDS = ["", "a", "quorate-1", "quorate-11", "x".repeat(50), "ü"];

const signBytesOf = (signed: Signed): Uint8Array =>
  signed.kind === "vote"
    ? voteSignBytes(signed.chainId, signed.content)
    : proposalSignBytes(signed.chainId, signed.content);

/** The fields that a signature covers, as one text. */
function meaning({ kind, chainId, content }: Signed): string {
  const id = content.blockId;
  const block = id === null ? "nil" : `${hex(id.hash)} ${id.parts.total} ${hex(id.parts.hash)}`;
  const own = kind === "vote" ? `type ${content.type}` : `pol ${content.polRound}`;
  return [kind, JSON.stringify(chainId), own, content.height, content.round, block, content.timestamp].join(
    " ",
  );
}

/** Reads sign bytes back: what can be read back cannot be that of another message. */
function readBack(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const state = { at: 0 };
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[state.at++]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asIntN(64, value);
    }
  };
  const run = (): Uint8Array => {
    const length = Number(varint());
    state.at += length;
    return bytes.subarray(state.at - length, state.at);
  };
  const tag = (wanted: number): boolean => bytes[state.at] === wanted && state.at++ >= 0;
  const length = varint();
  if (Number(length) !== bytes.length - state.at)
    throw new Violation("the length before the sign bytes is another");
  const type = tag(0x08) ? varint() : 0n;
  const fixed = (wanted: number): bigint => {
    if (!tag(wanted)) return 0n;
    state.at += 8;
    return view.getBigInt64(state.at - 8, true);
  };
  const height = fixed(0x11);
  const round = fixed(0x19);
  const proposal = type === 32n;
  const pol = proposal && tag(0x20) ? varint() : 0n;
  const inner = (wanted: number): Uint8Array | null => (tag(wanted) ? run() : null);
  const id = inner(proposal ? 0x2a : 0x22);
  const time = inner(proposal ? 0x32 : 0x2a);
  const chainId = inner(proposal ? 0x3a : 0x32);
  if (state.at !== bytes.length) throw new Violation("sign bytes end with something that has no meaning");
  const block = id === null ? "nil" : blockOf(id);
  const own = proposal ? `pol ${pol}` : `type ${type}`;
  const text = JSON.stringify(chainId === null ? "" : Buffer.from(chainId).toString("utf8"));
  return [proposal ? "proposal" : "vote", text, own, height, round, block, timeOf(time!)].join(" ");
}

function numbersOf(bytes: Uint8Array): Map<number, bigint | Uint8Array> {
  const found = new Map<number, bigint | Uint8Array>();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asIntN(64, value);
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    if ((tag & 7) === 0) found.set(tag >> 3, varint());
    else {
      const length = Number(varint());
      found.set(tag >> 3, bytes.subarray(at, at + length));
      at += length;
    }
  }
  return found;
}

function blockOf(bytes: Uint8Array): string {
  const fields = numbersOf(bytes);
  const parts = numbersOf(fields.get(2) as Uint8Array);
  return `${hex(fields.get(1) as Uint8Array)} ${parts.get(1)} ${hex(parts.get(2) as Uint8Array)}`;
}

function timeOf(bytes: Uint8Array): bigint {
  const fields = numbersOf(bytes);
  return (
    ((fields.get(1) as bigint | undefined) ?? 0n) * 1_000_000_000n +
    ((fields.get(2) as bigint | undefined) ?? 0n)
  );
}

function someMessage(random: Random): Signed {
  const chainId = random.pick(CHAIN_IDS);
  return random.oneIn(3)
    ? { kind: "proposal", chainId, content: values.proposal(random) }
    : { kind: "vote", chainId, content: values.vote(random) };
}

/** R27: sign bytes mean one message only. */
export const signBytes: Target = seeded("sign-bytes", "sign bytes of votes and proposals", (random) => {
  const message = someMessage(random);
  const bytes = signBytesOf(message);
  const read = readBack(bytes);
  if (read !== meaning(message)) throw new Violation(`${meaning(message)} is signed as ${read}`);
  // A neighbour that differs in one field, and the same content as the other type.
  const other = neighbour(message, random);
  if (hex(signBytesOf(other)) === hex(bytes) && meaning(other) !== meaning(message)) {
    throw new Violation(`${meaning(message)} and ${meaning(other)} have the same sign bytes`);
  }
  return "accepted";
});

function neighbour(message: Signed, random: Random): Signed {
  const { content } = message;
  const changes: readonly (() => Signed)[] = [
    () => ({ ...message, chainId: `${message.chainId}1` }),
    () =>
      ({
        ...message,
        content: { ...content, height: content.height === 1 ? 2 : content.height - 1 },
      }) as Signed,
    () =>
      ({ ...message, content: { ...content, round: content.round === 0 ? 1 : content.round - 1 } }) as Signed,
    () => ({ ...message, content: { ...content, timestamp: content.timestamp + 1n } }) as Signed,
    () => ({ ...message, content: { ...content, blockId: values.blockId(random) } }) as Signed,
    () =>
      message.kind === "vote"
        ? { ...message, content: { ...message.content, type: message.content.type === 1 ? 2 : 1 } }
        : { ...message, content: { ...message.content, polRound: message.content.polRound + 1 } },
    () =>
      message.kind === "vote"
        ? {
            kind: "proposal",
            chainId: message.chainId,
            content: {
              ...message.content,
              polRound: -1,
              blockId: message.content.blockId ?? values.blockId(random),
            },
          }
        : {
            kind: "vote",
            chainId: message.chainId,
            content: {
              ...message.content,
              type: random.pick([VoteType.prevote, VoteType.precommit]),
              validatorAddress: new Uint8Array(20),
              validatorIndex: 0,
            },
          },
  ];
  return random.pick(changes)();
}
