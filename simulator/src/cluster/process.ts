/** One life of a node: the product's composition on ports that lead into the simulated world. */
import type { Genesis, Proposal, Vote } from "@quorate/chain";
import { stateFromGenesis } from "@quorate/chain";
import { toHexUpper } from "@quorate/crypto";
import { assembleGossip, type GossipModules, type LogPort } from "@quorate/gossip/core";
import {
  composeNode,
  homePaths,
  type Metrics,
  type Node,
  NodeError,
  type NodeExit,
  type NodeModules,
  type NodePorts,
  type OpenedExecution,
  openPrivValWith,
  openStoreOf,
  type QuorateNode,
} from "@quorate/node/composition";
import type { SigningKey } from "@quorate/privval";
import {
  type BlockStore,
  type CommitBatch,
  openStore,
  rebuildIndex,
  type StoreOptions,
} from "@quorate/store";
import { deafToItself } from "../byzantine/deaf.ts";
import { LooseSigner } from "../byzantine/loose-signer.ts";
import type { Liar } from "../byzantine/strategy.ts";
import { Machine, machineClock, type Skew } from "../core/machine.ts";
import type { Random } from "../core/random.ts";
import type { Scheduler } from "../core/scheduler.ts";
import type { Work } from "../core/work.ts";
import type { CryptoScheme } from "../crypto/keyed-hash.ts";
import { backendOf, type CryptoCosts, costlyKey, simulatedVerifier } from "../crypto/ports.ts";
import { bodyFiles, type Disk, type DiskCall, writerThread } from "../disk/disk.ts";
import { indexOn } from "../disk/key-values.ts";
import type { Endpoint, Internet, Outgoing } from "../network/internet.ts";
import { type Links, neighbours } from "../network/links.ts";

/** Homes differ in nothing but the machine they are on. */
export const PATHS: ReturnType<typeof homePaths> = homePaths("/home");

type RpcView = ReturnType<Node["rpcView"]>;

/** Where a crash can strike: at a call of a port, before it takes effect. */
export type Boundary = DiskCall | "index" | "send" | "sign";

/** What a node is, life after life. */
export interface Identity {
  readonly index: number;
  readonly name: string;
  readonly peerId: string;
  /** `null`: a full node. */
  readonly key: SigningKey | null;
}

export interface ProcessModules {
  readonly scheduler: Scheduler;
  readonly internet: Internet;
  readonly genesis: Genesis;
  readonly identities: readonly Identity[];
  /** `null`: everybody has a link to everybody. */
  readonly links: Links | null;
  readonly scheme: CryptoScheme;
  readonly costs: CryptoCosts;
  readonly work: Work;
  readonly random: Random;
  readonly disk: Disk;
  readonly skew: Skew;
  readonly metrics: Metrics;
  readonly log: (module: string) => LogPort;
  readonly outgoing: Outgoing;
  /** Set: the node is Byzantine; its signer has no guard. */
  readonly strategy: Liar | null;
  openExecution(
    process: Process,
    genesis: Genesis,
    store: BlockStore,
    onFailure: (error: unknown) => void,
  ): OpenedExecution;
  /** A port was called; a crash may end the process there. */
  readonly boundary: (process: Process, boundary: Boundary, file: string) => void;
  readonly onStep: NonNullable<NodeModules["onStep"]>;
  readonly onCommit: NonNullable<NodeModules["onCommit"]>;
  readonly onStored: (batch: CommitBatch) => void;
  readonly onSigned: (message: Vote | Proposal) => void;
  /** The process ended by itself. */
  readonly onExit: (process: Process, exit: NodeExit) => void;
}

/** Small files: rollover, pruning and reading back happen within few heights. */
const SEGMENT_BYTES = 256 * 1024;

export class Process {
  readonly machine: Machine;
  readonly identity: Identity;
  readonly #modules: ProcessModules;
  #endpoint: Endpoint | null = null;
  #node: QuorateNode | null = null;
  #rpc: RpcView | null = null;
  #stopping = false;
  #execution: OpenedExecution | null = null;

  constructor(identity: Identity, modules: ProcessModules) {
    this.identity = identity;
    this.machine = new Machine(modules.scheduler);
    this.#modules = modules;
  }

  /** What it executes with, and where users hand in transactions on a chain without execution client. */
  get execution(): OpenedExecution | null {
    return this.#execution;
  }

  /** What its RPC server would answer from; `null` before it would serve. */
  get rpc(): RpcView | null {
    return this.#rpc;
  }

  get node(): QuorateNode | null {
    return this.#node;
  }

  /** Starts it; how it ends is told to `onExit`. */
  start(): void {
    const { identity, machine } = this;
    const { metrics: _metrics, ...modules } = this.#modules;
    const { links } = modules;
    const near = links === null ? null : neighbours(links, identity.index);
    const others = modules.identities.filter(
      (each) => each !== identity && near?.includes(each.index) !== false,
    );
    const config = {
      home: "/home",
      moniker: identity.name,
      version: "0.0.0-simulated",
      p2p: {
        listen: [],
        announce: [],
        persistentPeers: [],
        allow: [],
        validatorPeers: validatorPeers(links?.known === false ? [identity, ...others] : modules.identities),
        maxPeers: 2 * others.length + 8,
        gossipTxs: true,
      },
      rpcListen: "",
      metricsListen: "",
      verifyWorkers: 1,
    };
    const alive =
      <A extends unknown[]>(call: (...args: A) => void) =>
      (...args: A): void => {
        if (!machine.dead) call(...args);
      };
    const hosted: NodeModules = {
      log: modules.log,
      homeLocked: true,
      onStep: alive((input, before, after) => {
        machine.charge(modules.work.input(input.kind));
        modules.onStep(input, before, after);
      }),
      onCommit: alive(modules.onCommit),
    };
    composeNode(config, hosted, this.#ports(config.p2p.validatorPeers, others, alive)).then(
      (node) => {
        this.#node = node;
        void node.exited.then((exit) => this.#exited(exit));
      },
      (error: unknown) => {
        if (!(error instanceof NodeError)) throw error;
        this.#exited({ code: error.exitCode, what: error.what, do: error.do });
      },
    );
  }

  /** SIGTERM; one that is not yet up takes no notice. */
  async stop(): Promise<void> {
    if (this.#node === null) return;
    this.#stopping = true;
    await this.#node.stop();
  }

  /** It was told to end and has not ended yet. */
  get stopping(): boolean {
    return this.#stopping;
  }

  /** The process is gone between two effects, or inside one. `silent`: nobody tells its peers. */
  kill(silent: boolean): void {
    this.machine.dead = true;
    this.#endpoint?.crash(silent);
  }

  #hearing(gossip: GossipModules): GossipModules {
    const { key } = this.identity;
    return this.#modules.strategy === null || key === null ? gossip : deafToItself(gossip, key.address);
  }

  #exited(exit: NodeExit): void {
    if (this.machine.dead) return;
    this.kill(false);
    this.#modules.onExit(this, exit);
  }

  #ports(
    peers: Readonly<Record<string, string>>,
    others: readonly Identity[],
    alive: <A extends unknown[]>(call: (...args: A) => void) => (...args: A) => void,
  ): NodePorts {
    const { identity, machine } = this;
    const modules = this.#modules;
    const { disk, genesis, scheme } = modules;
    const at = (boundary: Boundary, file: string): void => modules.boundary(this, boundary, file);
    const clock = machineClock(machine, modules.skew);
    const signed = alive(modules.onSigned);
    return {
      clock,
      lockHome: null,
      loadGenesis: async () => ({ genesis, document: null }),
      openDisk: () => writerThread(disk, machine, at),
      walSegmentBytes: SEGMENT_BYTES,
      openStore: (writer) => {
        const options: StoreOptions = {
          dir: PATHS.store,
          disk: bodyFiles(disk, machine, writer, at),
          index: indexOn(disk, machine, () => at("index", "db")),
          segmentBytes: SEGMENT_BYTES,
          stepBytes: SEGMENT_BYTES / 16,
        };
        const stored = alive((batch: CommitBatch) => {
          machine.charge(modules.work.commitMs);
          modules.onStored(batch);
        });
        return openStoreOf(PATHS, modules.log("store"), {
          open: async () => watchCommits(await openStore(options), stored),
          rebuild: () => {
            disk.keyValues.clear();
            return rebuildIndex(options, stateFromGenesis(genesis), backendOf(scheme));
          },
        });
      },
      createMetrics: () => modules.metrics,
      openPrivVal: async (writer) => {
        const { key } = identity;
        if (key === null) return null;
        if (modules.strategy !== null) return new LooseSigner(key);
        const watched: SigningKey = {
          address: key.address,
          signer: {
            publicKey: key.signer.publicKey,
            sign: (message) => {
              at("sign", "");
              return key.signer.sign(message);
            },
          },
        };
        return openPrivValWith(costlyKey(watched, machine, modules.costs), PATHS, writer);
      },
      openExecution: async (_genesis, store, _metrics, onFailure) => {
        this.#execution = modules.openExecution(this, genesis, store, onFailure);
        return this.#execution;
      },
      createVerifier: () => simulatedVerifier(machine, scheme, modules.costs),
      openTrace: () => ({
        vote: (direction, vote) => direction === "out" && signed(vote),
        proposal: (direction, proposal) => direction === "out" && signed(proposal),
        close: () => Promise.resolve(),
      }),
      createGossip: async (gossip) => {
        const { gossip: layer } = await assembleGossip(
          {
            self: identity.peerId,
            persistentPeers: others.map(({ peerId }) => ({ peer: peerId, address: null })),
            validatorPeers: peers,
            maxPeers: 2 * others.length + 8,
            random: () => modules.random.unit(),
          },
          this.#hearing(gossip),
          async (asked) => {
            const outgoing: Outgoing = (to, protocol, bytes) => {
              at("send", protocol);
              if (machine.dead) return [];
              const { strategy } = modules;
              if (strategy === null || identity.key === null) return modules.outgoing(to, protocol, bytes);
              return strategy.outgoing(identity.key, to, protocol, bytes);
            };
            this.#endpoint = modules.internet.endpoint(identity.peerId, machine, outgoing, asked);
            return this.#endpoint;
          },
        );
        return layer;
      },
      dump: async () => null,
      serve: async (node) => {
        this.#rpc = node.rpcView();
        return { rpc: "", metrics: "" };
      },
    };
  }
}

/** The store itself, with an ear at what is committed. */
function watchCommits(store: BlockStore, stored: (batch: CommitBatch) => void): BlockStore {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (name !== "commit") return value.bind(target);
      return (...run: CommitBatch[]) => {
        for (const batch of run) stored(batch);
        return target.commit(...run);
      };
    },
  });
}

function validatorPeers(identities: readonly Identity[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    identities.flatMap(({ key, peerId }) => (key === null ? [] : [[toHexUpper(key.address), peerId]])),
  );
}
