/** What every law is made of: it hears what happens and reports what must not. */
import type { Proposal, Vote } from "@quorate/chain";
import type { ConsensusState, Input, StepResult } from "@quorate/consensus";
import type { CommitInfo, NodeExit } from "@quorate/node/composition";
import type { CommitBatch } from "@quorate/store";
import type { Cluster } from "../cluster/cluster.ts";
import type { Person } from "../cluster/people.ts";
import type { ChurnSign } from "../witness.ts";

export interface Law {
  /** After every step of the core of an honest node. */
  step?(node: number, input: Input, before: ConsensusState, after: StepResult): void;
  /** A message that carries `node`'s own signature leaves it; once per receiver and copy. */
  spoke?(node: number, message: Vote | Proposal): void;
  /** A decided block is about to be written. */
  stored?(node: number, batch: CommitBatch): void;
  committed?(node: number, commit: CommitInfo): void;
  exited?(node: number, exit: NodeExit): void;
  crashed?(node: number): void;
  /** The faults are over; `height`: the highest committed by anybody. */
  healed?(height: number): void;
  /** The run went on to its end without a violation; `height`: the lowest that every honest node reached. */
  ended?(height: number): void;
  /** A node's execution client was told a head; it lost blocks. */
  head?(node: number, number: number, hash: string, finalized: boolean, stood: boolean): void;
  clientLost?(node: number): void;
}

/** What laws measure by the way: heights that a conviction took, encoded bytes of evidence held by one node. */
export type Figure = "evidenceHeights" | "evidenceHeightsHealed" | "evidenceBytes";

export interface LawModules {
  readonly cluster: Cluster;
  /** Nodes that keep to the protocol. */
  readonly honest: (node: number) => boolean;
  /** Places of nodes that keep to the protocol, and of others, whose keys sign twice elsewhere: blocks may convict them. */
  readonly framed: (node: number) => boolean;
  /** Everybody whose key may be in a set, the nodes first. */
  readonly people: readonly Person[];
  /** For the witnesses. */
  readonly saw: (sign: ChurnSign) => void;
  readonly violated: (text: string, nodes: readonly number[]) => void;
  /** The largest of a run counts. */
  readonly measured: (figure: Figure, value: number) => void;
}

export type MakeLaw = (modules: LawModules) => Law;

export function isVote(message: Vote | Proposal): message is Vote {
  return "validatorIndex" in message;
}
