/** Which messages to draw: those that touch the stretch of time shown and pass the filters, no more than can be told apart. */
import { MESSAGE_KINDS } from "./message-kinds.ts";
import type { Messages } from "./model.ts";

const BLOCK = 256;

/** Messages are ordered by sending; per block of them the latest end lets whole blocks be passed over. */
export interface MessageIndex {
  readonly latestEnd: Float64Array;
}

export function indexMessages(messages: Messages): MessageIndex {
  const latestEnd = new Float64Array(Math.ceil(messages.count / BLOCK)).fill(Number.NEGATIVE_INFINITY);
  for (let i = 0; i < messages.count; i++) {
    const block = Math.floor(i / BLOCK);
    latestEnd[block] = Math.max(latestEnd[block]!, messages.end[i]!);
  }
  return { latestEnd };
}

/** Calls back with the row of each message that is under way at some time in [from, until], in order of sending. */
export function eachOverlapping(
  messages: Messages,
  index: MessageIndex,
  from: number,
  until: number,
  visit: (row: number) => void,
): void {
  for (let block = 0; block < index.latestEnd.length; block++) {
    const first = block * BLOCK;
    if (messages.sent[first]! > until) return;
    if (index.latestEnd[block]! < from) continue;
    const last = Math.min(first + BLOCK, messages.count);
    for (let row = first; row < last; row++) {
      if (messages.sent[row]! > until) return;
      if (messages.end[row]! >= from) visit(row);
    }
  }
}

export interface Filters {
  /** Per row of MESSAGE_KINDS. */
  readonly kinds: readonly boolean[];
  /** Per node: messages from it or to it. */
  readonly nodes: readonly boolean[];
  /** Heights, both included; a message that names no height passes while the range is open. */
  readonly fromHeight: number;
  readonly untilHeight: number;
  /** Only messages that never arrived. */
  readonly onlyLost: boolean;
  readonly faults: boolean;
}

export function openFilters(nodes: number, kindCounts: readonly number[]): Filters {
  const decisive = kindCounts.some((count, kind) => count > 0 && !MESSAGE_KINDS[kind]!.chatter);
  return {
    kinds: MESSAGE_KINDS.map(({ chatter }) => !(chatter && decisive)),
    nodes: Array.from({ length: nodes }, () => true),
    fromHeight: 0,
    untilHeight: Number.POSITIVE_INFINITY,
    onlyLost: false,
    faults: true,
  };
}

export function passes(messages: Messages, row: number, filters: Filters): boolean {
  if (!filters.kinds[messages.kind[row]!]) return false;
  if (filters.onlyLost && messages.fate[row] === 0) return false;
  if (!filters.nodes[messages.from[row]!] || !filters.nodes[messages.to[row]!]) return false;
  const height = messages.height[row]!;
  if (height < 0) return filters.fromHeight <= 0 && filters.untilHeight === Number.POSITIVE_INFINITY;
  return height >= filters.fromHeight && height <= filters.untilHeight;
}

export interface Chosen {
  /** Rows to draw, the least important first. */
  readonly rows: readonly number[];
  /** How many touch the view and pass the filters. */
  readonly matching: number;
  /** How many of these are not drawn for want of budget; those on the same pixels as a drawn one do not count. */
  readonly beyond: number;
}

/**
 * At most `budget` messages. Those that would fall on the same pixels are drawn once; of the rest the lost ones come
 * first, then those of the kinds that decide, spread evenly over the time shown.
 */
export function choose(
  messages: Messages,
  index: MessageIndex,
  view: { readonly from: number; readonly until: number },
  filters: Filters,
  pixels: number,
  budget: number,
): Chosen {
  const scale = pixels / (view.until - view.from);
  const nodes = filters.nodes.length;
  const seen = new Set<number>();
  const classes = new Map<number, number[]>();
  let matching = 0;
  eachOverlapping(messages, index, view.from, view.until, (row) => {
    if (!passes(messages, row, filters)) return;
    matching++;
    const lost = messages.fate[row] === 0 ? 0 : 1;
    const kind = messages.kind[row]!;
    const startX = Math.max(-1, Math.floor((messages.sent[row]! - view.from) * scale));
    const endX = Math.min(pixels, Math.floor((messages.end[row]! - view.from) * scale));
    const pair = messages.from[row]! * nodes + messages.to[row]!;
    // Exact below 2^53: 16 kinds, 2 fates, 2^14 pixels twice, and node pairs up to 2^18.
    const key = (((pair * 16 + kind) * 2 + lost) * 16384 + (startX + 1)) * 16384 + (endX + 1);
    if (seen.has(key)) return;
    seen.add(key);
    const rank = lost * 10 + MESSAGE_KINDS[kind]!.weight;
    const list = classes.get(rank);
    if (list === undefined) classes.set(rank, [row]);
    else list.push(row);
  });
  const chosen: number[][] = [];
  let left = budget;
  let beyond = 0;
  for (const rank of [...classes.keys()].sort((a, b) => b - a)) {
    const list = classes.get(rank) ?? [];
    chosen.push(list.length <= left ? list : everyNth(list, left));
    beyond += Math.max(0, list.length - left);
    left = Math.max(0, left - list.length);
  }
  return { rows: chosen.reverse().flat(), matching, beyond };
}

function everyNth(list: readonly number[], wanted: number): number[] {
  return Array.from({ length: wanted }, (_, i) => list[Math.floor((i * list.length) / wanted)]!);
}
