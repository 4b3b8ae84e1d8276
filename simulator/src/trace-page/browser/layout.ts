/** Where things stand from top to bottom, in CSS pixels: axis, heights, faults, lanes. Pure arithmetic. */
import type { FaultSpan } from "./model.ts";

export const AXIS_HEIGHT = 24;
export const HEIGHTS_HEIGHT = 24;
export const FAULT_ROW = 16;
const MOST_FAULT_ROWS = 7;
const GAP = 8;
const SMALLEST_LANE = 26;
const LARGEST_LANE = 160;

export interface Layout {
  /** Left edge of the diagram: lane names stand before it. */
  readonly left: number;
  readonly width: number;
  readonly height: number;
  readonly heightsTop: number;
  readonly faultsTop: number;
  readonly faultRows: number;
  /** Row of each fault. */
  readonly faultRow: readonly number[];
  readonly lanesTop: number;
  readonly laneHeight: number;
  /** Lanes that are shown, by node; the place of node n is `place[n]`, -1 when hidden. */
  readonly shown: readonly number[];
  readonly place: readonly number[];
  /** All lanes together; more than is visible when they must be scrolled. */
  readonly lanesHeight: number;
}

/** Faults in as few rows as keep them apart; those beyond the last row share it. */
export function packFaults(faults: readonly FaultSpan[], most: number = MOST_FAULT_ROWS): number[] {
  const free: number[] = [];
  const row: number[] = new Array(faults.length).fill(0);
  const order = faults.map((_, i) => i).sort((a, b) => faults[a]!.from - faults[b]!.from);
  for (const i of order) {
    const { from, until } = faults[i]!;
    let at = free.findIndex((freeFrom) => freeFrom <= from);
    if (at < 0) at = Math.min(free.length, most - 1);
    free[at] = Math.max(free[at] ?? 0, until);
    row[i] = at;
  }
  return row;
}

export function layOut(
  size: { readonly width: number; readonly height: number },
  nodes: readonly boolean[],
  faults: readonly FaultSpan[],
  left: number,
): Layout {
  const faultRow = packFaults(faults);
  const faultRows = faults.length === 0 ? 0 : Math.max(...faultRow) + 1;
  const heightsTop = AXIS_HEIGHT;
  const faultsTop = heightsTop + HEIGHTS_HEIGHT + 4;
  const lanesTop = faultsTop + faultRows * FAULT_ROW + GAP;
  const shown = nodes.flatMap((on, node) => (on ? [node] : []));
  const place = nodes.map(() => -1);
  shown.forEach((node, at) => {
    place[node] = at;
  });
  const room = Math.max(0, size.height - lanesTop - GAP);
  const laneHeight = Math.min(
    LARGEST_LANE,
    Math.max(SMALLEST_LANE, Math.floor(room / Math.max(1, shown.length))),
  );
  return {
    left,
    width: Math.max(50, size.width - left - 12),
    height: size.height,
    heightsTop,
    faultsTop,
    faultRows,
    faultRow,
    lanesTop,
    laneHeight,
    shown,
    place,
    lanesHeight: laneHeight * shown.length,
  };
}

/** Middle of a node's lane; NaN when it is hidden. `scroll`: px by which the lanes are moved up. */
export function laneMiddle(layout: Layout, node: number, scroll: number): number {
  const at = layout.place[node] ?? -1;
  if (at < 0) return Number.NaN;
  return layout.lanesTop + (at + 0.5) * layout.laneHeight - scroll;
}

/** Node whose lane lies at y, or -1. */
export function laneAt(layout: Layout, y: number, scroll: number): number {
  if (y < layout.lanesTop) return -1;
  return layout.shown[Math.floor((y + scroll - layout.lanesTop) / layout.laneHeight)] ?? -1;
}

/** Shortest distance from a point to a line between two points. */
export function distanceToLine(
  px: number,
  py: number,
  x1: number,
  y1: number,
  x2: number,
  y2: number,
): number {
  const dx = x2 - x1;
  const dy = y2 - y1;
  const length = dx * dx + dy * dy;
  const share = length === 0 ? 0 : Math.max(0, Math.min(1, ((px - x1) * dx + (py - y1) * dy) / length));
  return Math.hypot(px - x1 - share * dx, py - y1 - share * dy);
}
