/** All nodes of a run and the world around them; what faults do, they do through this. */
import type { Genesis, Proposal, Vote } from "@quorate/chain";
import type { ConsensusState, Input, StepResult } from "@quorate/consensus";
import { toHex } from "@quorate/crypto";
import { engineClientOver } from "@quorate/execution";
import type { LogPort } from "@quorate/gossip/core";
import {
  type CommitInfo,
  createMetrics,
  decidedBlocks,
  type Metrics,
  type NodeExit,
  type OpenedExecution,
  openNoExecution,
} from "@quorate/node/composition";
import { BLANK_STATE, decodeStateFile, writeFreshState } from "@quorate/privval";
import type { BlockStore, CommitBatch } from "@quorate/store";
import type { Liar } from "../byzantine/strategy.ts";
import { Machine, machineClock, type Skew } from "../core/machine.ts";
import type { Random } from "../core/random.ts";
import type { Scheduler } from "../core/scheduler.ts";
import { FREE, type Work } from "../core/work.ts";
import type { CryptoScheme } from "../crypto/keyed-hash.ts";
import type { CryptoCosts } from "../crypto/ports.ts";
import { Disk, type DiskSpeed, writerThread } from "../disk/disk.ts";
import type { Survival } from "../disk/file-system.ts";
import type { RequestsOf } from "../el/churn.ts";
import { SimulatedClient } from "../el/execution-client.ts";
import { clientTransport } from "../el/transport.ts";
import { Internet, type NetworkWatch } from "../network/internet.ts";
import type { Links } from "../network/links.ts";
import { Path, type PathQuality } from "../network/paths.ts";
import { type Boundary, type Identity, PATHS, Process } from "./process.ts";

/** Exit code of a node whose disk failed. */
const DISK_FAILED = 6;
/** A Byzantine node that stopped over what it did itself, or one that ended over its disk later, is back after so long. */
const REVIVAL_MS = 500;
/** Mean ms between two losses of memory of one that forgets. */
const FORGETS_MS = 4_000;

/** ms between the start of a build and its end. */
const BUILD_WINDOW_MS = 30;

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
  /** A node's execution client was told this head; `stood`: it was its head already. */
  head?(node: number, number: number, hash: string, finalized: boolean, stood: boolean): void;
  /** A node's execution client lost its memory, or all it had. */
  clientLost?(node: number): void;
  life(node: number, kind: "crash" | "restart" | "pause" | "resume", detail: string): void;
}

export interface ClusterOptions {
  readonly genesis: Genesis;
  readonly identities: readonly Identity[];
  /** Default: everybody has a link to everybody. */
  readonly links?: Links | null;
  readonly scheme: CryptoScheme;
  readonly costs: CryptoCosts;
  readonly quality: PathQuality;
  /** The way from one node to another, instead of one of that quality. */
  readonly path?: (from: number, to: number, random: Random) => Path;
  /** Default: only signatures cost time. */
  readonly work?: Work;
  /** Instead of the built-in pool of transactions. */
  readonly openExecution?: (
    node: number,
    genesis: Genesis,
    store: BlockStore,
    onFailure: (error: unknown) => void,
  ) => OpenedExecution;
  readonly disk: DiskSpeed;
  readonly skews: readonly Skew[];
  /** What execution clients put into their payloads; default: nothing. */
  readonly requests?: RequestsOf;
  /** As many as a set has at most; default: those of genesis. */
  readonly mostValidators?: number;
  /** Of Byzantine nodes, by index. */
  readonly strategies?: ReadonlyMap<number, Liar>;
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
  /** `null` on a chain without execution client. */
  readonly client: SimulatedClient | null;
  /** Bits of its disk were flipped: it may find damage. */
  rotten: boolean;
  /** Its disk refuses what it is asked: a process that ended over it waits for the end of that. */
  diskFails: boolean;
  process: Process | null;
  /** It is to start as soon as its process, which is about to end, has ended. */
  again: boolean;
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
  readonly #paths = new Map<string, Path>();
  #keepUp = false;

  constructor(options: ClusterOptions, scheduler: Scheduler, watch: ClusterWatch, random: Random) {
    this.options = options;
    this.scheduler = scheduler;
    this.#random = random;
    this.#watch = watch;
    const { identities } = options;
    const index = new Map(identities.map(({ peerId }, i) => [peerId, i]));
    const at = (peerId: string): number => index.get(peerId) ?? -1;
    const network: NetworkWatch = {
      sent: (from, to, protocol, bytes) => watch.sent(at(from), at(to), protocol, bytes),
      delivered: (id) => watch.delivered(id),
      dropped: (id, why) => watch.dropped(id, why),
    };
    this.internet = new Internet(
      (from, to) => {
        const key = `${from}>${to}`;
        let path = this.#paths.get(key);
        if (path === undefined) {
          const stream = random.split(`path ${key}`);
          path = options.path?.(at(from), at(to), stream) ?? new Path(options.quality, stream);
          path.faithful = this.#keepUp;
          this.#paths.set(key, path);
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
      client: options.genesis.execution === "none" ? null : this.#makeClient(i),
      rotten: false,
      diskFails: false,
      process: null,
      again: false,
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
      if (this.options.strategies?.get(node)?.forgets === true) this.#forget(node);
    }
  }

  /**
   * The network loses nothing any more. Whoever is paused goes on, whoever is down starts, and so does from now on whoever
   * still ends over what a fault has done to it.
   */
  keepUp(): void {
    this.#keepUp = true;
    for (const path of this.#paths.values()) path.faithful = true;
    for (const node of this.members.keys()) {
      this.#resume(node);
      this.start(node);
    }
  }

  /** SIGTERM. */
  stop(node: number): void {
    const { process } = this.member(node);
    if (process !== null) void process.stop();
  }

  /** A new life of the node on what its disk kept; of one that is stopping, when it has stopped. */
  start(node: number): void {
    const member = this.member(node);
    if (member.process !== null) {
      member.again = member.process.stopping;
      return;
    }
    member.again = false;
    const { options } = this;
    const life = ++member.lives;
    const process = new Process(member.identity, {
      scheduler: this.scheduler,
      internet: this.internet,
      genesis: options.genesis,
      identities: options.identities,
      links: options.links ?? null,
      scheme: options.scheme,
      costs: options.costs,
      work: options.work ?? FREE,
      random: this.#random.split(`process ${member.identity.name} ${life}`),
      disk: member.disk,
      skew: member.skew,
      metrics: member.metrics,
      log: (module) => options.log(node, module),
      outgoing: (_to, _protocol, bytes) => [bytes],
      strategy: options.strategies?.get(node) ?? null,
      openExecution: (process, genesis, store, onFailure) =>
        options.openExecution?.(node, genesis, store, onFailure) ??
        this.#openExecution(node, process, genesis, store, onFailure),
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
        if (exit.code === 3 && member.rotten) this.#reset(node);
        else if (member.again || (this.#keepUp && (exit.code === 0 || exit.code === 6))) this.start(node);
        else if (options.strategies?.has(node) || (exit.code === DISK_FAILED && !member.diskFails))
          this.scheduler.after(REVIVAL_MS, () => this.start(node));
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
    const { again } = member;
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
    if (again) this.start(node);
  }

  /** Flips one bit of what a node that is down has on disk. */
  rot(node: number, what: "wal" | "bodies" | "index" | "sign-state"): void {
    const member = this.member(node);
    const random = this.#random.split(`rot ${member.identity.name} ${member.lives}`);
    const { files, keyValues } = member.disk;
    member.rotten = true;
    if (what === "index") keyValues.corrupt = true;
    else if (what === "sign-state") {
      // A second slot that rots before the first was written anew leaves nothing to go by.
      const bytes = files.exists(PATHS.signState) ? files.read(PATHS.signState, 0, 8192) : null;
      if (bytes !== null && decodeStateFile(bytes)?.bothWhole === true) files.rot(PATHS.signState, random);
    } else {
      const dir = what === "wal" ? PATHS.wal : `${PATHS.store}/blocks`;
      const names = files.list(dir);
      if (names.length > 0) files.rot(`${dir}/${random.pick(names)}`, random);
    }
  }

  pause(node: number, ms: number): void {
    const machine = this.member(node).process?.machine;
    if (machine === undefined) return;
    const until = this.scheduler.now + ms;
    machine.pauseUntil(until);
    this.#watch.life(node, "pause", `${Math.round(ms)} ms`);
    this.scheduler.after(ms, () => {
      if (machine.pausedUntilMs === until && !machine.dead) this.#watch.life(node, "resume", "");
    });
  }

  #resume(node: number): void {
    const machine = this.member(node).process?.machine;
    if (machine === undefined || machine.pausedUntilMs <= this.scheduler.now) return;
    machine.resume();
    this.#watch.life(node, "resume", "");
  }

  arm(node: number, crash: ArmedCrash): void {
    this.member(node).armed = { crash, left: crash.count };
  }

  member(node: number): Member {
    const member = this.members[node];
    if (member === undefined) throw new Error(`there is no node ${node}`);
    return member;
  }

  /** Amnesia, again and again: a Byzantine node loses its log, and with it lock and votes; its signer kept nothing anyway. */
  #forget(node: number): void {
    this.scheduler.after(this.#random.exponential(FORGETS_MS), () => {
      this.crash(node, "forgets what it signed", false, null);
      const { files } = this.member(node).disk;
      for (const name of files.list(PATHS.wal)) files.remove(`${PATHS.wal}/${name}`);
      this.start(node);
      this.#forget(node);
    });
  }

  /** The execution client ends and comes back: with all its data, without its newest blocks, or with none. */
  crashClient(node: number, lost: number | "all"): void {
    const { client } = this.member(node);
    if (lost === "all") client?.wipe();
    else client?.restart(lost);
    this.#watch.clientLost?.(node);
  }

  #makeClient(node: number): SimulatedClient {
    const { genesis } = this.options;
    return new SimulatedClient(
      {
        genesisHash: `0x${toHex(genesis.elGenesisHash)}`,
        chainId: genesis.evmChainId,
        gasLimit: genesis.params.gasLimit,
        maxBlockBytes: genesis.params.maxBlockBytes,
        validators: this.options.mostValidators ?? genesis.validators.length,
        ...(this.options.requests === undefined ? {} : { requests: this.options.requests }),
      },
      this.scheduler,
      this.#random.split(`client ${node}`),
      (number, hash, finalized, stood) => this.#watch.head?.(node, number, hash, finalized, stood),
    );
  }

  #openExecution(
    node: number,
    process: Process,
    genesis: Genesis,
    store: BlockStore,
    onFailure: (error: unknown) => void,
  ): OpenedExecution {
    const { client, skew } = this.member(node);
    const log = this.options.log(node, "execution");
    if (client === null) return openNoExecution(genesis, store, log, onFailure);
    const { machine } = process;
    return {
      mempool: null,
      client: engineClientOver(
        { engineUrl: "http://engine", ethUrl: "http://eth", jwtFile: "", buildWindowMs: BUILD_WINDOW_MS },
        {
          store: decidedBlocks(store, genesis, onFailure),
          genesis,
          log,
          metrics: null,
          clock: machineClock(machine, skew),
        },
        clientTransport(client, machine),
      ),
    };
  }

  /** `validator reset`, as the message of a node with a damaged store asks for: all but the sign state goes. */
  #reset(node: number): void {
    const { disk } = this.member(node);
    for (const dir of [PATHS.wal, `${PATHS.store}/blocks`]) {
      for (const name of disk.files.list(dir)) disk.files.remove(`${dir}/${name}`);
    }
    disk.keyValues.clear();
    this.member(node).rotten = false;
    this.scheduler.after(1_000, () => this.start(node));
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
