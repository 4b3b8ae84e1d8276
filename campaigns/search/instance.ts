/**
 * What is searched: four validators of power 1, one of them Byzantine, one height, a few rounds, a few blocks. The
 * proposer of round r is validator r. Everything a correct validator may be told is one of finitely many stimuli, and
 * which of them are possible depends only on what the correct ones have signed: the Byzantine one signs anything.
 */
import { VoteType } from "@quorate/chain";

export const VALIDATORS = 4;
const QUORUM = 3;

export interface InstanceOptions {
  /** Index of the Byzantine validator, 0..3. */
  readonly byzantine: number;
  /** Rounds 0 .. rounds - 1 are played; a correct validator that goes beyond has left the search. 1 or 2. */
  readonly rounds: number;
  /** Per block the validator whose block it is: a fresh proposal must come from its maker. At most 3 blocks. */
  readonly makers: readonly number[];
  /** Whether certificates are shown, too: they count as a whole where single votes count first come, first served. */
  readonly certificates: boolean;
  /** How often each correct validator may lose everything but its sign state. */
  readonly restarts: number;
}

/** A block by its place in `makers`; nil is -1. */
export type Value = number;
export const NIL: Value = -1;

export type Stimulus =
  | {
      readonly kind: "vote";
      readonly from: number;
      readonly type: VoteType;
      readonly round: number;
      readonly value: Value;
    }
  | { readonly kind: "proposal"; readonly round: number; readonly pol: number; readonly value: Value }
  | {
      readonly kind: "certificate";
      readonly type: VoteType;
      readonly round: number;
      readonly value: Value;
      readonly signers: readonly number[];
    }
  | {
      readonly kind: "timeout";
      readonly timer: "propose" | "prevote" | "precommit";
      readonly round: number;
    }
  | { readonly kind: "restart" };

/** A renaming of validators and blocks under which the instance stays the same. */
export interface Renaming {
  readonly validators: readonly number[];
  readonly values: readonly number[];
}

export class Instance {
  readonly options: InstanceOptions;
  /** The correct validators, ascending. */
  readonly correct: readonly number[];
  readonly stimuli: readonly Stimulus[];
  /** Per stimulus and correct validator (in that order) the signatures it takes, as bits of {@link voteBit} and so on. */
  readonly needs: readonly (readonly number[])[];
  readonly renamings: readonly Renaming[];
  private readonly byText = new Map<string, number>();

  constructor(options: InstanceOptions) {
    this.options = options;
    this.correct = [0, 1, 2, 3].filter((each) => each !== options.byzantine);
    this.stimuli = [...this.timeouts(), ...this.proposals(), ...this.votes(), ...this.certificates()];
    if (options.restarts > 0) this.stimuli = [...this.stimuli, { kind: "restart" }];
    this.needs = this.stimuli.map((each) => this.needsOf(each));
    for (const [id, each] of this.stimuli.entries()) this.byText.set(JSON.stringify(each), id);
    this.renamings = this.allRenamings();
  }

  get values(): readonly Value[] {
    return this.options.makers.map((_, value) => value);
  }

  /** The bit of a vote in what its sender has signed. */
  voteBit(type: VoteType, round: number, value: Value): number {
    const width = this.options.makers.length + 1;
    return 1 << ((2 * round + (type === VoteType.prevote ? 0 : 1)) * width + value + 1);
  }

  proposalBit(round: number, pol: number, value: Value): number {
    const { rounds, makers } = this.options;
    const votes = 2 * rounds * (makers.length + 1);
    return 1 << (votes + (round + pol + 1) * makers.length + value);
  }

  /** The same stimulus under other names. */
  renamed(id: number, { validators, values }: Renaming): number {
    const stimulus = this.stimuli[id];
    if (!stimulus) throw new RangeError(`there is no stimulus ${id}`);
    const value = (old: Value): Value => (old === NIL ? NIL : (values[old] ?? NIL));
    const renamed = ((): Stimulus => {
      switch (stimulus.kind) {
        case "vote": {
          const from = validators[stimulus.from] ?? stimulus.from;
          return { ...stimulus, from, value: value(stimulus.value) };
        }
        case "proposal":
          return { ...stimulus, value: value(stimulus.value) };
        case "certificate": {
          const signers = stimulus.signers.map((each) => validators[each] ?? each).toSorted((a, b) => a - b);
          return { ...stimulus, value: value(stimulus.value), signers };
        }
        case "timeout":
        case "restart":
          return stimulus;
      }
    })();
    const found = this.byText.get(JSON.stringify(renamed));
    if (found === undefined) throw new RangeError(`no stimulus ${JSON.stringify(renamed)}`);
    return found;
  }

  private timeouts(): Stimulus[] {
    const timers = ["propose", "prevote", "precommit"] as const;
    return this.rounds().flatMap((round) =>
      timers.map((timer): Stimulus => ({ kind: "timeout", timer, round })),
    );
  }

  private rounds(): readonly number[] {
    return Array.from({ length: this.options.rounds }, (_, round) => round);
  }

  private proposals(): Stimulus[] {
    return this.rounds().flatMap((round) =>
      this.values.flatMap((value) =>
        Array.from({ length: round + 1 }, (_, i): Stimulus => {
          return { kind: "proposal", round, pol: i - 1, value };
        }),
      ),
    );
  }

  private votes(): Stimulus[] {
    return this.rounds().flatMap((round) =>
      [VoteType.prevote, VoteType.precommit].flatMap((type) =>
        [0, 1, 2, 3].flatMap((from) =>
          [NIL, ...this.values].map((value): Stimulus => ({ kind: "vote", from, type, round, value })),
        ),
      ),
    );
  }

  private certificates(): Stimulus[] {
    if (!this.options.certificates) return [];
    const quorums = [0, 1, 2, 3].map((absent) => [0, 1, 2, 3].filter((each) => each !== absent));
    return this.rounds().flatMap((round) =>
      [VoteType.prevote, VoteType.precommit].flatMap((type) =>
        this.values.flatMap((value) =>
          quorums.map((signers): Stimulus => ({ kind: "certificate", type, round, value, signers })),
        ),
      ),
    );
  }

  private needsOf(stimulus: Stimulus): readonly number[] {
    return this.correct.map((validator) => this.needOf(stimulus, validator));
  }

  private needOf(stimulus: Stimulus, validator: number): number {
    switch (stimulus.kind) {
      case "vote":
        return stimulus.from === validator ? this.voteBit(stimulus.type, stimulus.round, stimulus.value) : 0;
      case "certificate":
        return stimulus.signers.includes(validator)
          ? this.voteBit(stimulus.type, stimulus.round, stimulus.value)
          : 0;
      case "proposal":
        return stimulus.round === validator
          ? this.proposalBit(stimulus.round, stimulus.pol, stimulus.value)
          : 0;
      case "timeout":
      case "restart":
        return 0;
    }
  }

  /**
   * Correct validators that propose in no round are alike, and so are the blocks of the Byzantine one. Those of a correct
   * maker are not: it builds the first of them.
   */
  private allRenamings(): readonly Renaming[] {
    const { rounds, makers, byzantine } = this.options;
    const exchangeable = (value: Value, other: Value): boolean =>
      value === other || (makers[value] === byzantine && makers[other] === byzantine);
    const alike = this.correct.filter((each) => each >= rounds && !makers.includes(each));
    const found: Renaming[] = [];
    for (const order of permutations(alike)) {
      const validators = [0, 1, 2, 3].map((each) => order[alike.indexOf(each)] ?? each);
      for (const values of permutations(this.values)) {
        if (values.every(exchangeable)) found.push({ validators, values });
      }
    }
    return found;
  }

  // --- what must hold of what the correct validators have signed ------------------------------------------------------

  /** One sentence per broken rule; `signed` per correct validator. Any commit that can be put together counts. */
  breaches(signed: readonly number[]): readonly string[] {
    const found: string[] = [];
    const rounds = this.rounds();
    const supporters = (type: VoteType, round: number, value: Value): number =>
      1 + signed.filter((bits) => bits & this.voteBit(type, round, value)).length;
    const polka = (round: number, value: Value): boolean =>
      supporters(VoteType.prevote, round, value) >= QUORUM;
    const committed = this.values.filter((value) =>
      rounds.some((round) => supporters(VoteType.precommit, round, value) >= QUORUM),
    );
    if (committed.length > 1) found.push(`agreement: commits for ${committed.length} blocks can be shown`);
    for (const [i, bits] of signed.entries()) {
      const validator = this.correct[i];
      for (const round of rounds) {
        for (const type of [VoteType.prevote, VoteType.precommit]) {
          const votes = [NIL, ...this.values].filter((value) => bits & this.voteBit(type, round, value));
          if (votes.length > 1)
            found.push(`double sign: validator ${validator}, type ${type}, round ${round}`);
        }
        for (const value of this.values) {
          if (bits & this.voteBit(VoteType.precommit, round, value) && !polka(round, value)) {
            found.push(`precommit without a polka (L36): validator ${validator}, round ${round}`);
          }
        }
      }
      if (this.leavesLock(bits, polka)) found.push(`lock (L23, L29): validator ${validator}`);
    }
    return found;
  }

  private leavesLock(bits: number, polka: (round: number, value: Value) => boolean): boolean {
    const voted = (type: VoteType, round: number, value: Value): boolean =>
      (bits & this.voteBit(type, round, value)) !== 0;
    return this.rounds().some((locked) =>
      this.values.some(
        (own) =>
          voted(VoteType.precommit, locked, own) &&
          this.rounds().some(
            (round) =>
              round > locked &&
              this.values.some(
                (other) =>
                  other !== own &&
                  voted(VoteType.prevote, round, other) &&
                  !this.rounds().some((each) => each >= locked && each < round && polka(each, other)),
              ),
          ),
      ),
    );
  }
}

function permutations(list: readonly number[]): number[][] {
  if (list.length === 0) return [[]];
  return list.flatMap((first) =>
    permutations(list.filter((each) => each !== first)).map((rest) => [first, ...rest]),
  );
}
