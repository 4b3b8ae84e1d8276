/**
 * What a simulated run tells about itself: one header, then one event per thing that happened, in the order in which it
 * happened. The hash of the trace is the run's identity (same seed, same bytes), the page draws it, the invariants do
 * not read it (they look at the nodes themselves).
 *
 * Every field is plain JSON. `t` is virtual time in milliseconds since the start of the run (a fraction is possible),
 * never a wall clock. `node`, `from`, `to` and `nodes` are indices into `TraceHeader.names`.
 */

/** How a run ended: every law held and the chain went on, a law was broken, or the chain did not go on after healing. */
export type Verdict = "ok" | "violation" | "stall";

export interface TraceHeader {
  readonly seed: number;
  /** Number of validators; lanes beyond it are full nodes. */
  readonly validators: number;
  /** Who has a link to whom, for people; default: everybody to everybody. */
  readonly links?: string;
  /** Name of each lane, for example "node0" or "node2 (byzantine)". */
  readonly names: readonly string[];
  /** Heights that every honest node had to reach. */
  readonly heights: number;
  /** The faults of this run, one line each, for people. */
  readonly faults: readonly string[];
  readonly verdict: Verdict;
}

/** How a message travelled: the flooded topics, the direct streams (round state, bodies), or request and response. */
export type TraceChannel = "gossip" | "roundstate" | "body" | "request" | "response";

export type TraceBody =
  /** `id` is unique in the run; `what` is short: "prevote 3/0 1a2b3c4d", "proposal 3/0 1a2b3c4d", "round_state", "tx". */
  | {
      readonly kind: "send";
      readonly id: number;
      readonly from: number;
      readonly to: number;
      readonly what: string;
      readonly channel: TraceChannel;
      readonly bytes: number;
    }
  /** Message `id` reached its receiver; a duplicated message is delivered more than once. */
  | { readonly kind: "deliver"; readonly id: number }
  /** Message `id`, or a copy of it, was lost: `why` is "loss", "partition", "disconnect", "crash", "queue full" … */
  | { readonly kind: "drop"; readonly id: number; readonly why: string }
  /** `step` is one of the field's words: NewHeight, Propose, Prevote, Precommit, Commit. */
  | {
      readonly kind: "step";
      readonly node: number;
      readonly height: number;
      readonly round: number;
      readonly step: string;
    }
  /** The lock of a node changed; `block` is the first 8 hex digits of the block's hash, null when a height begins. */
  | {
      readonly kind: "lock";
      readonly node: number;
      readonly height: number;
      readonly round: number;
      readonly block: string | null;
    }
  /** The signer released a signature: `what` as in `send`. */
  | { readonly kind: "sign"; readonly node: number; readonly what: string }
  | {
      readonly kind: "commit";
      readonly node: number;
      readonly height: number;
      readonly round: number;
      readonly block: string;
    }
  | {
      readonly kind: "crash" | "restart" | "pause" | "resume";
      readonly node: number;
      readonly detail: string;
    }
  /** A fault that lasts from `t` to `until` (equal for one that strikes once) and touches `nodes`. */
  | {
      readonly kind: "fault";
      readonly text: string;
      readonly nodes: readonly number[];
      readonly until: number;
    }
  | {
      readonly kind: "violation";
      readonly law: string;
      readonly text: string;
      readonly nodes: readonly number[];
    };

export type TraceEvent = { readonly t: number } & TraceBody;

export interface Trace {
  readonly header: TraceHeader;
  readonly events: readonly TraceEvent[];
}
