/**
 * The way into consensus, and the look at links while in it: the chain begins at its genesis time; a height when there are
 * links to more than 2/3 of the power, when this node has caught up and its execution client stands. A proposer that nobody
 * reaches costs its round `timeout_propose_absent` only, and one that said it leaves is not waited for.
 */
import { type Genesis, timeToMs, type ValidatorSet, type Vote } from "@quorate/chain";
import { type ConsensusState, heightRoundStep, proposalsOfRound } from "@quorate/consensus";
import { toHexUpper } from "@quorate/crypto";
import type { LogPort, PeerInfo } from "@quorate/gossip";
import type { Clock } from "../clock.ts";
import type { NodeError } from "../errors.ts";
import { effectError } from "../runner/fatal.ts";
import type { Runner } from "../runner/runner.ts";
import { type Absence, absenceOf, isSparse, type LinkFacts, linkedEnough } from "./links.ts";
import type { Owner } from "./owner.ts";
import { takeUp } from "./recovery.ts";
import type { Replay } from "./replay.ts";

/** How often the clock is looked at while the chain has not begun, ms: it may be set meanwhile. */
const GENESIS_LOOK_MS = 1_000;
/** How often links to validators are looked at, ms. */
const LINK_LOOK_MS = 200;
/** The first height waits this long for links at most, ms: behind sentries not every link can be seen. */
const FIRST_LINK_WAIT_MS = 60_000;
/**
 * A height that is taken up again waits this long, ms: the others may be waiting for this node. So does the first where
 * not all have links to all: without votes of more than 2/3 round 0 does not end, so too early costs one round.
 */
const LINK_WAIT_MS = 5_000;
/** So long a proposal may take here, ms, that came right before its proposer's word that it leaves. */
const LEFT_WAIT_MS = 50;
/** Validators that left, or whose links ended, and are remembered: those of the largest set that gossip carries. */
const MAX_LEFT = 512;
/** So long a peer that claims to be ahead may take to show a block, ms. */
const CATCH_UP_WAIT_MS = 10_000;

export interface EntranceModules {
  readonly genesis: Pick<Genesis, "genesisTime" | "initialHeight">;
  readonly clock: Clock;
  readonly log: LogPort;
  readonly runner: Runner;
  readonly owner: Owner;
  /** Own address; `null` on a full node. */
  readonly own: Uint8Array | null;
  /** Validators whose peer id is known by configuration or by their own word, upper-case hex. */
  readonly known: ReadonlySet<string>;
  readonly peers: () => readonly PeerInfo[];
  /** Whether the own key is in `validators`. */
  readonly isIn: (validators: readonly ValidatorSet[]) => boolean;
  /** Whether the execution client was started; a failure ends the start, and with it the node. */
  readonly hasExecution: () => Promise<boolean>;
  readonly fatal: (error: NodeError) => void;
}

export class Entrance {
  private readonly modules: EntranceModules;
  private cancelLook: (() => void) | null = null;
  private halted = false;
  /** What the core was told of which round's proposer: once is enough, unless it says later that it leaves. */
  private told: { readonly place: string; readonly absence: Absence } | null = null;
  /** Validators whose link ended after they had said that they leave, upper-case hex. */
  private readonly left = new Set<string>();
  /** Height at which the link to a validator ended, by upper-case hex. */
  private readonly lost = new Map<string, number>();
  /** Height of the newest vote by index in the set of its height: an index that moves with a set is a guess for two heights. */
  private readonly voted: (number | undefined)[] = [];

  constructor(modules: EntranceModules) {
    this.modules = modules;
  }

  /** `replay` is what the log held of the height; `isFirst`: nothing was ever decided or logged here. */
  begin(replay: Replay, isFirst: boolean): void {
    this.waitForGenesis(replay, isFirst ? FIRST_LINK_WAIT_MS : LINK_WAIT_MS, true);
  }

  /** Nothing is begun from here on. */
  halt(): void {
    this.halted = true;
    this.cancelLook?.();
    this.cancelLook = null;
  }

  /** Remembers who left by its own word, until it is back. */
  peerChanged({ validator, roundState }: PeerInfo, change: "connected" | "disconnected"): void {
    if (validator === null) return;
    const key = toHexUpper(validator);
    this.left.delete(key);
    this.lost.delete(key);
    if (change === "connected") return;
    if (this.lost.size < MAX_LEFT) this.lost.set(key, this.modules.runner.chain().lastHeight + 1);
    if (roundState?.leaving === true && this.left.size < MAX_LEFT) this.left.add(key);
  }

  /** A vote that was verified came, whoever forwarded it: its signer is there. */
  heard({ height, validatorIndex }: Pick<Vote, "height" | "validatorIndex">): void {
    this.voted[validatorIndex] = Math.max(this.voted[validatorIndex] ?? 0, height);
  }

  /** Tells the core when the proposer of the current round cannot be expected to propose. */
  checkProposer(): void {
    const { runner } = this.modules;
    const core: ConsensusState = runner.core();
    const { height, round, step } = heightRoundStep(core);
    const { proposer } = core;
    if (!runner.isCurrent(height) || step !== "Propose" || proposer === null) return;
    const place = `${height}/${round}`;
    const told = this.told?.place === place ? this.told.absence : null;
    if (told === "left") return;
    const absence = absenceOf(this.facts(), proposer.address);
    if (absence === null || absence === told) return;
    this.told = { place, absence };
    if (absence === "absent") runner.proposerAbsent(height, round);
    else {
      runner.prepareTurn(height, round + 1, LEFT_WAIT_MS);
      this.modules.clock.timer(LEFT_WAIT_MS, () => this.giveUp(height, round));
    }
  }

  /** What the proposer proposed before it left is waited for like any other proposal; half the votes for it help nobody. */
  private giveUp(height: number, round: number): void {
    const { runner } = this.modules;
    const core: ConsensusState = runner.core();
    const now = heightRoundStep(core);
    const isThere = now.height === height && now.round === round && now.step === "Propose";
    if (this.halted || !isThere || core.proposer === null || proposalsOfRound(core, round).length > 0) return;
    if (absenceOf(this.facts(), core.proposer.address) === "left") runner.proposerLeft(height, round);
    else this.told = null;
  }

  private facts(): LinkFacts {
    const { runner, clock, own, known, peers } = this.modules;
    const { validators, lastHeight } = runner.chain();
    const height = lastHeight + 1;
    const { left, lost, voted } = this;
    return { validators, height, nowMs: clock.monotonicMs(), own, peers: peers(), known, left, lost, voted };
  }

  /** A peer has decided the height that this node is at. */
  private isPassed(): boolean {
    const height = this.modules.runner.chain().lastHeight + 1;
    return this.modules.peers().some(({ status }) => (status?.height ?? 0) >= height);
  }

  /**
   * No block may have a time before that of genesis, so every round before it would fail. Whoever's clock is behind those
   * of the others follows as soon as they have a block.
   */
  private waitForGenesis(replay: Replay, linkWaitMs: number, isNews: boolean): void {
    if (this.halted) return;
    const { clock, genesis, log, runner } = this.modules;
    const leftMs = timeToMs(genesis.genesisTime) - clock.wallMs();
    if (runner.chain().lastHeight + 1 !== genesis.initialHeight || leftMs <= 0 || this.isPassed()) {
      const now = clock.monotonicMs();
      this.waitForLinks(replay, now, now + linkWaitMs);
      return;
    }
    if (isNews) {
      log.info("the chain has not begun: waiting for its genesis time", {
        genesis_time: new Date(timeToMs(genesis.genesisTime)).toISOString(),
        seconds: Math.ceil(leftMs / 1000),
      });
    }
    this.cancelLook = clock.timer(Math.min(leftMs, GENESIS_LOOK_MS), () =>
      this.waitForGenesis(replay, linkWaitMs, false),
    );
  }

  private isValidator(): boolean {
    const { validators, nextValidators } = this.modules.runner.chain();
    return this.modules.isIn([validators, nextValidators]);
  }

  /**
   * No timer starts and nothing is signed before there are links to more than 2/3 of the power; not for ever, and not
   * when a peer is past this height: that one is to be caught up with.
   */
  private waitForLinks(replay: Replay, sinceMs: number, untilMs: number): void {
    if (this.halted) return;
    const { clock, fatal } = this.modules;
    const facts = this.facts();
    const now = clock.monotonicMs();
    const late = now >= untilMs || (now - sinceMs >= LINK_WAIT_MS && isSparse(facts));
    if (linkedEnough(facts) || !this.isValidator() || this.isPassed() || late) {
      this.enter(replay).catch((error: unknown) =>
        fatal(effectError("the height could not be taken up", error)),
      );
      return;
    }
    this.cancelLook = clock.timer(LINK_LOOK_MS, () => this.waitForLinks(replay, sinceMs, untilMs));
  }

  /** Catches up first; then goes on with the height of the log, unless it was decided meanwhile. */
  private async enter(replay: Replay): Promise<void> {
    const { owner, runner, hasExecution } = this.modules;
    const before = runner.chain();
    await owner.catchUp(CATCH_UP_WAIT_MS);
    if (!(await hasExecution()) || this.halted) return;
    // What was decided while the client started.
    await owner.catchUp(CATCH_UP_WAIT_MS);
    if (this.halted) return;
    if (runner.chain() === before && !runner.running) await takeUp(runner, replay);
    if (this.halted) return;
    owner.enterConsensus();
    this.watchLinks();
  }

  /** Proposer absence is looked at again while a round waits. */
  private watchLinks(): void {
    if (this.halted) return;
    this.cancelLook = this.modules.clock.timer(LINK_LOOK_MS, () => {
      this.checkProposer();
      this.watchLinks();
    });
  }
}
