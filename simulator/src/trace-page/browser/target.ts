/** Anything on the page that a person can point at, and what to say about it. */
import { MESSAGE_KINDS } from "./message-kinds.ts";
import type {
  Decision,
  FaultSpan,
  HeightSpan,
  LockSpan,
  Model,
  Outage,
  Signature,
  StepSpan,
  Violation,
} from "./model.ts";
import { stateAt } from "./model.ts";
import { byteCount, count, duration, listed, moment } from "./text.ts";

export type Target =
  | { readonly kind: "message"; readonly row: number }
  | { readonly kind: "step"; readonly node: number; readonly span: StepSpan }
  | { readonly kind: "outage"; readonly node: number; readonly outage: Outage }
  | { readonly kind: "lock"; readonly node: number; readonly lock: LockSpan }
  | { readonly kind: "signature"; readonly node: number; readonly signature: Signature }
  | { readonly kind: "decision"; readonly node: number; readonly decision: Decision }
  | { readonly kind: "fault"; readonly fault: FaultSpan }
  | { readonly kind: "violation"; readonly violation: Violation }
  | { readonly kind: "height"; readonly span: HeightSpan };

export interface Description {
  readonly title: string;
  readonly facts: readonly (readonly [name: string, value: string])[];
}

export function sameTarget(a: Target | null, b: Target | null): boolean {
  if (a === null || b === null) return a === b;
  switch (a.kind) {
    case "message":
      return b.kind === "message" && a.row === b.row;
    case "step":
      return b.kind === "step" && a.span === b.span;
    case "outage":
      return b.kind === "outage" && a.outage === b.outage;
    case "lock":
      return b.kind === "lock" && a.lock === b.lock;
    case "signature":
      return b.kind === "signature" && a.signature === b.signature;
    case "decision":
      return b.kind === "decision" && a.decision === b.decision;
    case "fault":
      return b.kind === "fault" && a.fault === b.fault;
    case "violation":
      return b.kind === "violation" && a.violation === b.violation;
    case "height":
      return b.kind === "height" && a.span === b.span;
  }
}

/** When it happened, and until when. */
export function timesOf(model: Model, target: Target): readonly [from: number, until: number] {
  switch (target.kind) {
    case "message":
      return [model.messages.sent[target.row]!, model.messages.end[target.row]!];
    case "step":
    case "height":
      return [target.span.from, target.span.until];
    case "outage":
      return [target.outage.from, target.outage.until];
    case "lock":
      return [target.lock.from, target.lock.until];
    case "signature":
      return [target.signature.t, target.signature.t];
    case "decision":
      return [target.decision.t, target.decision.t];
    case "fault":
      return [target.fault.from, target.fault.until];
    case "violation":
      return [target.violation.t, target.violation.t];
  }
}

export function describe(model: Model, target: Target): Description {
  const name = (node: number): string => model.lanes[node]?.name ?? `node ${node}`;
  const names = (nodes: readonly number[]): string => listed(nodes.map(name), 12);
  const [from, until] = timesOf(model, target);
  const lasted: readonly [string, string][] = [
    ["from", moment(from)],
    ["until", until >= model.end ? "the end of the run" : moment(until)],
    ["lasted", duration(until - from)],
  ];
  switch (target.kind) {
    case "message":
      return describeMessage(model, target.row, name);
    case "step": {
      const { height, round, step } = target.span;
      return {
        title: `${name(target.node)}: ${step}`,
        facts: [
          ["height", String(height)],
          ["round", String(round)],
          ...lasted,
          ["received meanwhile", received(model, target.node, target.span)],
        ],
      };
    }
    case "outage": {
      const { kind, detail, back } = target.outage;
      const facts: [string, string][] = [...lasted];
      if (detail !== "") facts.unshift(["how", detail]);
      if (back === null) facts.push(["came back", "not within this run"]);
      else if (back !== "") facts.push(["came back", back]);
      return { title: `${name(target.node)}: ${kind === "crash" ? "crashed" : "paused"}`, facts };
    }
    case "lock": {
      const { height, round, block } = target.lock;
      return {
        title: `${name(target.node)}: locked on ${block}`,
        facts: [["height", String(height)], ["locked in round", String(round)], ...lasted],
      };
    }
    case "signature":
      return {
        title: `${name(target.node)} signed: ${target.signature.what}`,
        facts: [
          ["at", moment(from)],
          ["copies sent", copies(model, target.signature.what, target.node)],
        ],
      };
    case "decision": {
      const { height, round, block } = target.decision;
      return {
        title: `${name(target.node)}: decided height ${height}`,
        facts: [
          ["block", block],
          ["round", String(round)],
          ["at", moment(from)],
        ],
      };
    }
    case "fault":
      return { title: target.fault.text, facts: [["nodes", names(target.fault.nodes)], ...lasted] };
    case "violation":
      return {
        title: `Law broken: ${target.violation.law}`,
        facts: [
          ["what", target.violation.text],
          ["nodes", names(target.violation.nodes)],
          ["at", moment(from)],
        ],
      };
    case "height": {
      const { height, rounds, decided } = target.span;
      return {
        title: `Height ${height}`,
        facts: [
          ["rounds", `0 to ${rounds}`],
          ["previous height decided", moment(from)],
          ["first decision", decided ? moment(until) : "none in this run"],
          ["took", duration(until - from)],
        ],
      };
    }
  }
}

function describeMessage(model: Model, row: number, name: (node: number) => string): Description {
  const { messages, texts } = model;
  const sent = messages.sent[row]!;
  const end = messages.end[row]!;
  const fate = messages.fate[row];
  const outcome =
    fate === 0
      ? `${moment(end)}, ${duration(end - sent)} after it was sent`
      : fate === 1
        ? `never: lost at ${moment(end)} (${texts[messages.why[row]!]})`
        : "not before the run ended";
  return {
    title: texts[messages.what[row]!] ?? "",
    facts: [
      ["from", `${name(messages.from[row]!)}${doing(model, messages.from[row]!, sent)}`],
      ["to", `${name(messages.to[row]!)}${doing(model, messages.to[row]!, end)}`],
      ["sent", moment(sent)],
      ["arrived", `${outcome}${messages.copy[row] === 1 ? " (a duplicate)" : ""}`],
      ["kind", `${MESSAGE_KINDS[messages.kind[row]!]!.label}, by ${texts[messages.channel[row]!]}`],
      ["size", byteCount(messages.bytes[row]!)],
    ],
  };
}

/** ", then in 4/1 Prevote" */
function doing(model: Model, node: number, t: number): string {
  const lane = model.lanes[node];
  if (lane === undefined) return "";
  const { span, outage } = stateAt(lane, t);
  if (outage !== null) return outage.kind === "crash" ? ", then down" : ", then paused";
  return span === null ? "" : `, then in ${span.height}/${span.round} ${span.step}`;
}

/** What arrived at a node during a step, by kind. */
function received(model: Model, node: number, span: StepSpan): string {
  const { messages } = model;
  const counts = MESSAGE_KINDS.map(() => 0);
  for (let row = 0; row < messages.count && messages.sent[row]! <= span.until; row++) {
    if (messages.to[row] !== node || messages.fate[row] !== 0) continue;
    const end = messages.end[row]!;
    if (end < span.from || end > span.until) continue;
    const kind = messages.kind[row]!;
    counts[kind] = counts[kind]! + 1;
  }
  const parts = counts.flatMap((n, kind) => (n > 0 ? [`${count(n)} ${MESSAGE_KINDS[kind]!.label}`] : []));
  return parts.length === 0 ? "nothing" : parts.join(", ");
}

/** "6: 5 arrived, 1 lost" of what this node itself sent on. */
function copies(model: Model, what: string, node: number): string {
  const { messages } = model;
  const text = model.texts.indexOf(what);
  const fates = [0, 0, 0];
  for (let row = 0; row < messages.count; row++) {
    if (messages.what[row] !== text || messages.from[row] !== node) continue;
    const fate = messages.fate[row]!;
    fates[fate] = fates[fate]! + 1;
  }
  const [arrived = 0, lost = 0, underWay = 0] = fates;
  const all = arrived + lost + underWay;
  if (all === 0) return "none";
  return `${count(all)}: ${count(arrived)} arrived, ${count(lost)} lost${underWay > 0 ? `, ${count(underWay)} still under way` : ""}`;
}
