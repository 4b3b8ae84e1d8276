/** Blocks cut into parts with Merkle proofs (CometBFT types/part_set.go v0.38). */
import { bytesEqual, concatBytes, merkleProofs, merkleRoot, verifyMerkleProof } from "@quorate/crypto";
import { ChainError } from "../errors.ts";
import { headerHash } from "../hash/hashes.ts";
import { MAX_BLOCK_SIZE, MAX_PARTS, PART_SIZE } from "../limits.ts";
import type { Block, BlockId, Part, PartSetHeader } from "../types.ts";

/** An encoded block in parts. */
export interface PartSet {
  readonly header: PartSetHeader;
  readonly parts: readonly Part[];
}

/**
 * Cuts an encoded block into 64 KiB parts, each with its proof. The parts are views of `bytes`, which must not
 * change afterwards. No bytes give no parts.
 * @throws ChainError `PARTS` above {@link MAX_BLOCK_SIZE} bytes.
 */
export function makePartSet(bytes: Uint8Array): PartSet {
  const chunks = chunksOf(bytes);
  const { root, proofs } = merkleProofs(chunks);
  const parts = chunks.map((chunk, index) => ({ index, bytes: chunk, proof: proofs[index]! }));
  return { header: { total: chunks.length, hash: root }, parts };
}

/**
 * The header of {@link makePartSet} alone.
 * @throws ChainError `PARTS` above {@link MAX_BLOCK_SIZE} bytes.
 */
export function partSetHeaderOf(bytes: Uint8Array): PartSetHeader {
  const chunks = chunksOf(bytes);
  return { total: chunks.length, hash: merkleRoot(chunks) };
}

function chunksOf(bytes: Uint8Array): readonly Uint8Array[] {
  if (bytes.length > MAX_BLOCK_SIZE) {
    throw new ChainError(
      "PARTS",
      `a block of ${bytes.length} bytes is above the limit of ${MAX_BLOCK_SIZE}`,
      {
        length: bytes.length,
      },
    );
  }
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += PART_SIZE) {
    chunks.push(new Uint8Array(bytes.buffer, bytes.byteOffset + at, Math.min(PART_SIZE, bytes.length - at)));
  }
  return chunks;
}

/** The id of a block whose encoding is `bytes`. */
export function blockIdOf(block: Block, bytes: Uint8Array): BlockId {
  return { hash: headerHash(block.header), parts: partSetHeaderOf(bytes) };
}

/**
 * Whether a part belongs to the set with this header: its place, its size (every part but the last is full) and its
 * proof. CometBFT judges "last" by the proof's total; here it is the header's own, which the proof must equal.
 */
export function verifyPart(header: PartSetHeader, part: Part): boolean {
  const { index, bytes, proof } = part;
  if (proof.total !== header.total || proof.index !== index || index >= header.total) return false;
  if (bytes.length > PART_SIZE || bytes.length === 0) return false;
  if (index < header.total - 1 && bytes.length !== PART_SIZE) return false;
  return verifyMerkleProof(header.hash, proof, bytes);
}

/** Collects the parts of one block until all are there. Holds at most `maxBytes` (rounded up to whole parts). */
export class PartSetBuilder {
  readonly header: PartSetHeader;
  readonly #parts: (Uint8Array | undefined)[];
  #count = 0;

  /** @throws ChainError `PARTS` when the header promises no part, or more than `maxBytes` have room for. */
  constructor(header: PartSetHeader, maxBytes: number = MAX_BLOCK_SIZE) {
    const limit = Math.min(MAX_PARTS, Math.ceil(maxBytes / PART_SIZE));
    if (!Number.isInteger(header.total) || header.total < 1 || header.total > limit) {
      throw new ChainError("PARTS", `a part set of ${header.total} parts; 1 to ${limit} are allowed`, {
        total: header.total,
        limit,
      });
    }
    this.header = header;
    this.#parts = new Array<Uint8Array | undefined>(header.total).fill(undefined);
  }

  /** Parts that are there. */
  get count(): number {
    return this.#count;
  }

  get complete(): boolean {
    return this.#count === this.header.total;
  }

  has(index: number): boolean {
    return this.#parts[index] !== undefined;
  }

  /** Places that are still empty, ascending, at most `limit`. */
  missing(limit: number = this.header.total): number[] {
    const places: number[] = [];
    for (let i = 0; i < this.#parts.length && places.length < limit; i++) {
      if (this.#parts[i] === undefined) places.push(i);
    }
    return places;
  }

  /**
   * Takes a part: true when it is new, false when it is there already (with the same bytes).
   * @throws ChainError `PARTS` when it does not belong to this set: its sender is faulty.
   */
  add(part: Part): boolean {
    const known = this.#parts[part.index];
    if (known !== undefined && bytesEqual(known, part.bytes)) return false;
    if (!verifyPart(this.header, part)) {
      throw new ChainError(
        "PARTS",
        `part ${part.index} does not belong to this set of ${this.header.total}`,
        {
          index: part.index,
          total: this.header.total,
        },
      );
    }
    this.#parts[part.index] = part.bytes;
    this.#count++;
    return true;
  }

  /**
   * The encoded block.
   * @throws ChainError `PARTS` before all parts are there.
   */
  bytes(): Uint8Array {
    const parts = this.#parts.filter((part) => part !== undefined);
    if (!this.complete) {
      throw new ChainError("PARTS", `${parts.length} of ${this.header.total} parts are there`, {
        count: parts.length,
        total: this.header.total,
      });
    }
    return concatBytes(...parts);
  }
}
