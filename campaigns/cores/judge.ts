/** What must hold of everything that correct validators sign and decide; one sentence per breach. */
import { type BlockId, blockIdKey, type Proposal, type Vote, VoteType } from "@quorate/chain";
import type { Block } from "./instance.ts";

export class Judge {
  readonly violations: string[] = [];
  private readonly size: number;
  private readonly byzantine: number;
  private readonly decided = new Map<number, string>();
  private readonly signed = new Map<string, string>();
  /** Correct validators that prevoted, by (height, round, block). */
  private readonly prevoters = new Map<string, Set<number>>();
  private readonly locks = new Map<string, { readonly round: number; readonly key: string }>();

  /** What a correct validator heard of the Byzantine one, by (listener, height, round, type). */
  private readonly heard = new Map<string, string>();
  /** Places where one correct validator heard two different votes, and those of which evidence was emitted. */
  private readonly observable = new Set<string>();
  private readonly proven = new Set<string>();

  /** `byzantine`: index of the one validator whose key may sign anything; -1 for none. */
  constructor(size: number, byzantine: number) {
    this.size = size;
    this.byzantine = byzantine;
  }

  violate(what: string): void {
    this.violations.push(what);
  }

  decision(validator: number, height: number, block: Block): void {
    if (validator === this.byzantine) return;
    const key = blockIdKey(block.blockId);
    const first = this.decided.get(height) ?? key;
    this.decided.set(height, first);
    if (first !== key) this.violate(`agreement: validator ${validator} decides another block at ${height}`);
    if (!block.valid) this.violate(`validity: validator ${validator} decides an invalid block at ${height}`);
  }

  proposal(validator: number, { height, round, polRound, blockId }: Proposal): void {
    if (validator === this.byzantine) return;
    this.once(`${validator} ${height} ${round} proposal`, `${polRound} ${blockIdKey(blockId)}`);
  }

  vote(vote: Vote): void {
    const { type, height, round, blockId, validatorIndex } = vote;
    if (validatorIndex === this.byzantine) return;
    const key = blockIdKey(blockId);
    this.once(`${validatorIndex} ${height} ${round} ${type}`, key);
    if (blockId === null) return;
    const place = `${validatorIndex} ${height}`;
    const lock = this.locks.get(place);
    if (lock && lock.key !== key && !this.polkaWithin(height, key, lock.round, round)) {
      this.violate(
        `lock (L23, L29): validator ${validatorIndex}, locked in round ${lock.round}, votes for another block in round ${round} of ${height}`,
      );
    }
    if (type === VoteType.prevote) {
      this.notePrevote(height, round, blockId, validatorIndex);
      return;
    }
    if (!this.polkaWithin(height, key, round, round)) {
      this.violate(
        `precommit without a polka (L36): validator ${validatorIndex}, round ${round} of ${height}`,
      );
    }
    this.locks.set(place, { round, key });
  }

  /**
   * A correct validator heard this while it was at the vote's height: two different votes for one place are an
   * equivocation that it can observe. Of heights that it left it keeps no votes.
   */
  hears(
    listener: number,
    vote: Pick<Vote, "height" | "round" | "type" | "blockId" | "validatorIndex">,
  ): void {
    if (vote.validatorIndex !== this.byzantine || listener === this.byzantine) return;
    const place = placeOf(vote);
    const key = blockIdKey(vote.blockId);
    const first = this.heard.get(`${listener} ${place}`) ?? key;
    this.heard.set(`${listener} ${place}`, first);
    if (first !== key) this.observable.add(place);
  }

  /** A correct validator emitted this pair as evidence. */
  evidence(first: Vote, second: Vote): void {
    this.accusation(second.validatorIndex);
    if (first.validatorIndex !== second.validatorIndex || placeOf(first) !== placeOf(second)) {
      this.violate(
        `evidence of two votes that exclude each other nowhere: ${placeOf(first)}, ${placeOf(second)}`,
      );
    }
    this.proven.add(placeOf(second));
  }

  /** Equivocations that a correct validator could observe; each of which there is no evidence is a breach. */
  equivocations(): number {
    for (const place of this.observable) {
      if (!this.proven.has(place)) this.violate(`an observable equivocation left no evidence: ${place}`);
    }
    return this.observable.size;
  }

  /** Somebody holds two votes of this validator. */
  accusation(validator: number): void {
    if (validator !== this.byzantine) this.violate(`validator ${validator} is accused without having lied`);
  }

  private once(point: string, content: string): void {
    const before = this.signed.get(point) ?? content;
    this.signed.set(point, before);
    if (before !== content) this.violate(`double sign: ${point}`);
  }

  private notePrevote(height: number, round: number, blockId: BlockId, validator: number): void {
    const place = `${height} ${round} ${blockIdKey(blockId)}`;
    const voters = this.prevoters.get(place) ?? new Set();
    this.prevoters.set(place, voters.add(validator));
  }

  /** Whether a polka may exist: the Byzantine validator may have prevoted anything. */
  private polkaWithin(height: number, key: string, from: number, to: number): boolean {
    const help = this.byzantine < 0 ? 0 : 1;
    for (let round = from; round <= to; round++) {
      const voters = this.prevoters.get(`${height} ${round} ${key}`)?.size ?? 0;
      if (3 * (voters + help) > 2 * this.size) return true;
    }
    return false;
  }
}

function placeOf({ height, round, type }: Pick<Vote, "height" | "round" | "type">): string {
  return `${height} ${round} ${type}`;
}
