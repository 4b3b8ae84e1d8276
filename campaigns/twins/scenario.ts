/**
 * Twins (Bano et al., OPODIS 2021): the Byzantine validator is two honest instances with one key. What they do to the
 * others depends on who hears whom, so the scenarios are all ways to cut five instances in two in each of four rounds,
 * times the proposer of the first round, times two meanings of "round".
 */
import type { SeededCampaign } from "../cores/command.ts";
import { CoreNetwork, type Message, type Route } from "../cores/network.ts";
import { judgeOutcome, type Outcome } from "../cores/outcome.ts";

const SIZE = 4;
/** The validator that has a twin. */
const TWIN = 3;
const INSTANCES = [0, 1, 2, TWIN, TWIN] as const;
const ROUNDS = 4;
/** Instance 0 is on the first side: 2^4 ways to place the others, all together included. */
const CUTS = 16;
const SLOT_MS = 2_500;

export interface TwinsScenario {
  /** Proposer of round 0; the others follow in turn, so that the twins lead round (3 - first) mod 4. */
  readonly first: number;
  /** Per round the instances that are on the other side than instance 0, as bits (instance - 1). */
  readonly cuts: readonly number[];
  /**
   * `round`: a message of round r passes if both ends are on one side in cut r, or late: once a slot has gone by for every
   * round up to it. `time`: the cuts follow each other, a slot each. In both what was lost is sent again over the links
   * that there are, so that nobody is left in a round for ever.
   */
  readonly by: "round" | "time";
}

export const SCENARIOS: number = SIZE * 2 * CUTS ** ROUNDS;

/** The scenario of a seed. Seeds 0 .. {@link SCENARIOS} - 1 give each scenario once, neighbours far apart. */
export function scenarioOf(seed: number): TwinsScenario {
  // SCENARIOS is a power of two, so multiplication by an odd number permutes.
  let number = Number((BigInt(seed) * 0x9e37_79b1n) % BigInt(SCENARIOS));
  const take = (bound: number): number => {
    const digit = number % bound;
    number = Math.floor(number / bound);
    return digit;
  };
  const by = take(2) === 0 ? "round" : "time";
  const first = take(SIZE);
  const cuts = Array.from({ length: ROUNDS }, () => take(CUTS));
  return { first, cuts, by };
}

export function describeScenario({ first, cuts, by }: TwinsScenario): string {
  const names = ["0", "1", "2", "3", "3'"];
  const sides = cuts.map((cut) => {
    const other = names.filter((_, i) => i > 0 && onOtherSide(cut, i));
    const same = names.filter((_, i) => i === 0 || !onOtherSide(cut, i));
    return other.length === 0 ? "all" : `${same.join(" ")} | ${other.join(" ")}`;
  });
  return `validator ${first} first; cuts by ${by}: ${sides.join(", ")}`;
}

function onOtherSide(cut: number, instance: number): boolean {
  return instance > 0 && ((cut >> (instance - 1)) & 1) === 1;
}

function roundOf(message: Message): number {
  switch (message.kind) {
    case "vote":
      return message.vote.round;
    case "certificate":
      return message.certificate.round;
    case "proposal":
      return message.proposal.round;
  }
}

export function runTwins(seed: number): Outcome {
  const { first, cuts, by } = scenarioOf(seed);
  const route: Route = (network, from, to, message) => {
    const slot = Math.floor(network.agenda.now / SLOT_MS);
    const at = by === "round" ? roundOf(message) : slot;
    const cut = cuts[at];
    if (network.healed || cut === undefined || slot > at) return [message];
    return onOtherSide(cut, from.id) === onOtherSide(cut, to.id) ? [message] : [];
  };
  const network = new CoreNetwork({
    validators: INSTANCES,
    size: SIZE,
    first,
    byzantine: TWIN,
    route,
  });
  return judgeOutcome(network, ROUNDS * SLOT_MS);
}

export const twins: SeededCampaign = {
  name: "twins",
  unit: "scenarios",
  run: runTwins,
  describe: (seed) => describeScenario(scenarioOf(seed)),
};
