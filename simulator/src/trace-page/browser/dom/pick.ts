/** What lies under the pointer: small marks before bars, bars before messages, fields last. */
import { FAULT_ROW, HEIGHTS_HEIGHT, laneAt, laneMiddle } from "../layout.ts";
import type { Lane } from "../model.ts";
import type { Target } from "../target.ts";
import { timeAt, xOf } from "../viewport.ts";
import type { App } from "./app.ts";
import { lockTop, signatureY } from "./paint-lanes.ts";
import { barHeight, messageAt } from "./paint-messages.ts";

const NEAR = 6;

export function targetAt(app: App, x: number, y: number): Target | null {
  const { layout, view, model } = app;
  if (x < layout.left || x > layout.left + layout.width) return null;
  const t = timeAt(x, view, layout.left, layout.width);
  const toX = (time: number): number => xOf(time, view, layout.left, layout.width);
  if (y < layout.faultsTop - 2) {
    if (y < layout.heightsTop || y > layout.heightsTop + HEIGHTS_HEIGHT) return null;
    const span = model.heights.find((s) => s.from <= t && s.until >= t);
    return span === undefined ? null : { kind: "height", span };
  }
  if (y < layout.lanesTop - 4) return faultAt(app, x, y, toX);
  const violation = model.violations.find((v) => Math.abs(toX(v.t) - x) <= NEAR);
  if (violation !== undefined) return { kind: "violation", violation };
  const node = laneAt(layout, y, app.scroll);
  const lane = model.lanes[node];
  if (lane !== undefined) {
    const mark = markAt(app, lane, x, y, toX);
    if (mark !== null) return mark;
  }
  const row = messageAt(app, x, y, 5);
  if (row !== null) return { kind: "message", row };
  return lane === undefined ? null : fieldAt(app, lane, t);
}

function faultAt(app: App, x: number, y: number, toX: (t: number) => number): Target | null {
  const { layout, model } = app;
  if (!app.filters.faults) return null;
  const row = Math.floor((y - layout.faultsTop) / FAULT_ROW);
  const fault = model.faults.findLast(
    (f, i) =>
      layout.faultRow[i] === row && toX(f.from) <= x + 2 && Math.max(toX(f.until), toX(f.from) + 4) >= x - 2,
  );
  return fault === undefined ? null : { kind: "fault", fault };
}

function markAt(app: App, lane: Lane, x: number, y: number, toX: (t: number) => number): Target | null {
  const { layout } = app;
  const node = lane.index;
  const middle = laneMiddle(layout, node, app.scroll);
  const bar = barHeight(layout.laneHeight);
  if (Math.abs(y - middle) <= bar / 2 + 1) {
    const decision = lane.decisions.find((d) => Math.abs(toX(d.t) - x) <= NEAR);
    if (decision !== undefined) return { kind: "decision", node, decision };
    const t = timeAt(x, app.view, layout.left, layout.width);
    const span = lane.spans.findLast((s) => s.from <= t && s.until >= t);
    if (span !== undefined) return { kind: "step", node, span };
  }
  let nearest: Target | null = null;
  let best = NEAR;
  for (const signature of lane.signatures) {
    const distance = Math.abs(toX(signature.t) - x);
    if (distance > best || Math.abs(y - signatureY(signature.word, middle, layout.laneHeight)) > 5) continue;
    best = distance;
    nearest = { kind: "signature", node, signature };
  }
  if (nearest !== null) return nearest;
  const below = y - lockTop(middle, layout.laneHeight);
  if (below >= -1 && below <= 6) {
    const lock = lane.locks.find((l) => toX(l.from) <= x && Math.max(toX(l.until), toX(l.from) + 2) >= x);
    if (lock !== undefined) return { kind: "lock", node, lock };
  }
  return null;
}

function fieldAt(app: App, lane: Lane, t: number): Target | null {
  const outage = lane.outages.find((o) => o.from <= t && o.until >= t);
  if (outage !== undefined) return { kind: "outage", node: lane.index, outage };
  if (!app.filters.faults) return null;
  const fault = app.model.faults.findLast(
    (f) => f.nodes.includes(lane.index) && f.from <= t && f.until >= t && f.until > f.from,
  );
  return fault === undefined ? null : { kind: "fault", fault };
}
