import type { LogPort } from "@quorate/gossip";

/**
 * Compares this machine's clock with the chain's time. A block's time was timely on the clocks of more than 2/3 of the
 * power when it was proposed, so a clock that is behind it by more than the precision is behind theirs. Its validator
 * could only propose times that it has to wait for, and says so instead of costing the others a timeout.
 */
export class OwnClock {
  private readonly log: LogPort;
  private isBehind = false;

  constructor(log: LogPort) {
    this.log = log;
  }

  get behind(): boolean {
    return this.isBehind;
  }

  /** At the beginning of a height; all times in ms. Said once when it begins and once when it ends. */
  heightBegins(height: number, lastTimeMs: number, wallMs: number, precisionMs: number): void {
    const byMs = lastTimeMs - wallMs;
    const was = this.isBehind;
    this.isBehind = byMs > precisionMs;
    if (this.isBehind && !was) {
      this.log.error(
        `this machine's clock is ${(byMs / 1000).toFixed(1)} s behind the chain: this node does not propose`,
        {
          height,
          do: "synchronise this machine's clock (chrony or systemd-timesyncd)",
        },
      );
    } else if (was && !this.isBehind)
      this.log.info("this machine's clock has caught up with the chain", { height });
  }
}
