/** One node under test and three honest peers in virtual time, with messages held back as a script wants. */
import {
  type BlockId,
  blockIdKey,
  type Certificate,
  type Commit,
  CommitFlag,
  type Proposal,
  type Vote,
  VoteType,
} from "@quorate/chain";
import {
  type ConsensusState,
  certificateOf,
  maj23,
  proposalsOfRound,
  summary,
  voteOf,
  voteRounds,
} from "@quorate/consensus";
import { GENESIS_MS, type MadeBlock, type TestChain } from "../../packages/node/test/support/chain.ts";
import { settled } from "../../packages/node/test/support/pace.ts";
import { EventClock } from "../support/event-clock.ts";
import type { NodeUnderTest } from "./node-under-test.ts";
import { freshPeer, type Message, Peer, type PeerState } from "./peer.ts";

/** Wall clock at the start: some time after genesis. */
const EPOCH_MS: number = GENESIS_MS + 1_000_000;
const REPAIR_MS = 200;

interface Parcel {
  readonly from: number;
  readonly to: number;
  readonly message: Message;
}

/** Whether a message waits, and until when the receiver has got that far. */
export type Weather = (parcel: Parcel) => { readonly height: number; readonly round: number } | null;

interface Held {
  readonly parcel: Parcel;
  readonly until: { readonly height: number; readonly round: number };
}

/** Everything outside of the node under test, at one moment. */
export interface Surroundings {
  readonly nowMs: number;
  readonly peers: ReadonlyMap<number, PeerState>;
  readonly underWay: readonly Parcel[];
  readonly held: readonly Held[];
  /** All that was sent until then. */
  readonly log: readonly Letter[];
}

interface Letter {
  readonly from: number;
  readonly message: Message;
}

export interface SentByNode {
  readonly votes: Vote[];
  readonly proposals: { readonly proposal: Proposal }[];
}

export class Scene {
  readonly clock: EventClock;
  readonly peers: ReadonlyMap<number, Peer>;
  readonly sent: SentByNode = { votes: [], proposals: [] };
  readonly accusations: string[] = [];
  /** Told of each message of the node under test, once it is under way. */
  onSend: (message: Message) => void = () => undefined;
  node: NodeUnderTest | null = null;
  private readonly chain: TestChain;
  private readonly weather: Weather;
  private readonly underTest: number;
  private readonly blocks = new Map<string, MadeBlock>();
  private readonly prevotes = new Map<string, { readonly vote: Vote; readonly from: Set<number> }>();
  /** Grows only, so that a moment is told by its length. */
  private readonly log: Letter[] = [];
  private queue: Parcel[] = [];
  private held: Held[] = [];

  constructor(chain: TestChain, underTest: number, weather: Weather, start?: Surroundings) {
    this.chain = chain;
    this.underTest = underTest;
    this.weather = weather;
    this.clock = new EventClock(EPOCH_MS, start?.nowMs ?? 0);
    const world = {
      nowMs: () => this.clock.monotonicMs(),
      wallMs: () => this.clock.wallMs(),
      timer: (ms: number, callback: () => void) => this.clock.timer(ms, callback),
      send: (from: number, message: Message) => this.send(from, message),
      findBlock: (blockId: BlockId) => this.findBlock(blockId),
      accuse: (what: string) => void this.accusations.push(what),
    };
    const peers = new Map<number, Peer>();
    for (let index = 0; index < chain.keys.seeds.length; index++) {
      if (index === underTest) continue;
      peers.set(index, new Peer(index, chain, world, start?.peers.get(index) ?? freshPeer(chain)));
    }
    this.peers = peers;
    if (start === undefined) for (const peer of peers.values()) peer.begin();
    else {
      for (const { from, message } of start.log) this.note(from, message);
      // What was under way to the node died with its connections.
      this.queue = start.underWay.filter(({ to }) => to !== underTest);
      this.held = start.held.filter(({ parcel }) => parcel.to !== underTest);
    }
    this.clock.timer(REPAIR_MS, () => this.repair());
  }

  /** A copy of all that is not the node's. */
  surroundings(): Surroundings {
    return {
      nowMs: this.clock.monotonicMs(),
      peers: new Map([...this.peers].map(([index, peer]) => [index, peer.state])),
      underWay: [...this.queue],
      held: [...this.held],
      log: this.log.slice(),
    };
  }

  /** Without what the node sent last and nobody has got yet. */
  loseUnderWay(): void {
    this.queue = this.queue.filter(({ from }) => from !== this.underTest);
  }

  findBlock(blockId: BlockId): MadeBlock | null {
    const key = blockIdKey(blockId);
    const known = this.blocks.get(key);
    if (known !== undefined) return known;
    for (const peer of this.peers.values()) {
      const found = peer.state.blocks.get(key);
      if (found !== undefined) return found;
      for (const { block } of peer.state.decided.values()) {
        if (blockIdKey(block.blockId) === key) return block;
      }
    }
    return null;
  }

  send(from: number, message: Message): void {
    this.note(from, message);
    for (let to = 0; to < this.chain.keys.seeds.length; to++) {
      if (to !== from) this.post({ from, to, message });
    }
    if (from === this.underTest) this.onSend(message);
  }

  /** Goes on until `done`, or up to `limitMs` more of virtual time. */
  async run(done: () => boolean, limitMs: number): Promise<boolean> {
    const until = this.clock.monotonicMs() + limitMs;
    for (;;) {
      await settled();
      if (done()) return true;
      this.release();
      const parcels = this.queue;
      this.queue = [];
      for (const parcel of parcels) this.deliver(parcel);
      if (parcels.length === 0 && !this.clock.fireNext(until)) return false;
    }
  }

  /** Blocks that more than 2/3 prevoted in a round, by what was really sent. */
  polkas(): { readonly height: number; readonly round: number; readonly blockId: BlockId }[] {
    const quorum = Math.floor((2 * this.chain.keys.seeds.length) / 3) + 1;
    return [...this.prevotes.values()].flatMap(({ vote, from }) => {
      const { height, round, blockId } = vote;
      return from.size >= quorum && blockId !== null ? [{ height, round, blockId }] : [];
    });
  }

  private note(from: number, message: Message): void {
    this.log.push({ from, message });
    if (message.kind === "proposal") {
      this.blocks.set(blockIdKey(message.block.blockId), message.block);
      if (from === this.underTest) this.sent.proposals.push({ proposal: message.proposal });
    }
    if (message.kind !== "vote") return;
    const { vote } = message;
    if (from === this.underTest) this.sent.votes.push(vote);
    if (vote.type !== VoteType.prevote || vote.blockId === null) return;
    const key = `${vote.height}/${vote.round}/${blockIdKey(vote.blockId)}`;
    const entry = this.prevotes.get(key) ?? { vote, from: new Set<number>() };
    entry.from.add(vote.validatorIndex);
    this.prevotes.set(key, entry);
  }

  private post(parcel: Parcel): void {
    const until = this.weather(parcel);
    if (until === null) this.queue.push(parcel);
    else this.held.push({ parcel, until });
  }

  private release(): void {
    const free = this.held.filter(({ parcel, until }) => this.hasReached(parcel.to, until));
    if (free.length === 0) return;
    this.held = this.held.filter((each) => !free.includes(each));
    this.queue.push(...free.map(({ parcel }) => parcel));
  }

  private hasReached(
    index: number,
    { height, round }: { readonly height: number; readonly round: number },
  ): boolean {
    const core = this.coreOf(index);
    if (core === null) return false;
    const at = summary(core);
    return at.height > height || (at.height === height && at.round >= round);
  }

  private coreOf(index: number): ConsensusState | null {
    if (index === this.underTest) return this.node?.runner.core() ?? null;
    return this.peers.get(index)?.state.core ?? null;
  }

  private deliver({ to, message }: Parcel): void {
    if (to === this.underTest) this.node?.receive(message);
    else this.peers.get(to)?.receive(message);
  }

  /** What the round-state streams do: each side gives the other what that one lacks. */
  private repair(): void {
    this.clock.timer(REPAIR_MS, () => this.repair());
    const { node } = this;
    if (node === null || !node.runner.running) return;
    for (const peer of this.peers.values()) {
      if (peer.height > node.height) this.giveDecided(peer, node.height);
      else if (peer.height < node.height) void this.takeDecided(node, peer);
      else {
        this.giveMissing(peer.state.core, peer.index, node.index, node.runner.core());
        this.giveMissing(node.runner.core(), node.index, peer.index, peer.state.core);
      }
    }
  }

  private giveDecided(peer: Peer, height: number): void {
    const decided = peer.state.decided.get(height);
    if (decided === undefined) return;
    const { commit, block } = decided;
    this.node?.runner.receiveBody(height, block.blockId, block.bytes);
    this.node?.receive({ kind: "certificate", certificate: certificateOfCommit(commit) });
  }

  private async takeDecided(node: NodeUnderTest, peer: Peer): Promise<void> {
    const { height } = peer;
    const [commit, block] = [await node.store.seenCommit(height), await node.store.block(height)];
    const bytes = await node.store.blockBytes(height);
    if (commit === null || block === null || bytes === null || peer.height !== height) return;
    peer.takeBody({ block, bytes, blockId: commit.blockId });
    peer.receive({ kind: "certificate", certificate: certificateOfCommit(commit) });
  }

  private giveMissing(from: ConsensusState, source: number, to: number, other: ConsensusState): void {
    const give = (message: Message): void => this.post({ from: source, to, message });
    for (const { round, type } of voteRounds(from)) {
      for (let index = 0; index < this.chain.keys.seeds.length; index++) {
        const vote = voteOf(from, round, type, index);
        if (vote !== null && voteOf(other, round, type, index) === null) give({ kind: "vote", vote });
      }
    }
    const known = new Set(maj23(other).map(({ round, type }) => `${round} ${type}`));
    for (const { round, type } of maj23(from)) {
      const certificate = known.has(`${round} ${type}`) ? null : certificateOf(from, round, type);
      if (certificate !== null) give({ kind: "certificate", certificate });
    }
    const { round } = summary(other);
    for (const proposal of proposalsOfRound(from, round)) {
      const block = this.findBlock(proposal.blockId);
      if (block !== null && proposalsOfRound(other, round).length === 0)
        give({ kind: "proposal", proposal, block });
    }
  }
}

function certificateOfCommit({ height, round, blockId, signatures }: Commit): Certificate {
  const signed = signatures.flatMap(({ flag, timestamp, signature }, validatorIndex) =>
    flag === CommitFlag.commit ? [{ validatorIndex, timestamp, signature }] : [],
  );
  return { type: VoteType.precommit, height, round, blockId, signatures: signed };
}
