/**
 * One validator instance on a network of bare cores: the core, and a shell that answers its effects at once: the signer,
 * the builder and the execution client take no time here, so that the order of messages alone makes the runs differ.
 */
import {
  type BlockId,
  blockIdKey,
  type Commit,
  type Proposal,
  type Time,
  timeToMs,
  type Vote,
} from "@quorate/chain";
import {
  type ConsensusState,
  type Effect,
  type Input,
  initialState,
  step,
  type Timeout,
} from "@quorate/consensus";
import type { CoreNetwork, Message } from "./network.ts";
import { Signer } from "./signer.ts";
import { blockIdOf, LAST_TIME, PARAMS } from "./world.ts";

export interface Block {
  readonly blockId: BlockId;
  readonly height: number;
  readonly time: Time;
  readonly maker: number;
  readonly valid: boolean;
}

export interface Decided {
  readonly block: Block;
  readonly commit: Commit;
}

export class Instance {
  /** Unique; two instances of one validator are twins. */
  readonly id: number;
  readonly validator: number;
  readonly decided = new Map<number, Decided>();
  state: ConsensusState = initialState();
  height = 1;
  private readonly network: CoreNetwork;
  private readonly signer = new Signer();
  private readonly bodies = new Map<string, Block>();
  private readonly timers = new Map<string, number>();
  private readonly inputs: Input[] = [];
  private timersSet = 0;
  private working = false;

  constructor(network: CoreNetwork, id: number, validator: number) {
    this.network = network;
    this.id = id;
    this.validator = validator;
  }

  get correct(): boolean {
    return this.validator !== this.network.byzantine;
  }

  get address(): Uint8Array {
    return this.network.addressOf(this.validator);
  }

  startHeight(): void {
    const last = this.decided.get(this.height - 1);
    const lastTime = last?.block.time ?? LAST_TIME;
    const due = timeToMs(lastTime) + PARAMS.blockIntervalMs - this.network.wallMs();
    this.feed({
      kind: "start_height",
      height: this.height,
      validators: this.network.set,
      params: PARAMS,
      address: this.address,
      lastTime,
      startDelayMs: Math.max(0, due),
      lock: null,
      watermark: null,
      ...(last ? { lastCommit: last.commit } : {}),
    });
  }

  /** A twin does not listen to messages under its own key: it knows that it has a twin. */
  receive(message: Message): void {
    const { network } = this;
    switch (message.kind) {
      case "vote":
        if (!this.correct && message.vote.validatorIndex === this.validator) return;
        this.hears(message.vote);
        this.feed(message);
        break;
      case "certificate":
        for (const { validatorIndex } of message.certificate.signatures) {
          this.hears({ ...message.certificate, validatorIndex });
        }
        this.feed(message);
        break;
      case "proposal": {
        if (!this.correct && network.proposerOf(message.proposal.round) === this.validator) return;
        this.receiveBody(message.block);
        this.feed({ kind: "proposal", proposal: message.proposal, receivedAtMs: network.wallMs() });
        break;
      }
    }
  }

  private hears(vote: Parameters<CoreNetwork["judge"]["hears"]>[1]): void {
    if (vote.height === this.height) this.network.judge.hears(this.validator, vote);
  }

  receiveBody(block: Block): void {
    const { height, blockId, time, maker } = block;
    this.bodies.set(blockIdKey(blockId), block);
    this.feed({ kind: "body", height, blockId, time, proposerAddress: this.network.addressOf(maker) });
  }

  bodyOf(blockId: BlockId): Block | null {
    return this.bodies.get(blockIdKey(blockId)) ?? null;
  }

  blocksAt(height: number): readonly Block[] {
    return [...this.bodies.values()].filter((block) => block.height === height);
  }

  private feed(input: Input): void {
    this.inputs.push(input);
    if (this.working) return;
    this.working = true;
    for (let next = this.inputs.shift(); next; next = this.inputs.shift()) {
      const { state, effects } = step(this.state, next);
      this.state = state;
      this.network.steps++;
      for (const effect of effects) this.perform(effect);
    }
    this.working = false;
  }

  private perform(effect: Effect): void {
    const { network } = this;
    switch (effect.kind) {
      case "schedule_timeout":
        this.setTimer(effect.timeout, effect.ms);
        break;
      case "cancel_timeout":
        this.timers.delete(timerKey(effect.timeout));
        break;
      case "build":
        this.build(effect.height, effect.round, effect.notBefore);
        break;
      case "sign_vote": {
        const { height, round } = effect.vote;
        const vote = this.signer.vote(effect.vote, this.address, network.wallTime());
        const what = effect.vote.type === 1 ? "prevote" : "precommit";
        if (vote === null) this.feed({ kind: "sign_refused", height, round, what });
        else this.signed(vote);
        break;
      }
      case "sign_proposal": {
        const { height, round } = effect.proposal;
        const proposal = this.signer.proposal(effect.proposal, this.validator);
        if (proposal === null) {
          this.feed({ kind: "sign_refused", height, round, what: "proposal" });
          break;
        }
        network.judge.proposal(this.validator, proposal);
        this.feed({ kind: "signed_proposal", height, round, proposal });
        break;
      }
      case "broadcast_proposal":
        this.sendProposal(effect.proposal);
        break;
      case "broadcast_vote":
        network.send(this, { kind: "vote", vote: effect.vote });
        break;
      case "broadcast_certificate":
        network.send(this, { kind: "certificate", certificate: effect.certificate });
        break;
      case "validate": {
        const block = this.bodyOf(effect.blockId);
        if (!block) break;
        const verdict = block.valid ? "valid" : "invalid";
        this.feed({ kind: "verdict", height: effect.height, blockId: effect.blockId, verdict });
        break;
      }
      case "want_body":
        network.fetch(this, effect.blockId);
        break;
      case "decide":
        this.decide(effect);
        break;
      case "duplicate_vote":
        network.count("duplicate votes");
        if (this.correct) network.judge.evidence(effect.first, effect.second);
        break;
      case "duplicate_proposal":
        network.count("duplicate proposals");
        network.judge.accusation(network.proposerOf(effect.second.round));
        break;
      case "foreign_signature":
      case "foreign_proposal":
        if (this.correct) network.judge.violate(`${effect.kind} at the correct validator ${this.validator}`);
        break;
      case "new_step":
        if (effect.step === "Propose") network.noteRound(this, effect.round);
        break;
      case "snapshot":
      case "extend_last_commit":
        break;
    }
  }

  private signed(vote: Vote): void {
    this.network.judge.vote(vote);
    this.feed({ kind: "signed_vote", height: vote.height, round: vote.round, vote });
  }

  private setTimer(timeout: Timeout, ms: number): void {
    const key = timerKey(timeout);
    const number = ++this.timersSet;
    this.timers.set(key, number);
    this.network.agenda.after(ms, () => {
      if (this.timers.get(key) !== number) return;
      this.timers.delete(key);
      this.feed({ kind: "timeout", timeout });
    });
  }

  private build(height: number, round: number, notBefore: Time): void {
    const { network } = this;
    const now = network.wallTime();
    const time = now > notBefore ? now : notBefore;
    const block: Block = {
      blockId: blockIdOf(`${height} of ${this.id} in round ${round}`),
      height,
      time,
      maker: this.validator,
      valid: true,
    };
    // No proposal leaves before its block's time.
    network.agenda.after(Math.max(0, Number(time - now) / 1e6), () => {
      this.bodies.set(blockIdKey(block.blockId), block);
      this.feed({ kind: "built", height, round, value: { blockId: block.blockId, time } });
    });
  }

  private sendProposal(proposal: Proposal): void {
    const block = this.bodyOf(proposal.blockId);
    if (block) this.network.send(this, { kind: "proposal", proposal, block });
  }

  private decide({ height, blockId, commit }: Extract<Effect, { kind: "decide" }>): void {
    const block = this.bodyOf(blockId);
    if (!block) {
      this.network.judge.violate(`validator ${this.validator} decides a block that it does not hold`);
      return;
    }
    this.network.judge.decision(this.validator, height, block);
    this.decided.set(height, { block, commit });
    this.timers.clear();
    this.height = height + 1;
    this.network.agenda.after(0, () => this.startHeight());
  }
}

function timerKey({ kind, height, round }: Timeout): string {
  return `${kind} ${height} ${round}`;
}
