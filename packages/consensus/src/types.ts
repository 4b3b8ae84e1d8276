/**
 * What goes in and what comes out of the consensus core. `step(state, input) -> { state, effects }` is pure: the same
 * inputs give the same effects for ever. Every non-deterministic fact is an input and carries what replay needs.
 */
import type {
  BlockId,
  Certificate,
  ChainParams,
  Commit,
  Height,
  Proposal,
  Round,
  Time,
  ValidatorSet,
  Vote,
} from "@quorate/chain";

export type Step =
  | "NewHeight"
  | "Propose"
  | "Prevote"
  | "PrevoteWait"
  | "Precommit"
  | "PrecommitWait"
  | "Commit";

/** Which timer: `new_height` starts round 0, `retry` is never used by the algorithm itself. */
export type TimeoutKind = "new_height" | "propose" | "prevote" | "precommit";

export interface Timeout {
  readonly kind: TimeoutKind;
  readonly height: Height;
  readonly round: Round;
}

/** A lock or valid value: the last non-nil precommit (L36-41), or the last polka seen (L42-43). */
export interface RoundValue {
  readonly round: Round;
  readonly blockId: BlockId;
}

/** Last signature per (round, type) of the height, from sign state, WAL or stored commits. */
export interface SignedWatermark {
  readonly round: Round;
  /** 0 proposal, 1 prevote, 2 precommit: the order within a round. */
  readonly step: 0 | 1 | 2;
}

export type Input =
  /** Begins a height: round 0 in NewHeight. `lock` and `watermark` come from the sign state. */
  | {
      readonly kind: "start_height";
      readonly height: Height;
      readonly validators: ValidatorSet;
      readonly params: ChainParams;
      /** Own address; `null` on a full node. */
      readonly address: Uint8Array | null;
      /** Header time of height - 1 (genesis time for the first): lower bound of PBTS is this + block_interval. */
      readonly lastTime: Time;
      /** ms until round 0 starts, by the shell's clock: clamp(last.time + block_interval, now, …) - now. */
      readonly startDelayMs: number;
      readonly lock: RoundValue | null;
      readonly watermark: SignedWatermark | null;
      /**
       * Commit of height - 1 as stored. Needed after a restart only: a core that decided height - 1 itself knows it.
       * Late precommits in NewHeight extend it.
       */
      readonly lastCommit?: Commit | null;
    }
  /** After `start_height`: restores from a snapshot record instead of replaying older inputs. */
  | { readonly kind: "restore"; readonly snapshot: Snapshot }
  /**
   * What the sign state holds now, given once after replay (the `start_height` of the log carries what it held then).
   * The lock becomes the later of both; nothing at or below the watermark is signed anew.
   */
  | {
      readonly kind: "sign_state";
      readonly height: Height;
      readonly lock: RoundValue | null;
      readonly watermark: SignedWatermark | null;
    }
  /** A proposal whose signature by the proposer of (height, round) is verified. `receivedAt`: wall clock, ms. */
  | { readonly kind: "proposal"; readonly proposal: Proposal; readonly receivedAtMs: number }
  /** A vote whose membership and signature are verified; `own` = signed by this key. */
  | { readonly kind: "vote"; readonly vote: Vote }
  /** A certificate whose every signature and power are verified. */
  | { readonly kind: "certificate"; readonly certificate: Certificate }
  | { readonly kind: "timeout"; readonly timeout: Timeout }
  /**
   * The complete, well-formed body of this block is held by the shell. `time` and `proposerAddress` are its header's: a
   * proposal is invalid (prevote nil) unless its timestamp equals `time`, and, for POL round -1, unless
   * `proposerAddress` is the proposer of its (height, round).
   */
  | {
      readonly kind: "body";
      readonly height: Height;
      readonly blockId: BlockId;
      readonly time: Time;
      readonly proposerAddress: Uint8Array;
    }
  /** A fact about (height, block hash), never about a round. No answer yet = no input. */
  | {
      readonly kind: "verdict";
      readonly height: Height;
      readonly blockId: BlockId;
      readonly verdict: "valid" | "invalid";
    }
  /**
   * Answer to `build`: bound to the (height, round) captured before the await. `null`: nothing could be built. A value
   * says that its body is held here, names this key as the header's proposer, and was found VALID by the own EL; `open`:
   * that one has not answered yet. Then the value is proposed all the same, and prevoted here when its verdict comes.
   */
  | {
      readonly kind: "built";
      readonly height: Height;
      readonly round: Round;
      readonly value: {
        readonly blockId: BlockId;
        readonly time: Time;
        readonly open?: true;
      } | null;
    }
  /** Answer to `sign_vote` / `sign_proposal`. `refused`: the guard said no; the core abstains. */
  | { readonly kind: "signed_vote"; readonly height: Height; readonly round: Round; readonly vote: Vote }
  | {
      readonly kind: "signed_proposal";
      readonly height: Height;
      readonly round: Round;
      readonly proposal: Proposal;
    }
  | {
      readonly kind: "sign_refused";
      readonly height: Height;
      readonly round: Round;
      readonly what: "proposal" | "prevote" | "precommit";
    }
  /** The proposer of (height, round) has no link to anyone, is leaving, or its EL is not ready. */
  | { readonly kind: "proposer_absent"; readonly height: Height; readonly round: Round };

export interface UnsignedVote {
  readonly type: Vote["type"];
  readonly height: Height;
  readonly round: Round;
  readonly blockId: BlockId | null;
  readonly validatorIndex: number;
}

export interface UnsignedProposal {
  readonly height: Height;
  readonly round: Round;
  readonly polRound: Round;
  readonly blockId: BlockId;
  readonly timestamp: Time;
}

/** Restores a height without replaying old inputs (DESIGN §5.1): follows each change of lock or valid value. */
export interface Snapshot {
  readonly height: Height;
  readonly round: Round;
  readonly step: Step;
  readonly locked: RoundValue | null;
  readonly valid: RoundValue | null;
  /** Votes that justify round, lock and valid value, own votes included; restored through the vote keeper. */
  readonly votes: readonly Vote[];
  readonly certificates: readonly Certificate[];
  readonly proposals: readonly { readonly proposal: Proposal; readonly receivedAtMs: number }[];
}

export type Effect =
  /** Replaces a running timer of the same kind, height and round; never scheduled twice. */
  | { readonly kind: "schedule_timeout"; readonly timeout: Timeout; readonly ms: number }
  | { readonly kind: "cancel_timeout"; readonly timeout: Timeout }
  /** Ask for a value to propose in (height, round); answer `built`. `notBefore`: lower bound of its header time. */
  | { readonly kind: "build"; readonly height: Height; readonly round: Round; readonly notBefore: Time }
  | { readonly kind: "sign_vote"; readonly vote: UnsignedVote }
  | { readonly kind: "sign_proposal"; readonly proposal: UnsignedProposal }
  /** Own signed message; or the polka that a re-proposal of this node rests on (L16): to all. */
  | { readonly kind: "broadcast_proposal"; readonly proposal: Proposal }
  | { readonly kind: "broadcast_vote"; readonly vote: Vote }
  | { readonly kind: "broadcast_certificate"; readonly certificate: Certificate }
  /**
   * Ask the EL about a block, once per id, and again after INVALID once per later round in which it is proposed. The
   * call goes on across rounds until a verdict or the end of the height.
   */
  | { readonly kind: "validate"; readonly height: Height; readonly round: Round; readonly blockId: BlockId }
  /** The body of a block that a quorum (or the own lock) wants is missing here: fetch it. At most once per round. */
  | { readonly kind: "want_body"; readonly height: Height; readonly round: Round; readonly blockId: BlockId }
  | {
      readonly kind: "decide";
      readonly height: Height;
      readonly round: Round;
      readonly blockId: BlockId;
      readonly commit: Commit;
    }
  /** Equivocation, detected once per (validator, round, type). */
  | { readonly kind: "duplicate_vote"; readonly first: Vote; readonly second: Vote }
  | { readonly kind: "duplicate_proposal"; readonly first: Proposal; readonly second: Proposal }
  /** Lock or valid value changed: write the snapshot record before any effect that follows it. */
  | { readonly kind: "snapshot"; readonly snapshot: Snapshot }
  /** Round or step changed: for round state, metrics and logs. */
  | { readonly kind: "new_step"; readonly height: Height; readonly round: Round; readonly step: Step }
  /** Our own key signed what we do not know: newer or conflicting (DESIGN §5.7) => the shell stops, exit 5. */
  | { readonly kind: "foreign_signature"; readonly vote: Vote }
  /** The same for a proposal under our own key. */
  | { readonly kind: "foreign_proposal"; readonly proposal: Proposal }
  /** A late precommit for the decided height, in Commit or in NewHeight of the next: extends the last commit. */
  | { readonly kind: "extend_last_commit"; readonly vote: Vote };
