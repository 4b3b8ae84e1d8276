/** All nodes of a run and the world around them; what faults do, they do through this. */
import type { Genesis, Proposal, Vote } from "@quorate/chain";
import type { ConsensusState, Input, StepResult } from "@quorate/consensus";
import type { LogPort } from "@quorate/gossip/core";
import {
  type CommitInfo,
  createMetrics,
  type Metrics,
  type NodeExit,
  type OpenedExecution,
  openNoExecution,
} from "@quorate/node/composition";
import { BLANK_STATE, writeFreshState } from "@quorate/privval";
import type { BlockStore, CommitBatch } from "@quorate/store";
import { Machine, type Skew } from "../core/machine.ts";
import type { Random } from "../core/random.ts";
import type { Scheduler } from "../core/scheduler.ts";
import { FREE, type Work } from "../core/work.ts";
import type { CryptoScheme } from "../crypto/keyed-hash.ts";
import type { CryptoCosts } from "../crypto/ports.ts";
import { Disk, type DiskSpeed, writerThread } from "../disk/disk.ts";
import type { Survival } from "../disk/file-system.ts";
import { Internet, type NetworkWatch } from "../network/internet.ts";
import { Path, type PathQuality } from "../network/paths.ts";
import { type Boundary, type Identity, PATHS, Process } from "./process.ts";

/** Told of everything that the laws are about. `node` is an index. */
export interface ClusterWatch {
  step(node: number, input: Input, before: ConsensusState, after: StepResult): void;
  sent(from: number, to: number, protocol: string, bytes: Uint8Array): number;
  delivered(id: number): void;
  dropped(id: number, why: string): void;
  signed(node: number, message: Vote | Proposal): void;
  committed(node: number, commit: CommitInfo): void;
  /** A decided block is about to be written. */
  stored(node: number, batch: CommitBatch): void;
  exited(node: number, exit: NodeExit): void;
  life(node: number, kind: "crash" | "restart" | "pause" | "resume", detail: string): void;
}

export interface ClusterOptions {
  readonly genesis: Genesis;
  readonly identities: readonly Identity[];
  readonly scheme: CryptoScheme;
  readonly costs: CryptoCosts;
  readonly quality: PathQuality;
  /** The way from one node to another, instead of one of that quality. */
  readonly path?: (from: number, to: number, random: Random) => Path;
  /** Default: only signatures cost time. */
  readonly work?: Work;
  /** Instead of the built-in pool of transactions. */
  readonly openExecution?: (node: number, genesis: Genesis, store: BlockStore) => OpenedExecution;
  readonly disk: DiskSpeed;
  readonly skews: readonly Skew[];
  /** Where the product's own log goes. */
  readonly log: (node: number, module: string) => LogPort;
}

/** A crash that waits for a port to be called. */
export interface ArmedCrash {
  readonly boundary: Boundary;
  /** The so-many-th such call from now on, 1 = the next. */
  readonly count: number;
  readonly silent: boolean;
  readonly survival: Survival;
  readonly downMs: number;
}

export interface Member {
  readonly identity: Identity;
  readonly disk: Disk;
  readonly skew: Skew;
  readonly metrics: Metrics;
  process: Process | null;
  lives: number;
  armed: { readonly crash: ArmedCrash; left: number } | null;
}

export class Cluster {
  readonly options: ClusterOptions;
  readonly scheduler: Scheduler;
  readonly internet: Internet;
  readonly members: readonly Member[];
  readonly #random: Random;
  readonly #watch: ClusterWatch;

  constructor(options: ClusterOptions, scheduler: Scheduler, watch: ClusterWatch, random: Random) {
    this.options = options;
    this.scheduler = scheduler;
    this.#random = random;
    this.#watch = watch;
    const { identities } = options;
    const index = new Map(identities.map(({ peerId }, i) => [peerId, i]));
    const at = (peerId: string): number => index.get(peerId) ?? -1;
    const paths = new Map<string, Path>();
    const network: NetworkWatch = {
      sent: (from, to, protocol, bytes) => watch.sent(at(from), at(to), protocol, bytes),
      delivered: (id) => watch.delivered(id),
      dropped: (id, why) => watch.dropped(id, why),
    };
    this.internet = new Internet(
      (from, to) => {
        const key = `${from}>${to}`;
        let path = paths.get(key);
        if (path === undefined) {
          const stream = random.split(`path ${key}`);
          path = options.path?.(at(from), at(to), stream) ?? new Path(options.quality, stream);
          paths.set(key, path);
        }
        return path;
      },
      network,
      random.split("internet"),
      options.work ?? FREE,
    );
    this.members = identities.map((identity, i) => ({
      identity,
      disk: new Disk(options.disk, random.split(`disk ${identity.name}`)),
      skew: options.skews[i] ?? { offsetMs: 0, drift: 0 },
      metrics: createMetrics(options.genesis.chainId, "simulated", false),
      process: null,
      lives: 0,
      armed: null,
    }));
  }

  /** Fresh homes, then all processes within some milliseconds. */
  async begin(): Promise<void> {
    const installer = new Machine(this.scheduler);
    const written = this.members.flatMap(({ disk, identity: { key } }) => {
      if (key === null) return [];
      const writer = writerThread(disk, installer, () => undefined);
      return [writeFreshState(writer, PATHS.signState, key.address, BLANK_STATE)];
    });
    await Promise.all([...written, this.scheduler.run(Number.POSITIVE_INFINITY, () => false)]);
    for (const node of this.members.keys()) {
      this.scheduler.after(this.#random.real(0, 50), () => this.start(node));
    }
  }

  /** A new life of the node on what its disk kept. */
  start(node: number): void {
    const member = this.member(node);
    if (member.process !== null) return;
    const { options } = this;
    const life = ++member.lives;
    const process = new Process(member.identity, {
      scheduler: this.scheduler,
      internet: this.internet,
      genesis: options.genesis,
      identities: options.identities,
      scheme: options.scheme,
      costs: options.costs,
      work: options.work ?? FREE,
      random: this.#random.split(`process ${member.identity.name} ${life}`),
      disk: member.disk,
      skew: member.skew,
      metrics: member.metrics,
      log: (module) => options.log(node, module),
      outgoing: (_to, _protocol, bytes) => [bytes],
      openExecution: (_process, genesis, store) =>
        options.openExecution?.(node, genesis, store) ??
        openNoExecution(genesis, store, options.log(node, "execution")),
      onStored: (batch) => this.#watch.stored(node, batch),
      boundary: (each, boundary) => this.#boundary(node, each, boundary),
      onStep: (input, before, after) => this.#watch.step(node, input, before, after),
      onCommit: (commit) => this.#watch.committed(node, commit),
      onSigned: (message) => this.#watch.signed(node, message),
      onExit: (each, exit) => {
        if (member.process !== each) return;
        member.process = null;
        member.disk.files.processEnded();
        this.#watch.exited(node, exit);
      },
    });
    member.process = process;
    this.#watch.life(node, "restart", life === 1 ? "started" : `life ${life}`);
    process.start();
  }

  /** Kills a process. With a survival, the machine lost its power: what was not synced is lost so far. */
  crash(node: number, detail: string, silent: boolean, survival: Survival | null): void {
    const member = this.member(node);
    const { process } = member;
    if (process === null) return;
    member.process = null;
    member.armed = null;
    process.kill(silent);
    if (survival === null) member.disk.files.processEnded();
    else {
      const random = this.#random.split(`survival ${member.identity.name} ${member.lives}`);
      member.disk.files.crash(survival, random);
      member.disk.keyValues.crash(survival, random);
    }
    this.#watch.life(node, "crash", detail);
  }

  pause(node: number, ms: number): void {
    const process = this.member(node).process;
    if (process === null) return;
    process.machine.pauseUntil(this.scheduler.now + ms);
    this.#watch.life(node, "pause", `${Math.round(ms)} ms`);
    this.scheduler.after(ms, () => this.#watch.life(node, "resume", ""));
  }

  arm(node: number, crash: ArmedCrash): void {
    this.member(node).armed = { crash, left: crash.count };
  }

  member(node: number): Member {
    const member = this.members[node];
    if (member === undefined) throw new Error(`there is no node ${node}`);
    return member;
  }

  #boundary(node: number, process: Process, boundary: Boundary): void {
    const member = this.member(node);
    const { armed } = member;
    if (armed === null || member.process !== process || armed.crash.boundary !== boundary) return;
    armed.left--;
    if (armed.left > 0) return;
    const { silent, survival, downMs } = armed.crash;
    this.crash(node, `at ${boundary}, disk keeps ${survival}`, silent, survival);
    this.scheduler.after(downMs, () => this.start(node));
  }
}
