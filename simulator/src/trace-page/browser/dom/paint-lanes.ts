/** A lane per node: the steps it went through, its locks, signatures, decisions and absences. */
import { laneMiddle } from "../layout.ts";
import { firstAfter, type Lane, stateAt } from "../model.ts";
import { timeAt, xOf } from "../viewport.ts";
import type { App } from "./app.ts";
import { barHeight } from "./paint-messages.ts";
import { blockColour, type Palette } from "./palette.ts";
import { fitText, hatch } from "./strokes.ts";

/** Bars lie under the messages, marks above them. */
export function paintLanes(
  ctx: CanvasRenderingContext2D,
  app: App,
  palette: Palette,
  layer: "bars" | "marks",
): void {
  const { layout, scroll } = app;
  for (const node of layout.shown) {
    const middle = laneMiddle(layout, node, scroll);
    if (middle < layout.lanesTop - layout.laneHeight || middle > layout.height + layout.laneHeight) continue;
    const lane = app.model.lanes[node];
    if (lane === undefined) continue;
    if (layer === "bars") {
      paintSeparator(ctx, app, palette, middle);
      paintOutageFields(ctx, app, palette, lane, middle);
      paintSteps(ctx, app, palette, lane, middle);
    } else {
      paintLocks(ctx, app, palette, lane, middle);
      paintSignatures(ctx, app, palette, lane, middle);
      paintDecisions(ctx, app, palette, lane, middle);
      paintOutageLabels(ctx, app, palette, lane, middle);
    }
  }
}

function paintSeparator(ctx: CanvasRenderingContext2D, app: App, palette: Palette, middle: number): void {
  const { layout } = app;
  ctx.strokeStyle = palette.grid;
  ctx.lineWidth = 1;
  const y = Math.round(middle + layout.laneHeight / 2) + 0.5;
  ctx.beginPath();
  ctx.moveTo(layout.left, y);
  ctx.lineTo(layout.left + layout.width, y);
  ctx.stroke();
  ctx.strokeStyle = palette.laneLine;
  ctx.beginPath();
  ctx.moveTo(layout.left, Math.round(middle) + 0.5);
  ctx.lineTo(layout.left + layout.width, Math.round(middle) + 0.5);
  ctx.stroke();
}

function paintSteps(
  ctx: CanvasRenderingContext2D,
  app: App,
  palette: Palette,
  lane: Lane,
  middle: number,
): void {
  const { layout, view } = app;
  const tall = barHeight(layout.laneHeight);
  const top = middle - tall / 2;
  const { spans } = lane;
  ctx.font = `10px ${palette.font}`;
  const first = Math.max(0, firstAfter(spans, view.from, ({ from }) => from) - 1);
  if (firstAfter(spans, view.until, ({ from }) => from) - first > layout.width) {
    paintDenseSteps(ctx, app, palette, lane, middle);
    return;
  }
  for (let i = first; i < spans.length; i++) {
    const span = spans[i]!;
    if (span.from > view.until) break;
    if (span.until < view.from) continue;
    const x1 = xOf(span.from, view, layout.left, layout.width);
    const x2 = xOf(span.until, view, layout.left, layout.width);
    const wide = Math.max(0.7, x2 - x1);
    const inRange = span.height >= app.filters.fromHeight && span.height <= app.filters.untilHeight;
    const colour = palette.steps[span.step] ?? palette.otherStep;
    ctx.globalAlpha = 1;
    ctx.fillStyle = palette.background;
    ctx.fillRect(x1, top, wide, tall);
    ctx.fillStyle = colour;
    ctx.globalAlpha = (span.step === "NewHeight" ? 0.28 : 0.62) * (inRange ? 1 : 0.3);
    ctx.fillRect(x1, top, Math.max(0.7, wide - (wide > 4 ? 0.6 : 0)), tall);
    if (span.round > 0) {
      ctx.globalAlpha = inRange ? 1 : 0.3;
      ctx.fillStyle = palette.round;
      ctx.fillRect(x1, top - 3, wide, 2.5);
    }
    ctx.globalAlpha = 1;
    if (app.selected?.kind === "step" && app.selected.span === span) {
      ctx.strokeStyle = palette.accent;
      ctx.lineWidth = 2;
      ctx.strokeRect(x1, top - 1, wide, tall + 2);
    }
    // A height begins where a decision's mark stands.
    const visible = Math.max(x1, layout.left) + (span.step === "NewHeight" ? 6 : 0);
    const room = Math.min(x2, layout.left + layout.width) - visible - 6;
    if (room > 22 && tall >= 10) {
      const where = `${span.height}/${span.round}`;
      const label = [`${where} ${span.step}`, span.step, where].find(
        (text) => ctx.measureText(text).width <= room,
      );
      if (label !== undefined) {
        ctx.fillStyle = palette.text;
        ctx.fillText(label, visible + 3, middle + 0.5);
      }
    }
  }
  ctx.globalAlpha = 1;
}

/** More steps than pixels: which step is not to be told, but whether the node ran, and in which rounds. */
function paintDenseSteps(
  ctx: CanvasRenderingContext2D,
  app: App,
  palette: Palette,
  lane: Lane,
  middle: number,
): void {
  const { layout, view } = app;
  const tall = barHeight(layout.laneHeight);
  for (let x = 0; x < layout.width; x++) {
    const from = timeAt(x, view, 0, layout.width);
    const until = timeAt(x + 1, view, 0, layout.width);
    const first = Math.max(0, firstAfter(lane.spans, from, (span) => span.from) - 1);
    const last = firstAfter(lane.spans, until, (span) => span.from);
    let running = false;
    let later = false;
    for (let i = first; i < last; i++) {
      const span = lane.spans[i]!;
      if (span.until < from) continue;
      running = true;
      if (span.round > 0) later = true;
    }
    if (!running) continue;
    ctx.globalAlpha = later ? 0.9 : 0.35;
    ctx.fillStyle = later ? palette.round : palette.decided;
    ctx.fillRect(layout.left + x, middle - tall / 2, 1, tall);
  }
  ctx.globalAlpha = 1;
}

function paintOutageFields(
  ctx: CanvasRenderingContext2D,
  app: App,
  palette: Palette,
  lane: Lane,
  middle: number,
): void {
  const { layout, view } = app;
  for (const outage of lane.outages) {
    if (outage.until < view.from || outage.from > view.until) continue;
    const x1 = xOf(outage.from, view, layout.left, layout.width);
    const x2 = xOf(outage.until, view, layout.left, layout.width);
    ctx.fillStyle = hatch(ctx, outage.kind === "crash" ? palette.down : palette.paused);
    ctx.globalAlpha = app.selected?.kind === "outage" && app.selected.outage === outage ? 0.8 : 0.42;
    ctx.fillRect(x1, middle - layout.laneHeight / 2 + 1, Math.max(2, x2 - x1), layout.laneHeight - 2);
    ctx.globalAlpha = 1;
  }
}

function paintOutageLabels(
  ctx: CanvasRenderingContext2D,
  app: App,
  palette: Palette,
  lane: Lane,
  middle: number,
): void {
  const { layout, view } = app;
  ctx.font = `600 11px ${palette.font}`;
  for (const outage of lane.outages) {
    if (outage.until < view.from || outage.from > view.until) continue;
    const crash = outage.kind === "crash";
    const x1 = xOf(outage.from, view, layout.left, layout.width);
    const x2 = xOf(outage.until, view, layout.left, layout.width);
    const top = middle - layout.laneHeight / 2;
    ctx.strokeStyle = crash ? palette.down : palette.paused;
    ctx.lineWidth = 2;
    ctx.beginPath();
    ctx.moveTo(x1, top + 1);
    ctx.lineTo(x1, top + layout.laneHeight - 1);
    ctx.stroke();
    const visible = Math.max(x1, layout.left);
    const room = Math.min(x2, layout.left + layout.width) - visible - 10;
    const label = `${crash ? "✖ crashed" : "❚❚ paused"}${outage.detail === "" ? "" : `: ${outage.detail}`}`;
    const text = room > 30 ? fitText(ctx, label, room) : crash ? "✖" : "❚❚";
    const y = Math.max(top + 9, middle - barHeight(layout.laneHeight) / 2 - 9);
    ctx.fillStyle = palette.background;
    ctx.globalAlpha = 0.75;
    ctx.fillRect(visible + 3, y - 7, ctx.measureText(text).width + 4, 14);
    ctx.globalAlpha = 1;
    ctx.fillStyle = palette.text;
    ctx.fillText(text, visible + 5, y + 0.5);
  }
}

export function lockTop(middle: number, laneHeight: number): number {
  return middle + barHeight(laneHeight) / 2 + 1.5;
}

function paintLocks(
  ctx: CanvasRenderingContext2D,
  app: App,
  palette: Palette,
  lane: Lane,
  middle: number,
): void {
  const { layout, view } = app;
  const top = lockTop(middle, layout.laneHeight);
  ctx.font = `10px ${palette.font}`;
  for (const lock of lane.locks) {
    if (lock.until < view.from || lock.from > view.until) continue;
    const x1 = xOf(lock.from, view, layout.left, layout.width);
    const x2 = Math.max(x1 + 2, xOf(lock.until, view, layout.left, layout.width));
    const chosen = app.selected?.kind === "lock" && app.selected.lock === lock;
    ctx.fillStyle = blockColour(palette, lock.block);
    ctx.globalAlpha = 1;
    ctx.fillRect(x1, top, x2 - x1, chosen ? 6 : 4);
    const visible = Math.max(x1, layout.left);
    const room = Math.min(x2, layout.left + layout.width) - visible - 6;
    if (room > 48 && layout.laneHeight >= 48) {
      ctx.fillStyle = palette.quiet;
      ctx.fillText(fitText(ctx, `locked ${lock.block}`, room), visible + 2, top + 11);
    }
  }
}

/** Proposals stand above votes: a proposer mostly votes at once, and the marks would hide each other. */
export function signatureY(word: string, middle: number, laneHeight: number): number {
  const row = word === "proposal" && laneHeight >= 48 ? 17 : 7;
  return middle - barHeight(laneHeight) / 2 - row;
}

/** A filled dot for a block, a ring for nil, a square for a proposal. */
function paintSignatures(
  ctx: CanvasRenderingContext2D,
  app: App,
  palette: Palette,
  lane: Lane,
  middle: number,
): void {
  const { layout, view } = app;
  const first = firstAfter(lane.signatures, view.from, ({ t }) => t - 1e-9);
  const last = firstAfter(lane.signatures, view.until, ({ t }) => t);
  if (last - first > layout.width / 5) return;
  for (let i = first; i < last; i++) {
    const signature = lane.signatures[i]!;
    if (signature.height < app.filters.fromHeight || signature.height > app.filters.untilHeight) continue;
    const x = xOf(signature.t, view, layout.left, layout.width);
    const y = signatureY(signature.word, middle, layout.laneHeight);
    const colour =
      signature.word === "proposal"
        ? palette.steps["Propose"]
        : signature.word === "prevote"
          ? palette.steps["Prevote"]
          : signature.word === "precommit"
            ? palette.steps["Precommit"]
            : palette.quiet;
    ctx.strokeStyle = colour ?? palette.quiet;
    ctx.fillStyle = signature.block === "nil" ? palette.background : (colour ?? palette.quiet);
    ctx.lineWidth = 1.6;
    ctx.beginPath();
    if (signature.word === "proposal") ctx.rect(x - 3.5, y - 3.5, 7, 7);
    else ctx.arc(x, y, 3.4, 0, Math.PI * 2);
    ctx.fill();
    ctx.stroke();
    if (app.selected?.kind === "signature" && app.selected.signature === signature) {
      ctx.strokeStyle = palette.accent;
      ctx.lineWidth = 2;
      ctx.beginPath();
      ctx.arc(x, y, 7, 0, Math.PI * 2);
      ctx.stroke();
    }
  }
}

function paintDecisions(
  ctx: CanvasRenderingContext2D,
  app: App,
  palette: Palette,
  lane: Lane,
  middle: number,
): void {
  const { layout, view } = app;
  const size = Math.max(4, Math.min(7, barHeight(layout.laneHeight) / 2));
  const first = firstAfter(lane.decisions, view.from, ({ t }) => t - 1e-9);
  const last = firstAfter(lane.decisions, view.until, ({ t }) => t);
  if ((last - first) * size * 2 > layout.width) return;
  ctx.font = `600 10px ${palette.font}`;
  for (let i = first; i < last; i++) {
    const decision = lane.decisions[i]!;
    const x = xOf(decision.t, view, layout.left, layout.width);
    ctx.fillStyle = palette.decided;
    ctx.strokeStyle = palette.background;
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    ctx.moveTo(x, middle - size);
    ctx.lineTo(x + size, middle);
    ctx.lineTo(x, middle + size);
    ctx.lineTo(x - size, middle);
    ctx.closePath();
    ctx.fill();
    ctx.stroke();
    if (app.selected?.kind === "decision" && app.selected.decision === decision) {
      ctx.strokeStyle = palette.accent;
      ctx.lineWidth = 2;
      ctx.stroke();
    }
    const next = lane.decisions[i + 1];
    const room =
      (next === undefined ? layout.left + layout.width : xOf(next.t, view, layout.left, layout.width)) - x;
    if (room > 130 && layout.laneHeight >= 48) {
      ctx.fillStyle = palette.decided;
      ctx.fillText(decision.block, x + 2, middle + barHeight(layout.laneHeight) / 2 + 10);
    }
  }
}

/** Names, and below them what the node is doing at the pointer's time. */
export function paintLaneNames(ctx: CanvasRenderingContext2D, app: App, palette: Palette): void {
  const { layout, model, scroll } = app;
  ctx.save();
  ctx.beginPath();
  ctx.rect(0, layout.lanesTop - 4, layout.left, layout.height);
  ctx.clip();
  ctx.fillStyle = palette.background;
  ctx.fillRect(0, layout.lanesTop - 4, layout.left, layout.height);
  const room = layout.left - 20;
  for (const node of layout.shown) {
    const middle = laneMiddle(layout, node, scroll);
    const lane = model.lanes[node];
    if (lane === undefined || middle < layout.lanesTop - 20 || middle > layout.height + 20) continue;
    const two = layout.laneHeight >= 30;
    ctx.font = `600 12px ${palette.font}`;
    ctx.fillStyle = palette.text;
    ctx.fillText(fitText(ctx, lane.name, room), 10, two ? middle - 7 : middle);
    if (!two) continue;
    ctx.font = `11px ${palette.font}`;
    ctx.fillStyle = palette.quiet;
    ctx.fillText(fitText(ctx, stateText(app, lane, node), room), 10, middle + 8);
  }
  ctx.restore();
}

function stateText(app: App, lane: Lane, node: number): string {
  if (app.cursor === null) return node < app.model.header.validators ? "validator" : "full node";
  const { span, outage, lock, decided } = stateAt(lane, Math.min(app.cursor, app.model.end));
  if (outage !== null) return outage.kind === "crash" ? "down" : "paused";
  if (span === null) return decided === null ? "not yet started" : `decided ${decided.height}`;
  const held = lock === null ? "" : `, lock ${lock.block.slice(0, 4)}`;
  return `${span.height}/${span.round} ${span.step}${held}`;
}
