import type { Height, Proposal } from "@quorate/chain";
import type { RecentKeys, Verifier } from "@quorate/crypto";
import type { BodyCollector } from "../bodies/collector.ts";
import type { TokenBucket } from "../scoring/token-bucket.ts";
import type { ConsensusView, GossipEvents, GossipMetrics, LogPort } from "../types.ts";
import type { HeldMessages } from "./held.ts";
import type { SeenCache } from "./slots.ts";

/** The peer that handed a message over, as far as admission is concerned. */
export interface Source {
  readonly id: string;
  /** Verifications under way for it. */
  verifications: number;
  /** Highest height of a fresh vote it handed over: newer than its last round state, maybe. */
  observedHeight: Height;
  readonly txItems: TokenBucket;
  readonly txBytes: TokenBucket;
  readonly evidence: TokenBucket;
  /** Items of no use: known, or of heights and rounds that are none of ours. */
  readonly useless: TokenBucket;
  /** It is gone: nothing of it is verified any more. */
  readonly gone: AbortSignal;
}

/** What all examinations share. */
export interface AdmissionContext {
  readonly chainId: string;
  readonly view: ConsensusView;
  readonly events: GossipEvents;
  readonly verifier: Verifier;
  readonly log: LogPort;
  readonly metrics: GossipMetrics | null;
  /** Monotonic, ms. */
  readonly now: () => number;
  /** Calls back once what this turn of the event loop brings has been read. */
  readonly atTurnEnd: (callback: () => void) => void;
  /** Wall clock, ms: a proposal's time is judged by when it was received. */
  readonly wallNow: () => number;
  /** 0 .. 1: which signature of a group is verified first. */
  readonly random: () => number;
  readonly seen: SeenCache;
  readonly held: HeldMessages;
  readonly bodies: BodyCollector;
  readonly evidenceSeen: RecentKeys;
  readonly txSeen: RecentKeys;
  /** Future-round budget per validator index of the present height. */
  readonly budgets: Map<number, TokenBucket>;
  /** A verified proposal was delivered: its body is wanted. */
  readonly onProposal: (proposal: Proposal) => void;
}
