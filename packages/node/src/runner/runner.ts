/**
 * The effect runner: the imperative shell around the consensus core. Every input is appended to the WAL before `step`
 * sees it; effects are carried out in order, each by its handler; answers come back as inputs. One height at a time.
 */
import {
  type BlockId,
  blockIdEquals,
  type ChainState,
  type Commit,
  type Evidence,
  earliestTime,
  type Height,
  type Proposal,
  proposerOf,
  type Time,
  timeFromMs,
  timeToMs,
  type Vote,
} from "@quorate/chain";
import {
  type ConsensusState,
  type Effect,
  encodeInput,
  encodeSnapshot,
  hasBody,
  type Input,
  initialState,
  proposalsOfRound,
  step,
} from "@quorate/consensus";
import { bytesEqual } from "@quorate/crypto";
import type { SyncedBlock } from "@quorate/sync";
import type { WalPosition } from "@quorate/wal";
import { reasonOf } from "../errors.ts";
import { EvidenceKeeper, type Reception } from "../evidence/keeper.ts";
import { showState } from "../metrics/commits.ts";
import { WalRecordType } from "../wal-records.ts";
import { Bodies, type HeldBody } from "./bodies.ts";
import { buildProposal, type Prepared, prepareBuild } from "./build.ts";
import { Commits } from "./commits.ts";
import type { RunnerContext, RunnerModules } from "./context.ts";
import { effectError, foreignSignatureError } from "./fatal.ts";
import { Inbox } from "./inbox.ts";
import type { LastCommit } from "./last-commit.ts";
import { LastHeight } from "./last-height.ts";
import { LogKeeper } from "./log-keeper.ts";
import { OwnClock } from "./own-clock.ts";
import { signProposal, signVote } from "./sign.ts";
import { lastVote, signStateAt } from "./sign-state.ts";
import { StepClock } from "./step-clock.ts";
import { Timers } from "./timers.ts";
import { Validation } from "./validate.ts";

/** A reason made once: an abort without one makes an error with a stack trace at every height. */
const HEIGHT_OVER = new Error("the height is over");

export type RunnerMode = "paused" | "running" | "stopped";

export class Runner implements RunnerContext {
  readonly modules: RunnerModules;
  readonly bodies: Bodies;
  readonly timers: Timers;
  readonly evidence: EvidenceKeeper;
  readonly ownClock: OwnClock;
  private coreState: ConsensusState = initialState();
  private chainState: ChainState;
  private readonly last: LastHeight;
  private mode: RunnerMode = "paused";
  private readonly inbox: Inbox;
  private readonly commits: Commits;
  /** Signatures leave one after the other, in the order in which the core asked. */
  private signing: Promise<void> = Promise.resolve();
  private readonly validation = new Validation();
  private readonly steps: StepClock;
  private prepared: Promise<Prepared | null> = Promise.resolve(null);
  private heightAbort = new AbortController();
  private begun: { readonly height: number; readonly sequence: bigint } = { height: 0, sequence: 0n };
  private readonly keeper: LogKeeper;
  private cancelWake: (() => void) | null = null;

  constructor(given: RunnerModules, state: ChainState, lastCommit: LastCommit) {
    // Whatever ends the process ends signing and sending first, within the same turn.
    const modules: RunnerModules = {
      ...given,
      fatal: (error) => {
        this.halt();
        given.fatal(error);
      },
    };
    this.modules = modules;
    this.keeper = new LogKeeper(modules.wal, modules.privval);
    this.ownClock = new OwnClock(modules.log);
    this.chainState = state;
    this.last = new LastHeight(
      {
        clock: modules.clock,
        store: modules.store,
        chain: () => this.chainState,
        background: (task) => this.background(task),
      },
      lastCommit,
    );
    this.bodies = new Bodies(
      {
        putBody: async (blockId, bytes) => {
          const startedAt = modules.clock.monotonicMs();
          const ref = await modules.store.putBody(blockId, bytes);
          modules.metrics.own.bodySync.observe((modules.clock.monotonicMs() - startedAt) / 1000);
          return ref;
        },
        getBody: (blockId) => modules.store.getBody(blockId),
      },
      modules.log,
      (error) => modules.fatal(effectError("a block body could not be stored", error)),
    );
    showState(modules.metrics, state);
    this.evidence = new EvidenceKeeper({
      ...modules,
      chain: () => this.chainState,
      publish: (evidence) => modules.publisher.publishEvidence(evidence),
    });
    this.inbox = new Inbox({
      take: (input) => this.process(input),
      queued: (length, limit) => modules.metrics.queues.note("consensus_inputs", length, limit),
      fatal: (error) => modules.fatal(error),
    });
    this.commits = new Commits({
      ctx: this,
      last: this.last,
      validation: this.validation,
      keeper: this.keeper,
      stopped: () => this.halted,
      leap: (tip, commit, blockId, txs) => this.leap(tip, commit, blockId, txs),
      goOn: (height) => this.goOn(height),
      background: (task) => this.background(task),
    });
    this.timers = new Timers(modules.clock, (timeout) => this.submit({ kind: "timeout", timeout }));
    this.steps = new StepClock(modules.clock, modules.metrics.comet.consensus);
  }

  core(): ConsensusState {
    return this.coreState;
  }

  chain(): ChainState {
    return this.chainState;
  }

  lastCommit(): LastCommit {
    return this.last.commit;
  }

  began(height: number): bigint {
    return this.begun.height === height ? this.begun.sequence : 0n;
  }

  /** Proposal of the block decided last; `null` when it was never seen here. */
  lastProposal(): Proposal | null {
    return this.last.proposal;
  }

  /** Wall clock at which the current height began here, ms. */
  heightStartedMs(): number {
    return this.steps.heightStartedWallMs;
  }

  isCurrent(height: number): boolean {
    return this.mode === "running" && height === this.chainState.lastHeight + 1;
  }

  isRecent(height: number): boolean {
    return this.mode === "running" && (this.isCurrent(height) || height === this.chainState.lastHeight);
  }

  heightSignal(): AbortSignal {
    return this.heightAbort.signal;
  }

  get running(): boolean {
    return this.mode === "running";
  }

  private get halted(): boolean {
    return this.mode === "stopped";
  }

  /** Begins (or begins again after sync) the height after the last committed one. */
  start(): void {
    if (this.mode === "stopped") return;
    this.mode = "running";
    this.startHeight();
  }

  /** Goes on with a replayed height: no new start_height; `pending` are the effects that had no answer in the WAL. */
  resume(core: ConsensusState, pending: readonly Effect[]): void {
    if (this.mode === "stopped") return;
    this.mode = "running";
    this.coreState = core;
    this.heightAbort = new AbortController();
    this.steps.enter(core);
    const height = this.chainState.lastHeight + 1;
    this.submit({ kind: "sign_state", height, ...signStateAt(this.modules.privval, height) });
    this.submitLastVote();
    this.performAll(pending);
    for (const body of this.bodies.at(height)) {
      if (!hasBody(this.coreState, body.blockId)) this.submitBody(body);
    }
    for (const input of this.inbox.release()) this.submit(input);
  }

  /** Leaves the round for block sync: nothing is signed until {@link start}. */
  pause(): void {
    if (this.mode !== "running") return;
    this.mode = "paused";
    this.leaveHeight();
  }

  /** From now on nothing is taken, signed or sent any more. What is under way on disk ends by itself. */
  halt(): void {
    if (this.mode === "stopped") return;
    this.mode = "stopped";
    this.last.halt();
    this.leaveHeight();
  }

  /** Halts, and resolves when nothing of this runner uses the disk any more. */
  async stop(): Promise<void> {
    this.halt();
    await this.signing;
    await this.commits.settled();
    await this.keeper.settled();
  }

  private leaveHeight(): void {
    this.inbox.clear();
    this.timers.clear();
    this.cancelWake?.();
    this.cancelWake = null;
    this.heightAbort.abort(HEIGHT_OVER);
  }

  submit(input: Input): void {
    if (this.mode === "running") this.inbox.put(input);
    else if (this.mode === "paused") this.inbox.keep(input);
  }

  /**
   * The proposer of this round cannot be expected to propose. If the next turn is ours, its client begins to fill a block while
   * this one is waited out: the attributes hold as long as the second does.
   */
  proposerAbsent(height: number, round: number): void {
    this.submit({ kind: "proposer_absent", height, round });
    this.prepareTurn(height, round + 1, this.chainState.params.timeoutProposeAbsentMs);
  }

  /** The proposer of this round said that it leaves, and nothing of it has come: its round's timeoutPropose is over. */
  proposerLeft(height: number, round: number): void {
    this.timers.fireNow({ kind: "propose", height, round });
  }

  /** If this turn is ours, its client begins to fill a block for a start in so many ms. */
  prepareTurn(height: number, round: number, inMs: number): void {
    const { privval, clock } = this.modules;
    const state = this.chainState;
    if (privval === null || !this.isCurrent(height)) return;
    if (!bytesEqual(proposerOf(state.validators, round).address, privval.address)) return;
    this.background(this.prepare(height, state, timeFromMs(clock.wallMs() + inMs)).then(() => undefined));
  }

  /** Two votes that a peer showed, both verified, of one validator for one place. */
  receiveEvidence(first: Vote, second: Vote): void {
    if (this.mode !== "stopped") this.background(this.evidence.note({ first, second }));
  }

  /** Evidence that nobody has verified here yet; `reception` is told what became of it. */
  submitEvidence(evidence: Evidence, reception: (what: Reception) => void): void {
    if (this.mode === "stopped") reception({ kind: "refused", reason: "the node is stopping" });
    else this.background(this.evidence.submit(evidence).then(reception));
  }

  /** A complete body from gossip or sync: held, stored, told to the core. False when it is not a block of this id. */
  receiveBody(height: number, blockId: BlockId, bytes: Uint8Array): boolean {
    if (this.mode === "stopped" || height !== this.chainState.lastHeight + 1) return true;
    const known = this.bodies.get(blockId);
    if (known !== null) return true;
    const body = this.bodies.add(height, blockId, bytes);
    if (body === null) {
      this.submit({ kind: "verdict", height, blockId, verdict: "invalid" });
      return false;
    }
    // Before the height has begun here (gossip delivers once) it is held, and told when the height begins.
    this.submitBody(body);
    return true;
  }

  private submitBody({ height, blockId, block }: HeldBody): void {
    const { time, proposerAddress } = block.header;
    this.submit({ kind: "body", height, blockId, time, proposerAddress });
  }

  findBody(height: number, blockId: BlockId): Promise<HeldBody | null> {
    return this.bodies.find(height, blockId);
  }

  /** One commit at a time; a block that is committed already is skipped. */
  commitBlock(body: HeldBody, commit: Commit): Promise<void> {
    return this.commits.commitBlock(body, commit);
  }

  /** Heights that block sync verified in full on top of the tip, as one group; what is committed already is skipped. */
  commitSynced(run: readonly SyncedBlock[]): Promise<void> {
    return this.commits.commitSynced(run);
  }

  /** Pending transactions, or a proposal of this height, end the wait of the empty-block policy at the earliest time. */
  wakeEmptyHeight(): void {
    const height = this.chainState.lastHeight + 1;
    if (this.chainState.params.emptyBlockIntervalMs === 0 || !this.isCurrent(height)) return;
    this.cancelWake?.();
    const ms = timeToMs(earliestTime(this.chainState)) - this.modules.clock.wallMs();
    this.cancelWake = this.modules.clock.timer(Math.max(0, ms), () => {
      if (this.isCurrent(height)) this.timers.fireNow({ kind: "new_height", height, round: 0 });
    });
  }

  private process(input: Input): void {
    const { metrics, clock } = this.modules;
    const { sequence } = this.log(WalRecordType.input, encodeInput(input));
    if (input.kind === "start_height") this.begun = { height: input.height, sequence };
    const startedAt = clock.monotonicMs();
    const before = this.coreState;
    const result = step(before, input);
    const { state, effects } = result;
    this.coreState = state;
    this.modules.onStep?.(input, before, result);
    metrics.own.coreStep.observe((clock.monotonicMs() - startedAt) / 1000);
    this.performAll(effects);
  }

  /** In order; an effect that ends the process is the last. */
  private performAll(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (this.mode !== "running") return;
      this.perform(effect);
    }
    if (this.mode === "running") this.modules.publisher.roundStateChanged();
  }

  private log(type: number, payload: Uint8Array): WalPosition {
    this.modules.metrics.own.walBytes.inc(payload.length);
    return this.modules.wal.append(type, payload);
  }

  /** One arm per effect; whatever awaits has a handler of its own. */
  private perform(effect: Effect): void {
    const { publisher, onOwnMessage } = this.modules;
    switch (effect.kind) {
      case "schedule_timeout":
        this.timers.schedule(effect.timeout, effect.ms);
        return;
      case "cancel_timeout":
        this.timers.cancel(effect.timeout);
        return;
      case "build":
        this.background(buildProposal(this, effect, this.prepared));
        return;
      case "sign_vote":
        this.sign(() => signVote(this, effect.vote));
        return;
      case "sign_proposal":
        this.sign(() => signProposal(this, effect.proposal));
        return;
      case "broadcast_proposal": {
        onOwnMessage(effect.proposal);
        const body = this.bodies.get(effect.proposal.blockId);
        if (body !== null) publisher.publishProposal(effect.proposal, body.bytes);
        else this.background(this.publishStored(effect.proposal));
        return;
      }
      case "broadcast_vote":
        onOwnMessage(effect.vote);
        publisher.publishVote(effect.vote);
        return;
      case "broadcast_certificate":
        publisher.publishCertificate(effect.certificate);
        return;
      case "validate":
        this.background(this.validation.run(this, effect.height, effect.blockId));
        return;
      case "want_body":
        this.background(this.provideBody(effect.height, effect.round, effect.blockId));
        return;
      case "decide":
        this.background(this.decide(effect.height, effect.blockId, effect.commit));
        return;
      case "duplicate_vote":
        this.background(this.evidence.caught(effect.first, effect.second));
        return;
      case "duplicate_proposal":
        this.twoProposals(effect.first, effect.second);
        return;
      case "snapshot":
        this.log(WalRecordType.snapshot, encodeSnapshot(effect.snapshot));
        return;
      case "new_step":
        this.steps.enter(this.coreState);
        return;
      case "foreign_signature":
        this.modules.fatal(
          foreignSignatureError(
            `a vote of this validator's key for height ${effect.vote.height} round ${effect.vote.round} was received that this node did not sign`,
          ),
        );
        return;
      case "foreign_proposal":
        this.modules.fatal(
          foreignSignatureError(
            `a proposal of this validator's key for height ${effect.proposal.height} round ${effect.proposal.round} was received that this node did not sign`,
          ),
        );
        return;
      case "extend_last_commit": {
        this.last.extend(effect.vote);
        return;
      }
    }
  }

  private sign(task: () => Promise<void>): void {
    this.signing = this.signing.then(task);
  }

  private background(task: Promise<void>): void {
    task.catch((error: unknown) => this.modules.fatal(effectError("an effect failed", error)));
  }

  /** A value proposed again whose body memory no longer holds. */
  private async publishStored(proposal: Proposal): Promise<void> {
    const body = await this.findBody(proposal.height, proposal.blockId);
    if (!this.isCurrent(proposal.height)) return;
    if (body !== null) this.modules.publisher.publishProposal(proposal, body.bytes);
    else this.modules.log.error("the body of an own proposal is gone", { block: proposal.blockId.hash });
  }

  /** The store may hold what memory lost; otherwise peers are asked. */
  private async provideBody(height: number, round: number, blockId: BlockId): Promise<void> {
    const body = await this.findBody(height, blockId);
    if (!this.isCurrent(height)) return;
    if (body === null) return this.modules.publisher.wantBody(height, round, blockId);
    this.submitBody(body);
  }

  private async decide(height: number, blockId: BlockId, commit: Commit): Promise<void> {
    const body = await this.findBody(height, blockId);
    if (body === null) throw new Error(`the body of the decided block of height ${height} is gone`);
    await this.commitBlock(body, commit);
  }

  /** The tip is another one: what belongs to the height that was being decided ends. */
  private leap(state: ChainState, commit: Commit, blockId: BlockId, txs: number): void {
    this.chainState = state;
    const proposal = proposalsOfRound(this.coreState, commit.round).find((p) =>
      blockIdEquals(p.blockId, blockId),
    );
    this.last.decided(state, commit, { blockId, txs, proposal: proposal ?? null });
    this.heightAbort.abort(HEIGHT_OVER);
    this.timers.clear(state.lastHeight + 1);
  }

  private goOn(height: Height): void {
    if (this.running) this.startHeight();
    if (!this.halted) this.modules.publisher.heightDecided(height);
  }

  /** Convicts nobody: no block can carry it. People see it, and whoever did it loses its good name as a peer. */
  private twoProposals(first: Proposal, second: Proposal): void {
    const { metrics, log, onTwoProposals } = this.modules;
    const { address } = proposerOf(this.chainState.validators, first.round);
    metrics.own.equivocations.inc({ type: "proposal" });
    log.error("equivocation: a proposer signed two proposals for one round", {
      height: first.height,
      round: first.round,
      validator: address,
      first: first.blockId.hash,
      second: second.blockId.hash,
    });
    onTwoProposals?.(address);
  }

  private startHeight(): void {
    const { clock, privval } = this.modules;
    const state = this.chainState;
    const height = state.lastHeight + 1;
    this.heightAbort = new AbortController();
    this.validation.startHeight();
    this.bodies.startHeight(height, this.last.blockId);
    const { params } = state;
    const earliestMs = timeToMs(earliestTime(state));
    // After a block with transactions more may wait, and a client waits for a confirmation: no idle height then.
    const idle = params.emptyBlockIntervalMs > 0 && this.last.txs === 0 && state.lastBlockId !== null;
    const untilMs = idle ? timeToMs(state.lastTime) + params.emptyBlockIntervalMs : earliestMs;
    const longestMs = Math.max(params.blockIntervalMs, params.emptyBlockIntervalMs) + params.precisionMs;
    const wallMs = clock.wallMs();
    const startDelayMs = Math.min(Math.max(0, untilMs - wallMs), longestMs);
    this.ownClock.heightBegins(height, timeToMs(state.lastTime), wallMs, params.precisionMs);
    const proposer = proposerOf(state.validators, 0);
    const mine = privval !== null && bytesEqual(proposer.address, privval.address);
    this.submit({
      kind: "start_height",
      height,
      validators: state.validators,
      params,
      address: privval?.address ?? null,
      lastTime: state.lastTime,
      startDelayMs,
      ...signStateAt(privval, height),
      lastCommit: state.lastBlockId === null ? null : this.last.commit.commit,
    });
    this.submitLastVote();
    for (const body of this.bodies.at(height)) this.submitBody(body);
    for (const input of this.inbox.release()) this.submit(input);
    this.prepared = mine && !idle ? this.prepare(height, state, earliestTime(state)) : Promise.resolve(null);
  }

  /**
   * The vote signed last counts again, whatever became of the log: when several validators lost theirs, the others, and
   * they themselves, may have no other proof of it, and each would wait for a vote that the guard does not give twice.
   */
  private submitLastVote(): void {
    const { genesis, privval } = this.modules;
    if (privval === null) return;
    const vote = lastVote(privval, genesis.chainId, this.chainState);
    if (vote !== null) this.submit({ kind: "vote", vote });
  }

  private async prepare(height: number, state: ChainState, notBefore: Time): Promise<Prepared | null> {
    const { execution, log } = this.modules;
    const signal = this.heightSignal();
    try {
      // The EL adopts the last block first; a build on anything else would be refused.
      await execution.whenExecuted(height - 1, signal);
      return this.chainState === state ? await prepareBuild(this, height, notBefore) : null;
    } catch (error) {
      if (!signal.aborted) log.debug("no early build", { height, reason: reasonOf(error) });
      return null;
    }
  }
}
