/** What lies on disk: write-ahead log, sign state, key files, index and bodies of the block store. */
import { ChainError } from "@quorate/chain";
import { crc32c, ed25519PublicKey } from "@quorate/crypto";
import { keyFileText } from "@quorate/privval";
import { parseKeyFile } from "../../packages/privval/src/key-file.ts";
import { decodeSlot, decodeStateFile, encodeSlot, SLOT_BYTES } from "../../packages/privval/src/slots.ts";
import type { SignState, SignStep } from "../../packages/privval/src/types.ts";
import {
  bodyOf,
  decodeBodyHeader,
  encodeBodyRecord,
  findBodies,
} from "../../packages/store/src/body-format.ts";
import { decodeHeight, decodeMeta, encodeHeight, encodeMeta } from "../../packages/store/src/keys.ts";
import {
  decodeSegmentHeader,
  encodeRecord,
  encodeSegmentHeader,
  readRecord,
} from "../../packages/wal/src/format.ts";
import { scanLog } from "../../packages/wal/src/scan.ts";
import { mutateBytes, mutateJson } from "../mutate.ts";
import type { Random } from "../random.ts";
import { canonical, sameBytes, type Target, Violation } from "../target.ts";
import * as values from "../values.ts";

const utf8 = new TextEncoder();
const text = new TextDecoder();

interface LogShape {
  readonly bytes: Uint8Array;
}

/** A segment with a few records, zeros behind them. */
function segment(random: Random): LogShape {
  let position = { sequence: BigInt(random.below(1000)), crc: random.u32() };
  const chunks = [
    encodeSegmentHeader({ coreVersion: 1, firstSequence: position.sequence + 1n, previousCrc: position.crc }),
  ];
  for (let i = random.between(0, 5); i > 0; i--) {
    const made = encodeRecord(
      position,
      random.between(1, 4),
      random.bytes(random.count(120)),
      random.oneIn(2),
    );
    position = made.position;
    chunks.push(made.bytes);
  }
  chunks.push(new Uint8Array(random.pick([0, 40, 1200])));
  return { bytes: new Uint8Array(Buffer.concat(chunks)) };
}

const record: Target = {
  name: "wal-record",
  what: "record of the write-ahead log",
  valid: (random) =>
    encodeRecord(
      { sequence: BigInt(random.below(9)), crc: random.u32() },
      random.below(9),
      random.bytes(random.below(200)),
      random.oneIn(2),
    ).bytes,
  mutate: mutateBytes,
  run: (input) => {
    const found = readRecord(input, 0);
    if (found === null) return "refused";
    const { sequence, previousCrc, type, payload, groupStart, end } = found;
    const again = encodeRecord({ sequence: sequence - 1n, crc: previousCrc }, type, payload, groupStart);
    if (!sameBytes(again.bytes, input.subarray(0, end)))
      throw new Violation("a record encodes to other bytes");
    return "accepted";
  },
};

const header: Target = {
  name: "wal-header",
  what: "header of a segment of the log",
  valid: (random) =>
    encodeSegmentHeader({
      coreVersion: random.below(9),
      firstSequence: random.u64(),
      previousCrc: random.u32(),
    }),
  mutate: mutateBytes,
  run: (input) => {
    const found = decodeSegmentHeader(input);
    if (found === null) return "refused";
    if (!sameBytes(encodeSegmentHeader(found), input.subarray(0, 32))) {
      throw new Violation("a header encodes to other bytes");
    }
    return "accepted";
  },
};

/** The scan has a verdict on any bytes; a record that it accepts is one of those it was made of. */
const log: Target = {
  name: "wal-scan",
  what: "segments of the log, as a start finds them",
  valid: (random) => segment(random).bytes,
  mutate: mutateBytes,
  run: async (input) => {
    // Two files of one input: where one ends the other begins.
    const middle = (input.at(-1) ?? 0) % 3 === 0 ? Math.floor(input.length / 2) : input.length;
    const files = [input.subarray(0, middle), input.subarray(middle)].filter((file) => file.length > 0);
    const { verdict, segments } = await scanLog(
      files.map((_, i) => ({ file: String(i), index: i + 1 })),
      async (file) => files[Number(file)]!,
    );
    for (const each of segments) {
      if (each.end > each.size) throw new Violation("a segment ends behind its file");
    }
    return verdict.kind === "clean" ? "accepted" : "refused";
  },
};

const signState = (random: Random): SignState => ({
  generation: random.oneIn(3) ? random.u64() : BigInt(random.below(9)),
  lastSigned: random.oneIn(4)
    ? null
    : {
        height: values.height(random),
        round: random.u32(),
        step: random.below(3) as SignStep,
        timestamp: BigInt.asIntN(64, random.u64()),
        ...(random.oneIn(4)
          ? { signBytes: new Uint8Array(0), signature: new Uint8Array(0) }
          : { signBytes: random.bytes(random.between(1, 200)), signature: random.bytes(64) }),
      },
  lock: random.oneIn(3)
    ? null
    : {
        height: values.height(random),
        round: random.u32(),
        blockId: { hash: random.bytes(32), parts: { total: random.u32(), hash: random.bytes(32) } },
      },
  dependency: { sequence: random.u64(), crc: random.u32() },
});

const slotOf = (random: Random): Uint8Array => encodeSlot(signState(random), random.bytes(20));

/**
 * A change of content with its CRC made right again: what only an attacker or a bug can leave there, not a disk. The CRC
 * lies behind the content, whose end only the decoder knows: every place is tried that the old CRC may have had.
 */
function withCrc(slot: Uint8Array, random: Random): Uint8Array {
  const copy = slot.slice();
  let end = copy.length;
  while (end > 0 && copy[end - 1] === 0) end--;
  const at = random.oneIn(4) ? random.between(Math.max(0, end - 8), copy.length - 4) : Math.max(0, end - 4);
  new DataView(copy.buffer).setUint32(at, crc32c(copy.subarray(0, at)));
  return copy;
}

const mutateSlot: Target["mutate"] = (bytes, random, others) => {
  const changed = mutateBytes(bytes, random, others);
  const resized = new Uint8Array(random.oneIn(20) ? changed.length : bytes.length);
  resized.set(changed.subarray(0, resized.length));
  if (random.oneIn(3) && resized.length >= 60) {
    // The length of the sign bytes, so that the content ends anywhere in the slot.
    new DataView(resized.buffer).setUint16(
      58,
      random.pick([0, 1, 3800, 3900, 4000, 4100, random.between(3700, 4095), 65_535]),
    );
  }
  return random.oneIn(2) && resized.length >= 8 ? withCrc(resized, random) : resized;
};

const slot: Target = {
  name: "sign-slot",
  what: "slot of the sign state",
  valid: slotOf,
  mutate: mutateSlot,
  run: (input) => {
    const found = decodeSlot(input);
    if (found === null) return "refused";
    if (!sameBytes(encodeSlot(found.state, found.address), input))
      throw new Violation("a slot encodes to other bytes");
    return "accepted";
  },
};

const stateFile: Target = {
  name: "sign-state",
  what: "sign state of two slots",
  valid: (random) => new Uint8Array(Buffer.concat([slotOf(random), slotOf(random)])),
  mutate: (bytes, random, others) => {
    const half = random.below(2) * SLOT_BYTES;
    const copy = bytes.slice();
    copy.set(
      mutateSlot(bytes.subarray(half, half + SLOT_BYTES), random, others).subarray(0, SLOT_BYTES),
      half,
    );
    return random.oneIn(20) ? copy.slice(0, random.below(copy.length)) : copy;
  },
  run: (input) => (decodeStateFile(input) === null ? "refused" : "accepted"),
};

const SEEDS = Array.from({ length: 4 }, (_, i) => new Uint8Array(32).fill(i + 1));

const keyFile: Target = {
  name: "key-file",
  what: "priv_validator_key.json",
  valid: (random) => utf8.encode(keyFileText(random.pick(SEEDS))),
  mutate: mutateJson,
  run: (input) => {
    const parsed = parseKeyFile(text.decode(input));
    if (typeof parsed === "string") return "refused";
    if (!sameBytes(parsed.publicKey, ed25519PublicKey(parsed.seed)))
      throw new Violation("a key of another seed");
    return "accepted";
  },
};

const body: Target = {
  name: "body-record",
  what: "record of a block body",
  valid: (random) => encodeBodyRecord(values.blockId(random), random.bytes(random.below(300))),
  mutate: mutateBytes,
  run: (input) => {
    const found = [...findBodies(input, 0)];
    for (const { blockId, offset, length } of found) {
      const content = bodyOf(input.subarray(offset, offset + 80 + length), blockId);
      if (content === null) throw new Violation("a body was found that is none");
      if (!sameBytes(encodeBodyRecord(blockId, content), input.subarray(offset, offset + 80 + length))) {
        throw new Violation("a body's record encodes to other bytes");
      }
    }
    if (found.length === 0) void decodeBodyHeader(input);
    return found.length === 0 ? "refused" : "accepted";
  },
};

export const diskTargets: readonly Target[] = [
  record,
  header,
  log,
  slot,
  stateFile,
  keyFile,
  body,
  canonical({
    name: "block-meta",
    what: "index entry of a block",
    refusals: [ChainError],
    make: (random) => ({
      height: 7,
      blockId: values.blockId(random),
      body: { segment: random.u32(), offset: random.safe(), length: random.u32() },
      numTxs: random.u32(),
      blockBytes: random.u32(),
    }),
    encode: encodeMeta,
    decode: (bytes) => decodeMeta(7, bytes),
    mutate: mutateBytes,
  }),
  canonical({
    name: "stored-height",
    what: "height in the index",
    refusals: [ChainError],
    make: values.height,
    encode: encodeHeight,
    decode: decodeHeight,
    mutate: mutateBytes,
  }),
];
