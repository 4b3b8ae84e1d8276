/** Messages as lines from sender to receiver, with what became of them. */
import { distanceToLine, laneMiddle } from "../layout.ts";
import type { Target } from "../target.ts";
import { xOf } from "../viewport.ts";
import type { App } from "./app.ts";
import type { Palette } from "./palette.ts";

/** Up to so many lines get arrow heads. */
const ARROWS_BELOW = 2500;

export interface Line {
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
}

export function barHeight(laneHeight: number): number {
  return Math.max(8, Math.min(18, Math.round(laneHeight * 0.26)));
}

/** Where a message is drawn; null when a lane of it is hidden. A lost one ends on the way, one under way fades out. */
export function lineOf(app: App, row: number): Line | null {
  const { messages } = app.model;
  const { layout, view, scroll } = app;
  const from = laneMiddle(layout, messages.from[row]!, scroll);
  const to = laneMiddle(layout, messages.to[row]!, scroll);
  if (Number.isNaN(from) || Number.isNaN(to)) return null;
  const side = (Math.sign(to - from) * barHeight(layout.laneHeight)) / 2;
  const share = messages.fate[row] === 0 ? 1 : 0.62;
  const start = from + side;
  const target = to - side;
  return {
    x1: xOf(messages.sent[row]!, view, layout.left, layout.width),
    y1: start,
    x2: xOf(messages.end[row]!, view, layout.left, layout.width),
    y2: start + (target - start) * share,
  };
}

/** Whether a message belongs to what is selected or looked for; null: nothing is. */
function emphasis(app: App, focus: Target | null): ((row: number) => boolean) | null {
  const { messages } = app.model;
  if (focus?.kind === "message") {
    const what = messages.what[focus.row];
    return (row) => messages.what[row] === what;
  }
  if (focus?.kind === "signature") {
    const what = app.model.texts.indexOf(focus.signature.what);
    return (row) => messages.what[row] === what;
  }
  return null;
}

export function paintMessages(ctx: CanvasRenderingContext2D, app: App, palette: Palette): void {
  const rows = app.chosen.rows;
  const { messages } = app.model;
  const { found } = app;
  const selected =
    emphasis(app, app.selected) ?? (found === null ? null : (row: number) => found.has(messages.what[row]!));
  const pointed = emphasis(app, app.hover);
  const arrows = rows.length <= ARROWS_BELOW;
  const crowd = Math.max(rows.length, app.chosen.matching / 4);
  const base = Math.min(0.85, Math.max(0.06, 450 / crowd));
  const groups = new Map<number, number[]>();
  for (const row of rows) {
    const strong = pointed?.(row) ? 2 : selected === null ? 1 : selected(row) ? 2 : 0;
    const key = ((strong * 3 + messages.fate[row]!) * 2 + messages.nil[row]!) * 32 + messages.kind[row]!;
    const list = groups.get(key);
    if (list === undefined) groups.set(key, [row]);
    else list.push(row);
  }
  const order = [...groups].sort(([a], [b]) => Math.floor(a / 192) - Math.floor(b / 192));
  for (const [key, list] of order) {
    const kind = key % 32;
    const nil = Math.floor(key / 32) % 2 === 1;
    const fate = Math.floor(key / 64) % 3;
    const strong = Math.floor(key / 192);
    ctx.globalAlpha = strong === 0 ? base * 0.18 : strong === 2 ? 1 : base;
    ctx.lineWidth = strong === 2 ? 2 : 1;
    ctx.strokeStyle = palette.kinds[kind] ?? palette.quiet;
    ctx.fillStyle = ctx.strokeStyle;
    ctx.setLineDash(fate !== 0 ? [5, 3] : nil && arrows ? [2, 2.5] : []);
    strokeAll(ctx, app, list, arrows || strong === 2);
    if (fate === 1)
      crossAll(ctx, app, palette, list, strong === 0 ? 0.25 : Math.min(0.95, Math.max(0.2, base * 1.6)));
  }
  ctx.setLineDash([]);
  ctx.globalAlpha = 1;
}

function strokeAll(ctx: CanvasRenderingContext2D, app: App, rows: readonly number[], arrows: boolean): void {
  const { messages } = app.model;
  const heads = new Path2D();
  ctx.beginPath();
  for (const row of rows) {
    const line = lineOf(app, row);
    if (line === null) continue;
    ctx.moveTo(line.x1, line.y1);
    ctx.lineTo(line.x2, line.y2);
    if (arrows && messages.fate[row] === 0) arrowHead(heads, line);
  }
  ctx.stroke();
  if (arrows) ctx.fill(heads);
}

function arrowHead(path: Path2D, { x1, y1, x2, y2 }: Line): void {
  const length = Math.hypot(x2 - x1, y2 - y1);
  if (length < 12) return;
  const ux = (x2 - x1) / length;
  const uy = (y2 - y1) / length;
  path.moveTo(x2, y2);
  path.lineTo(x2 - 7 * ux + 2.8 * uy, y2 - 7 * uy - 2.8 * ux);
  path.lineTo(x2 - 7 * ux - 2.8 * uy, y2 - 7 * uy + 2.8 * ux);
  path.closePath();
}

function crossAll(
  ctx: CanvasRenderingContext2D,
  app: App,
  palette: Palette,
  rows: readonly number[],
  alpha: number,
): void {
  ctx.setLineDash([]);
  ctx.strokeStyle = palette.lost;
  ctx.globalAlpha = alpha;
  ctx.lineWidth = rows.length > 200 ? 1 : 1.6;
  const arm = rows.length > 200 ? 2.2 : 3.5;
  ctx.beginPath();
  for (const row of rows) {
    const line = lineOf(app, row);
    if (line === null) continue;
    ctx.moveTo(line.x2 - arm, line.y2 - arm);
    ctx.lineTo(line.x2 + arm, line.y2 + arm);
    ctx.moveTo(line.x2 + arm, line.y2 - arm);
    ctx.lineTo(line.x2 - arm, line.y2 + arm);
  }
  ctx.stroke();
}

/** The drawn message nearest to a point, within `reach` px. */
export function messageAt(app: App, x: number, y: number, reach: number): number | null {
  let best: number | null = null;
  let nearest = reach;
  for (const row of app.chosen.rows) {
    const line = lineOf(app, row);
    if (line === null) continue;
    if (x < Math.min(line.x1, line.x2) - reach || x > Math.max(line.x1, line.x2) + reach) continue;
    const distance = distanceToLine(x, y, line.x1, line.y1, line.x2, line.y2);
    if (distance <= nearest) {
      nearest = distance;
      best = row;
    }
  }
  return best;
}
