/** The end of every scenario on bare cores: trouble until a time, then peace, in which two heights must be decided. */
import type { CoreNetwork } from "./network.ts";

export interface Outcome {
  /** One sentence per breach of safety, or for a stall; none when all holds. */
  readonly violations: readonly string[];
  /** Names of what was seen, for the witnesses of a whole campaign. */
  readonly seen: readonly string[];
  /** Inputs taken by all cores. */
  readonly steps: number;
}

/** Virtual time in which the height in trouble and the next one must be decided once everyone hears everyone. */
const PEACE_MS = 90_000;

export function judgeOutcome(network: CoreNetwork, troubleMs: number): Outcome {
  network.runFor(troubleMs);
  const decidedInTrouble = network.correct().some((each) => each.height > 1);
  const target = Math.max(...network.correct().map(({ height }) => height)) + 1;
  network.heal();
  if (!network.runTo(target, PEACE_MS)) {
    const where = network.correct().map(({ validator, height, state: { machine } }) => {
      return `validator ${validator} at ${height}/${machine.round}/${machine.step}`;
    });
    network.judge.violate(`stall: no height ${target} within ${PEACE_MS} ms of peace: ${where.join(", ")}`);
  }
  const seen: string[] = [];
  if (decidedInTrouble) seen.push("decided in trouble");
  if (network.counted("duplicate votes") > 0) seen.push("duplicate votes");
  if (network.counted("duplicate proposals") > 0) seen.push("duplicate proposals");
  if (network.judge.equivocations() > 0) seen.push("observable equivocations, evidence of each");
  for (const round of [1, 2, 3, 4]) if (network.highestRound >= round) seen.push(`round ${round}`);
  if (network.counted("hidden locks") > 0) seen.push("hidden locks");
  return { violations: network.judge.violations, seen, steps: network.steps };
}
