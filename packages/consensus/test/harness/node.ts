/**
 * One validator in the virtual network: the core, a shell that carries out its effects, a WAL of encoded inputs whose
 * unsynced tail a crash may cut, a signer that survives, and a store of decided blocks.
 */
import assert from "node:assert/strict";
import { type BlockId, blockIdKey, type Commit, type Time, type Validator } from "@quorate/chain";
import {
  type ConsensusState,
  decodeInput,
  decodeSnapshot,
  type Effect,
  encodeInput,
  encodeSnapshot,
  type Input,
  initialState,
  outstanding,
  step,
  type Timeout,
} from "../../src/index.ts";
import { LAST_TIME, PARAMS } from "./fixtures.ts";
import type { Network } from "./network.ts";
import { Signer } from "./signer.ts";

export interface Block {
  readonly blockId: BlockId;
  readonly height: number;
  readonly time: Time;
  readonly proposerAddress: Uint8Array;
  readonly valid: boolean;
}

export interface Decision {
  readonly blockId: BlockId;
  readonly round: number;
  readonly commit: Commit;
  readonly time: Time;
}

export type Recovery = "replay" | "snapshot" | "sign_state";

type WalRecord =
  | { readonly kind: "input"; readonly bytes: Uint8Array }
  | { readonly kind: "snapshot"; readonly bytes: Uint8Array };

export class SimNode {
  readonly index: number;
  readonly network: Network;
  readonly signer = new Signer();
  readonly decisions = new Map<number, Decision>();
  /** Bodies on disk: they survive. */
  readonly bodies = new Map<string, Block>();
  state: ConsensusState = initialState();
  alive = false;
  height = 1;
  private life = 0;
  private wal: WalRecord[] = [];
  private synced = 0;
  private timers = new Map<string, number>();
  private timerId = 0;

  constructor(network: Network, index: number) {
    this.network = network;
    this.index = index;
  }

  get validator(): Validator {
    return this.network.set.validators[this.index]!;
  }

  boot(): void {
    this.alive = true;
    this.startHeight();
  }

  // --- the shell ------------------------------------------------------------------------------------------------

  /** Logs, steps, carries out. What the core sees is what the log would give back. */
  feed(input: Input): void {
    if (!this.alive) return;
    const bytes = encodeInput(input);
    this.wal.push({ kind: "input", bytes });
    const { state, effects } = step(this.state, decodeInput(bytes));
    this.state = state;
    for (const effect of effects) this.perform(effect);
  }

  private perform(effect: Effect): void {
    const { network, life } = this;
    const { clock, random } = network;
    const later = (ms: number, run: () => void): void =>
      clock.after(ms, () => {
        if (this.alive && this.life === life) run();
      });
    switch (effect.kind) {
      case "schedule_timeout":
        this.setTimer(effect.timeout, effect.ms);
        break;
      case "cancel_timeout":
        this.timers.delete(timerKey(effect.timeout));
        break;
      case "build":
        later(random.below(30), () => this.build(effect.height, effect.round, effect.notBefore));
        break;
      case "sign_vote":
        later(random.below(5), () => this.signVote(effect));
        break;
      case "sign_proposal":
        later(random.below(5), () => this.signProposal(effect));
        break;
      case "broadcast_proposal":
        network.sendProposal(this, effect.proposal);
        break;
      case "broadcast_vote":
        network.sendVote(this, effect.vote);
        break;
      case "broadcast_certificate":
        network.broadcast(this, { kind: "certificate", certificate: effect.certificate });
        break;
      case "validate":
        // Sometimes the answer takes longer than any timer of the round.
        later(random.chance(network.faults.lateVerdict) ? 3_000 : random.below(60), () =>
          this.validate(effect.height, effect.blockId),
        );
        break;
      case "want_body":
        later(random.below(100), () => this.fetch(effect.blockId));
        break;
      case "decide":
        this.decide(effect);
        break;
      case "duplicate_vote":
        network.witness("duplicate_vote");
        assert.equal(
          effect.first.validatorIndex,
          network.byzantine,
          "only the Byzantine validator equivocates",
        );
        break;
      case "duplicate_proposal":
        network.witness("duplicate_proposal");
        break;
      case "snapshot":
        this.wal.push({ kind: "snapshot", bytes: encodeSnapshot(effect.snapshot) });
        network.witness("snapshot");
        break;
      case "new_step":
        if (effect.round > 0 && effect.step === "Propose") network.witness("later_round");
        break;
      case "foreign_signature":
      case "foreign_proposal":
        if (this.index !== network.byzantine) assert.fail(`${effect.kind} at honest node ${this.index}`);
        break;
      case "extend_last_commit":
        network.witness("extend_last_commit");
        break;
    }
  }

  private setTimer(timeout: Timeout, ms: number): void {
    const id = ++this.timerId;
    const { life } = this;
    this.timers.set(timerKey(timeout), id);
    this.network.clock.after(ms, () => {
      if (!this.alive || this.life !== life || this.timers.get(timerKey(timeout)) !== id) return;
      this.timers.delete(timerKey(timeout));
      this.feed({ kind: "timeout", timeout });
    });
  }

  private build(height: number, round: number, notBefore: Time): void {
    const { network } = this;
    if (network.random.chance(network.faults.failBuild)) {
      this.feed({ kind: "built", height, round, value: null });
      return;
    }
    const now = network.wallTime();
    const time = now > notBefore ? now : notBefore;
    const block = network.newBlock(height, time, this.validator.address, true);
    const waitMs = Number((time - now) / 1_000_000n);
    const { life } = this;
    network.clock.after(waitMs, () => {
      if (!this.alive || this.life !== life) return;
      this.bodies.set(blockIdKey(block.blockId), block);
      this.feed({ kind: "built", height, round, value: { blockId: block.blockId, time } });
    });
  }

  private signVote({ vote: unsigned }: Extract<Effect, { kind: "sign_vote" }>): void {
    this.synced = this.wal.length;
    const { height, round } = unsigned;
    const vote = this.signer.signVote(unsigned, () => ({
      ...unsigned,
      timestamp: this.network.wallTime(),
      validatorAddress: this.validator.address,
      signature: new Uint8Array(64).fill(this.index + 1),
    }));
    const what = unsigned.type === 1 ? "prevote" : "precommit";
    if (vote === null) {
      this.feed({ kind: "sign_refused", height, round, what });
      return;
    }
    this.network.noteSigned(this, vote);
    this.feed({ kind: "signed_vote", height, round, vote });
  }

  private signProposal({ proposal: unsigned }: Extract<Effect, { kind: "sign_proposal" }>): void {
    this.synced = this.wal.length;
    const { height, round } = unsigned;
    const proposal = this.signer.signProposal(unsigned, () => ({
      ...unsigned,
      signature: new Uint8Array(64).fill(this.index + 1),
    }));
    if (proposal === null) this.feed({ kind: "sign_refused", height, round, what: "proposal" });
    else this.feed({ kind: "signed_proposal", height, round, proposal });
  }

  /** Sometimes INVALID for a good block (a full disk). */
  private validate(height: number, blockId: BlockId): void {
    const { random, faults } = this.network;
    const block = this.bodies.get(blockIdKey(blockId));
    if (!block) return;
    const verdict = block.valid && !random.chance(faults.wrongInvalid) ? "valid" : "invalid";
    this.feed({ kind: "verdict", height, blockId, verdict });
  }

  private fetch(blockId: BlockId): void {
    const block = this.bodies.get(blockIdKey(blockId)) ?? this.network.findBody(this, blockId);
    if (block) this.receiveBody(block);
  }

  receiveBody(block: Block): void {
    if (!this.alive) return;
    const { height, blockId, time, proposerAddress } = block;
    this.bodies.set(blockIdKey(blockId), block);
    this.feed({ kind: "body", height, blockId, time, proposerAddress });
  }

  receive(input: Input): void {
    this.feed(input);
  }

  private decide({ height, round, blockId, commit }: Extract<Effect, { kind: "decide" }>): void {
    const block = this.bodies.get(blockIdKey(blockId));
    assert.ok(block, "a decided block's body is here");
    assert.equal(height, this.height);
    this.network.noteDecision(this, height, blockId, block);
    this.decisions.set(height, { blockId, round, commit, time: block.time });
    this.height = height + 1;
    this.timers.clear();
    this.wal = [];
    this.synced = 0;
    const { life } = this;
    this.network.clock.after(this.network.random.below(10), () => {
      if (this.alive && this.life === life) this.startHeight();
    });
  }

  private startInput(): Extract<Input, { kind: "start_height" }> {
    const last = this.decisions.get(this.height - 1);
    const lastTime = last?.time ?? LAST_TIME;
    const { lock, watermark } = this.signer.at(this.height);
    const due = Number(lastTime / 1_000_000n) + PARAMS.blockIntervalMs - this.network.wallMs();
    return {
      kind: "start_height",
      height: this.height,
      validators: this.network.set,
      params: PARAMS,
      address: this.validator.address,
      lastTime,
      startDelayMs: Math.max(0, Math.min(due, PARAMS.blockIntervalMs + PARAMS.precisionMs)),
      lock,
      watermark,
      ...(last ? { lastCommit: last.commit } : {}),
    };
  }

  private startHeight(): void {
    this.feed(this.startInput());
  }

  // --- crash and recovery -----------------------------------------------------------------------------------------

  crash(): void {
    this.alive = false;
    this.life++;
    this.timers.clear();
    // Any part of the unsynced tail may be lost.
    const kept = this.synced + this.network.random.below(this.wal.length - this.synced + 1);
    this.wal = this.wal.slice(0, kept);
    this.state = initialState();
  }

  recover(how: Recovery): void {
    this.alive = true;
    const wal = this.wal;
    const snapshotAt = wal.findLastIndex(({ kind }) => kind === "snapshot");
    if (wal.length === 0 || how === "sign_state" || (how === "snapshot" && snapshotAt < 0)) {
      this.network.witness("recover_sign_state");
      this.wal = [];
      this.synced = 0;
      this.startHeight();
      this.resume();
      return;
    }
    this.network.witness(`recover_${how}`);
    if (how === "snapshot") {
      const snapshot = decodeSnapshot(wal[snapshotAt]!.bytes);
      this.wal = [];
      this.synced = 0;
      const start = this.startInput();
      // Its effects are those of a height from its beginning; what stands after the restore is outstanding.
      this.quietly(start);
      this.quietly({ kind: "restore", snapshot });
      for (const block of this.bodies.values()) {
        if (block.height !== this.height) continue;
        const { height, blockId, time, proposerAddress } = block;
        this.quietly({ kind: "body", height, blockId, time, proposerAddress });
      }
    } else {
      for (const record of wal) {
        if (record.kind === "input") this.state = step(this.state, decodeInput(record.bytes)).state;
      }
      // The crash came between a commit and the next height: the log holds only what arrived meanwhile.
      if (this.state.context === null) this.startHeight();
    }
    this.resume();
  }

  /** One input without its effects: those of a replay. */
  private quietly(input: Input): void {
    const bytes = encodeInput(input);
    this.wal.push({ kind: "input", bytes });
    this.state = step(this.state, decodeInput(bytes)).state;
  }

  private resume(): void {
    const { lock, watermark, last } = this.signer.at(this.height);
    // A replay may end in a decision whose effect was not carried out.
    if (this.state.machine.decision) {
      const { decision } = this.state.machine;
      const commit = this.state.commit;
      assert.ok(commit);
      this.perform({ kind: "decide", height: this.height, ...decision, commit });
      return;
    }
    this.feed({ kind: "sign_state", height: this.height, lock, watermark });
    for (const effect of outstanding(this.state)) this.perform(effect);
    if (last && "validatorIndex" in last.message) this.feed({ kind: "vote", vote: last.message });
  }

  /** Every logged input of this height, stepped again from nothing. */
  replayed(): ConsensusState {
    let state = initialState();
    for (const record of this.wal) {
      if (record.kind === "input") state = step(state, decodeInput(record.bytes)).state;
    }
    return state;
  }

  /** Whether the log holds the whole height: false once a height began by carrying something over. */
  get logIsWhole(): boolean {
    return this.wal.length > 0;
  }
}

export type Message = Extract<Input, { kind: "vote" | "certificate" | "proposal" }>;

function timerKey({ kind, height, round }: Timeout): string {
  return `${kind}/${height}/${round}`;
}
