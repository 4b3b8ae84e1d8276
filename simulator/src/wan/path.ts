/** The way from one node to another over the world: distance, the sender's wire, its processor, TCP's caution. */
import type { Machine } from "../core/machine.ts";
import type { Random } from "../core/random.ts";
import { Path } from "../network/paths.ts";
import { JITTER_SHARE } from "./regions.ts";
import type { Uplink, Window } from "./transport.ts";

export interface WanLink {
  /** Index of the receiver. */
  readonly to: number;
  readonly oneWayMs: number;
  readonly roundTripMs: number;
  readonly uplink: Uplink;
  readonly window: Window;
  /** The sender's processor; what it computes before a message leaves delays the message. */
  readonly machine: () => Machine | null;
}

export class WanPath extends Path {
  readonly #link: WanLink;
  readonly #jitter: Random;

  constructor(link: WanLink, random: Random) {
    super(
      {
        minMs: link.oneWayMs,
        jitterMs: link.oneWayMs * JITTER_SHARE,
        loss: 0,
        duplication: 0,
        // All of it travels in one TCP connection.
        reorder: false,
        bytesPerMs: Number.POSITIVE_INFINITY,
      },
      random,
    );
    this.#link = link;
    this.#jitter = random.split("jitter");
  }

  override delayMs(bytes: number): number {
    const { to, oneWayMs, roundTripMs, uplink, window, machine } = this.#link;
    const sender = machine();
    const now = sender?.now ?? 0;
    const computed = Math.max(now, sender?.busyUntilMs ?? now);
    const out = uplink.send(to, bytes, computed);
    const waited = window.wait(bytes, out, roundTripMs);
    const jitter = this.#jitter.exponential(oneWayMs * JITTER_SHARE);
    return (out - now + waited + oneWayMs + jitter) * this.slowness;
  }
}
