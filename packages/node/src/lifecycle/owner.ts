/**
 * The one owner of the node's life cycle: starting -> consensus <-> syncing -> stopping. A node whose peers are ahead
 * syncs; it leaves the round only when a synced block proved itself by its commit, so that a peer's empty claim costs
 * nothing; it comes back by itself at the tip (DESIGN §6).
 */
import type { ChainState, Commit } from "@quorate/chain";
import { CommitFlag, timeToMs } from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import type { LogPort } from "@quorate/gossip";
import { comparePlaces, type PrivVal } from "@quorate/privval";
import { type BlockSync, ForkFound, SyncError, type SyncedBlock } from "@quorate/sync";
import { type Clock, within } from "../clock.ts";
import type { NodeError } from "../errors.ts";
import type { Metrics } from "../metrics/index.ts";
import { effectError, foreignSignatureError, forkProofOf, safetyError } from "../runner/fatal.ts";
import type { Runner } from "../runner/runner.ts";
import type { NodePhase } from "../types.ts";

/** More heights behind than this: sync at once. Fewer: the round-state stream brings the missing commit first. */
const SYNC_AT_ONCE = 2;
/** Behind by less for this long, ms: sync as well (the peer's repair did not help). */
const SYNC_AFTER_MS = 1_500;
/** How often the distance to the peers is looked at, ms. */
const LOOK_MS = 500;

export interface OwnerModules {
  readonly clock: Clock;
  readonly log: LogPort;
  readonly metrics: Metrics;
  readonly runner: Runner;
  readonly sync: BlockSync;
  readonly privval: PrivVal | null;
  /** Resolves when the execution client was asked for the first time; false: it could not be started, the node ends. */
  readonly executing: () => Promise<boolean>;
  /** Whether the node is to end with this state as its tip: at the halt height, or before rules that it does not know. */
  readonly endsAfter: (state: ChainState) => boolean;
  readonly fatal: (error: NodeError) => void;
  readonly onPhase: (phase: NodePhase) => void;
}

export class Owner {
  private readonly modules: OwnerModules;
  private current: NodePhase = "starting";
  private behindSinceMs: number | null = null;
  private readonly startedAtMs: number;
  private syncing: Promise<void> | null = null;
  private readonly abort = new AbortController();
  private cancelLook: (() => void) | null = null;

  constructor(modules: OwnerModules) {
    this.modules = modules;
    this.startedAtMs = modules.clock.wallMs();
    this.show();
  }

  get phase(): NodePhase {
    return this.current;
  }

  private get stopped(): boolean {
    return this.current === "stopping";
  }

  /** True while peers claim heights above ours by more than what a round takes. */
  get catchingUp(): boolean {
    return this.current === "syncing" || this.behind() > 1;
  }

  /** The runner has been started or resumed. */
  enterConsensus(): void {
    if (this.current === "stopping") return;
    this.setPhase("consensus");
    this.look();
  }

  /**
   * Before anything is signed: what the peers have decided already is taken from them, own signatures in it included.
   * Whoever comes back with an old home, or runs beside its twin, learns so here. A claim without a block costs `ms`.
   */
  async catchUp(ms: number): Promise<void> {
    if (this.stopped || this.behind() <= 0) return;
    this.startSync();
    if (this.syncing === null) return;
    await within(this.modules.clock, ms, this.syncing);
    // One block has proven itself: then all of them.
    if (this.phase === "syncing") await this.syncing;
  }

  /** A peer's status changed: look at the distance now. */
  peerChanged(): void {
    if (this.current === "consensus" && this.behind() > SYNC_AT_ONCE) this.startSync();
  }

  /** Port of block sync: blocks verified on top of the tip. Those after which the node ends are the last it takes. */
  async applySynced(given: readonly SyncedBlock[]): Promise<void> {
    const { runner, endsAfter } = this.modules;
    if (this.stopped) throw new Error("the node is stopping");
    const end = given.findIndex(({ state }) => endsAfter(state));
    const run = (end < 0 ? given : given.slice(0, end + 1)).filter(
      ({ block }) => block.header.height > runner.chain().lastHeight,
    );
    const last = run.at(-1);
    if (last === undefined) return;
    if (this.current !== "syncing") {
      runner.pause();
      this.setPhase("syncing");
    }
    await this.raise(...run.map(({ commit }) => commit));
    if (this.stopped) throw new Error("the node is stopping");
    await runner.commitSynced(run);
    const { height } = last.block.header;
    if (runner.chain().lastHeight < height) throw new Error(`the synced block ${height} was not committed`);
  }

  /** From now on nothing is begun and no synced block is taken any more. */
  halt(): void {
    this.setPhase("stopping");
    this.cancelLook?.();
    this.abort.abort();
  }

  async stop(): Promise<void> {
    this.halt();
    await this.syncing;
  }

  /**
   * An own signature in a commit is one we must never contradict (DESIGN §3a, watermark). One that is newer than all we
   * signed, and made while this process was running, was made by somebody else (§5.7). `commits` ascend by height; the sign
   * state is raised once, to the last of them.
   */
  async raise(...commits: readonly Commit[]): Promise<void> {
    const { privval } = this.modules;
    if (privval === null) return;
    let highest: Commit | null = null;
    for (const commit of commits) {
      const { height, round } = commit;
      const mine = commit.signatures.find(
        (s) => s.flag !== CommitFlag.absent && bytesEqual(s.validatorAddress, privval.address),
      );
      if (mine === undefined) continue;
      if (isAbove(privval, height, round) && timeToMs(mine.timestamp) > this.startedAtMs) {
        this.modules.fatal(
          foreignSignatureError(
            `block sync brought a precommit of this validator's key for height ${height} round ${round} that was signed while this node ran, and not by this node`,
          ),
        );
        return;
      }
      highest = commit;
    }
    if (highest === null) return;
    try {
      await privval.raise(highest.height, highest.round, 2);
    } catch (error) {
      this.modules.fatal(effectError("the sign state could not be raised to a synced commit", error));
    }
  }

  private behind(): number {
    return this.modules.sync.target - this.modules.runner.chain().lastHeight;
  }

  private look(): void {
    this.cancelLook?.();
    if (this.current === "stopping") return;
    this.cancelLook = this.modules.clock.timer(LOOK_MS, () => this.look());
    if (this.current !== "consensus") return;
    const behind = this.behind();
    const now = this.modules.clock.monotonicMs();
    if (behind <= 0) this.behindSinceMs = null;
    else this.behindSinceMs ??= now;
    if (behind > SYNC_AT_ONCE || (this.behindSinceMs !== null && now - this.behindSinceMs > SYNC_AFTER_MS))
      this.startSync();
  }

  private startSync(): void {
    if (this.syncing !== null || this.current === "stopping") return;
    this.syncing = this.runSync().finally(() => {
      this.syncing = null;
      this.behindSinceMs = null;
    });
  }

  private async runSync(): Promise<void> {
    const { sync, runner, log, fatal, clock } = this.modules;
    const from = runner.chain().lastHeight;
    const startedAt = clock.monotonicMs();
    try {
      await sync.run(this.abort.signal);
      if (!(await this.modules.executing())) return;
      // What was decided while the client started.
      if (this.phase === "syncing" && this.behind() > 0) await sync.run(this.abort.signal);
      if (this.abort.signal.aborted || this.phase !== "syncing") return;
      log.info("block sync reached the tip", {
        from,
        height: runner.chain().lastHeight,
        seconds: Math.round((clock.monotonicMs() - startedAt) / 100) / 10,
      });
      this.setPhase("consensus");
      runner.start();
    } catch (error) {
      if (this.abort.signal.aborted) return;
      const fork =
        error instanceof ForkFound
          ? forkProofOf(runner.chain(), runner.lastCommit().commit, error.commit)
          : null;
      if (fork !== null) fatal(fork);
      else if (error instanceof SyncError)
        fatal(safetyError("+2/3 signed a block that this node's rules refuse", error));
      else fatal(effectError("block sync failed", error));
    }
  }

  private setPhase(phase: NodePhase): void {
    if (this.current === phase) return;
    this.current = phase;
    this.show();
    this.modules.onPhase(phase);
    this.modules.log.info("phase", { phase, height: this.modules.runner.chain().lastHeight + 1 });
  }

  private show(): void {
    const { metrics } = this.modules;
    for (const phase of ["starting", "syncing", "consensus", "stopping"] as const) {
      metrics.own.phase.set({ phase }, phase === this.current ? 1 : 0);
    }
    metrics.comet.blocksync.syncing.set(this.current === "syncing" ? 1 : 0);
  }
}

/** Whether a precommit of this height and round is newer than everything that the sign state knows of. */
function isAbove({ state: { lastSigned } }: PrivVal, height: number, round: number): boolean {
  return lastSigned === null || comparePlaces({ height, round, step: 2 }, lastSigned) > 0;
}
