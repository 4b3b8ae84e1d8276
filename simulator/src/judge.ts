/** Hears everything from the cluster: keeps the laws, counts witnesses, writes the trace. */
import { type PastHeight, type Proposal, proposalSignBytes, type Vote } from "@quorate/chain";
import type { ConsensusState, Input, StepResult } from "@quorate/consensus";
import { bytesEqual, toHex } from "@quorate/crypto";
import type { CommitInfo, NodeExit } from "@quorate/node/composition";
import type { CommitBatch } from "@quorate/store";
import type { Cluster, ClusterWatch } from "./cluster/cluster.ts";
import { type Person, peopleOf } from "./cluster/people.ts";
import { LAWS } from "./invariants/index.ts";
import { isVote, type Law } from "./invariants/law.ts";
import {
  BODY_PROTOCOL,
  describe,
  PEER_PROTOCOL,
  proposalName,
  type Said,
  saidIn,
  shortHash,
  voteName,
} from "./network/describe.ts";
import type { Recorder } from "./recorder.ts";
import type { TraceChannel } from "./trace.ts";
import { WitnessCounter } from "./witness.ts";

export interface Violation {
  readonly law: string;
  readonly text: string;
  /** Virtual ms. */
  readonly t: number;
  readonly nodes: readonly number[];
}

/** Type of a frame of the peer stream that carries items of consensus, behind its length. */
const ITEMS_FRAME = 3;
const ITEMS_AT = 4;
/** More of them say no more. */
const MAX_VIOLATIONS = 32;

/** As evidence names it. */
export type DecidedHeight = PastHeight;

export class Judge implements ClusterWatch {
  /** Heights that an honest node decided. */
  readonly past: Map<number, DecidedHeight> = new Map();
  /** Addresses that a block convicted, hex. */
  readonly convicts: Set<string> = new Set();
  readonly violations: Violation[] = [];
  readonly witness: WitnessCounter = new WitnessCounter();
  /** Highest height committed by each node in this life or an earlier one. */
  readonly heights: number[] = [];
  /** Who else follows the cores, of Byzantine nodes too: faults that wait for a moment. */
  readonly followers: ((node: number, after: StepResult) => void)[] = [];
  readonly #recorder: Recorder;
  #laws: readonly Law[] = [];
  #cluster: Cluster | null = null;
  #honest: (node: number) => boolean = () => true;
  #messages = 0;
  #bytes = 0;
  /** The same bytes go to several receivers one after the other. */
  #last: { readonly bytes: Uint8Array; readonly said: readonly Said[] } = {
    bytes: new Uint8Array(0),
    said: [],
  };

  constructor(recorder: Recorder) {
    this.#recorder = recorder;
  }

  /** Once the cluster is made, before it begins. */
  watch(
    cluster: Cluster,
    honest: (node: number) => boolean,
    framed: (place: number) => boolean = () => false,
    people: readonly Person[] = peopleOf({ validators: cluster.members.length }),
  ): void {
    this.#cluster = cluster;
    this.#honest = honest;
    this.heights.push(...cluster.members.map(() => 0));
    this.#laws = Object.entries(LAWS).map(([law, make]) =>
      make({
        cluster,
        people,
        honest,
        framed,
        saw: (sign) => this.witness.saw(sign),
        violated: (text, nodes) => this.violated(law, text, nodes),
        measured: (figure, value) => this.witness.measured(figure, value),
      }),
    );
  }

  get messages(): { readonly count: number; readonly bytes: number } {
    return { count: this.#messages, bytes: this.#bytes };
  }

  violated(law: string, text: string, nodes: readonly number[]): void {
    if (this.violations.length >= MAX_VIOLATIONS) return;
    const t = this.#cluster?.scheduler.now ?? 0;
    this.violations.push({ law, text, t, nodes });
    this.#recorder.add({ kind: "violation", law, text, nodes });
  }

  step(node: number, input: Input, before: ConsensusState, after: StepResult): void {
    if (this.#honest(node)) this.witness.step(node, input, before, after);
    for (const law of this.#laws) law.step?.(node, input, before, after);
    if (this.#recorder.on) this.#record(node, before, after);
    for (const follower of this.followers) follower(node, after);
  }

  sent(from: number, to: number, protocol: string, bytes: Uint8Array): number {
    const id = ++this.#messages;
    this.#bytes += bytes.length;
    const said = this.#saidIn(protocol, bytes);
    for (const each of said) {
      if (each.kind !== "items") continue;
      for (const item of each.items) {
        if (item.kind === "vote") this.#spoke(from, item.vote);
        else if (item.kind === "proposal") this.#spoke(from, item.proposal);
      }
    }
    if (this.#recorder.on) {
      const what = describe(said.length === 0 ? saidIn(protocol, bytes) : said);
      this.#recorder.add({
        kind: "send",
        id,
        from,
        to,
        what,
        channel: channelOf(protocol),
        bytes: bytes.length,
      });
    }
    return id;
  }

  delivered(id: number): void {
    this.#recorder.add({ kind: "deliver", id });
  }

  dropped(id: number, why: string): void {
    this.#recorder.add({ kind: "drop", id, why });
  }

  signed(node: number, message: Vote | Proposal): void {
    const what = isVote(message) ? voteName(message) : proposalName(message);
    this.#recorder.add({ kind: "sign", node, what });
  }

  stored(node: number, batch: CommitBatch): void {
    if (this.#honest(node)) {
      this.witness.stored(batch.height, batch.block);
      const { lastValidators } = batch.state;
      for (const evidence of batch.block.evidence)
        if (evidence.kind === "duplicate_vote") this.convicts.add(toHex(evidence.voteA.validatorAddress));
      if (lastValidators !== null && !this.past.has(batch.height))
        this.past.set(batch.height, {
          height: batch.height,
          time: batch.block.header.time,
          validators: lastValidators,
        });
    }
    for (const law of this.#laws) law.stored?.(node, batch);
  }

  committed(node: number, commit: CommitInfo): void {
    this.heights[node] = Math.max(this.heights[node] ?? 0, commit.height);
    for (const law of this.#laws) law.committed?.(node, commit);
    const { height, round, blockHash } = commit;
    this.#recorder.add({ kind: "commit", node, height, round, block: shortHash(blockHash) });
  }

  exited(node: number, exit: NodeExit): void {
    for (const law of this.#laws) law.exited?.(node, exit);
    this.#recorder.add({ kind: "crash", node, detail: `exit ${exit.code}: ${exit.what}` });
  }

  healed(): void {
    for (const law of this.#laws) law.healed?.(Math.max(...this.heights));
  }

  ended(height: number): void {
    for (const law of this.#laws) law.ended?.(height);
  }

  head(node: number, number: number, hash: string, finalized: boolean, stood: boolean): void {
    for (const law of this.#laws) law.head?.(node, number, hash, finalized, stood);
  }

  clientLost(node: number): void {
    for (const law of this.#laws) law.clientLost?.(node);
  }

  life(node: number, kind: "crash" | "restart" | "pause" | "resume", detail: string): void {
    if (kind === "crash") for (const law of this.#laws) law.crashed?.(node);
    this.witness.life(node, kind);
    this.#recorder.add({ kind, node, detail });
  }

  #spoke(node: number, message: Vote | Proposal): void {
    const key = this.#cluster?.options.identities[node]?.key;
    if (key === undefined || key === null) return;
    if (isVote(message)) {
      if (!bytesEqual(message.validatorAddress, key.address)) return;
    } else if (!this.#isOwn(message, key.signer.publicKey)) return;
    for (const law of this.#laws) law.spoke?.(node, message);
  }

  #isOwn(proposal: Proposal, publicKey: Uint8Array): boolean {
    const options = this.#cluster?.options;
    if (options === undefined) return false;
    const message = proposalSignBytes(options.genesis.chainId, proposal);
    return options.scheme.verify({ publicKey, message, signature: proposal.signature });
  }

  #saidIn(protocol: string, bytes: Uint8Array): readonly Said[] {
    if (protocol === PEER_PROTOCOL && bytes[ITEMS_AT] !== ITEMS_FRAME) return [];
    if (protocol !== PEER_PROTOCOL && !protocol.startsWith("topic/")) return [];
    if (this.#last.bytes !== bytes) this.#last = { bytes, said: saidIn(protocol, bytes) };
    return this.#last.said;
  }

  #record(node: number, before: ConsensusState, { state, effects }: StepResult): void {
    for (const effect of effects) {
      if (effect.kind !== "new_step") continue;
      const { height, round, step } = effect;
      this.#recorder.add({ kind: "step", node, height, round, step });
    }
    const [was, is] = [before.machine.locked, state.machine.locked];
    if (was === is || (was?.round === is?.round && was?.blockId === is?.blockId)) return;
    this.#recorder.add({
      kind: "lock",
      node,
      height: state.context?.height ?? 0,
      round: is?.round ?? state.machine.round,
      block: is === null ? null : shortHash(is.blockId.hash),
    });
  }
}

function channelOf(protocol: string): TraceChannel {
  if (protocol.startsWith("topic/")) return "gossip";
  if (protocol === PEER_PROTOCOL) return "roundstate";
  return protocol === BODY_PROTOCOL ? "body" : "request";
}
