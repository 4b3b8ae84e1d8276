import type { BlockId, Height, Part, Round } from "@quorate/chain";
import { ChainError, PartSetBuilder, partSetHeaderOf, verifyPart } from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import { LIMITS } from "../limits.ts";
import { idKey } from "../wire/keys.ts";

interface Wanted {
  readonly height: Height;
  round: Round;
  readonly blockId: BlockId;
  /** Proposer's index in the set, -1 when only a certificate told of it. */
  origin: number;
  readonly since: number;
  parts: PartSetBuilder | null;
  /** Indexes of parts that came and belong to it. */
  readonly seen: Set<number>;
  /** Bytes charged for parts. */
  held: number;
  /** Complete, but its height is not current yet. */
  early: { readonly bytes: Uint8Array; readonly from: string } | null;
  complete: boolean;
  /** When bytes last arrived: a transfer that moves is not asked for again. */
  progressAt: number;
}

export type Collected = "fresh" | "duplicate" | "unwanted" | "bad";

export interface CollectorModules {
  readonly now: () => number;
  readonly height: () => Height;
  /** A complete body whose part-set root matched, for the height being decided. */
  readonly deliver: (height: Height, blockId: BlockId, bytes: Uint8Array, from: string) => void;
}

/**
 * Collects bodies, whole or in parts, that a verified proposal or certificate made wanted. Nothing else is stored;
 * the number of bodies and their bytes are bounded.
 */
export class BodyCollector {
  readonly #modules: CollectorModules;
  readonly #wanted = new Map<string, Wanted>();
  #bytes = 0;

  constructor(modules: CollectorModules) {
    this.#modules = modules;
  }

  /** Bytes of parts and early bodies held, of at most {@link LIMITS.collectedBytes}. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Makes a body wanted; the newest rounds of a height are kept when there are too many. */
  expect(height: Height, round: Round, blockId: BlockId, origin: number): void {
    const key = idKey(blockId);
    const known = this.#wanted.get(key);
    if (known !== undefined) {
      known.round = Math.max(known.round, round);
      if (known.origin < 0) known.origin = origin;
      return;
    }
    const { total } = blockId.parts;
    if (height < this.#modules.height() || total < 1 || total > LIMITS.parts) return;
    if (this.#wanted.size >= LIMITS.wantedBodies) this.#evict();
    const now = this.#modules.now();
    this.#wanted.set(key, {
      height,
      round,
      blockId,
      origin,
      since: now,
      parts: null,
      seen: new Set(),
      held: 0,
      early: null,
      complete: false,
      progressAt: 0,
    });
  }

  /** Wanted, even if it was delivered before: the caller has no use for a body it does not have. */
  reopen(height: Height, round: Round, blockId: BlockId): void {
    this.expect(height, round, blockId, -1);
    const entry = this.#wanted.get(idKey(blockId));
    if (entry === undefined || !entry.complete || entry.early !== null) return;
    entry.complete = false;
    entry.seen.clear();
  }

  /** An own body, or one that the node has already: neither asked for nor delivered. */
  complete(height: Height, round: Round, blockId: BlockId, origin: number): void {
    this.expect(height, round, blockId, origin);
    const entry = this.#wanted.get(idKey(blockId));
    if (entry !== undefined) this.#finish(entry);
  }

  /** Whether a body is wanted and not there yet. */
  wants(blockId: BlockId): boolean {
    const entry = this.#wanted.get(idKey(blockId));
    return entry !== undefined && !entry.complete;
  }

  /** Set index of the proposer of a wanted body, `null` when unknown. */
  origin(blockId: BlockId): number | null {
    const origin = this.#wanted.get(idKey(blockId))?.origin ?? -1;
    return origin < 0 ? null : origin;
  }

  /** Bytes of it are arriving by a direct stream. */
  progress(blockId: BlockId): void {
    const entry = this.#wanted.get(idKey(blockId));
    if (entry !== undefined) entry.progressAt = this.#modules.now();
  }

  /** Bodies of `height` that nothing has come of for `quietMs`. */
  overdue(height: Height, quietMs: number): { readonly round: Round; readonly blockId: BlockId }[] {
    const now = this.#modules.now();
    const overdue: { round: Round; blockId: BlockId }[] = [];
    for (const entry of this.#wanted.values()) {
      if (entry.complete || entry.height !== height) continue;
      if (now - Math.max(entry.since, entry.progressAt) >= quietMs) overdue.push(entry);
    }
    return overdue;
  }

  /** When the next body of `height` becomes overdue, `null` = none is wanted. */
  overdueAt(height: Height, quietMs: number): number | null {
    let at: number | null = null;
    for (const entry of this.#wanted.values()) {
      if (entry.complete || entry.height !== height) continue;
      const due = Math.max(entry.since, entry.progressAt) + quietMs;
      at = at === null ? due : Math.min(at, due);
    }
    return at;
  }

  addWhole(height: Height, blockId: BlockId, bytes: Uint8Array, from: string): Collected {
    const entry = this.#wanted.get(idKey(blockId));
    if (entry === undefined || entry.height !== height) return "unwanted";
    if (entry.complete) return "duplicate";
    const { total, hash } = blockId.parts;
    if (bytes.length > total * LIMITS.partBytes || bytes.length <= (total - 1) * LIMITS.partBytes)
      return "bad";
    const header = partSetHeaderOf(bytes);
    if (header.total !== total || !bytesEqual(header.hash, hash)) return "bad";
    this.#deliver(entry, bytes, from);
    return "fresh";
  }

  /**
   * `fresh` is a part that had not come before, even of a body that is there whole: whoever has no link to its proposer
   * depends on it being forwarded.
   */
  addPart(height: Height, blockId: BlockId, part: Part, from: string): Collected {
    const entry = this.#wanted.get(idKey(blockId));
    if (entry === undefined || entry.height !== height) return "unwanted";
    if (entry.seen.has(part.index)) return "duplicate";
    if (entry.complete) {
      if (!verifyPart(blockId.parts, part)) return "bad";
      entry.seen.add(part.index);
      return "fresh";
    }
    if (this.#bytes + part.bytes.length > LIMITS.collectedBytes) return "unwanted";
    try {
      entry.parts ??= new PartSetBuilder(blockId.parts, LIMITS.bodyBytes);
      if (!entry.parts.add(part)) return "duplicate";
    } catch (error) {
      if (error instanceof ChainError) return "bad";
      throw error;
    }
    entry.seen.add(part.index);
    entry.held += part.bytes.length;
    this.#bytes += part.bytes.length;
    entry.progressAt = this.#modules.now();
    if (entry.parts.complete) this.#deliver(entry, entry.parts.bytes(), from);
    return "fresh";
  }

  /** The height moved: past bodies are dropped, those that were early are delivered. */
  roll(height: Height): void {
    for (const [key, entry] of this.#wanted) {
      if (entry.height < height) {
        this.#finish(entry);
        this.#wanted.delete(key);
      } else if (entry.height === height && entry.early !== null) {
        const { bytes, from } = entry.early;
        this.#finish(entry);
        this.#modules.deliver(height, entry.blockId, bytes, from);
      }
    }
  }

  #deliver(entry: Wanted, bytes: Uint8Array, from: string): void {
    this.#finish(entry);
    if (entry.height <= this.#modules.height()) {
      this.#modules.deliver(entry.height, entry.blockId, bytes, from);
      return;
    }
    if (this.#bytes + bytes.length > LIMITS.collectedBytes) {
      entry.complete = false;
      entry.seen.clear();
      return;
    }
    entry.early = { bytes, from };
    entry.held = bytes.length;
    this.#bytes += bytes.length;
  }

  #finish(entry: Wanted): void {
    entry.complete = true;
    entry.parts = null;
    entry.early = null;
    this.#bytes -= entry.held;
    entry.held = 0;
  }

  /** The lowest round of the lowest height goes first. */
  #evict(): void {
    let worst: [string, Wanted] | null = null;
    for (const pair of this.#wanted) {
      const [, entry] = pair;
      if (worst === null || entry.height < worst[1].height) worst = pair;
      else if (entry.height === worst[1].height && entry.round < worst[1].round) worst = pair;
    }
    if (worst === null) return;
    this.#finish(worst[1]);
    this.#wanted.delete(worst[0]);
  }
}
