/** Every attack of the campaign: with how many hosts, how fast, and what must become of them. */

export interface Variant {
  readonly bar: "R30" | "R31" | "R32" | "R33" | "R34" | "R35";
  /** Name in process/attacks.ts. */
  readonly attack: string;
  readonly hosts: number;
  /** Over all hosts, of what the attack sends. */
  readonly perSecond: number;
  /** ms within which each host or connection must be thrown out; `null`: it does nothing that is forbidden. */
  readonly thrownOutMs: number | null;
  /** Whether every signature that it brings was known: nothing more than usual may be verified. */
  readonly onlyRepeats?: true;
  /** Whether it takes a validator's key, whose owner is away. */
  readonly stolen?: true;
}

const OFFENDER_MS = 2_000;
const HANDSHAKE_MS = 10_000;

export const VARIANTS: readonly Variant[] = [
  { bar: "R31", attack: "forged-votes", hosts: 1, perSecond: 5_000, thrownOutMs: OFFENDER_MS },
  { bar: "R31", attack: "forged-votes", hosts: 10, perSecond: 10_000, thrownOutMs: OFFENDER_MS },
  { bar: "R31", attack: "forged-packs", hosts: 10, perSecond: 10_000, thrownOutMs: OFFENDER_MS },
  {
    ...{ bar: "R32", attack: "repeated-bytes", hosts: 1, perSecond: 20_000, thrownOutMs: null },
    onlyRepeats: true,
  },
  {
    ...{ bar: "R32", attack: "repeated-mixtures", hosts: 1, perSecond: 20_000, thrownOutMs: null },
    onlyRepeats: true,
  },
  {
    ...{ bar: "R32", attack: "repeated-repairs", hosts: 1, perSecond: 20_000, thrownOutMs: null },
    onlyRepeats: true,
  },
  { bar: "R30", attack: "votes-far-ahead", hosts: 10, perSecond: 10_000, thrownOutMs: OFFENDER_MS },
  { bar: "R30", attack: "stolen-votes", hosts: 10, perSecond: 10_000, thrownOutMs: null, stolen: true },
  { bar: "R33", attack: "subscriptions-4-mib", hosts: 4, perSecond: 20, thrownOutMs: OFFENDER_MS },
  { bar: "R33", attack: "subscriptions-1-mib", hosts: 4, perSecond: 20, thrownOutMs: OFFENDER_MS },
  { bar: "R33", attack: "ihave", hosts: 2, perSecond: 400, thrownOutMs: OFFENDER_MS },
  { bar: "R33", attack: "iwant", hosts: 2, perSecond: 400, thrownOutMs: OFFENDER_MS },
  { bar: "R33", attack: "graft-prune", hosts: 2, perSecond: 10_000, thrownOutMs: OFFENDER_MS },
  { bar: "R33", attack: "toggles", hosts: 2, perSecond: 10_000, thrownOutMs: OFFENDER_MS },
  { bar: "R33", attack: "empty-rpcs", hosts: 2, perSecond: 20_000, thrownOutMs: OFFENDER_MS },
  { bar: "R33", attack: "endless-backoff", hosts: 2, perSecond: 100, thrownOutMs: OFFENDER_MS },
  { bar: "R33", attack: "streams", hosts: 1, perSecond: 1_000, thrownOutMs: OFFENDER_MS },
  { bar: "R33", attack: "filled-streams", hosts: 1, perSecond: 4_000, thrownOutMs: OFFENDER_MS },
  { bar: "R33", attack: "overrun-window", hosts: 2, perSecond: 1_000, thrownOutMs: OFFENDER_MS },
  { bar: "R33", attack: "endless-window", hosts: 2, perSecond: 1_000, thrownOutMs: OFFENDER_MS },
  { bar: "R33", attack: "pings", hosts: 2, perSecond: 100_000, thrownOutMs: OFFENDER_MS },
  { bar: "R34", attack: "silent-connections", hosts: 0, perSecond: 0, thrownOutMs: HANDSHAKE_MS },
  { bar: "R34", attack: "stalled-handshakes", hosts: 0, perSecond: 0, thrownOutMs: HANDSHAKE_MS },
  { bar: "R34", attack: "slow-bytes", hosts: 0, perSecond: 0, thrownOutMs: HANDSHAKE_MS },
  { bar: "R34", attack: "speechless", hosts: 20, perSecond: 0, thrownOutMs: HANDSHAKE_MS },
  { bar: "R35", attack: "sybils", hosts: 100, perSecond: 0, thrownOutMs: null },
];

export interface LiarVariant {
  readonly bar: "R36";
  /** Name in process/liars.ts. */
  readonly lie: string;
  /** Whether what it serves proves that it lies: then one answer is enough to throw it out. */
  readonly proven: boolean;
  /** Whether blocks of it are good: each is progress, so it is asked on, and only time is measured. */
  readonly delivers: boolean;
}

export const LIARS: readonly LiarVariant[] = [
  { bar: "R36", lie: "high", proven: false, delivers: false },
  { bar: "R36", lie: "decreasing", proven: false, delivers: false },
  { bar: "R36", lie: "max-int", proven: false, delivers: false },
  { bar: "R36", lie: "truncated", proven: false, delivers: true },
  { bar: "R36", lie: "bad-block", proven: true, delivers: true },
  { bar: "R36", lie: "bad-commit", proven: true, delivers: false },
  { bar: "R36", lie: "other-heights", proven: true, delivers: false },
  { bar: "R36", lie: "stall", proven: false, delivers: false },
  { bar: "R36", lie: "flapping", proven: false, delivers: true },
];
