import type { Height, Round, Vote } from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import { LIMITS } from "../limits.ts";

/** What a message is against what was verified before. */
export type Novelty = "new" | "duplicate" | "full";

/**
 * Ids verified per slot. A slot is one (round, type, validator) or one (round) of proposals; it keeps the first two
 * ids, the second being evidence of equivocation. Time and signature are not part of the id: a signer who varies
 * only those gets one look.
 */
class Slots {
  readonly #ids = new Map<number, string | string[]>();

  look(slot: number, id: string): Novelty {
    const known = this.#ids.get(slot);
    if (known === undefined) return this.#ids.size >= LIMITS.voteSlots ? "full" : "new";
    if (typeof known === "string") return known === id ? "duplicate" : "new";
    if (known.includes(id)) return "duplicate";
    return known.length >= LIMITS.idsPerSlot ? "full" : "new";
  }

  add(slot: number, id: string): void {
    const known = this.#ids.get(slot);
    if (known === undefined) this.#ids.set(slot, id);
    else if (typeof known === "string") this.#ids.set(slot, [known, id]);
    else if (known.length < LIMITS.idsPerSlot) known.push(id);
  }
}

function voteSlot(round: Round, type: Vote["type"], index: number): number {
  return (round * 2 + type - 1) * LIMITS.validators + index;
}

/** Seen messages of one height. */
export class HeightSeen {
  readonly #votes = new Slots();
  readonly #proposals = new Slots();
  readonly #certificates = new Set<string>();
  /** Signatures of own votes by slot. */
  readonly #own = new Map<number, Uint8Array>();
  /** Being verified in a worker: keyed by content with signature, so that a forgery shadows nothing. */
  readonly pending: Set<string> = new Set();

  vote(round: Round, type: Vote["type"], index: number, id: string): Novelty {
    return this.#votes.look(voteSlot(round, type, index), id);
  }

  addVote(round: Round, type: Vote["type"], index: number, id: string): void {
    this.#votes.add(voteSlot(round, type, index), id);
  }

  addOwnVote({ round, type, validatorIndex, signature }: Vote): void {
    if (this.#own.size < LIMITS.voteSlots) this.#own.set(voteSlot(round, type, validatorIndex), signature);
  }

  /**
   * Another signature where this node signed, for the same block or another: another instance has its key. Unlike a signer
   * who varies what is no part of the id, it must not be overlooked.
   */
  isForeign({ round, type, validatorIndex, signature }: Vote): boolean {
    const own = this.#own.get(voteSlot(round, type, validatorIndex));
    return own !== undefined && !bytesEqual(own, signature);
  }

  /** One look is enough: the node stops for it. */
  toldForeign({ round, type, validatorIndex }: Vote): void {
    this.#own.delete(voteSlot(round, type, validatorIndex));
  }

  proposal(round: Round, id: string): Novelty {
    return this.#proposals.look(round, id);
  }

  addProposal(round: Round, id: string): void {
    this.#proposals.add(round, id);
  }

  certificate(key: string): Novelty {
    if (this.#certificates.has(key)) return "duplicate";
    return this.#certificates.size >= LIMITS.certificates ? "full" : "new";
  }

  addCertificate(key: string): void {
    this.#certificates.add(key);
  }
}

/** Seen messages of the last, the present and the next height; nothing else is kept. */
export class SeenCache {
  readonly #heights = new Map<Height, HeightSeen>();

  of(height: Height): HeightSeen {
    let seen = this.#heights.get(height);
    if (seen === undefined) {
      seen = new HeightSeen();
      this.#heights.set(height, seen);
    }
    return seen;
  }

  roll(height: Height): void {
    for (const known of this.#heights.keys()) {
      if (known < height - 1 || known > height + 1) this.#heights.delete(known);
    }
  }
}
