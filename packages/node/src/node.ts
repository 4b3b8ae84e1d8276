/** A running node: its parts connected, its life from begin to stop. Constructed by `createNode` alone. */
import { type ChainState, type Evidence, type Genesis, genesisHash } from "@quorate/chain";
import { summary } from "@quorate/consensus";
import { bytesEqual, type SignatureCheck, toHexUpper, type Verifier } from "@quorate/crypto";
import type { ExecutionClient } from "@quorate/execution";
import type { Gossip, LogPort, PeerBinding } from "@quorate/gossip";
import type { PrivVal } from "@quorate/privval";
import type { RpcMempool, RpcView } from "@quorate/rpc";
import type { BlockStore } from "@quorate/store";
import { type BlockSync, createBlockSync } from "@quorate/sync";
import type { Wal } from "@quorate/wal";
import { type Clock, within } from "./clock.ts";
import { openGossip, startGossip } from "./compose/gossip.ts";
import { createConsensusView } from "./consensus-view.ts";
import { NodeError, reasonOf } from "./errors.ts";
import { pastHeight } from "./evidence/past.ts";
import type { HomePaths } from "./home.ts";
import type { StateDump } from "./last-exit.ts";
import { Entrance } from "./lifecycle/entrance.ts";
import { gossipEventsOf } from "./lifecycle/gossip-events.ts";
import { Membership } from "./lifecycle/membership.ts";
import { Owner } from "./lifecycle/owner.ts";
import { recover } from "./lifecycle/recovery.ts";
import type { Metrics } from "./metrics/index.ts";
import { sampleNode } from "./metrics/samples.ts";
import type { CreateGossip } from "./ports.ts";
import { createRpcView } from "./rpc-view.ts";
import type { CommittedBlock } from "./runner/context.ts";
import { bugError, effectError, safetyError } from "./runner/fatal.ts";
import type { LastCommit } from "./runner/last-commit.ts";
import { Runner } from "./runner/runner.ts";
import { TxRelay } from "./tx-relay.ts";
import type { NodeConfig, NodeExit, NodeModules, NodePhase, QuorateNode, StartedInfo } from "./types.ts";
import { isUpgradeNeeded, requireSupported, unknownUpgrade } from "./upgrades.ts";
import type { VoteTrace } from "./vote-trace.ts";

/** The whole stop takes this long at most, ms: the host ends a process after 10 s. */
const STOP_LIMIT_MS = 8_000;

export interface NodeParts {
  readonly config: NodeConfig;
  readonly modules: NodeModules;
  readonly paths: HomePaths;
  readonly clock: Clock;
  readonly genesis: Genesis;
  readonly genesisDocument: unknown;
  readonly store: BlockStore;
  readonly wal: Wal;
  readonly privval: PrivVal | null;
  readonly execution: ExecutionClient;
  /** The host has started the client; rejects when it could not. */
  readonly executionStarted: Promise<void>;
  readonly mempool: RpcMempool | null;
  readonly verifier: Verifier;
  readonly createGossip: CreateGossip;
  readonly binding: PeerBinding | null;
  /** Keeps what a fatal end leaves for the operator; answers what went wrong, if anything. */
  readonly dump: (dump: StateDump) => Promise<string | null>;
  readonly metrics: Metrics;
  readonly trace: VoteTrace | null;
  readonly state: ChainState;
  readonly lastCommit: LastCommit;
  /** Closes everything below gossip, newest first. */
  readonly closeParts: () => Promise<void>;
}

export class Node implements QuorateNode {
  private readonly parts: NodeParts;
  private readonly log: LogPort;
  private readonly runner: Runner;
  private readonly sync: BlockSync;
  private readonly owner: Owner;
  private readonly entrance: Entrance;
  private readonly membership: Membership;
  private readonly relay: TxRelay;
  private gossipLayer: Gossip | null = null;
  private startedInfo: StartedInfo | null = null;
  private readonly startedAtMs: number;
  private readonly genesisHashHex: string;
  private leaving = false;
  private stopping: Promise<NodeExit> | null = null;
  /** Height of the upgrade that was last warned of. */
  private warnedOf: number | undefined;
  private executing: Promise<void> = Promise.resolve();
  /** What ended the node, when it was a fault. */
  failure: NodeError | null = null;
  private readonly settled = Promise.withResolvers<NodeExit>();

  constructor(parts: NodeParts) {
    this.parts = parts;
    this.log = parts.modules.log("node");
    this.startedAtMs = parts.clock.wallMs();
    this.genesisHashHex = toHexUpper(genesisHash(parts.genesis));
    this.membership = new Membership({
      own: parts.privval?.address ?? null,
      configured: Object.keys(parts.config.p2p.validatorPeers),
      chain: () => this.runner.chain(),
      gossip: () => this.gossipLayer,
      log: this.log,
    });
    const fatal = (error: NodeError): void => void this.end(error);
    this.runner = new Runner(
      {
        ...parts,
        log: parts.modules.log("consensus"),
        publisher: this.publisher(),
        onCommit: (block) => this.committed(block),
        onOwnMessage: (message) => {
          if ("polRound" in message) parts.trace?.proposal("out", message, parts.privval?.address ?? null);
          else parts.trace?.vote("out", message);
        },
        onTwoProposals: (validator) => this.membership.discredit(validator),
        ...(parts.modules.onStep === undefined ? {} : { onStep: parts.modules.onStep }),
        fatal,
      },
      parts.state,
      parts.lastCommit,
    );
    sampleNode(parts.metrics, {
      store: parts.store,
      execution: parts.execution,
      mempool: parts.mempool,
      wal: parts.wal,
      dataDir: parts.paths.data,
      log: this.log,
      chain: () => this.runner.chain(),
      core: () => this.runner.core(),
    });
    this.sync = createBlockSync(
      { clock: parts.clock },
      {
        peers: () =>
          (this.gossipLayer?.peers ?? []).flatMap(({ id, status }) =>
            status === null ? [] : [{ id, height: status.height, earliestHeight: status.earliestHeight }],
          ),
        request: async (peerId, from, count, signal) =>
          (await this.gossip().request(peerId, { kind: "blocks", from, count }, signal)).blocks,
        verifySignatures: (checks) => parts.verifier.verify(checks),
        state: () => this.runner.chain(),
        past: (height) => pastHeight(parts.store, this.runner.chain(), height),
        apply: (run) => this.owner.applySynced(run),
        report: (peerId, offence) => this.gossip().report(peerId, offence),
        log: parts.modules.log("sync"),
        metrics: null,
      },
    );
    this.owner = new Owner({
      clock: parts.clock,
      log: this.log,
      metrics: parts.metrics,
      runner: this.runner,
      sync: this.sync,
      privval: parts.privval,
      executing: () => this.hasExecution(),
      endsAfter: (state) => this.isHaltHeight(state.lastHeight) || isUpgradeNeeded(state),
      fatal,
      onPhase: (phase) => this.tellPhase(phase),
    });
    this.entrance = new Entrance({
      ...{
        genesis: parts.genesis,
        clock: parts.clock,
        log: this.log,
        runner: this.runner,
        owner: this.owner,
        fatal,
      },
      own: parts.privval?.address ?? null,
      known: this.membership.known,
      peers: () => this.gossipLayer?.peers ?? [],
      isIn: (sets) => this.membership.isIn(sets),
      hasExecution: () => this.hasExecution(),
    });
    this.relay = new TxRelay({
      clock: parts.clock,
      execution: parts.execution,
      log: parts.modules.log("txs"),
      publish: (raws) => this.gossipLayer?.publishTxs(raws),
      queue: (length, limit) => parts.metrics.queues.note("tx_relay", length, limit),
      onPending: () => this.runner.wakeEmptyHeight(),
      enabled: parts.config.p2p.gossipTxs,
    });
  }

  get started(): StartedInfo {
    if (this.startedInfo === null) throw new Error("the node has not begun");
    return this.startedInfo;
  }

  get phase(): NodePhase {
    return this.owner.phase;
  }

  get exited(): Promise<NodeExit> {
    return this.settled.promise;
  }

  private get isStopping(): boolean {
    return this.stopping !== null;
  }

  rpcView(): RpcView {
    const { genesis, genesisDocument, store, execution, mempool } = this.parts;
    return createRpcView({
      mempool,
      genesis,
      genesisDocument,
      store,
      execution,
      chain: () => this.runner.chain(),
      core: () => this.runner.core(),
      heightStartedMs: () => this.runner.heightStartedMs(),
      nodeInfo: () => this.nodeInfo(),
      peers: () => this.gossipLayer?.peers ?? [],
      catchingUp: () => this.owner.catchingUp,
      phase: () => this.phase,
      submitEvidence: (evidence) => this.submitEvidence(evidence),
      pendingEvidence: () => this.runner.evidence.pending(),
    });
  }

  private submitEvidence(evidence: Evidence): Promise<string | null> {
    return new Promise((resolve) =>
      this.runner.submitEvidence(evidence, (reception) =>
        resolve("reason" in reception ? reception.reason : null),
      ),
    );
  }

  /** Creates the gossip layer; nothing is sent or received before {@link begin}. */
  async openNetwork(): Promise<void> {
    const { parts } = this;
    this.gossipLayer = await openGossip({
      moniker: parts.config.moniker,
      binding: parts.binding,
      create: parts.createGossip,
      genesis: parts.genesis,
      store: parts.store,
      verifier: parts.verifier,
      clock: parts.clock,
      metrics: parts.metrics,
      log: parts.modules.log("gossip"),
      events: gossipEventsOf({
        runner: this.runner,
        owner: this.owner,
        entrance: this.entrance,
        membership: this.membership,
        relay: this.relay,
        trace: parts.trace,
        metrics: parts.metrics,
        log: this.log,
        consensusLog: parts.modules.log("consensus"),
        report: (peerId, offence) => this.gossipLayer?.report(peerId, offence),
        fatal: (error) => void this.end(error),
      }),
      view: createConsensusView({
        runner: this.runner,
        elReady: () => parts.execution.status.kind === "ready" && !this.runner.ownClock.behind,
        leaving: () => this.leaving,
      }),
      chain: () => this.runner.chain(),
    });
  }

  /** Replays the WAL, connects to EL and peers at the same time, and enters consensus when both are there. */
  async begin(urls: { readonly rpc: string; readonly metrics: string }): Promise<void> {
    const { parts, runner } = this;
    const state = runner.chain();
    await runner.evidence.open();
    const { chainId } = parts.genesis;
    const replay = await recover(runner, { ...parts, chainId, log: parts.modules.log("consensus") });
    parts.execution.onStatus(() => this.gossipLayer?.roundStateChanged());
    this.executing = this.startExecution();
    // Nobody but this method tells its failure.
    this.executing.catch(() => undefined);
    const gossip = this.gossip();
    this.membership.joinVotes();
    await startGossip(gossip, parts.config.p2p.listen);
    this.startedInfo = {
      chainId: parts.genesis.chainId,
      genesisHash: this.genesisHashHex,
      peerId: gossip.peerId,
      p2p: gossip.addresses,
      rpc: urls.rpc,
      metrics: urls.metrics,
      validatorAddress: parts.privval === null ? null : toHexUpper(parts.privval.address),
      height: state.lastHeight,
    };
    this.warnOfUpgrade();
    if (this.stopping !== null) return;
    if (this.halts(state.lastHeight)) {
      void this.end(null);
      return;
    }
    const isFirst = replay.kind === "fresh" && state.lastHeight + 1 === parts.genesis.initialHeight;
    this.entrance.begin(replay, isFirst);
    await this.executing;
  }

  private async startExecution(): Promise<void> {
    const { execution, executionStarted } = this.parts;
    await executionStarted;
    if (this.isStopping) return;
    await execution.start(this.runner.chain());
    if (!this.isStopping) this.relay.start();
  }

  stop(): Promise<NodeExit> {
    return this.end(null);
  }

  /** A fault that no part caught: dump and stop (exit 1). */
  crash(error: unknown): Promise<NodeExit> {
    return this.end(bugError("an unhandled error", error));
  }

  /** A write of log or store failed that no effect waits for. */
  diskFailed(error: Error): void {
    void this.end(effectError("the disk failed", error));
  }

  /** A decided block cannot be read back: what was decided here is not what is on disk any more. */
  storeFailed(error: unknown): void {
    void this.end(effectError("a decided block could not be read from the store", error));
  }

  /** A signature that was accepted does not hold: what was counted with it is no quorum. */
  signatureFailed({ publicKey, signature }: SignatureCheck): void {
    const which = `signature ${toHexUpper(signature)} of key ${toHexUpper(publicKey)}`;
    void this.end(
      safetyError(
        `the batch verifier had accepted a signature that does not hold and may have counted (${which})`,
      ),
    );
  }

  private gossip(): Gossip {
    if (this.gossipLayer === null) throw new Error("the network is not open");
    return this.gossipLayer;
  }

  /** Effects can come before the network is open (replay) or after it closed: then there is nobody to tell. */
  private publisher(): Pick<
    Gossip,
    | "publishProposal"
    | "publishVote"
    | "publishCertificate"
    | "publishEvidence"
    | "roundStateChanged"
    | "heightDecided"
    | "wantBody"
  > {
    return {
      publishProposal: (proposal, body) => this.gossipLayer?.publishProposal(proposal, body),
      publishVote: (vote) => this.gossipLayer?.publishVote(vote),
      publishCertificate: (certificate) => this.gossipLayer?.publishCertificate(certificate),
      publishEvidence: (evidence) => this.gossipLayer?.publishEvidence(evidence),
      roundStateChanged: () => {
        this.gossipLayer?.roundStateChanged();
        this.entrance.checkProposer();
      },
      heightDecided: (height) => this.gossipLayer?.heightDecided(height),
      wantBody: (height, round, blockId) => this.gossipLayer?.wantBody(height, round, blockId),
    };
  }

  /** Whether the execution client was started; a failure ends the start, and with it the node. */
  private hasExecution(): Promise<boolean> {
    return this.executing.then(
      () => true,
      () => false,
    );
  }

  private halts(height: number): boolean {
    if (!this.isHaltHeight(height)) return false;
    this.log.info("halt height reached", { height });
    return true;
  }

  private isHaltHeight(height: number): boolean {
    return height >= (this.parts.config.haltHeight ?? Number.POSITIVE_INFINITY);
  }

  private warnOfUpgrade(): void {
    const upgrade = unknownUpgrade(this.runner.chain());
    if (upgrade?.height === this.warnedOf) return;
    this.warnedOf = upgrade?.height;
    if (upgrade === null) return;
    this.log.warn("this version will stop before a scheduled upgrade: install the release that knows it", {
      height: upgrade.height,
      app_version: upgrade.appVersion,
    });
  }

  private committed(block: CommittedBlock): void {
    const { modules, genesis } = this.parts;
    modules.onCommit?.({
      height: block.height,
      round: block.round,
      time: block.time,
      blockHash: block.blockId.hash,
      appHash: block.headerAppHash,
      elHash: genesis.execution === "none" ? null : block.elHash,
      txs: block.txs,
      proposer: block.proposer,
      latencyMs: block.latencyMs,
    });
    // Of a group only the last is the tip, which is what the rest is about.
    if (block.height < this.runner.chain().lastHeight) return;
    this.membership.joinVotes();
    this.warnOfUpgrade();
    if (this.halts(block.height)) {
      void this.end(null);
      return;
    }
    try {
      requireSupported(this.runner.chain());
    } catch (error) {
      if (error instanceof NodeError) void this.end(error);
      else throw error;
    }
  }

  private nodeInfo(): ReturnType<RpcView["nodeInfo"]> {
    const { genesis, config, privval } = this.parts;
    const validator =
      privval === null
        ? undefined
        : this.runner.chain().validators.validators.find((v) => bytesEqual(v.address, privval.address));
    return {
      id: this.gossipLayer?.peerId ?? "",
      listenAddress: this.gossipLayer?.addresses[0] ?? "",
      network: genesis.chainId,
      version: config.version,
      moniker: config.moniker,
      rpcAddress: config.rpcListen,
      genesisHash: this.genesisHashHex,
      catchingUp: this.owner.catchingUp,
      validator:
        privval === null
          ? null
          : { address: privval.address, pubKey: privval.pubKey, power: validator?.power ?? 0n },
      startedAtMs: this.startedAtMs,
    };
  }

  /** Ends the node once; every later cause is only logged. `null` = asked to stop. */
  private end(error: NodeError | null): Promise<NodeExit> {
    if (this.stopping !== null) {
      if (error !== null) this.log.error(error.what, { code: error.code });
      return this.stopping;
    }
    const exit: NodeExit =
      error === null
        ? { code: 0, what: "stopped", do: "" }
        : { code: error.exitCode, what: error.what, do: error.do };
    if (error !== null) this.log.error(error.what, { code: error.code, exit: error.exitCode, do: error.do });
    this.stopping = this.settled.promise;
    this.failure = error;
    // Before anything is awaited: nothing is signed, sent or begun from here on.
    this.runner.halt();
    this.owner.halt();
    this.relay.halt();
    this.entrance.halt();
    void this.close(exit, error);
    return this.stopping;
  }

  /** A part that does not stop (a disk that hangs) does not keep the exit from being told. */
  private async close(exit: NodeExit, error: NodeError | null): Promise<void> {
    try {
      const done = await within(this.parts.clock, STOP_LIMIT_MS, this.shutDown(exit, error));
      if (!done) this.log.error("a part did not stop within its time", { ms: STOP_LIMIT_MS });
    } catch (cause) {
      this.log.error("the node did not stop cleanly", { reason: reasonOf(cause) });
    }
    this.settled.resolve(exit);
  }

  /** A host whose callback fails is told so in its own log; the node is stopped or not for other reasons. */
  private tellPhase(phase: NodePhase): void {
    try {
      this.parts.modules.onPhase?.(phase);
    } catch (error) {
      this.log.error("the host's onPhase failed", { phase, reason: reasonOf(error) });
    }
  }

  private async shutDown(exit: NodeExit, error: NodeError | null): Promise<void> {
    const { parts, runner } = this;
    if (error !== null) {
      const failure = await parts.dump({
        time: new Date(parts.clock.wallMs()).toISOString(),
        exit,
        height: runner.chain().lastHeight + 1,
        consensus: summary(runner.core()),
        execution: { status: parts.execution.status, executedHeight: parts.execution.executedHeight },
        facts: error.facts ?? null,
        stack: error.cause instanceof Error ? (error.cause.stack ?? null) : (error.stack ?? null),
      });
      if (failure !== null) this.log.error("the state dump could not be written", { reason: failure });
    }
    // Peers hear that this validator leaves, so that they do not wait for it in its turn.
    this.leaving = true;
    this.gossipLayer?.roundStateChanged(true);
    await this.owner.stop();
    await runner.stop();
    try {
      await this.gossipLayer?.stop();
    } catch (cause) {
      this.log.warn("the network did not close cleanly", { reason: reasonOf(cause) });
    }
    await parts.closeParts();
    await this.relay.settled();
  }
}
