/**
 * Too many liars: validators with a third of the power or more act in two places at once, each place being the product's
 * own code on the same key without a guard. Who hears whom changes from slot to slot, as the seed says.
 */
import { Random } from "../core/random.ts";

export interface Slot {
  readonly forMs: number;
  /** Side of each instance, by its number. */
  readonly sides: readonly (0 | 1)[];
}

/** Instances: all validators in order, then the twins of the Byzantine ones in theirs. */
export interface AccountabilityPlan {
  readonly seed: number;
  readonly powers: readonly number[];
  readonly byzantine: readonly number[];
  readonly slots: readonly Slot[];
  /** They never show an honest node two votes for one round: whoever is named is named for a broken lock. */
  readonly cautious: boolean;
  /** Blocks have room for evidence, so that liars are convicted when they are seen. */
  readonly convicts: boolean;
}

/** Validators by number, with how many of them lie at least and at most: a third or more, and two are honest. */
const SHAPES: readonly (readonly [validators: number, least: number, most: number])[] = [
  [4, 2, 2],
  [4, 2, 2],
  [5, 2, 3],
  [5, 3, 3],
  [6, 3, 4],
  [7, 3, 3],
  [7, 3, 5],
];

export function drawAccountability(seed: number): AccountabilityPlan {
  const random = new Random(`accountability ${seed}`);
  const [validators, least, most] = random.pick(SHAPES);
  const powers = Array.from({ length: validators }, () => 10);
  const all = [...powers.keys()];
  const byzantine = random.sample(all, random.between(least, most)).sort((a, b) => a - b);
  const honest = all.filter((each) => !byzantine.includes(each));
  // A side needs more than two thirds: what the liars lack is on either side, the rest anywhere.
  const lacking = Math.floor((2 * validators) / 3) + 1 - byzantine.length;
  const order = random.sample(honest, honest.length);
  const second = new Set(order.slice(0, Math.max(1, Math.min(lacking, honest.length - lacking))));
  const natural = [...all.map((each) => side(second.has(each))), ...byzantine.map(() => side(true))];
  const together = natural.map(() => 0 as const);
  const begun: Slot = { forMs: random.real(100, 2_000), sides: together };
  const cautious = random.chance(0.5);
  const slots = Array.from({ length: random.between(2, 7) }, (): Slot => {
    const forMs = random.pick([100, 400, 1_000, 2_000, 4_000]) * random.real(0.5, 1.5);
    if (random.chance(0.6)) return { forMs, sides: natural };
    if (random.chance(0.2)) return { forMs, sides: together };
    return { forMs, sides: natural.map(() => side(random.chance(0.5))) };
  });
  return {
    seed,
    powers,
    byzantine,
    slots: [begun, ...slots],
    cautious,
    convicts: random.chance(0.3),
  };
}

function side(second: boolean): 0 | 1 {
  return second ? 1 : 0;
}

/** The validator that an instance acts for. */
export function validatorOf({ powers, byzantine }: AccountabilityPlan, instance: number): number {
  return instance < powers.length ? instance : (byzantine[instance - powers.length] ?? -1);
}
