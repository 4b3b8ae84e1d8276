/**
 * Validators all over the world on measured costs: how long a height takes, and what it costs each node in bytes and CPU.
 * The product's own code on the simulator's ports, as in every run; here the ports take the time that wires and
 * processors take.
 */
import { timeToMs } from "@quorate/chain";
import type { Item } from "@quorate/gossip/core";
import { openNoExecution } from "@quorate/node/composition";
import { Cluster, type ClusterWatch } from "../cluster/cluster.ts";
import { makeGenesis, validatorKey } from "../cluster/genesis.ts";
import { EPOCH_MS } from "../core/machine.ts";
import { Random } from "../core/random.ts";
import { Scheduler } from "../core/scheduler.ts";
import type { Work } from "../core/work.ts";
import { keyedHashes } from "../crypto/keyed-hash.ts";
import { Judge } from "../judge.ts";
import { PEER_PROTOCOL, saidIn } from "../network/describe.ts";
import { Recorder } from "../recorder.ts";
import type { Trace, Verdict } from "../trace.ts";
import { type NodeCosts, readCosts } from "./costs.ts";
import { filled } from "./filled.ts";
import { WanPath } from "./path.ts";
import { oneWayMs, type Region, spread } from "./regions.ts";
import { Uplink, Window } from "./transport.ts";

export interface WanOptions {
  readonly seed: number;
  readonly validators: number;
  readonly heights: number;
  /** Validators go round these; default all. */
  readonly regions?: readonly Region[];
  /** Of transactions in every block; 0: empty blocks. */
  readonly blockBytes?: number;
  /** Each node's connection to the world, Mbit/s. Default 1000, as CometBFT's emulation has it. */
  readonly megabits?: number;
  /** The kernel's default: a connection that rested starts slowly again. */
  readonly slowStartAfterIdle?: boolean;
  readonly costs?: NodeCosts;
  /** Keeps every event, and judges the run by the laws on the way. */
  readonly trace?: boolean;
  /** Told as heights pass. */
  readonly progress?: (height: number, virtualMs: number) => void;
}

export interface Spread {
  readonly p50: number;
  readonly p95: number;
  readonly mean: number;
}

export interface WanResult {
  readonly seed: number;
  readonly validators: number;
  readonly heights: number;
  readonly regions: readonly string[];
  readonly block_bytes: number;
  readonly megabits: number;
  /** From the proposer's start of the block (its header time) to the commit on a node, over nodes and heights, ms. */
  readonly finality_ms: Spread;
  /** The same until more than two thirds of the validators have committed, over heights. */
  readonly quorum_ms: Spread;
  /** From one height's commit on a node to the next one's. */
  readonly interval_ms: Spread;
  /** Heights that needed more than round 0. */
  readonly later_rounds: number;
  /** Per height and node. */
  readonly messages: Spread;
  readonly bytes_sent: Spread;
  /** Mean per height and node: what was flooded, told of own state, sent because a peer seemed to lack it, bodies. */
  readonly ways: Readonly<Record<Way, { readonly messages: number; readonly bytes: number }>>;
  readonly cpu_ms: Spread;
  readonly workers_ms: Spread;
  readonly verdict: Verdict;
  readonly machine: string;
  /** The command that does it again. */
  readonly replay: string;
  readonly wall_ms: number;
  readonly trace: Trace | null;
}

/** How a message travels; direct: what a node says itself, on its links. */
export type Way = "direct" | "gossip" | "round_state" | "repair" | "body";

/** Heights left out: connections are made, windows and caches fill. */
const WARM_UP = 2;
/** When the chain begins, ms after its nodes: a hundred that start at once have their links by then. */
const GENESIS_MS = 3_000;
const PATIENCE_MS_PER_HEIGHT = 20_000;

export async function runWan(options: WanOptions): Promise<WanResult> {
  const startedAt = performance.now();
  const { validators, heights, seed } = options;
  const blockBytes = options.blockBytes ?? 0;
  const megabits = options.megabits ?? 1000;
  const costs = options.costs ?? readCosts();
  const regions = spread(validators, options.regions);
  const scheduler = new Scheduler();
  const random = new Random(`wan ${seed}`);
  const scheme = keyedHashes;
  const keys = Array.from({ length: validators }, (_, index) => validatorKey(scheme, index));
  const uplinks = keys.map(() => new Uplink(megabits, Math.max(1, validators - 1)));
  const recorder = new Recorder(() => scheduler.now, { keep: true, hashed: false });
  const judge = options.trace === true ? new Judge(recorder) : null;
  const tally = new Tally(validators, options.progress, judge);
  const cluster: Cluster = new Cluster(
    {
      genesis: makeGenesis(
        {
          powers: keys.map(() => 10),
          // The next height begins with the commit of the last: what is measured is the protocol, not a pause.
          blockIntervalMs: 0,
          timeouts: { proposeMs: 3000, prevoteMs: 1000, precommitMs: 1000 },
          execution: "none",
          genesisMs: GENESIS_MS,
        },
        keys,
      ),
      identities: keys.map((key, index) => ({ index, name: `node${index}`, peerId: `peer${index}`, key })),
      scheme,
      costs: costs.crypto,
      work: workOf(costs, validators, blockBytes),
      quality: { minMs: 0, jitterMs: 0, loss: 0, duplication: 0, reorder: false, bytesPerMs: 1e9 },
      path: (from, to, stream) =>
        new WanPath(
          {
            to,
            oneWayMs: oneWayMs(regions[from]!, regions[to]!),
            roundTripMs: oneWayMs(regions[from]!, regions[to]!) + oneWayMs(regions[to]!, regions[from]!),
            uplink: uplinks[from]!,
            window: new Window(options.slowStartAfterIdle ?? true),
            machine: () => cluster.members[from]?.process?.machine ?? null,
          },
          stream,
        ),
      disk: { writeMs: costs.syncMs / 20, syncMs: costs.syncMs },
      skews: keys.map(() => ({ offsetMs: 0, drift: 0 })),
      openExecution: (_node, genesis, store, onFailure) =>
        filled(openNoExecution(genesis, store, SILENT, onFailure), blockBytes),
      log: () => SILENT,
    },
    scheduler,
    tally,
    random,
  );
  tally.watch(cluster);
  judge?.watch(cluster, () => true);
  await cluster.begin();
  const how = await scheduler.run(
    GENESIS_MS + (heights + WARM_UP) * PATIENCE_MS_PER_HEIGHT,
    () => tally.lowest >= heights + WARM_UP,
  );
  const verdict =
    judge !== null && judge.violations.length > 0 ? "violation" : how === "done" ? "ok" : "stall";
  return {
    seed,
    validators,
    heights,
    regions: [...new Set(regions)],
    block_bytes: blockBytes,
    megabits,
    ...tally.result(),
    verdict,
    machine: costs.machine,
    replay: replayOf(options),
    wall_ms: Math.round(performance.now() - startedAt),
    trace:
      judge === null
        ? null
        : {
            header: {
              seed,
              validators,
              names: regions.map((region, i) => `node${i} ${region.replace("_", " ")}`),
              heights: heights + WARM_UP,
              faults: [],
              verdict,
            },
            events: recorder.events,
          },
  };
}

function replayOf(options: WanOptions): string {
  const parts = [`npm run sim -- --wan --seed ${options.seed} --validators ${options.validators}`];
  parts.push(`--heights ${options.heights}`);
  if ((options.blockBytes ?? 0) > 0) parts.push(`--block-bytes ${options.blockBytes}`);
  if (options.regions !== undefined) parts.push(`--regions ${options.regions.join(",")}`);
  if (options.megabits !== undefined && options.megabits !== 1000) parts.push(`--mbit ${options.megabits}`);
  if (options.slowStartAfterIdle === false) parts.push("--warm-connections");
  return parts.join(" ");
}

function workOf(costs: NodeCosts, validators: number, blockBytes: number): Work {
  const inputMs = costs.inputMs(validators);
  const bodyMs = costs.bodyMs(validators, blockBytes);
  return {
    publishMs: costs.publishMs,
    send: costs.send,
    receive: costs.receive,
    input: (kind) => (kind === "body" ? inputMs + bodyMs : inputMs),
    commitMs: costs.commitMs(validators),
  };
}

const nothing = (): void => undefined;
const SILENT = { debug: nothing, info: nothing, warn: nothing, error: nothing };

interface Mark {
  readonly messages: number;
  readonly bytes: number;
  readonly cpuMs: number;
  readonly workersMs: number;
}

/** Counts what nodes send and when they commit. */
class Tally implements ClusterWatch {
  readonly #commits: Map<number, number>[];
  readonly #began = new Map<number, number>();
  readonly #rounds = new Map<number, number>();
  readonly #heights: number[];
  readonly #messages: number[];
  readonly #bytes: number[];
  /** Signatures that a node made. */
  readonly #own: Set<string>[];
  readonly #ways: Record<Way, { messages: number; bytes: number }> = {
    direct: { messages: 0, bytes: 0 },
    gossip: { messages: 0, bytes: 0 },
    round_state: { messages: 0, bytes: 0 },
    repair: { messages: 0, bytes: 0 },
    body: { messages: 0, bytes: 0 },
  };
  readonly #marks: Map<number, Mark>[];
  readonly #progress: ((height: number, virtualMs: number) => void) | undefined;
  readonly #judge: Judge | null;
  #cluster: Cluster | null = null;
  #ids = 0;

  constructor(
    validators: number,
    progress: ((height: number, virtualMs: number) => void) | undefined,
    judge: Judge | null,
  ) {
    this.#judge = judge;
    this.#commits = Array.from({ length: validators }, () => new Map());
    this.#marks = Array.from({ length: validators }, () => new Map());
    this.#heights = new Array(validators).fill(0);
    this.#messages = new Array(validators).fill(0);
    this.#bytes = new Array(validators).fill(0);
    this.#own = Array.from({ length: validators }, () => new Set());
    this.#progress = progress;
  }

  watch(cluster: Cluster): void {
    this.#cluster = cluster;
  }

  get lowest(): number {
    return Math.min(...this.#heights);
  }

  sent: ClusterWatch["sent"] = (from, to, protocol, bytes) => {
    if (this.lowest >= WARM_UP) {
      const way = this.#ways[this.#wayOf(from, protocol, bytes)];
      way.messages++;
      way.bytes += bytes.length;
    }
    this.#messages[from] = (this.#messages[from] ?? 0) + 1;
    this.#bytes[from] = (this.#bytes[from] ?? 0) + bytes.length;
    return this.#judge?.sent(from, to, protocol, bytes) ?? ++this.#ids;
  };

  committed: ClusterWatch["committed"] = (node, commit) => {
    const now = this.#cluster?.scheduler.now ?? 0;
    const before = this.lowest;
    this.#commits[node]?.set(commit.height, now);
    this.#began.set(commit.height, timeToMs(commit.time) - EPOCH_MS);
    this.#rounds.set(commit.height, Math.max(commit.round, this.#rounds.get(commit.height) ?? 0));
    this.#heights[node] = Math.max(this.#heights[node] ?? 0, commit.height);
    const machine = this.#cluster?.members[node]?.process?.machine;
    this.#marks[node]?.set(commit.height, {
      messages: this.#messages[node] ?? 0,
      bytes: this.#bytes[node] ?? 0,
      cpuMs: machine?.spentMs ?? 0,
      workersMs: machine?.workersMs ?? 0,
    });
    this.#judge?.committed(node, commit);
    if (this.lowest > before) this.#progress?.(this.lowest, now);
  };

  delivered: ClusterWatch["delivered"] = (id) => this.#judge?.delivered(id);
  dropped: ClusterWatch["dropped"] = (id, why) => this.#judge?.dropped(id, why);
  step: ClusterWatch["step"] = (...step) => this.#judge?.step(...step);
  signed: ClusterWatch["signed"] = (node, message) => {
    this.#own[node]?.add(textOf(message.signature));
    this.#judge?.signed(node, message);
  };
  stored: ClusterWatch["stored"] = (node, batch) => this.#judge?.stored(node, batch);
  life: ClusterWatch["life"] = (node, kind, detail) => this.#judge?.life(node, kind, detail);

  exited: ClusterWatch["exited"] = (node, exit) => {
    throw new Error(`node${node} ended by itself: ${exit.what}`);
  };

  #wayOf(from: number, protocol: string, bytes: Uint8Array): Way {
    if (protocol.startsWith("topic/")) return "gossip";
    if (protocol !== PEER_PROTOCOL) return "body";
    if (bytes[ITEMS_AT] !== ITEMS_FRAME) return "round_state";
    const own = this.#own[from];
    const items = saidIn(protocol, bytes).flatMap((said) => (said.kind === "items" ? said.items : []));
    const isOwn = (item: Item): boolean => {
      if (item.kind !== "vote" && item.kind !== "proposal") return false;
      const { signature } = item.kind === "vote" ? item.vote : item.proposal;
      return own?.has(textOf(signature)) === true;
    };
    return items.every(isOwn) ? "direct" : "repair";
  }

  #perHeight(heights: number): WanResult["ways"] {
    const share = (value: number): number =>
      Math.round((100 * value) / Math.max(1, heights * this.#heights.length)) / 100;
    const of = (way: Way): { messages: number; bytes: number } => ({
      messages: share(this.#ways[way].messages),
      bytes: share(this.#ways[way].bytes),
    });
    return {
      direct: of("direct"),
      gossip: of("gossip"),
      round_state: of("round_state"),
      repair: of("repair"),
      body: of("body"),
    };
  }

  result(): Pick<
    WanResult,
    | "finality_ms"
    | "quorum_ms"
    | "interval_ms"
    | "later_rounds"
    | "messages"
    | "bytes_sent"
    | "ways"
    | "cpu_ms"
    | "workers_ms"
  > {
    const finality: number[] = [];
    const quorum: number[] = [];
    const interval: number[] = [];
    const per: Record<keyof Mark, number[]> = { messages: [], bytes: [], cpuMs: [], workersMs: [] };
    const last = this.lowest;
    for (let height = WARM_UP + 1; height <= last; height++) {
      const began = this.#began.get(height) ?? 0;
      const at = this.#commits.map((commits) => commits.get(height) ?? Number.NaN).sort((a, b) => a - b);
      finality.push(...at.map((t) => t - began));
      quorum.push((at[Math.floor((at.length * 2) / 3)] ?? Number.NaN) - began);
      this.#commits.forEach((commits, node) => {
        interval.push((commits.get(height) ?? Number.NaN) - (commits.get(height - 1) ?? Number.NaN));
        const marks = this.#marks[node];
        for (const key of Object.keys(per) as (keyof Mark)[]) {
          per[key].push(
            (marks?.get(height)?.[key] ?? Number.NaN) - (marks?.get(height - 1)?.[key] ?? Number.NaN),
          );
        }
      });
    }
    const later = [...this.#rounds].filter(
      ([height, round]) => height > WARM_UP && height <= last && round > 0,
    );
    return {
      finality_ms: spreadOf(finality),
      quorum_ms: spreadOf(quorum),
      interval_ms: spreadOf(interval),
      later_rounds: later.length,
      messages: spreadOf(per.messages),
      bytes_sent: spreadOf(per.bytes),
      ways: this.#perHeight(last - WARM_UP),
      cpu_ms: spreadOf(per.cpuMs),
      workers_ms: spreadOf(per.workersMs),
    };
  }
}

/** Type of a frame of the peer stream that carries items of consensus, behind its length. */
const ITEMS_FRAME = 3;
const ITEMS_AT = 4;

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

/** Of numbers, in any order; rounded to hundredths. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const at = (q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
  const round = (value: number): number => Math.round(value * 100) / 100;
  return {
    p50: round(at(0.5)),
    p95: round(at(0.95)),
    mean: round(sorted.reduce((sum, value) => sum + value, 0) / Math.max(1, sorted.length)),
  };
}
