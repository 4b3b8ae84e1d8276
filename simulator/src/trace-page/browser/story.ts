/** The run told in sentences: one for the whole, and per height which round decided, by whom, and what held it up. */
import type { FaultSpan, Model, Violation } from "./model.ts";
import type { HeightStory, RoundVotes } from "./rounds.ts";
import { count, duration, listed, moment, plural } from "./text.ts";

/** As usual; as usual but not everywhere; more rounds or slower than usual; a law broken. */
export type Tone = "plain" | "late" | "slow" | "bad";

export interface Chapter {
  readonly height: number;
  readonly from: number;
  readonly until: number;
  readonly tone: Tone;
  /** What was decided, in which round, after how long: "1a2b3c4d in round 1, 2.3 s". */
  readonly headline: string;
  readonly sentences: readonly string[];
}

/** What the whole run was, in one paragraph. */
export function summary(model: Model, stories: readonly HeightStory[]): string {
  const decided = stories.filter(({ decisions }) => decisions.some((d) => d !== null));
  const later = decided.filter(({ decisions }) => decisions.some((d) => d !== null && d.round > 0));
  const crashes = model.lanes.flatMap(({ outages }) => outages.filter(({ kind }) => kind === "crash"));
  const pauses = model.lanes.flatMap(({ outages }) => outages.filter(({ kind }) => kind === "pause"));
  const lanes = model.lanes.length;
  const full = lanes - model.header.validators;
  const who = `${plural(model.header.validators, "validator")}${full > 0 ? ` and ${plural(full, "full node")}` : ""}`;
  const parts = [
    `${who} decided ${plural(decided.length, "height")} in ${duration(model.end)} of virtual time.`,
    later.length === 0
      ? "Every height was decided in round 0."
      : `${plural(later.length, "height")} needed more than one round (${listed(later.map(({ height }) => String(height)))}).`,
    `${plural(model.messages.count, "message")} ${model.messages.count === 1 ? "was" : "were"} sent, ${count(model.lost)} lost.`,
  ];
  if (crashes.length > 0) parts.push(`${plural(crashes.length, "crash", "crashes")}.`);
  if (pauses.length > 0) parts.push(`${plural(pauses.length, "pause")}.`);
  return parts.join(" ");
}

export function chapters(model: Model, stories: readonly HeightStory[]): Chapter[] {
  const took = model.heights.filter(({ decided }) => decided).map(({ from, until }) => until - from);
  const usual = [...took].sort((a, b) => a - b)[Math.floor(took.length / 2)] ?? 0;
  const spans = new Map(model.heights.map((span) => [span.height, span]));
  return stories.map((story): Chapter => {
    const span = spans.get(story.height);
    const from = span?.from ?? 0;
    const decisions = story.decisions.flatMap((d) => (d === null ? [] : [d]));
    const last = Math.max(from, ...decisions.map(({ t }) => t));
    const until = decisions.length > 0 ? last : (span?.until ?? model.end);
    const laws = model.violations.filter((violation) => heightOfViolation(model, violation) === story.height);
    const failed = story.rounds.filter((round) => !decidedIn(story, round));
    const first = decisions.length === 0 ? null : decisions.reduce((a, b) => (b.t < a.t ? b : a));
    const slow = first !== null && failed.length === 0 && first.t - from > usual * 1.5 + 20;
    const stragglers = stragglersOf(model, story, first?.t ?? 0, usual);
    const tone: Tone =
      laws.length > 0 || disagree(story)
        ? "bad"
        : first === null || first.round > 0 || slow
          ? "slow"
          : stragglers !== ""
            ? "late"
            : "plain";
    const sentences = [
      ...laws.map(({ law, text }) => `Law broken, ${law}: ${text}.`),
      ...(disagree(story) ? [disagreement(model, story)] : []),
      ...story.rounds.map((round) => roundSentence(model, story, round)),
      ...(slow ? [`Slower than usual (${duration(usual)})${during(model, from, first.t)}.`] : []),
      ...(stragglers === "" ? [] : [stragglers]),
    ].filter((sentence) => sentence !== "");
    return { height: story.height, from, until, tone, headline: headline(model, story, from), sentences };
  });
}

/** The height that it names; else the one that was being decided then. */
function heightOfViolation(model: Model, { t, text }: Violation): number {
  const named = /\bheight (\d+)/.exec(text)?.[1];
  if (named !== undefined) return Number(named);
  return (model.heights.find(({ until }) => t <= until) ?? model.heights.at(-1))?.height ?? 0;
}

function headline(model: Model, story: HeightStory, from: number): string {
  const decisions = story.decisions.flatMap((d) => (d === null ? [] : [d]));
  if (decisions.length === 0) return `not decided within the run${during(model, from, model.end)}`;
  const first = decisions.reduce((a, b) => (b.t < a.t ? b : a));
  return `${first.block} in round ${first.round}, ${duration(first.t - from)}`;
}

function decidedIn(story: HeightStory, { round }: RoundVotes): boolean {
  return story.decisions.some((decision) => decision !== null && decision.round === round);
}

function disagree({ decisions }: HeightStory): boolean {
  return new Set(decisions.flatMap((d) => (d === null ? [] : [d.block]))).size > 1;
}

function disagreement(model: Model, { decisions }: HeightStory): string {
  const byBlock = new Map<string, string[]>();
  decisions.forEach((decision, node) => {
    if (decision === null) return;
    byBlock.set(decision.block, [...(byBlock.get(decision.block) ?? []), name(model, node)]);
  });
  return `Nodes decided different blocks: ${listed([...byBlock].map(([block, nodes]) => `${block} by ${listed(nodes)}`))}.`;
}

function name(model: Model, node: number): string {
  return model.lanes[node]?.name ?? `node ${node}`;
}

/** "Round 0: node1 proposed 1a2b3c4d; it reached 1 of 3 others before they prevoted; prevotes: 2 for it, 2 nil; …" */
function roundSentence(model: Model, story: HeightStory, round: RoundVotes): string {
  const decided = decidedIn(story, round);
  const signed = round.prevotes.some((v) => v.length > 0) || round.precommits.some((v) => v.length > 0);
  if (round.proposer === null && !signed && !decided) return "";
  const label = `Round ${round.round}`;
  const votes = `${tally("prevotes", round.prevotes, round.block)}; ${tally("precommits", round.precommits, round.block)}`;
  const doubled = equivocators(model, round);
  const twice = doubled === "" ? "" : ` ${doubled}`;
  if (round.proposer === null) {
    const why = during(model, round.from, round.until);
    return `${label}: nobody proposed${why}; ${votes}.${twice}`;
  }
  const proposed = `${label}: ${name(model, round.proposer)} proposed ${round.block}`;
  const others = model.header.validators - 1;
  const inTime = round.reached.filter(
    (t, node) =>
      node !== round.proposer &&
      node < model.header.validators &&
      !Number.isNaN(t) &&
      !(t > (round.prevotedAt[node] ?? Number.NaN)),
  ).length;
  const reach =
    inTime >= others
      ? ""
      : `; it reached ${inTime} of ${others} others in time${during(model, round.from, round.until)}`;
  const outcome = decided ? "" : `, which did not decide`;
  return `${proposed} at ${moment(round.proposedAt)}${reach}; ${votes}${outcome}.${twice}`;
}

function tally(what: string, votes: readonly (readonly string[])[], block: string): string {
  const counts = new Map<string, number>();
  for (const list of votes) for (const vote of list) counts.set(vote, (counts.get(vote) ?? 0) + 1);
  if (counts.size === 0) return `no ${what}`;
  const parts = [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([vote, n]) => `${n} ${vote === "nil" ? "nil" : vote === block ? "for it" : `for ${vote}`}`);
  return `${what}: ${parts.join(", ")}`;
}

function equivocators(model: Model, { prevotes, precommits }: RoundVotes): string {
  const who = model.lanes
    .filter(({ index }) => (prevotes[index]?.length ?? 0) > 1 || (precommits[index]?.length ?? 0) > 1)
    .map((lane) => lane.name);
  return who.length === 0 ? "" : `${listed(who)} signed two different votes.`;
}

/** Nodes that decided long after the first, or not at all, and what they were doing instead. */
function stragglersOf(model: Model, story: HeightStory, firstAt: number, usual: number): string {
  if (firstAt === 0) return "";
  const late: string[] = [];
  story.decisions.forEach((decision, node) => {
    if (node >= model.header.validators) return;
    const lag = (decision?.t ?? model.end) - firstAt;
    if (lag < Math.max(usual, 200)) return;
    const why = reasonsOf(model, firstAt - usual, decision?.t ?? model.end, node);
    const when = decision === null ? "never within this run" : `${duration(lag)} later`;
    late.push(`${name(model, node)} ${when}${why.length > 0 ? ` (${listed(why, 3)})` : ""}`);
  });
  return late.length === 0 ? "" : `Late to decide: ${listed(late, 4)}.`;
}

/** " (node2 was down; partition {0,1} | {2,3})": what overlapped this stretch of time, or "". */
function during(model: Model, from: number, until: number): string {
  const reasons = reasonsOf(model, from, until, null);
  return reasons.length === 0 ? "" : ` (${listed(reasons, 3)})`;
}

function reasonsOf(model: Model, from: number, until: number, node: number | null): string[] {
  const overlaps = (span: { readonly from: number; readonly until: number }): boolean =>
    span.from <= until && span.until >= from;
  const outages = model.lanes
    .filter(({ index }) => node === null || node === index)
    .flatMap((lane) =>
      lane.outages
        .filter(overlaps)
        .map(({ kind }) => `${lane.name} was ${kind === "crash" ? "down" : "paused"}`),
    );
  const faults = model.faults
    .filter((fault) => overlaps(fault) && (node === null || fault.nodes.includes(node)))
    .filter((fault) => !showsAsOutage(model, fault))
    .map(({ text }) => text);
  return [...new Set([...outages, ...faults])];
}

/** A kill, a power loss, a pause: said already by what it did to its node. */
function showsAsOutage(model: Model, fault: FaultSpan): boolean {
  return fault.nodes.some((node) =>
    model.lanes[node]?.outages.some(({ from }) => from >= fault.from - 1 && from <= fault.until + 1),
  );
}
