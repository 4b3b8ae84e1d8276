/** What the attacking process is told and what it answers: one line of JSON each. */

export interface Order {
  /** Name in process/attacks.ts. */
  readonly attack: string;
  /** Multiaddrs with peer ids. */
  readonly targets: readonly string[];
  readonly seconds: number;
  /** Hosts that attack at the same time; 0 where the attack says itself how many. */
  readonly hosts: number;
  /** Of what the attack sends, over all hosts. */
  readonly perSecond: number;
  /** ms that an offender may stay; `null` where nothing that is done is forbidden. */
  readonly thrownOutMs: number | null;
  /** Validators in the order of the set, hex addresses. */
  readonly validators: readonly string[];
  readonly chainId: string;
  /** Seed of a validator's key that the attacker got hold of, hex. */
  readonly stolenKey: string | null;
  /** Where the attacker gets honest answers that it can spoil. */
  readonly honest: string | null;
}

/** What really happened. */
export interface Deeds {
  /** By what it is. */
  readonly sent: Readonly<Record<string, number>>;
  /** ms from the first offence of each host that was thrown out to the end of its connection. */
  readonly thrownOutMs: readonly number[];
  /** Hosts or connections that were still there when an offender's time was over. */
  readonly open: number;
  /** Connections that were refused before anything could be sent. */
  readonly refused: number;
  /** The last of these. */
  readonly whyRefused: string | null;
  /** Any other number worth telling. */
  readonly told: Readonly<Record<string, number>>;
}

export type AttackerLine =
  | { readonly event: "begun" }
  | ({ readonly event: "end" } & Deeds)
  | { readonly event: "failed"; readonly reason: string };
