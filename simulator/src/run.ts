/** One seed from start to verdict. */
import { inspect } from "node:util";
import type { LogPort } from "@quorate/gossip/core";
import { type Liar, Strategy } from "./byzantine/strategy.ts";
import { Cluster } from "./cluster/cluster.ts";
import { makeGenesis, validatorKey } from "./cluster/genesis.ts";
import { mostValidators, type Person, peopleOf } from "./cluster/people.ts";
import { Random } from "./core/random.ts";
import { Scheduler } from "./core/scheduler.ts";
import { type CryptoScheme, keyedHashes, realEd25519 } from "./crypto/keyed-hash.ts";
import { DEFAULT_COSTS } from "./crypto/ports.ts";
import { churn } from "./el/churn.ts";
import { submitReports } from "./el/reports.ts";
import { FaultPlayer } from "./faults/apply.ts";
import { type Byzantine, drawPlan, type Plan, withChurn } from "./faults/draw.ts";
import { FAULT_GROUPS, type Fault, faultText } from "./faults/fault.ts";
import { type DecidedHeight, Judge, type Violation } from "./judge.ts";
import { type LinkShape, type Links, linksText } from "./network/links.ts";
import { Recorder } from "./recorder.ts";
import type { Trace, TraceEvent, Verdict } from "./trace.ts";
import type { Witness } from "./witness.ts";

export interface RunOptions {
  readonly seed: number;
  /** Default: the seed's own number. */
  readonly validators?: number;
  /** Default 50. */
  readonly heights?: number;
  /** Which faults of the seed's plan happen: names of groups or kinds, numbers of the plan, "all" (default), "none". */
  readonly faults?: readonly string[];
  readonly crypto?: "hash" | "real";
  /** Byzantine nodes in every seed. */
  readonly byzantine?: boolean;
  /** Who has a link to whom, instead of the seed's own. */
  readonly links?: LinkShape;
  /** Execution requests change the set at every height, see `withChurn`. */
  readonly churn?: boolean;
  /** Changes what the seed drew. */
  readonly plan?: (drawn: Plan) => Plan;
  /** Instead of `crypto`: for whoever counts what is verified. */
  readonly scheme?: CryptoScheme;
  /** A Byzantine node does more than its plan says. `now`: virtual ms. */
  readonly liar?: (says: Liar, now: () => number) => Liar;
  /** What happens beside the plan from the begin on; `past`: decided heights. */
  readonly beside?: (cluster: Cluster, past: ReadonlyMap<number, DecidedHeight>) => void;
  /** Keeps every event. */
  readonly trace?: boolean;
  /** Hashes every event, whether it is kept or not. */
  readonly hash?: boolean;
  /** The product's own log, line by line. */
  readonly log?: (line: string) => void;
}

export interface SimResult {
  readonly seed: number;
  readonly verdict: Verdict;
  readonly violations: readonly Violation[];
  readonly validators: number;
  /** `null`: a full mesh. */
  readonly links: Links | null;
  readonly heights: number;
  /** Lowest height that every honest node reached. */
  readonly reached: number;
  /** Virtual ms of the whole run, and when the faults ended. */
  readonly virtual_ms: number;
  readonly healed_ms: number;
  /**
   * Virtual ms after healing until every honest node was three heights further, less the pauses that the chain makes
   * between blocks; `null` when it never was.
   */
  readonly recovery_ms: number | null;
  /** Of this chain, ms: how long a recovery may take depends on it. */
  readonly timeout_propose_ms: number;
  readonly messages: number;
  readonly bytes: number;
  readonly faults: readonly string[];
  readonly witness: Witness;
  /** SHA-256 of the trace; empty unless asked for. */
  readonly trace_hash: string;
  /** The command that replays this run. */
  readonly replay: string;
  readonly wall_ms: number;
  readonly trace: Trace | null;
}

/** Heights that every honest node has to gain after healing. */
const LIVE_HEIGHTS = 3;
/** R03, at timeouts of 300/150/150 ms. */
const LIVE_BOUND_MS = 30_000;
const BOUND_TIMEOUT_MS = 300;
/** Heights left for after the healing: at most so many, of a short run a third. */
const CALM_HEIGHTS = 10;

export async function runSeed(options: RunOptions): Promise<SimResult> {
  const startedAt = performance.now();
  const plan = planOf(options);
  const chosen = options.faults ?? ["all"];
  const faults = chosenFaults(plan.faults, chosen);
  const byzantine = chosen.includes("all") || chosen.includes("byzantine") ? plan.byzantine : null;
  const honest = (node: number): boolean => byzantine?.nodes.includes(node) !== true;
  const scheduler = new Scheduler();
  const recorder = new Recorder(() => scheduler.now, {
    keep: options.trace === true,
    hashed: options.hash === true,
  });
  const judge = new Judge(recorder);
  const people = peopleOf(plan);
  const cluster = makeCluster({ plan, byzantine, people }, options, scheduler, judge);
  judge.watch(cluster, honest, (place) => plan.framed?.includes(place) === true, people);
  const stray = catchStray((reason) =>
    judge.violated("clean-exits", `an unhandled rejection: ${reason}`, []),
  );
  try {
    const outcome = await play(
      { plan, faults, people, honest, ...(options.beside === undefined ? {} : { beside: options.beside }) },
      cluster,
      judge,
      recorder,
    );
    return {
      ...outcome,
      seed: plan.seed,
      violations: judge.violations,
      validators: plan.validators,
      links: plan.links,
      timeout_propose_ms: plan.timeouts.proposeMs,
      heights: plan.heights,
      reached: lowestOf(judge, honest),
      virtual_ms: Math.round(scheduler.now),
      messages: judge.messages.count,
      bytes: judge.messages.bytes,
      faults: [...byzantineText(byzantine), ...faults.map(faultText)],
      witness: judge.witness.result(),
      trace_hash: recorder.hash(),
      replay: replayOf(options, plan, faults, byzantine),
      wall_ms: Math.round(performance.now() - startedAt),
      trace:
        options.trace === true
          ? traceOf(plan, cluster, { faults, byzantine }, outcome.verdict, recorder.events)
          : null,
    };
  } finally {
    stray.stop();
  }
}

interface Outcome {
  readonly verdict: Verdict;
  readonly healed_ms: number;
  readonly recovery_ms: number | null;
}

/** Lowest height of an honest node. */
function lowestOf(judge: Judge, honest: (node: number) => boolean): number {
  return Math.min(...judge.heights.filter((_, node) => honest(node)));
}

function byzantineText(byzantine: Byzantine | null): string[] {
  if (byzantine === null) return [];
  const { nodes, behaviours, often } = byzantine;
  return [`byzantine {${nodes.join(",")}}: ${behaviours.join(", ")}, on ${often * 100} % of occasions`];
}

interface Scene extends Pick<RunOptions, "beside"> {
  readonly plan: Plan;
  readonly faults: readonly Fault[];
  readonly people: readonly Person[];
  readonly honest: (node: number) => boolean;
}

async function play(
  { plan, faults, people, honest, beside }: Scene,
  cluster: Cluster,
  judge: Judge,
  recorder: Recorder,
): Promise<Outcome> {
  const { scheduler } = cluster;
  const player = new FaultPlayer(cluster, recorder);
  judge.followers.push((node, after) => player.step(node, after));
  const broken = (): boolean => judge.violations.length > 0;
  await cluster.begin();
  submitLoad(plan, cluster);
  reportWhoSignsTwice(plan, people, cluster, judge);
  beside?.(cluster, judge.past);
  player.play(faults);
  const target = Math.max(1, plan.heights - Math.min(CALM_HEIGHTS, Math.ceil(plan.heights / 3)));
  const lastFault = faults.reduce((latest, { atMs }) => Math.max(latest, atMs + 1), 0);
  // Faults go on until the chain is near its end; one that does not get there at all is healed in time.
  await scheduler.run(plan.faultsForMs, () => broken() || Math.max(...judge.heights) >= target);
  if (scheduler.now < lastFault && Math.max(...judge.heights) < target) {
    await scheduler.run(plan.faultsForMs, broken);
  }
  player.heal();
  judge.healed();
  const healedAt = scheduler.now;
  const from = Math.max(...judge.heights);
  const bound = LIVE_BOUND_MS * Math.max(1, plan.timeouts.proposeMs / BOUND_TIMEOUT_MS);
  const lowest = (): number => lowestOf(judge, honest);
  const three = plan.blockIntervalMs * LIVE_HEIGHTS;
  const how = await scheduler.run(
    healedAt + bound + three,
    () => broken() || lowest() >= from + LIVE_HEIGHTS,
  );
  const recovery = how === "done" && !broken() ? scheduler.now - healedAt : null;
  if (recovery !== null) {
    const rest = Math.max(0, plan.heights - lowest());
    const enough = scheduler.now + bound + rest * (plan.blockIntervalMs + 2_000);
    await scheduler.run(
      enough,
      () => broken() || (lowest() >= plan.heights && executed(cluster, honest) >= plan.heights),
    );
  }
  if (!broken() && recovery !== null) judge.ended(lowest());
  const live = recovery !== null && lowest() >= plan.heights && executed(cluster, honest) >= plan.heights;
  return {
    verdict: broken() ? "violation" : live ? "ok" : "stall",
    healed_ms: Math.round(healedAt),
    recovery_ms: recovery === null ? null : Math.max(0, Math.round(recovery - three)),
  };
}

/** Lowest head of an execution client; as high as any when there is none. */
function executed(cluster: Cluster, honest: (node: number) => boolean): number {
  const heads = cluster.members
    .filter((_, node) => honest(node))
    .map(({ client }) => client?.head.number ?? Number.POSITIVE_INFINITY);
  return Math.min(...heads);
}

function reportWhoSignsTwice(
  { framed = [], seed }: Plan,
  people: readonly Person[],
  cluster: Cluster,
  judge: Judge,
): void {
  if (framed.length === 0) return;
  submitReports(
    {
      cluster,
      people,
      framed,
      past: judge.past,
      convicted: (address) => judge.convicts.has(address),
      odd: (oddity) => judge.witness.saw(`reports-${oddity}`),
      taken: (node, oddity) =>
        judge.violated("never-accused", `node ${node} holds a report that proves nothing: ${oddity}`, [node]),
    },
    new Random(`seed ${seed}/reports`),
  );
}

/** Users hand in transactions at random nodes. */
function submitLoad({ load, seed }: Plan, cluster: Cluster): void {
  if (load.everyMs === 0) return;
  const random = new Random(`seed ${seed}/users`);
  const next = (): void => {
    cluster.scheduler.after(random.exponential(load.everyMs), () => {
      const raw = new Uint8Array(1 + random.between(40, load.bytes)).fill(7);
      new DataView(raw.buffer).setUint32(1, random.next());
      raw[0] = 2;
      const { client, process } = cluster.member(random.below(cluster.members.length));
      if (client !== null) client.submit(`0x${Buffer.from(raw).toString("hex")}`);
      else void process?.execution?.mempool?.submit(raw);
      next();
    });
  };
  next();
}

function makeCluster(
  {
    plan,
    byzantine,
    people,
  }: { readonly plan: Plan; readonly byzantine: Byzantine | null; readonly people: readonly Person[] },
  options: RunOptions,
  scheduler: Scheduler,
  judge: Judge,
): Cluster {
  const scheme = options.scheme ?? (options.crypto === "real" ? realEd25519 : keyedHashes);
  const keys = Array.from({ length: plan.validators }, (_, index) => validatorKey(scheme, index));
  const genesis = makeGenesis(plan, keys);
  const liars = new Set(byzantine?.nodes);
  const validators = keys.map((key, index) => ({
    index,
    name: liars.has(index) ? `node${index} (byzantine)` : `node${index}`,
    peerId: `peer${index}`,
    key,
  }));
  const sentries = Array.from({ length: plan.links?.sentries ?? 0 }, (_, i) => {
    const index = keys.length + i;
    return { index, name: `sentry${i}`, peerId: `peer${index}`, key: null };
  });
  return new Cluster(
    {
      genesis,
      identities: [...validators, ...sentries],
      links: plan.links,
      scheme,
      costs: DEFAULT_COSTS,
      quality: plan.quality,
      disk: plan.disk,
      skews: plan.skews.map((skew) => ({ ...skew })),
      strategies: strategiesOf(plan, byzantine, options.liar, () => scheduler.now),
      mostValidators: mostValidators(plan),
      ...(plan.churn === undefined
        ? {}
        : { requests: churn(plan.seed, genesis, people, plan.appetite ?? "small") }),
      log: (node, module) => logPort(options.log, scheduler, node, module),
    },
    scheduler,
    judge,
    new Random(`seed ${plan.seed}/run`),
  );
}

/** One strategy for all: they collude. */
function strategiesOf(
  { seed }: Plan,
  byzantine: Byzantine | null,
  liar: RunOptions["liar"],
  now: () => number,
): ReadonlyMap<number, Liar> {
  if (byzantine === null) return new Map();
  const { nodes, behaviours, often } = byzantine;
  const strategy = new Strategy(behaviours, often, new Random(`seed ${seed}/byzantine`));
  return new Map(nodes.map((node) => [node, liar?.(strategy, now) ?? strategy]));
}

export function planOf(options: RunOptions): Plan {
  const seeds = drawPlan(options.seed, wishesOf(options));
  const drawn = options.churn === true ? withChurn(seeds) : seeds;
  return options.plan?.(drawn) ?? drawn;
}

function wishesOf({ validators, heights, byzantine, links }: RunOptions): Parameters<typeof drawPlan>[1] {
  return {
    ...(validators === undefined ? {} : { validators }),
    ...(heights === undefined ? {} : { heights }),
    ...(byzantine === undefined ? {} : { byzantine }),
    ...(links === undefined ? {} : { links }),
  };
}

/** @throws Error when a name is none. */
export function chosenFaults(faults: readonly Fault[], chosen: readonly string[]): readonly Fault[] {
  if (chosen.includes("all")) return faults;
  const kinds = new Set<string>();
  const ids = new Set<number>();
  for (const name of chosen) {
    if (name === "none" || name === "" || name === "byzantine") continue;
    if (/^\d+$/.test(name)) ids.add(Number(name));
    else for (const kind of kindsOf(name)) kinds.add(kind);
  }
  return faults.filter((fault) => kinds.has(fault.kind) || ids.has(fault.id));
}

function kindsOf(name: string): readonly string[] {
  const group = FAULT_GROUPS[name];
  if (group !== undefined) return group;
  const all = Object.values(FAULT_GROUPS).flat();
  const kind = all.find((each) => each === name);
  if (kind !== undefined) return [kind];
  throw new Error(
    `"${name}" is no fault; there are ${[...Object.keys(FAULT_GROUPS), ...all].join(", ")}, byzantine, all, none`,
  );
}

function replayOf(
  options: RunOptions,
  plan: Plan,
  faults: readonly Fault[],
  byzantine: Byzantine | null,
): string {
  const parts = [`npm run sim -- --seed ${plan.seed}`];
  if (options.validators !== undefined) parts.push(`--validators ${plan.validators}`);
  if (options.heights !== undefined) parts.push(`--heights ${plan.heights}`);
  if (faults.length < plan.faults.length || byzantine !== plan.byzantine) {
    const names = [...(byzantine === null ? [] : ["byzantine"]), ...faults.map(({ id }) => String(id))];
    parts.push(`--faults ${names.length === 0 ? "none" : names.join(",")}`);
  }
  if (options.byzantine === true) parts.push("--byzantine");
  if (options.links !== undefined) parts.push(`--links ${options.links}`);
  if (options.churn === true) parts.push("--churn");
  if (options.crypto === "real") parts.push("--crypto real");
  return parts.join(" ");
}

function traceOf(
  plan: Plan,
  cluster: Cluster,
  { faults, byzantine }: { faults: readonly Fault[]; byzantine: Byzantine | null },
  verdict: Verdict,
  events: readonly TraceEvent[],
): Trace {
  return {
    header: {
      seed: plan.seed,
      validators: plan.validators,
      links: linksText(plan.links),
      names: cluster.members.map(({ identity }) => identity.name),
      heights: plan.heights,
      faults: [...byzantineText(byzantine), ...faults.map(faultText)],
      verdict,
    },
    events,
  };
}

/** A promise that nobody waits for and that fails is a bug of the product, whoever's it is. */
function catchStray(found: (reason: string) => void): { stop(): void } {
  const listener = (reason: unknown): void => found(inspect(reason));
  process.on("unhandledRejection", listener);
  return { stop: () => void process.off("unhandledRejection", listener) };
}

function logPort(
  write: ((line: string) => void) | undefined,
  scheduler: Scheduler,
  node: number,
  module: string,
): LogPort {
  const nothing = (): void => undefined;
  if (write === undefined) return { debug: nothing, info: nothing, warn: nothing, error: nothing };
  const say =
    (level: string) =>
    (message: string, facts: Readonly<Record<string, unknown>> = {}): void => {
      const shown = JSON.stringify(facts, (_key, value: unknown) => {
        if (typeof value === "bigint") return value.toString();
        return value instanceof Uint8Array ? Buffer.from(value.subarray(0, 4)).toString("hex") : value;
      });
      write(`${scheduler.now.toFixed(3)} node${node} ${level} ${module}: ${message} ${shown}`);
    };
  return { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
}
