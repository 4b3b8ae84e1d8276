/** Which stretch of time is on the screen, and how wheel, keys and drags change it. Pure arithmetic. */

export interface Viewport {
  /** Virtual ms at the left edge. */
  readonly from: number;
  /** Virtual ms at the right edge; always > from. */
  readonly until: number;
}

/** No closer than this: a microsecond is what the trace keeps, twenty of them fill the screen. */
const CLOSEST_MS = 0.02;
/** Room on either side of the run, as a share of what is shown. */
const MARGIN = 0.03;

export function whole(end: number): Viewport {
  const span = Math.max(end, CLOSEST_MS);
  return { from: -span * MARGIN, until: span * (1 + MARGIN) };
}

/** The nearest allowed viewport: never wider than the whole run, never beside it. */
export function clamp({ from, until }: Viewport, end: number): Viewport {
  const widest = whole(end);
  const width = Math.min(Math.max(until - from, CLOSEST_MS), widest.until - widest.from);
  const middle = (from + until) / 2;
  const start = Math.min(Math.max(middle - width / 2, widest.from), widest.until - width);
  return { from: start, until: start + width };
}

/** `factor` > 1 shows more time, < 1 less; the time `at` stays where it is. */
export function zoom({ from, until }: Viewport, factor: number, at: number, end: number): Viewport {
  const width = Math.min(Math.max((until - from) * factor, CLOSEST_MS), whole(end).until - whole(end).from);
  const share = (at - from) / (until - from);
  return clamp({ from: at - width * share, until: at + width * (1 - share) }, end);
}

export function pan({ from, until }: Viewport, ms: number, end: number): Viewport {
  return clamp({ from: from + ms, until: until + ms }, end);
}

/** Shows [from, until] with a little room. */
export function frame(from: number, until: number, end: number): Viewport {
  const room = Math.max((until - from) * 0.06, CLOSEST_MS);
  return clamp({ from: from - room, until: until + room }, end);
}

export function xOf(t: number, { from, until }: Viewport, left: number, width: number): number {
  return left + ((t - from) / (until - from)) * width;
}

export function timeAt(x: number, { from, until }: Viewport, left: number, width: number): number {
  return from + ((x - left) / width) * (until - from);
}

/** Round times for an axis with about `wanted` marks, and the digits of a second that tell them apart. */
export function ticks({ from, until }: Viewport, wanted: number): { at: number[]; digits: number } {
  const rough = (until - from) / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough) ?? power * 10;
  const at: number[] = [];
  for (let i = Math.ceil(from / step); i * step <= until; i++) at.push(i * step);
  return { at, digits: Math.max(0, Math.min(6, 3 - Math.floor(Math.log10(step)))) };
}
