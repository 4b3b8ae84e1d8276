/** Who proposed and who voted for what, per height and round: what a person needs to see why a round decided or not. */
import { aboutOf } from "./message-kinds.ts";
import type { Decision, Lane, Model } from "./model.ts";

export interface RoundVotes {
  readonly height: number;
  readonly round: number;
  /** First entry of any node into this round. */
  readonly from: number;
  /** First entry of any node into a later round or decision of the height; the end of the run otherwise. */
  readonly until: number;
  readonly proposer: number | null;
  readonly proposedAt: number;
  readonly block: string;
  /** When the proposal of this round reached each node first; the proposer's own at once; NaN: never. */
  readonly reached: readonly number[];
  /** Per node what it signed, in order: blocks, "nil"; more than one different means equivocation. */
  readonly prevotes: readonly (readonly string[])[];
  readonly precommits: readonly (readonly string[])[];
  readonly prevotedAt: readonly number[];
}

export interface HeightStory {
  readonly height: number;
  readonly rounds: readonly RoundVotes[];
  /** Per node its decision of this height, null: none. */
  readonly decisions: readonly (Decision | null)[];
}

type Building = { -readonly [K in keyof RoundVotes]: RoundVotes[K] } & {
  reached: number[];
  prevotes: string[][];
  precommits: string[][];
  prevotedAt: number[];
};

/** Every height that anyone entered, signed for or decided, in order. */
export function heightStories(model: Model): HeightStory[] {
  const nodes = model.lanes.length;
  const all = new Map<number, Map<number, Building>>();
  const at = (height: number, round: number): Building => {
    const rounds = all.get(height) ?? new Map<number, Building>();
    all.set(height, rounds);
    const known = rounds.get(round);
    if (known !== undefined) return known;
    const built: Building = {
      height,
      round,
      from: Number.POSITIVE_INFINITY,
      until: model.end,
      proposer: null,
      proposedAt: Number.NaN,
      block: "",
      reached: new Array(nodes).fill(Number.NaN),
      prevotes: Array.from({ length: nodes }, () => []),
      precommits: Array.from({ length: nodes }, () => []),
      prevotedAt: new Array(nodes).fill(Number.NaN),
    };
    rounds.set(round, built);
    return built;
  };
  for (const lane of model.lanes) {
    for (const { height, round, from } of lane.spans) {
      const entry = at(height, round);
      entry.from = Math.min(entry.from, from);
    }
    collectSignatures(lane, at);
  }
  collectArrivals(model, all);
  const heights = new Set([
    ...all.keys(),
    ...model.lanes.flatMap(({ decisions }) => decisions.map((d) => d.height)),
  ]);
  return [...heights]
    .sort((a, b) => a - b)
    .map((height): HeightStory => {
      const decisions = model.lanes.map(
        (lane) => lane.decisions.find((decision) => decision.height === height) ?? null,
      );
      const rounds = [...(all.get(height)?.values() ?? [])].sort((a, b) => a.round - b.round);
      const decidedAt = Math.min(model.end, ...decisions.flatMap((d) => (d === null ? [] : [d.t])));
      rounds.forEach((round, i) => {
        round.until = Math.min(rounds[i + 1]?.from ?? Number.POSITIVE_INFINITY, decidedAt);
        if (!(round.until >= round.from)) round.until = round.from;
      });
      return { height, rounds, decisions };
    });
}

function collectSignatures(lane: Lane, at: (height: number, round: number) => Building): void {
  for (const { t, word, height, round, block } of lane.signatures) {
    if (height < 0 || round < 0) continue;
    const entry = at(height, round);
    if (word === "proposal") {
      if (entry.proposer !== null && entry.proposedAt <= t) continue;
      entry.proposer = lane.index;
      entry.proposedAt = t;
      entry.block = block;
      entry.reached[lane.index] = t;
    } else if (word === "prevote" || word === "precommit") {
      const list = (word === "prevote" ? entry.prevotes : entry.precommits)[lane.index]!;
      if (!list.includes(block)) list.push(block);
      if (word === "prevote" && Number.isNaN(entry.prevotedAt[lane.index])) entry.prevotedAt[lane.index] = t;
    }
  }
}

function collectArrivals(model: Model, all: ReadonlyMap<number, ReadonlyMap<number, Building>>): void {
  const { messages, texts } = model;
  const roundOf = texts.map((text) => {
    const { word, height, round } = aboutOf(text);
    return word === "proposal" ? (all.get(height)?.get(round) ?? null) : null;
  });
  for (let row = 0; row < messages.count; row++) {
    const entry = roundOf[messages.what[row]!] ?? null;
    if (entry === null || messages.fate[row] !== 0) continue;
    const to = messages.to[row]!;
    const before = entry.reached[to]!;
    if (Number.isNaN(before) || messages.end[row]! < before) entry.reached[to] = messages.end[row]!;
  }
}
