/** One attack on a network that runs: how it did before, how it does meanwhile, whether it is itself again afterwards. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { NodeNow } from "../../test/support/live.ts";
import { rpc } from "../../test/support.ts";
import type { Report, Scene } from "../campaign.ts";
import { heldMib } from "../memory.ts";
import type { ChaosNetwork } from "../network.ts";
import { Attacker } from "./attacker.ts";
import type { Deeds, Order } from "./order.ts";
import type { Variant } from "./variants.ts";
import { type NodeSight, type Sight, watch } from "./watch.ts";

/** What a network may suffer from an attack. */
export const HARM = {
  /** Longer time per height; and so many ms are the machine's noise. */
  slower: 0.1,
  noiseMs: 25,
  /** More resident memory of a node meanwhile, MiB. */
  mib: 64,
  /** More that its heap holds afterwards, garbage collected: compiled code, caches that were not full yet; a tenth of a node, MiB. */
  keptMib: 16,
  /** ms of event-loop delay, 99th percentile; and so many times its delay without the attack. */
  loopP99Ms: 50,
  loopTimes: 3,
  /** Signatures beyond what the same number of heights took before, where the attack brought none. */
  verifiedTimes: 1.25,
} as const;
const QUIET_MS = 5_000;
/** Of which the first is for peers. */
const PORTS_PER_NODE = 10;

export interface SiegeOptions {
  readonly seconds: number;
  readonly quietMs?: number;
  /** Nodes that are attacked. */
  readonly victims: readonly string[];
  /** Nodes that are there; all of them unless told. */
  readonly names?: readonly string[];
  /** For the attacker, see Order. */
  readonly stolenKey?: string;
}

/** Where strangers reach a node, past the network's wires. */
export async function addressesOf({ live }: ChaosNetwork, names: readonly string[]): Promise<string[]> {
  const nodes = await live.nodes();
  return names.map((name) => {
    const index = nodes.findIndex((one) => one.name === name);
    const port = live.basePort + PORTS_PER_NODE * index;
    return `/ip4/127.0.0.1/tcp/${port}/p2p/${nodes[index]?.peer_id}`;
  });
}

interface Validators {
  readonly validators: readonly { readonly address: string }[];
}

/** An order with what any stranger can find out. */
export async function orderFor(
  net: ChaosNetwork,
  order: Pick<Order, "attack" | "hosts" | "perSecond" | "seconds"> & Partial<Order>,
  victims: readonly string[],
): Promise<Order> {
  const node = await net.live.node(victims[0] ?? "node0");
  const { validators } = await rpc<Validators>(node.rpc, "validators?per_page=100");
  const { node_info } = await rpc<{ readonly node_info: { readonly network: string } }>(node.rpc, "status");
  return {
    targets: await addressesOf(net, victims),
    validators: validators.map(({ address }) => address.toLowerCase()),
    chainId: node_info.network,
    ...{ stolenKey: null, honest: null, thrownOutMs: null },
    ...order,
  };
}

/** Ends of links between validators that a node logged since a point of its log. */
class Links {
  readonly #logs: readonly { readonly name: string; readonly file: string; readonly from: number }[];
  readonly #ids: readonly string[];

  private constructor(net: ChaosNetwork, ids: readonly string[]) {
    this.#ids = ids;
    this.#logs = net.live.names.map((name) => {
      const file = join(net.live.homeOf(name), "node.log");
      return { name, file, from: statSync(file).size };
    });
  }

  static async from(net: ChaosNetwork, names: readonly string[]): Promise<Links> {
    return new Links(
      net,
      (await present(net, names)).map(({ peer_id }) => peer_id),
    );
  }

  lost(): string[] {
    return this.#logs.flatMap(({ name, file, from }) =>
      readFileSync(file)
        .subarray(from)
        .toString("utf8")
        .split("\n")
        .filter((line) => line.includes("peer disconnected") && this.#ids.some((id) => line.includes(id)))
        .map((line) => `${name}: ${line.slice(0, 160)}`),
    );
  }
}

async function present({ live }: ChaosNetwork, names: readonly string[]): Promise<readonly NodeNow[]> {
  return (await live.nodes()).filter(({ name }) => names.includes(name));
}

export async function besiege(scene: Scene, variant: Variant, options: SiegeOptions): Promise<Deeds> {
  const { net, pace, report } = scene;
  const { live } = net;
  const { names = live.names, victims, seconds, stolenKey = null } = options;
  // Of a node that just began nothing can be asked.
  await live.advances(1, names);
  const order = await orderFor(net, { ...variant, seconds, stolenKey }, victims);
  const held = await heldMib(await present(net, names));
  const quiet = await watch(net, pace, names, delay(options.quietMs ?? QUIET_MS));
  const links = await Links.from(net, names);
  const attacker = new Attacker(order);
  try {
    await attacker.begun;
    const sight = await watch(net, pace, names, attacker.deeds);
    const deeds = await attacker.deeds;
    judgeHarm(report, variant, quiet, sight);
    judgeDeeds(report, variant, deeds);
    for (const lost of links.lost()) report.problem(`a link between validators ended: ${lost}`);
    await settles(scene, held, names);
    report.say(describe(variant, options, quiet, sight, deeds));
    return deeds;
  } finally {
    attacker.end();
  }
}

export function judgeHarm(report: Report, variant: Variant, quiet: Sight, sight: Sight): void {
  const { slack } = report;
  const bound = quiet.p50Ms * (1 + HARM.slower * slack) + HARM.noiseMs * slack;
  report.measured(`${variant.attack}: height without the attack, p50 ms`, quiet.p50Ms);
  report.measured(`${variant.attack}: height under attack, p50 ms`, sight.p50Ms);
  if (!(sight.p50Ms <= bound))
    report.problem(`p50 ${ms(sight.p50Ms)} a height, ${ms(quiet.p50Ms)} before; the bound is ${ms(bound)}`);
  for (const [i, node] of sight.nodes.entries()) {
    const before = quiet.nodes[i];
    if (before === undefined) continue;
    const grown = node.highMib - before.highMib;
    report.measured(`${variant.attack}: growth of a node, MiB`, Math.max(0, grown));
    report.measured(`${variant.attack}: event-loop delay p99, ms`, node.loopP99Ms);
    if (grown > HARM.mib) report.problem(`${node.name} grew by ${grown.toFixed(0)} MiB`);
    const loop = Math.max(HARM.loopP99Ms, HARM.loopTimes * before.loopP99Ms) * slack;
    if (node.loopP99Ms > loop)
      report.problem(
        `event loop of ${node.name}: p99 ${ms(node.loopP99Ms)}, ${ms(before.loopP99Ms)} before; the bound is ${ms(loop)}`,
      );
    if (variant.onlyRepeats === true) judgeVerified(report, before, node, quiet.heights, sight.heights);
  }
}

function judgeVerified(
  report: Report,
  before: NodeSight,
  node: NodeSight,
  heightsBefore: number,
  heights: number,
): void {
  const usual = before.verified / Math.max(1, heightsBefore);
  const now = node.verified / Math.max(1, heights);
  report.measured("signatures verified a height, in hundredths", 100 * now);
  if (now > usual * HARM.verifiedTimes + 2)
    report.problem(
      `${node.name} verified ${now.toFixed(1)} signatures a height, ${usual.toFixed(1)} before: repeats are verified again`,
    );
}

function judgeDeeds(report: Report, { attack, thrownOutMs }: Variant, deeds: Deeds): void {
  for (const [what, count] of Object.entries(deeds.sent)) report.measured(`${attack}: sent ${what}`, count);
  if (Object.keys(deeds.sent).length === 0) report.problem("nothing of the attack reached the network");
  if (thrownOutMs === null) return;
  for (const each of deeds.thrownOutMs) report.took(`${attack}: thrown out after`, each, thrownOutMs);
  if (deeds.open > 0) report.problem(`${deeds.open} offenders were still connected at the end`);
  if (deeds.thrownOutMs.length === 0) report.problem("nobody was thrown out");
}

/** The chain goes on, and nothing of the attack is kept. */
async function settles(
  { net, report }: Scene,
  before: ReadonlyMap<string, number>,
  names: readonly string[],
): Promise<void> {
  await net.live.advances(1, names);
  for (const [name, mib] of await heldMib(await present(net, names))) {
    const kept = mib - (before.get(name) ?? mib);
    report.measured("kept by a node's heap, KiB", Math.max(0, 1024 * kept));
    if (kept > HARM.keptMib) report.problem(`${name}'s heap keeps ${kept.toFixed(1)} MiB of it`);
  }
}

const ms = (value: number): string => `${value.toFixed(0)} ms`;

function describe(
  { bar, attack, hosts }: Variant,
  { victims }: SiegeOptions,
  quiet: Sight,
  sight: Sight,
  deeds: Deeds,
): string {
  const of = (pick: (node: NodeSight) => number, sight_: Sight): string =>
    Math.max(...sight_.nodes.filter(({ name }) => victims.includes(name)).map(pick)).toFixed(2);
  const sent = Object.entries({ ...deeds.sent, ...deeds.told }).map(([what, count]) => `${count} ${what}`);
  const slowest = Math.max(0, ...deeds.thrownOutMs);
  const grown = Math.max(
    ...sight.nodes.map(({ highMib }, i) => highMib - (quiet.nodes[i]?.highMib ?? highMib)),
  );
  return [
    `${bar} ${attack} by ${hosts} on ${victims.join(" ")}: ${sent.join(", ")}; in ${sight.seconds.toFixed(0)} s`,
    `  height p50 ${ms(quiet.p50Ms)} -> ${ms(sight.p50Ms)}, p95 ${ms(quiet.p95Ms)} -> ${ms(sight.p95Ms)};` +
      ` cores of a victim ${of((n) => n.cores, quiet)} -> ${of((n) => n.cores, sight)};` +
      ` loop p99 ${of((n) => n.loopP99Ms, quiet)} -> ${of((n) => n.loopP99Ms, sight)} ms;` +
      ` memory +${grown.toFixed(0)} MiB; verified ${of((n) => n.verified, quiet)} -> ${of((n) => n.verified, sight)};` +
      ` messages ${of((n) => n.messages, quiet)} -> ${of((n) => n.messages, sight)}`,
    `  thrown out ${deeds.thrownOutMs.length}, the slowest after ${ms(slowest)}; ${deeds.open} stayed, ${deeds.refused} were refused${deeds.whyRefused === null ? "" : ` (${deeds.whyRefused})`}`,
  ].join("\n");
}
