/**
 * A network of validators in virtual time: loses, delays, duplicates and reorders, crashes nodes, cuts links, and judges
 * everything that is signed or decided. One validator may be Byzantine: it signs and sends different messages to
 * different peers.
 */
import assert from "node:assert/strict";
import {
  type BlockId,
  blockIdKey,
  type Proposal,
  type Time,
  type ValidatorSet,
  type Vote,
  VoteType,
} from "@quorate/chain";
import { certificateOf, type Input, maj23, proposalsOfRound, voteOf, voteRounds } from "../../src/index.ts";
import { VirtualClock } from "./clock.ts";
import { blockId, LAST_TIME, validatorSet } from "./fixtures.ts";
import { type Block, type Message, SimNode } from "./node.ts";
import { Random } from "./random.ts";

export interface Faults {
  readonly loss: number;
  readonly duplicate: number;
  readonly maxDelayMs: number;
  /** Probability per 500 ms that one node crashes (at most one honest node is down beside a Byzantine one: none). */
  readonly crash: number;
  readonly lateVerdict: number;
  readonly wrongInvalid: number;
  readonly failBuild: number;
  readonly cut: number;
}

export const CALM: Faults = {
  loss: 0,
  duplicate: 0,
  maxDelayMs: 20,
  crash: 0,
  lateVerdict: 0,
  wrongInvalid: 0,
  failBuild: 0,
  cut: 0,
};

const REPAIR_MS = 100;
const FAULTS_MS = 500;
const WALL_START_MS = Number(LAST_TIME / 1_000_000n);

interface SignedPoint {
  readonly key: string;
  readonly vote: Vote;
}

export class Network {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly set: ValidatorSet;
  readonly nodes: readonly SimNode[];
  /** Index of the Byzantine validator, or -1. */
  readonly byzantine: number;
  readonly witnesses = new Map<string, number>();
  faults: Faults;
  private readonly blocks = new Map<string, Block>();
  private readonly decided = new Map<number, string>();
  private readonly signed = new Map<string, SignedPoint>();
  /** Every vote ever sent, by (height, round, type, value): the indexes that sent it. */
  private readonly votes = new Map<string, Set<number>>();
  private readonly locks = new Map<string, { readonly round: number; readonly key: string }>();
  private cut = -1;
  private blockCount = 0;

  constructor(options: {
    readonly seed: number;
    readonly powers?: readonly bigint[];
    readonly byzantine?: number;
    readonly faults: Faults;
  }) {
    this.random = new Random(options.seed);
    this.faults = options.faults;
    this.byzantine = options.byzantine ?? -1;
    const powers = options.powers ?? [1n, 1n, 1n, 1n];
    this.set = validatorSet(powers);
    this.nodes = powers.map((_, index) => new SimNode(this, index));
    for (const node of this.nodes) node.boot();
    this.clock.after(REPAIR_MS, () => this.repair());
    this.clock.after(FAULTS_MS, () => this.disturb());
  }

  wallMs(): number {
    return WALL_START_MS + Math.floor(this.clock.now);
  }

  wallTime(): Time {
    return BigInt(this.wallMs()) * 1_000_000n;
  }

  witness(name: string): void {
    this.witnesses.set(name, (this.witnesses.get(name) ?? 0) + 1);
  }

  /** Runs until every honest node passed `height`, or virtual time is up. */
  runTo(height: number, limitMs: number): boolean {
    const until = this.clock.now + limitMs;
    while (!this.honest().every((node) => node.height > height)) if (!this.clock.step(until)) return false;
    return true;
  }

  runFor(ms: number): void {
    const until = this.clock.now + ms;
    while (this.clock.step(until));
    this.clock.now = until;
  }

  /** Ends all trouble: everyone up, every link whole. */
  heal(): void {
    this.faults = CALM;
    this.cut = -1;
    for (const node of this.nodes) if (!node.alive) node.recover("replay");
  }

  honest(): readonly SimNode[] {
    return this.nodes.filter(({ index }) => index !== this.byzantine);
  }

  // --- blocks and judgement ---------------------------------------------------------------------------------------

  newBlock(height: number, time: Time, proposerAddress: Uint8Array, valid: boolean): Block {
    const block = {
      blockId: blockId(`${height} ${this.blockCount++}`),
      height,
      time,
      proposerAddress,
      valid,
    };
    this.blocks.set(blockIdKey(block.blockId), block);
    return block;
  }

  findBody(asking: SimNode, id: BlockId): Block | null {
    const key = blockIdKey(id);
    const held = this.nodes.some((node) => node.alive && this.linked(asking, node) && node.bodies.has(key));
    return held ? (this.blocks.get(key) ?? null) : null;
  }

  noteDecision(node: SimNode, height: number, id: BlockId, block: Block): void {
    if (node.index === this.byzantine) return;
    const key = blockIdKey(id);
    const first = this.decided.get(height) ?? key;
    assert.equal(key, first, `agreement at height ${height}, node ${node.index}`);
    assert.ok(block.valid, `validity at height ${height}`);
    this.decided.set(height, first);
  }

  /** Judges a signature of an honest node: no double sign, and the lock rule of L23, L29 and L36. */
  noteSigned(node: SimNode, vote: Vote): void {
    if (node.index === this.byzantine) return;
    const key = blockIdKey(vote.blockId);
    const point = `${node.index} ${vote.height} ${vote.round} ${vote.type}`;
    const before = this.signed.get(point);
    assert.equal(before?.key ?? key, key, `double sign: ${point}`);
    this.signed.set(point, { key, vote });
    this.noteSent(vote);
    const lock = this.locks.get(`${node.index} ${vote.height}`);
    if (lock && vote.blockId && key !== lock.key) {
      const polka = this.polkaWithin(vote.height, key, lock.round, vote.round);
      assert.ok(polka, `lock rule: node ${node.index} voted another value in round ${vote.round}`);
    }
    if (vote.type === VoteType.precommit && vote.blockId) {
      assert.ok(
        this.polkaWithin(vote.height, key, vote.round, vote.round),
        `a precommit needs a polka: node ${node.index}, round ${vote.round}`,
      );
      this.locks.set(`${node.index} ${vote.height}`, { round: vote.round, key });
    }
  }

  private noteSent(vote: Vote): void {
    const key = `${vote.height} ${vote.round} ${vote.type} ${blockIdKey(vote.blockId)}`;
    const senders = this.votes.get(key) ?? new Set();
    senders.add(vote.validatorIndex);
    this.votes.set(key, senders);
  }

  private polkaWithin(height: number, key: string, from: number, to: number): boolean {
    for (let round = from; round <= to; round++) {
      const senders = this.votes.get(`${height} ${round} ${VoteType.prevote} ${key}`) ?? new Set<number>();
      let power = 0n;
      for (const index of senders) power += this.set.validators[index]?.power ?? 0n;
      if (power * 3n > this.set.totalPower * 2n) return true;
    }
    return false;
  }

  // --- sending ----------------------------------------------------------------------------------------------------

  private linked(a: SimNode, b: SimNode): boolean {
    return a.index !== this.cut && b.index !== this.cut;
  }

  private send(from: SimNode, to: SimNode, run: () => void): void {
    if (!this.linked(from, to) || this.random.chance(this.faults.loss)) return;
    const copies = this.random.chance(this.faults.duplicate) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++)
      this.clock.after(1 + this.random.below(this.faults.maxDelayMs), run);
  }

  broadcast(from: SimNode, input: Input): void {
    for (const to of this.nodes) if (to !== from) this.send(from, to, () => to.receive(input));
  }

  sendVote(from: SimNode, vote: Vote): void {
    if (from.index === this.byzantine) {
      this.equivocate(from, vote);
      return;
    }
    this.broadcast(from, { kind: "vote", vote });
  }

  sendProposal(from: SimNode, proposal: Proposal): void {
    const block = this.blocks.get(blockIdKey(proposal.blockId));
    if (!block) return;
    if (from.index === this.byzantine && proposal.polRound < 0) {
      this.proposeTwice(from, proposal, block);
      return;
    }
    for (const to of this.nodes) if (to !== from) this.sendProposalTo(from, to, proposal, block);
  }

  private sendProposalTo(from: SimNode, to: SimNode, proposal: Proposal, block: Block): void {
    this.send(from, to, () => to.receiveBody(block));
    this.send(from, to, () => to.receive({ kind: "proposal", proposal, receivedAtMs: this.wallMs() }));
  }

  /** The Byzantine validator: another value to each, and votes for rounds nobody is in. */
  private equivocate(from: SimNode, vote: Vote): void {
    const known = [...this.blocks.values()].filter(({ height }) => height === vote.height);
    for (const to of this.nodes) {
      if (to === from) continue;
      const pick = known[this.random.below(known.length)];
      const id = this.random.chance(0.4)
        ? vote.blockId
        : this.random.chance(0.5)
          ? null
          : (pick?.blockId ?? null);
      const round = this.random.chance(0.1) ? vote.round + 1 + this.random.below(50) : vote.round;
      const lie: Vote = { ...vote, blockId: id, round };
      this.noteSent(lie);
      this.send(from, to, () => to.receive({ kind: "vote", vote: lie }));
    }
  }

  private proposeTwice(from: SimNode, proposal: Proposal, block: Block): void {
    const other = this.newBlock(proposal.height, block.time, block.proposerAddress, this.random.chance(0.5));
    from.bodies.set(blockIdKey(other.blockId), other);
    for (const to of this.nodes) {
      if (to === from) continue;
      const both = this.random.chance(0.2);
      const first = this.random.chance(0.5);
      const twin: Proposal = { ...proposal, blockId: other.blockId };
      if (first || both) this.sendProposalTo(from, to, proposal, block);
      if (!first || both) this.sendProposalTo(from, to, twin, other);
    }
  }

  // --- repair and trouble -----------------------------------------------------------------------------------------

  /** What the round-state streams do: each node sends one other what that one lacks. */
  private repair(): void {
    for (const from of this.nodes) {
      if (!from.alive || from.index === this.byzantine) continue;
      const to = this.nodes[this.random.below(this.nodes.length)]!;
      if (to === from || !to.alive) continue;
      if (to.height < from.height) this.sendDecided(from, to);
      else if (to.height === from.height) this.sendMissing(from, to);
    }
    this.clock.after(REPAIR_MS, () => this.repair());
  }

  private sendDecided(from: SimNode, to: SimNode): void {
    const decision = from.decisions.get(to.height);
    if (!decision) return;
    const block = this.blocks.get(blockIdKey(decision.blockId))!;
    const { round, commit } = decision;
    const signatures = commit.signatures.flatMap((sig, validatorIndex) =>
      sig.flag === 2 ? [{ validatorIndex, timestamp: sig.timestamp, signature: sig.signature }] : [],
    );
    const certificate = {
      type: VoteType.precommit,
      height: commit.height,
      round,
      blockId: decision.blockId,
      signatures,
    };
    this.witness("caught_up");
    this.send(from, to, () => to.receiveBody(block));
    this.send(from, to, () => to.receive({ kind: "certificate", certificate }));
  }

  private sendMissing(from: SimNode, to: SimNode): void {
    const messages: Message[] = [];
    for (const { round, type } of voteRounds(from.state)) {
      for (const { index } of this.nodes) {
        const vote = voteOf(from.state, round, type, index);
        if (vote && !voteOf(to.state, round, type, index)) messages.push({ kind: "vote", vote });
      }
    }
    const known = new Set(maj23(to.state).map((each) => `${each.round} ${each.type}`));
    for (const { round, type } of maj23(from.state)) {
      const certificate = certificateOf(from.state, round, type);
      if (certificate && !known.has(`${round} ${type}`)) messages.push({ kind: "certificate", certificate });
    }
    for (const input of messages) this.send(from, to, () => to.receive(input));
    const { round } = to.state.machine;
    for (const proposal of proposalsOfRound(from.state, round)) {
      const block = this.blocks.get(blockIdKey(proposal.blockId));
      if (block && from.bodies.has(blockIdKey(proposal.blockId)))
        this.sendProposalTo(from, to, proposal, block);
    }
  }

  /** Crashes, restarts, cuts: never more than one validator out of four is unable at a time. */
  private disturb(): void {
    const { random, faults } = this;
    for (const node of this.nodes) {
      if (node.alive) continue;
      const how = (["replay", "replay", "snapshot", "sign_state"] as const)[random.below(4)]!;
      if (random.chance(0.5)) node.recover(how);
    }
    const down = this.nodes.filter(({ alive }) => !alive).length;
    if (down === 0 && random.chance(faults.crash)) {
      const victim = this.honest()[random.below(this.honest().length)]!;
      this.witness("crash");
      victim.crash();
    }
    this.cut = random.chance(faults.cut) ? random.below(this.nodes.length) : -1;
    this.clock.after(FAULTS_MS, () => this.disturb());
  }

  /** All at once, as in a power cut. */
  crashAll(): void {
    for (const node of this.nodes) if (node.alive) node.crash();
  }
}
