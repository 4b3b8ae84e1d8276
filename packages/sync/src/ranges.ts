import type { Height } from "@quorate/chain";

/** A fetched, unverified height. */
export interface Fetched {
  readonly height: Height;
  readonly block: Uint8Array;
  readonly commit: Uint8Array;
  readonly peerId: string;
  /** Id of the request that brought it. */
  readonly request: number;
}

/** Heights asked of one peer. */
export interface Range {
  readonly id: number;
  readonly peerId: string;
  readonly from: Height;
  readonly count: number;
  /** Monotonic ms. */
  readonly askedAt: number;
}

/** Bookkeeping of heights between the tip and the end of the window. Plain data, changed by the functions below. */
export interface Ranges {
  /** First height that is not applied. */
  readonly next: Height;
  readonly fetched: ReadonlyMap<Height, Fetched>;
  readonly inFlight: readonly Range[];
  /** Bytes in `fetched`. */
  readonly bytes: number;
  /** Smoothed bytes of one height; sizes the requests. */
  readonly average: number;
}

export interface RangeLimits {
  readonly window: number;
  readonly batch: number;
  readonly firstBatch: number;
  readonly responseBytes: number;
  readonly bufferedBytes: number;
}

export interface Span {
  readonly from: Height;
  readonly count: number;
}

export interface Claim {
  readonly height: Height;
  readonly earliestHeight: Height;
}

export function emptyRanges(next: Height): Ranges {
  return { next, fetched: new Map(), inFlight: [], bytes: 0, average: 0 };
}

/**
 * The lowest gap that a peer can fill: heights inside the window, neither fetched nor in flight, within its claim.
 * `null`: nothing for this peer now. With too many bytes waiting only the gap at `next` is given out.
 */
export function gapFor(ranges: Ranges, claim: Claim, limits: RangeLimits): Span | null {
  const end = Math.min(claim.height, ranges.next + limits.window - 1);
  const taken = (height: Height): boolean => ranges.fetched.has(height) || isInFlight(ranges, height);
  let from = Math.max(ranges.next, claim.earliestHeight);
  while (from <= end && taken(from)) from++;
  if (from > end || (from > ranges.next && ranges.bytes >= limits.bufferedBytes)) return null;
  const most = batchOf(ranges, limits);
  let count = 1;
  while (count < most && from + count <= end && !taken(from + count)) count++;
  return { from, count };
}

/** The span to ask of a second peer when the one that holds up everything is slow. */
export function headSpan(ranges: Ranges, claim: Claim): Span | null {
  const head = headRange(ranges);
  if (head === null || claim.earliestHeight > ranges.next || claim.height < ranges.next) return null;
  const last = Math.min(head.from + head.count - 1, claim.height);
  return { from: ranges.next, count: last - ranges.next + 1 };
}

/** The oldest request for `next`, when `next` is not fetched yet. */
export function headRange(ranges: Ranges): Range | null {
  if (ranges.fetched.has(ranges.next)) return null;
  return ranges.inFlight.find((range) => covers(range, ranges.next)) ?? null;
}

export function asked(ranges: Ranges, range: Range): Ranges {
  return { ...ranges, inFlight: [...ranges.inFlight, range] };
}

/** The request has ended, well or badly: what it did not bring is a gap again. */
export function ended(ranges: Ranges, range: Range): Ranges {
  return { ...ranges, inFlight: ranges.inFlight.filter((other) => other.id !== range.id) };
}

/** Takes what came; heights that are applied, fetched or beyond the window are left out. */
export function took(ranges: Ranges, items: readonly Fetched[], limits: RangeLimits): Ranges {
  const fetched = new Map(ranges.fetched);
  let { bytes, average } = ranges;
  for (const item of items) {
    const wanted = item.height >= ranges.next && item.height < ranges.next + limits.window;
    if (!wanted || fetched.has(item.height)) continue;
    const size = sizeOf(item);
    fetched.set(item.height, item);
    bytes += size;
    average = average === 0 ? size : average + (size - average) / 8;
  }
  return { ...ranges, fetched, bytes, average };
}

/** Requests whose answers by this peer still wait for what comes before them: nothing of these has been verified. */
export function waitingOf(ranges: Ranges, peerId: string): number {
  const requests = new Set<number>();
  for (const item of ranges.fetched.values()) if (item.peerId === peerId) requests.add(item.request);
  return requests.size;
}

/** Everything a peer sent that still waits is dropped. */
export function distrusted(ranges: Ranges, peerId: string): Ranges {
  return keep(ranges, (item) => item.peerId !== peerId);
}

/** The tip has moved: forgets what lies at or below it. */
export function movedTo(ranges: Ranges, next: Height): Ranges {
  return next === ranges.next ? ranges : { ...keep(ranges, (item) => item.height >= next), next };
}

/** Fetched heights from `next` on without a gap: at most `heights`, and `bytes` unless the first alone has more. */
export function run(ranges: Ranges, heights: number, bytes: number): readonly Fetched[] {
  const items: Fetched[] = [];
  let size = 0;
  for (let height = ranges.next; items.length < heights; height++) {
    const item = ranges.fetched.get(height);
    if (item === undefined) break;
    size += sizeOf(item);
    if (items.length > 0 && size > bytes) break;
    items.push(item);
  }
  return items;
}

function keep(ranges: Ranges, wanted: (item: Fetched) => boolean): Ranges {
  const fetched = new Map([...ranges.fetched].filter(([, item]) => wanted(item)));
  const bytes = [...fetched.values()].reduce((sum, item) => sum + sizeOf(item), 0);
  return { ...ranges, fetched, bytes };
}

function batchOf(ranges: Ranges, limits: RangeLimits): number {
  if (ranges.average === 0) return Math.min(limits.batch, limits.firstBatch);
  return Math.max(1, Math.min(limits.batch, Math.floor(limits.responseBytes / ranges.average)));
}

function isInFlight(ranges: Ranges, height: Height): boolean {
  return ranges.inFlight.some((range) => covers(range, height));
}

/** Whether the request is for this height. */
export function covers(range: Range, height: Height): boolean {
  return height >= range.from && height < range.from + range.count;
}

function sizeOf(item: Fetched): number {
  return item.block.length + item.commit.length;
}
