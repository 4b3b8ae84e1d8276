import { type ConsensusState, heightRoundStep } from "@quorate/consensus";
import type { Clock } from "../clock.ts";
import type { CometMetrics } from "../metrics/cometbft.ts";

/** Measures how long steps and rounds last; a step is observed when it ends (CometBFT's meaning). */
export class StepClock {
  private readonly clock: Clock;
  private readonly metrics: CometMetrics["consensus"];
  private current: { readonly height: number; readonly round: number; readonly step: string } | null = null;
  private stepStartedMs = 0;
  private roundStartedMs = 0;
  /** Wall-clock start of the height, for `consensus_state`. */
  heightStartedWallMs = 0;

  constructor(clock: Clock, metrics: CometMetrics["consensus"]) {
    this.clock = clock;
    this.metrics = metrics;
  }

  enter(core: ConsensusState): void {
    const { height, round, step } = heightRoundStep(core);
    const now = this.clock.monotonicMs();
    const before = this.current;
    if (before !== null)
      this.metrics.stepDuration.observe({ step: before.step }, (now - this.stepStartedMs) / 1000);
    if (before === null || before.height !== height) this.heightStartedWallMs = this.clock.wallMs();
    if (before === null || before.height !== height || before.round !== round) {
      if (before !== null) this.metrics.roundDuration.observe((now - this.roundStartedMs) / 1000);
      if (before !== null && before.height === height) this.metrics.roundIncrement.inc({ step: before.step });
      this.roundStartedMs = now;
    }
    this.metrics.rounds.set(round);
    this.stepStartedMs = now;
    this.current = { height, round, step };
  }
}
