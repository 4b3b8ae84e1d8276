/**
 * Which nodes have a link to each other. Most networks of validators are full meshes; operators also build rings of
 * offices, one hub for all, partial meshes, and validators that only their own sentries reach.
 */
import type { Random } from "../core/random.ts";

export const LINK_SHAPES = ["mesh", "ring", "line", "star", "random", "sentries"] as const;
export type LinkShape = (typeof LINK_SHAPES)[number];

export type Pair = readonly [number, number];

/** Less than a full mesh. Nodes by index: validators, then sentries. */
export interface Links {
  readonly shape: Exclude<LinkShape, "mesh">;
  /** Full nodes without a key that pass on what validators say. */
  readonly sentries: number;
  readonly pairs: readonly Pair[];
  /** Whether everybody's configuration names the peer of every validator, not only bindings those of its neighbours. */
  readonly known: boolean;
}

/** Fewer validators have a link to each other in all of these shapes. */
export const LEAST_SPARSE = 4;
const SHARE = 0.25;
const DRAWN: readonly Links["shape"][] = ["ring", "line", "star", "random", "sentries"];
/** Orders of nodes tried until liars cut off nobody; few liars of few shapes need more than some. */
const TRIES = 64;

/**
 * The links of a seed, `null` for a full mesh: whatever `wanted` says, else less than that in a share of the seeds. The
 * nodes of `liars` are nobody's only way to anybody else.
 */
export function drawLinks(
  random: Random,
  validators: number,
  liars: readonly number[],
  wanted: LinkShape | null,
): Links | null {
  const sparse = random.chance(SHARE);
  const drawn = random.pick(DRAWN);
  const shape = wanted ?? (sparse ? drawn : "mesh");
  if (shape === "mesh" || validators < LEAST_SPARSE) return null;
  const known = random.chance(0.5);
  const validatorsAlone = Array.from({ length: validators }, (_, node) => node);
  const shapes = random.split(shape);
  for (let left = TRIES; left > 0; left--) {
    const order = shapes.sample(validatorsAlone, validators);
    const links = { shape, known, ...drawPairs(shape, order, shapes) };
    if (isConnected(links, validators, liars)) return links;
  }
  return null;
}

function drawPairs(
  shape: Links["shape"],
  order: readonly number[],
  random: Random,
): Pick<Links, "pairs" | "sentries"> {
  const path = order.slice(1).map((node, i): Pair => [order[i] ?? 0, node]);
  const [first = 0] = order;
  switch (shape) {
    case "ring":
      return { sentries: 0, pairs: [...path, [order.at(-1) ?? 0, first]] };
    case "line":
      return { sentries: 0, pairs: path };
    case "star":
      return { sentries: 0, pairs: order.slice(1).map((node): Pair => [first, node]) };
    case "random":
      return { sentries: 0, pairs: drawTree(order, random) };
    case "sentries":
      return drawSentries(order, random);
  }
}

/** Everybody has a link to one of those before, and some one more: degree two or three on average. */
function drawTree(order: readonly number[], random: Random): readonly Pair[] {
  const pairs = order.slice(1).map((node, i): Pair => [order[random.below(i + 1)] ?? 0, node]);
  for (let more = random.between(0, Math.ceil(order.length / 2)); more > 0; more--) {
    const [a = 0, b = 0] = random.sample(order, 2);
    if (!pairs.some(([x, y]) => (x === a && y === b) || (x === b && y === a))) pairs.push([a, b]);
  }
  return pairs;
}

/** Two sentries at least, with links to each other; every validator has one or two of them and no other link. */
function drawSentries(order: readonly number[], random: Random): Pick<Links, "pairs" | "sentries"> {
  const count = random.between(2, order.length);
  const sentries = Array.from({ length: count }, (_, i) => order.length + i);
  const pairs = sentries.flatMap((one, i) => sentries.slice(i + 1).map((other): Pair => [one, other]));
  for (const [i, node] of order.entries()) {
    const own = order.length + (i % count);
    pairs.push([node, own]);
    if (random.chance(0.4)) pairs.push([node, order.length + ((i + 1) % count)]);
  }
  return { sentries: count, pairs };
}

/** Whether all others reach each other without these. */
export function isConnected(
  links: Pick<Links, "pairs" | "sentries">,
  validators: number,
  without: readonly number[],
): boolean {
  const nodes = Array.from({ length: validators + links.sentries }, (_, node) => node).filter(
    (node) => !without.includes(node),
  );
  const reached = new Set(nodes.slice(0, 1));
  for (const node of reached)
    for (const each of neighbours(links, node)) if (!without.includes(each)) reached.add(each);
  return reached.size === nodes.length;
}

export function neighbours({ pairs }: Pick<Links, "pairs">, node: number): readonly number[] {
  return pairs.flatMap(([a, b]) => (a === node ? [b] : b === node ? [a] : []));
}

/** Most links on the shortest way between two nodes; 1 in a full mesh. */
export function diameter(links: Links | null, validators: number): number {
  if (links === null) return 1;
  let most = 1;
  for (let start = 0; start < validators; start++) {
    const far = new Map([[start, 0]]);
    for (const [node, hops] of far)
      for (const each of neighbours(links, node)) if (!far.has(each)) far.set(each, hops + 1);
    for (let end = 0; end < validators; end++) most = Math.max(most, far.get(end) ?? 0);
  }
  return most;
}

/** A line for people. */
export function linksText(links: Links | null): string {
  if (links === null) return "full mesh";
  const { shape, sentries, pairs, known } = links;
  const ways = pairs.map(([a, b]) => `${a}-${b}`).join(" ");
  return `${shape}${sentries > 0 ? ` (${sentries} of them)` : ""}, ${known ? "all" : "neighbours'"} peer ids known: ${ways}`;
}
