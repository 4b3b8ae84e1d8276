/** Events of a trace made into what is drawn: messages with their fate, a lane per node, heights, faults. */
import type { TraceEvent, TraceHeader } from "../../trace.ts";
import { aboutOf, kindOf, MESSAGE_KINDS } from "./message-kinds.ts";

/** What became of a message: 0 delivered, 1 lost, 2 still under way when the run ended. */
export type Fate = 0 | 1 | 2;

/**
 * All messages in the order in which they were sent, a column per field. A message that arrived twice has two rows, the
 * second marked as a copy.
 */
export interface Messages {
  readonly count: number;
  readonly id: Float64Array;
  readonly sent: Float64Array;
  /** When it arrived or was lost; the end of the run for one under way. */
  readonly end: Float64Array;
  readonly from: Uint16Array;
  readonly to: Uint16Array;
  /** Row of MESSAGE_KINDS. */
  readonly kind: Uint8Array;
  readonly fate: Uint8Array;
  readonly copy: Uint8Array;
  readonly nil: Uint8Array;
  /** -1: the message names none. */
  readonly height: Int32Array;
  readonly bytes: Int32Array;
  /** Indices into {@link Model.texts}. */
  readonly what: Int32Array;
  readonly channel: Int32Array;
  /** Why it was lost. */
  readonly why: Int32Array;
}

export interface StepSpan {
  readonly from: number;
  readonly until: number;
  readonly height: number;
  readonly round: number;
  readonly step: string;
}
export interface Outage {
  readonly kind: "crash" | "pause";
  readonly from: number;
  readonly until: number;
  readonly detail: string;
  /** What was said when it came back; null: it never did. */
  readonly back: string | null;
}
export interface LockSpan {
  readonly from: number;
  readonly until: number;
  readonly height: number;
  readonly round: number;
  readonly block: string;
}
export interface Signature {
  readonly t: number;
  readonly what: string;
  readonly word: string;
  readonly height: number;
  readonly round: number;
  readonly block: string;
}
export interface Decision {
  readonly t: number;
  readonly height: number;
  readonly round: number;
  readonly block: string;
}

export interface Lane {
  readonly index: number;
  readonly name: string;
  readonly spans: readonly StepSpan[];
  readonly outages: readonly Outage[];
  readonly locks: readonly LockSpan[];
  readonly signatures: readonly Signature[];
  readonly decisions: readonly Decision[];
}

/** A height as the network saw it: from the first decision of the height before to its own first decision. */
export interface HeightSpan {
  readonly height: number;
  readonly from: number;
  /** First decision anywhere; the end of the run when there was none. */
  readonly until: number;
  readonly decided: boolean;
  /** Highest round that any node entered. */
  readonly rounds: number;
  /** When each later round was entered first, from round 1. */
  readonly roundStarts: readonly { readonly round: number; readonly t: number }[];
}

export interface FaultSpan {
  readonly from: number;
  readonly until: number;
  readonly text: string;
  readonly nodes: readonly number[];
}
export interface Violation {
  readonly t: number;
  readonly law: string;
  readonly text: string;
  readonly nodes: readonly number[];
}

export interface Model {
  readonly header: TraceHeader;
  /** Virtual ms of the last thing that happened. */
  readonly end: number;
  readonly texts: readonly string[];
  readonly messages: Messages;
  readonly lanes: readonly Lane[];
  readonly heights: readonly HeightSpan[];
  readonly faults: readonly FaultSpan[];
  readonly violations: readonly Violation[];
  /** Messages per row of MESSAGE_KINDS. */
  readonly kindCounts: readonly number[];
  readonly lost: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Of<K extends TraceEvent["kind"]> = Extract<TraceEvent, { readonly kind: K }>;
type Life = Of<"crash" | "restart" | "pause" | "resume">;

class Texts {
  readonly list: string[] = [];
  private readonly known = new Map<string, number>();

  index(text: string): number {
    const found = this.known.get(text);
    if (found !== undefined) return found;
    this.known.set(text, this.list.length);
    return this.list.push(text) - 1;
  }
}

class LaneBuilder {
  readonly spans: Mutable<StepSpan>[] = [];
  readonly outages: Mutable<Outage>[] = [];
  readonly locks: Mutable<LockSpan>[] = [];
  readonly signatures: Signature[] = [];
  readonly decisions: Decision[] = [];
  private span: Mutable<StepSpan> | null = null;
  private outage: Mutable<Outage> | null = null;
  private lock: Mutable<LockSpan> | null = null;

  step(event: Of<"step">): void {
    this.endSpan(event.t);
    this.span = {
      from: event.t,
      until: event.t,
      height: event.height,
      round: event.round,
      step: event.step,
    };
    this.spans.push(this.span);
  }

  setLock(event: Of<"lock">): void {
    this.endLock(event.t);
    if (event.block === null) return;
    this.lock = {
      from: event.t,
      until: event.t,
      height: event.height,
      round: event.round,
      block: event.block,
    };
    this.locks.push(this.lock);
  }

  /** A crash inside a pause takes its place: a node has one outage at a time. */
  leave(kind: Outage["kind"], event: Life): void {
    this.endOutage(event.t, "");
    if (kind === "crash") {
      this.endSpan(event.t);
      this.endLock(event.t);
    }
    this.outage = { kind, from: event.t, until: event.t, detail: event.detail, back: null };
    this.outages.push(this.outage);
  }

  comeBack(event: Life): void {
    this.endOutage(event.t, event.detail);
  }

  finish(end: number): void {
    this.endSpan(end);
    this.endLock(end);
    if (this.outage !== null) this.outage.until = end;
  }

  private endSpan(t: number): void {
    if (this.span !== null) this.span.until = t;
    this.span = null;
  }

  private endLock(t: number): void {
    if (this.lock !== null) this.lock.until = t;
    this.lock = null;
  }

  private endOutage(t: number, back: string): void {
    if (this.outage === null) return;
    this.outage.until = t;
    this.outage.back = back;
    this.outage = null;
  }
}

export function buildModel(header: TraceHeader, events: readonly TraceEvent[]): Model {
  const end = events.reduce((latest, { t }) => Math.max(latest, t), 0);
  const texts = new Texts();
  const messages = buildMessages(events, end, texts);
  const builders = header.names.map(() => new LaneBuilder());
  const faults: FaultSpan[] = [];
  const violations: Violation[] = [];
  for (const event of events) {
    const lane = "node" in event ? builders[event.node] : undefined;
    switch (event.kind) {
      case "step":
        lane?.step(event);
        break;
      case "lock":
        lane?.setLock(event);
        break;
      case "sign":
        lane?.signatures.push({ t: event.t, what: event.what, ...aboutOf(event.what) });
        break;
      case "commit":
        lane?.decisions.push({ t: event.t, height: event.height, round: event.round, block: event.block });
        break;
      case "crash":
      case "pause":
        lane?.leave(event.kind, event);
        break;
      case "restart":
      case "resume":
        lane?.comeBack(event);
        break;
      case "fault":
        faults.push({
          from: event.t,
          until: Math.max(event.t, Math.min(event.until, end)),
          text: event.text,
          nodes: event.nodes,
        });
        break;
      case "violation":
        violations.push({ t: event.t, law: event.law, text: event.text, nodes: event.nodes });
        break;
      case "send":
      case "deliver":
      case "drop":
        break;
    }
  }
  const lanes = builders.map((builder, index): Lane => {
    builder.finish(end);
    const { spans, outages, locks, signatures, decisions } = builder;
    return { index, name: header.names[index] ?? "", spans, outages, locks, signatures, decisions };
  });
  const kindCounts = MESSAGE_KINDS.map(() => 0);
  let lost = 0;
  for (let i = 0; i < messages.count; i++) {
    const kind = messages.kind[i]!;
    kindCounts[kind] = kindCounts[kind]! + 1;
    if (messages.fate[i] === 1) lost++;
  }
  return {
    header,
    end,
    texts: texts.list,
    messages,
    lanes,
    heights: heightsOf(lanes, end),
    faults,
    violations,
    kindCounts,
    lost,
  };
}

function buildMessages(events: readonly TraceEvent[], end: number, texts: Texts): Messages {
  const rows: { send: Of<"send">; end: number; fate: Fate; copy: boolean; why: string }[] = [];
  const rowOf = new Map<number, number>();
  for (const event of events) {
    if (event.kind === "send") {
      rowOf.set(event.id, rows.length);
      rows.push({ send: event, end, fate: 2, copy: false, why: "" });
    } else if (event.kind === "deliver" || event.kind === "drop") {
      const row = rows[rowOf.get(event.id) ?? -1];
      if (row === undefined) continue;
      const outcome = {
        end: event.t,
        fate: event.kind === "drop" ? (1 as const) : (0 as const),
        why: event.kind === "drop" ? event.why : "",
      };
      if (row.fate === 2) Object.assign(row, outcome);
      else rows.push({ send: row.send, copy: true, ...outcome });
    }
  }
  rows.sort((a, b) => a.send.t - b.send.t || a.send.id - b.send.id);
  const n = rows.length;
  const messages: Messages = {
    count: n,
    id: new Float64Array(n),
    sent: new Float64Array(n),
    end: new Float64Array(n),
    from: new Uint16Array(n),
    to: new Uint16Array(n),
    kind: new Uint8Array(n),
    fate: new Uint8Array(n),
    copy: new Uint8Array(n),
    nil: new Uint8Array(n),
    height: new Int32Array(n),
    bytes: new Int32Array(n),
    what: new Int32Array(n),
    channel: new Int32Array(n),
    why: new Int32Array(n),
  };
  rows.forEach(({ send, end: until, fate, copy, why }, i) => {
    const about = aboutOf(send.what);
    messages.id[i] = send.id;
    messages.sent[i] = send.t;
    messages.end[i] = until;
    messages.from[i] = send.from;
    messages.to[i] = send.to;
    messages.kind[i] = kindOf(about.word);
    messages.fate[i] = fate;
    messages.copy[i] = copy ? 1 : 0;
    messages.nil[i] = about.block === "nil" ? 1 : 0;
    messages.height[i] = about.height;
    messages.bytes[i] = send.bytes;
    messages.what[i] = texts.index(send.what);
    messages.channel[i] = texts.index(send.channel);
    messages.why[i] = texts.index(why);
  });
  return messages;
}

function heightsOf(lanes: readonly Lane[], end: number): HeightSpan[] {
  const firstDecision = new Map<number, number>();
  const firstStep = new Map<number, number>();
  const rounds = new Map<number, Map<number, number>>();
  const earliest = (map: Map<number, number>, key: number, t: number): void => {
    map.set(key, Math.min(map.get(key) ?? t, t));
  };
  for (const lane of lanes) {
    for (const { height, t } of lane.decisions) earliest(firstDecision, height, t);
    for (const { height, round, from } of lane.spans) {
      earliest(firstStep, height, from);
      const entered = rounds.get(height) ?? new Map<number, number>();
      rounds.set(height, entered);
      earliest(entered, round, from);
    }
  }
  const heights = [...new Set([...firstDecision.keys(), ...firstStep.keys()])].sort((a, b) => a - b);
  return heights.map((height): HeightSpan => {
    const decidedAt = firstDecision.get(height);
    const before = firstDecision.get(height - 1);
    const from = Math.min(before ?? firstStep.get(height) ?? 0, decidedAt ?? end);
    const entered = [...(rounds.get(height) ?? [])].sort(([a], [b]) => a - b);
    return {
      height,
      from,
      until: Math.max(from, decidedAt ?? end),
      decided: decidedAt !== undefined,
      rounds: Math.max(0, ...entered.map(([round]) => round)),
      roundStarts: entered.filter(([round]) => round > 0).map(([round, t]) => ({ round, t })),
    };
  });
}

/** What a node was doing at a moment. */
export interface NodeState {
  readonly span: StepSpan | null;
  readonly outage: Outage | null;
  readonly lock: LockSpan | null;
  readonly decided: Decision | null;
}

export function stateAt(lane: Lane, t: number): NodeState {
  const covering = <T extends { readonly from: number; readonly until: number }>(
    list: readonly T[],
  ): T | null => {
    const found = lastAtOrBefore(list, t, ({ from }) => from);
    return found !== null && found.until >= t ? found : null;
  };
  return {
    span: covering(lane.spans),
    outage: covering(lane.outages),
    lock: covering(lane.locks),
    decided: lastAtOrBefore(lane.decisions, t, (decision) => decision.t),
  };
}

/** The last item of a list ordered by `time` whose time is <= t. */
export function lastAtOrBefore<T>(list: readonly T[], t: number, time: (item: T) => number): T | null {
  return list[firstAfter(list, t, time) - 1] ?? null;
}

/** Index of the first item of a list ordered by `time` whose time is > t; the list's length when none is. */
export function firstAfter<T>(list: readonly T[], t: number, time: (item: T) => number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (time(list[middle]!) <= t) low = middle + 1;
    else high = middle;
  }
  return low;
}
