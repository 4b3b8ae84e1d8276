import type { Plan } from "../../simulator/src/faults/draw.ts";
import type { Fault } from "../../simulator/src/faults/fault.ts";

export const OFFENDER = 3;

/** A chain on which nothing happens but these crashes and one validator's double votes at every height. */
export function quiet(drawn: Plan, faults: readonly Fault[]): Plan {
  return {
    ...drawn,
    links: null,
    powers: drawn.powers.map(() => 10),
    blockIntervalMs: 20,
    timeouts: { proposeMs: 300, prevoteMs: 150, precommitMs: 150 },
    execution: "none",
    load: { everyMs: 0, bytes: 0 },
    quality: { minMs: 1, jitterMs: 1, loss: 0, duplication: 0, reorder: false, bytesPerMs: 10_000 },
    disk: { writeMs: 0.01, syncMs: 0.3 },
    skews: drawn.skews.map(() => ({ offsetMs: 0, drift: 0 })),
    byzantine: {
      nodes: [OFFENDER],
      behaviours: ["equivocate-prevotes", "equivocate-precommits"],
      often: 1,
    },
    faults,
    faultsForMs: 20_000,
    maxEvidenceBytes: 1_048_576,
  };
}
