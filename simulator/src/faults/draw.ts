/** The swarm: every seed draws its own network, its own timeouts and its own mix of faults. */
import {
  DEFAULT_PARAMS,
  GWEI_PER_POWER,
  MAX_ACTIVE_VALIDATORS,
  MAX_STAKE_GWEI,
  MAX_TOTAL_POWER,
} from "@quorate/chain";
import { BEHAVIOURS, type Behaviour } from "../byzantine/strategy.ts";
import type { Timeouts } from "../cluster/genesis.ts";
import { anchorOf } from "../cluster/people.ts";
import type { Boundary } from "../cluster/process.ts";
import type { Skew } from "../core/machine.ts";
import { Random } from "../core/random.ts";
import type { DiskSpeed } from "../disk/disk.ts";
import type { Survival } from "../disk/file-system.ts";
import type { Appetite } from "../el/churn.ts";
import { EL_EDGES } from "../el/edges.ts";
import { drawLinks, type LinkShape, type Links, neighbours } from "../network/links.ts";
import type { PathQuality } from "../network/paths.ts";
import { FAULT_GROUPS, type Fault, type FaultKind, nodesOf } from "./fault.ts";
import type { RoundCut } from "./rounds.ts";

export interface Plan {
  readonly seed: number;
  readonly validators: number;
  /** `null`: everybody has a link to everybody. */
  readonly links: Links | null;
  readonly powers: readonly number[];
  readonly heights: number;
  readonly blockIntervalMs: number;
  readonly timeouts: Timeouts;
  readonly execution: "none" | "engine";
  readonly load: Load;
  readonly quality: PathQuality;
  readonly disk: DiskSpeed;
  readonly skews: readonly Skew[];
  readonly faults: readonly Fault[];
  /** Nodes that lie for as long as the run lasts; `null`: none. */
  readonly byzantine: Byzantine | null;
  /** Execution requests change the set at every height; never drawn. */
  readonly churn?: "permissioned" | "stake";
  /** How much is asked for, see `el/churn.ts`; never drawn. */
  readonly appetite?: Appetite;
  /** Nodes whose keys are not in genesis; never drawn. */
  readonly outside?: readonly number[];
  /** Validators of genesis that nobody runs, so many that joining meets the most that a set may have; never drawn. */
  readonly crowd?: number;
  /** What one of the powers stands for, default 1; never drawn. */
  readonly powerUnit?: bigint;
  /**
   * Nodes that keep to the protocol and whose keys sign twice elsewhere, and then some of the crowd, see
   * `el/reports.ts`; never drawn.
   */
  readonly framed?: readonly number[];
  /** Faults end at this time at the latest. */
  readonly faultsForMs: number;
  /** Small on some chains with execution clients: their blocks are full. */
  readonly maxBlockBytes: number;
  /** 0: no block has room for evidence, and who lies does so to the end. */
  readonly maxEvidenceBytes: number;
}

export interface Byzantine {
  readonly nodes: readonly number[];
  readonly behaviours: readonly Behaviour[];
  /** Share of occasions on which they lie. */
  readonly often: number;
}

export interface Wishes {
  /** Instead of the seed's own. */
  readonly validators?: number;
  readonly heights?: number;
  /** Byzantine nodes in every seed, not in half of them; and they equivocate. */
  readonly byzantine?: boolean;
  /** Who has a link to whom in every seed of enough validators. */
  readonly links?: LinkShape;
}

export const DEFAULT_HEIGHTS = 50;
/** What faults get of a run at least, virtual ms: a chain that is faster gets them closer together. */
const FAULTY_MS = 20_000;
/** Faults of one kind: more of them make a run longer and no richer. */
const MOST_OF_A_KIND = 40;
/** The smallest that a chain may have. */
const SMALL_BLOCK = 65_536;
const SURVIVALS: readonly Survival[] = ["none", "all", "some"];
const BOUNDARIES: readonly Boundary[] = ["write", "fdatasync", "sign", "send", "index"];
/** Reached seldom: counted less far. */
const RARE_BOUNDARIES: readonly Boundary[] = ["create", "dirent", "truncate", "rename", "remove"];

type Rotting = Extract<Fault, { readonly kind: "bit-rot" }>["what"];
const ROTTING: readonly Rotting[] = ["wal", "bodies", "index", "sign-state"];

/** Everything that the seed decides. The same for ever, whatever is wished for is not drawn from the same stream. */
export function drawPlan(seed: number, wishes: Wishes = {}): Plan {
  const random = new Random(`seed ${seed}`);
  const shape = random.split("shape");
  const drawn = shape.pick([4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 6, 6, 7, 7, 1]);
  const validators = wishes.validators ?? drawn;
  const powers = drawPowers(random.split("powers"), validators);
  const engine = random.split("execution").chance(0.4);
  const drawnInterval = shape.pick([0, 0, 100, 250, 1000]);
  const blockIntervalMs = engine ? 1000 : drawnInterval;
  const propose = shape.pick([300, 300, 300, 500, 1000]);
  const timeouts: Timeouts = { proposeMs: propose, prevoteMs: propose / 2, precommitMs: propose / 2 };
  const heights = wishes.heights ?? DEFAULT_HEIGHTS;
  const faultsForMs = Math.min(120_000, heights * (blockIntervalMs + 200) + Math.min(5_000, 250 * heights));
  const network = random.split("network");
  const calm = network.chance(0.3);
  const quality: PathQuality = {
    minMs: network.pick([0.1, 1, 5, 20]),
    jitterMs: network.pick([0.1, 1, 5, 20, 60]),
    loss: calm ? 0 : network.pick([0, 0.01, 0.05, 0.1, 0.3]),
    duplication: calm ? 0 : network.pick([0, 0.05, 0.2, 0.5]),
    reorder: network.chance(0.7),
    bytesPerMs: network.pick([1_000, 10_000, 100_000]),
  };
  const disks = random.split("disk");
  const disk: DiskSpeed = { writeMs: disks.pick([0.01, 0.05]), syncMs: disks.pick([0.1, 0.5, 2, 8]) };
  const clocks = random.split("clock");
  const skewed = clocks.chance(0.5);
  const skews = Array.from(
    { length: validators },
    (): Skew =>
      skewed
        ? { offsetMs: Math.round(clocks.real(-200, 200)), drift: clocks.real(-0.0005, 0.0005) }
        : { offsetMs: 0, drift: 0 },
  );
  const byzantine = drawByzantine(random.split("byzantine"), powers, wishes.byzantine === true);
  // Whose clock is wrong is as good as Byzantine: a third of the power with wrong clocks may decide times far ahead.
  const untrue = byzantine?.nodes ?? minority(random.split("untrue clocks"), powers);
  const rot = random.split("rotting");
  const rotting = minority(rot, powers).map((node) => ({ node, what: rot.pick(ROTTING) }));
  const faults = drawFaults(
    random.split("faults"),
    { nodes: validators, untrue, engine, rotting, pace: paceOf(heights, blockIntervalMs, quality) },
    faultsForMs,
  );
  const first = drawCrossings(random.split("crossings"), { validators, heights, timeouts, blockIntervalMs });
  const sparse = random.split("links");
  const links = drawLinks(sparse, validators, byzantine?.nodes ?? [], wishes.links ?? null);
  const later = faults.map((fault) => ({
    ...onLinks(fault, links, sparse),
    atMs: fault.atMs + first.forMs,
  }));
  const large = links !== null && sparse.split("load").chance(LARGE_LOADS);
  return {
    seed,
    validators,
    links,
    powers,
    heights,
    blockIntervalMs,
    timeouts,
    execution: engine ? "engine" : "none",
    load: large ? LARGE_LOAD : drawLoad(random.split("load")),
    quality,
    disk,
    skews,
    faults: [...first.faults(faults.length), ...later],
    byzantine,
    faultsForMs: faultsForMs + first.forMs,
    maxBlockBytes: large
      ? LARGE_BLOCK
      : engine && random.split("block bytes").chance(0.5)
        ? SMALL_BLOCK
        : DEFAULT_PARAMS.maxBlockBytes,
    maxEvidenceBytes: random.split("evidence").chance(0.5) ? DEFAULT_PARAMS.maxEvidenceBytes : 0,
  };
}

/** Share of node faults that strike a sentry of the node instead. */
const SENTRY_FAULTS = 0.4;
const OF_SENTRIES: ReadonlySet<FaultKind> = new Set<FaultKind>([
  "kill",
  "power-loss",
  "stop",
  "pause",
  "slow-disk",
]);

/** The same fault where there are links: those of pairs strike a pair that has one, some of those of nodes a sentry. */
function onLinks(fault: Fault, links: Links | null, sparse: Random): Fault {
  if (links === null) return fault;
  const random = sparse.split(`fault ${fault.id}`);
  if ("from" in fault) {
    const near = neighbours(links, fault.from);
    return near.includes(fault.to) ? fault : { ...fault, to: random.pick(near) };
  }
  if (links.sentries === 0 || !("node" in fault) || !OF_SENTRIES.has(fault.kind)) return fault;
  return random.chance(SENTRY_FAULTS)
    ? { ...fault, node: random.pick(neighbours(links, fault.node)) }
    : fault;
}

/** Faults bounded by a third of the power: one validator may hold all power. */
const NOT_WITH_CHURN: ReadonlySet<FaultKind> = new Set<FaultKind>(["clock-jump", "bit-rot"]);

/**
 * The same plan on a chain whose set changes at every height, by a registry or (even seeds) by stake. Powers then have
 * nothing to do with who is faulty, so nobody lies and no clock is wrong.
 */
export function withChurn(plan: Plan): Plan {
  const random = new Random(`seed ${plan.seed}/framed`);
  const nodes = Array.from({ length: plan.validators }, (_, node) => node);
  const framed = random.chance(0.5)
    ? random.sample(nodes, random.between(1, Math.ceil(plan.validators / 2)))
    : [];
  const churn = plan.seed % 2 === 0 ? "stake" : "permissioned";
  return {
    ...plan,
    ...drawSet(plan, churn, framed),
    churn,
    // Who leaves the set leaves the topics of validators: nobody's only way to the others may lead over it.
    links: null,
    execution: "engine",
    blockIntervalMs: 1000,
    byzantine: null,
    skews: plan.skews.map(() => ({ offsetMs: 0, drift: 0 })),
    // Relays between validators go with the links.
    faults: plan.faults.filter(
      (fault) => !NOT_WITH_CHURN.has(fault.kind) && nodesOf(fault).every((node) => node < plan.validators),
    ),
  };
}

/** Half of the seeds ask for little, so that a queue is worked off; an eighth begins with an almost full set. */
const APPETITES: readonly Appetite[] = [
  "small",
  "small",
  "small",
  "small",
  "large",
  "limit",
  "limit",
  "crowd",
];
/** Power of a node of a chain with a crowd, per power drawn: the anchor alone has more than twice what a crowd can get. */
const NODE_IN_CROWD = 10_000n;
/** Places that a crowd leaves free at the beginning, at most. */
const MOST_FREE = 1;

/** Who is in genesis, with how much, and who signs twice. */
function drawSet(plan: Plan, churn: "permissioned" | "stake", framed: readonly number[]): Partial<Plan> {
  const random = new Random(`seed ${plan.seed}/set`);
  const nodes = Array.from({ length: plan.validators }, (_, node) => node);
  const appetite = random.pick(APPETITES);
  const outside =
    plan.validators > 1 && random.chance(0.5)
      ? random.sample(nodes, random.between(1, plan.validators - 1)).sort((a, b) => a - b)
      : [];
  const inside = plan.validators - outside.length;
  if (appetite === "crowd") {
    const crowd = MAX_ACTIVE_VALIDATORS - inside - random.between(0, MOST_FREE);
    const anchor = anchorOf({ validators: plan.validators, outside });
    const absent = random.between(plan.validators, plan.validators + crowd - 1);
    return {
      ...{ appetite, outside, crowd, powerUnit: NODE_IN_CROWD },
      framed: [...framed.filter((node) => node !== anchor), ...(framed.length > 0 ? [absent] : [])],
      // Below, a last commit of so many has hardly any room beside it.
      maxBlockBytes: DEFAULT_PARAMS.maxBlockBytes,
    };
  }
  if (appetite !== "limit") return { appetite, outside, framed };
  const power = plan.powers.reduce((sum, each, node) => (outside.includes(node) ? sum : sum + each), 0);
  const most = churn === "stake" ? MAX_STAKE_GWEI / GWEI_PER_POWER : MAX_TOTAL_POWER;
  return { appetite, outside, framed, powerUnit: most / BigInt(power) };
}

function drawByzantine(random: Random, powers: readonly number[], always: boolean): Byzantine | null {
  if (random.chance(0.5) && !always) return null;
  const nodes = minority(random, powers);
  if (nodes.length === 0) return null;
  const behaviours = random.sample(BEHAVIOURS, random.between(1, 4));
  const often = random.pick([0.1, 0.3, 1]);
  if (!always) return { nodes, behaviours, often };
  return { nodes, behaviours: [...new Set([...EQUIVOCATION, ...behaviours])], often };
}

const EQUIVOCATION: readonly Behaviour[] = ["equivocate-prevotes", "equivocate-precommits"];

/** How much faster than a run of the usual length this one is expected to be over, 0 < pace <= 1. */
function paceOf(heights: number, blockIntervalMs: number, quality: PathQuality): number {
  const height = blockIntervalMs + 4 * (quality.minMs + quality.jitterMs) + 10;
  return Math.min(1, Math.max(0.1, (heights * height) / FAULTY_MS));
}

/** Transactions that users hand in: how often, how large. */
export interface Load {
  /** Mean ms between two; 0: none. */
  readonly everyMs: number;
  /** Bytes at most; blocks above 64 KiB take other ways through the network. */
  readonly bytes: number;
}

/** Share of the seeds with few links whose users hand in so much that most blocks travel on streams of their own. */
const LARGE_LOADS = 0.5;
const LARGE_LOAD: Load = { everyMs: 400, bytes: 120_000 };
/** Of these: what gathers while the chain stands still fits no single block that takes seconds on its way. */
const LARGE_BLOCK = 524_288;

function drawLoad(random: Random): Load {
  return random.pick<Load>([
    { everyMs: 0, bytes: 0 },
    { everyMs: 50, bytes: 100 },
    { everyMs: 200, bytes: 1_000 },
    { everyMs: 1_000, bytes: 40_000 },
  ]);
}

function drawPowers(random: Random, validators: number): number[] {
  if (random.chance(0.6)) return Array.from({ length: validators }, () => 10);
  const powers = Array.from({ length: validators }, () => random.between(5, 15));
  return powers;
}

/** Nodes that together have less than a third of the power. */
function minority(random: Random, powers: readonly number[]): number[] {
  const total = powers.reduce((sum, power) => sum + power, 0);
  const chosen: number[] = [];
  let power = 0;
  for (const node of random.sample([...powers.keys()], powers.length)) {
    const more = power + (powers[node] ?? 0);
    if (more * 3 >= total) continue;
    chosen.push(node);
    power = more;
  }
  return chosen.sort((a, b) => a - b);
}

interface Scope {
  readonly nodes: number;
  /** Nodes whose wall clock may jump. */
  readonly untrue: readonly number[];
  /** Times between faults are multiplied by this. */
  readonly pace: number;
  readonly engine: boolean;
  /** Disks that lose bits, each in one kind of file: what all disks lost, or one lost twice over, nobody can bring back. */
  readonly rotting: readonly { readonly node: number; readonly what: Rotting }[];
}

/** The mix: each group of faults is drawn in or out, then each of its kinds gets its own frequency. */
function drawFaults(random: Random, scope: Scope, forMs: number): Fault[] {
  const kinds: { readonly kind: FaultKind; readonly everyMs: number }[] = [];
  for (const [group, members] of Object.entries(FAULT_GROUPS)) {
    const mix = random.split(group);
    if (mix.chance(group === "rounds" ? 0.1 : 0.25) || (group === "execution" && !scope.engine)) continue;
    for (const kind of members) {
      if (mix.chance(0.4))
        kinds.push({ kind, everyMs: mix.pick([1_500, 3_000, 6_000, 12_000]) * scope.pace });
    }
  }
  const times: { readonly kind: FaultKind; readonly atMs: number }[] = [];
  for (const { kind, everyMs } of kinds) {
    const when = random.split(`when ${kind}`);
    let left = MOST_OF_A_KIND;
    for (
      let at = 300 * scope.pace + when.exponential(everyMs);
      at < forMs && left-- > 0;
      at += 100 * scope.pace + when.exponential(everyMs)
    ) {
      times.push({ kind, atMs: Math.round(at) });
    }
  }
  times.sort((a, b) => a.atMs - b.atMs);
  return times.map(({ kind, atMs }, id) => drawFault(random.split(`fault ${id}`), id, kind, atMs, scope));
}

function drawFault(random: Random, id: number, kind: FaultKind, atMs: number, scope: Scope): Fault {
  const { nodes, untrue } = scope;
  const all = Array.from({ length: nodes }, (_, i) => i);
  const node = random.below(nodes);
  const other = nodes === 1 ? node : (node + random.between(1, nodes - 1)) % nodes;
  const lasting = random.pick([50, 300, 1_000, 3_000, 8_000]) * Math.max(0.3, scope.pace);
  const forMs = Math.round(lasting * random.real(0.5, 1.5));
  const timed = { id, atMs, forMs };
  const pair = { from: node, to: other };
  switch (kind) {
    case "partition":
      return {
        ...timed,
        kind,
        side: random.sample(all, random.between(1, Math.max(1, Math.floor(nodes / 2)))).sort(),
        oneWay: random.chance(0.3),
      };
    case "cut":
    case "disconnect":
    case "dead-topics":
      return { ...timed, kind, ...pair };
    case "slow-link":
      return { ...timed, kind, ...pair, times: random.pick([5, 20, 100]) };
    case "kill":
    case "stop":
      return { ...timed, kind, node };
    case "pause":
      return { ...timed, kind, node };
    case "power-loss":
      return { ...timed, kind, node, survival: random.pick(SURVIVALS) };
    case "rounds":
      return { ...timed, kind, forMs: ROUNDS_WAIT_MS, rounds: drawRounds(random, all) };
    case "lock-alone":
      if (nodes < 4) return { ...timed, kind: "pause", node };
      return {
        ...timed,
        kind,
        forMs: ROUNDS_WAIT_MS,
        order: random.sample(all, nodes),
        story: random.pick(["kept", "moved", "moved", "moved", "crossed", "crossed", "crossed"]),
      };
    case "crash-at":
      return {
        ...timed,
        kind,
        node,
        ...(random.chance(0.25)
          ? { boundary: random.pick(RARE_BOUNDARIES), count: 1 }
          : { boundary: random.pick(BOUNDARIES), count: random.between(1, 40) }),
        survival: random.pick(SURVIVALS),
      };
    case "clock-jump":
      if (untrue.length === 0) return { ...timed, kind: "pause", node };
      return {
        ...timed,
        kind,
        node: random.pick(untrue),
        byMs: Math.round(random.pick([-3_600_000, -2_000, -300, 300, 2_000, 3_600_000])),
      };
    case "slow-disk":
      return { ...timed, kind, node, times: random.pick([10, 50, 200]) };
    case "disk-error":
      return {
        ...timed,
        kind,
        node,
        code: random.pick(["EIO", "ENOSPC"]),
        call: random.pick(["write", "sync"]),
        count: random.between(1, 20),
      };
    case "bit-rot": {
      const rotten = random.below(scope.rotting.length);
      const spoiled = scope.rotting[rotten];
      if (spoiled === undefined) return { ...timed, kind: "kill", node };
      return { ...timed, kind, ...spoiled };
    }
    case "el-crash":
      return { ...timed, kind, node, lost: random.between(0, 5) };
    case "el-away":
    case "el-wipe":
    case "el-syncing":
      return { ...timed, kind, node };
    case "el-lies":
      return { ...timed, kind, node, share: random.pick([0.1, 0.5, 1]) };
    case "el-slow":
      return { ...timed, kind, node, times: random.pick([10, 100, 1_000]) };
    case "el-edge":
      return { ...timed, kind, node, edge: random.pick(EL_EDGES) };
  }
}

/** How long a fault of rounds waits for its height, and at most lasts. */
const ROUNDS_WAIT_MS = 12_000;

/** Share of seeds that begin with crossed locks, and of their heights those that such a lock is wanted at. */
const CROSSING_SEEDS = 0.15;
const CROSSING_HEIGHTS = 0.1;
/** Propose timeouts that a height with crossed locks takes: three rounds. */
const CROSSING_TIMEOUTS = 4;

/**
 * A proposer that must refuse an older block with a polka, because it locked alone on a newer one (L28, L32), takes three
 * rounds that go as they are meant to: other faults hardly ever let them. So on some seeds these come first and alone; the
 * other faults begin when they are over.
 */
function drawCrossings(
  random: Random,
  plan: Pick<Plan, "validators" | "heights" | "timeouts" | "blockIntervalMs">,
): { readonly forMs: number; faults(id: number): readonly Fault[] } {
  if (!random.chance(CROSSING_SEEDS) || plan.validators < 4) return { forMs: 0, faults: () => [] };
  const all = Array.from({ length: plan.validators }, (_, i) => i);
  const count = Math.ceil(plan.heights * CROSSING_HEIGHTS);
  const eachMs = plan.blockIntervalMs + CROSSING_TIMEOUTS * plan.timeouts.proposeMs;
  const forMs = count * eachMs;
  const orders = Array.from({ length: count }, () => random.sample(all, all.length));
  return {
    forMs,
    faults: (id) =>
      orders.map((order, i) => ({
        id: id + i,
        atMs: 100 + i,
        forMs: forMs + ROUNDS_WAIT_MS,
        kind: "lock-alone",
        order,
        story: "crossed",
      })),
  };
}

/** Small scope: one or two nodes in up to three rounds. */
function drawRounds(random: Random, all: readonly number[]): RoundCut[] {
  const some = (): number[] => random.sample(all, random.pick([0, 0, 1, 1, 2])).sort();
  return Array.from({ length: random.between(1, 3) }, () => ({
    silent: some(),
    quiet: some(),
    deaf: some(),
  }));
}
