/** Draws the diagram: axis, heights and faults above, then the lanes with their messages. */
import { AXIS_HEIGHT, FAULT_ROW, HEIGHTS_HEIGHT } from "../layout.ts";
import { moment } from "../text.ts";
import { ticks, xOf } from "../viewport.ts";
import type { App } from "./app.ts";
import { paintLaneNames, paintLanes } from "./paint-lanes.ts";
import { paintMessages } from "./paint-messages.ts";
import type { Palette } from "./palette.ts";
import { fitText, hatch } from "./strokes.ts";

export function paint(ctx: CanvasRenderingContext2D, app: App, palette: Palette): void {
  const { layout } = app;
  const right = layout.left + layout.width;
  ctx.fillStyle = palette.background;
  ctx.fillRect(0, 0, right + 12, layout.height);
  ctx.textBaseline = "middle";
  paintGrid(ctx, app, palette);
  ctx.save();
  ctx.beginPath();
  ctx.rect(layout.left, layout.lanesTop - 4, layout.width, layout.height - layout.lanesTop + 4);
  ctx.clip();
  paintFaultFields(ctx, app, palette);
  paintHeightLines(ctx, app, palette);
  paintLanes(ctx, app, palette, "bars");
  paintMessages(ctx, app, palette);
  paintLanes(ctx, app, palette, "marks");
  paintViolationLines(ctx, app, palette);
  ctx.restore();
  ctx.save();
  ctx.beginPath();
  ctx.rect(layout.left, 0, layout.width, layout.lanesTop);
  ctx.clip();
  paintAxis(ctx, app, palette);
  paintHeights(ctx, app, palette);
  paintFaults(ctx, app, palette);
  ctx.restore();
  paintRowNames(ctx, app, palette);
  paintLaneNames(ctx, app, palette);
  paintCursor(ctx, app, palette);
}

function axisMarks(app: App): { at: number[]; digits: number } {
  return ticks(app.view, app.layout.width / 110);
}

function paintGrid(ctx: CanvasRenderingContext2D, app: App, palette: Palette): void {
  const { layout, view } = app;
  ctx.strokeStyle = palette.grid;
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (const t of axisMarks(app).at) {
    const x = Math.round(xOf(t, view, layout.left, layout.width)) + 0.5;
    ctx.moveTo(x, AXIS_HEIGHT);
    ctx.lineTo(x, layout.height);
  }
  ctx.stroke();
}

function paintAxis(ctx: CanvasRenderingContext2D, app: App, palette: Palette): void {
  const { layout, view } = app;
  const { at, digits } = axisMarks(app);
  ctx.font = `11px ${palette.font}`;
  ctx.fillStyle = palette.quiet;
  ctx.textAlign = "center";
  for (const t of at) {
    const x = xOf(t, view, layout.left, layout.width);
    ctx.fillText(`${(t / 1000).toFixed(digits)} s`, x, AXIS_HEIGHT / 2 + 1);
  }
  ctx.textAlign = "left";
}

function paintRowNames(ctx: CanvasRenderingContext2D, app: App, palette: Palette): void {
  const { layout } = app;
  ctx.fillStyle = palette.background;
  ctx.fillRect(0, 0, layout.left, layout.lanesTop - 4);
  ctx.font = `11px ${palette.font}`;
  ctx.fillStyle = palette.quiet;
  ctx.textAlign = "right";
  ctx.fillText("virtual time", layout.left - 10, AXIS_HEIGHT / 2 + 1);
  ctx.fillText("height", layout.left - 10, layout.heightsTop + HEIGHTS_HEIGHT / 2);
  if (layout.faultRows > 0) ctx.fillText("faults", layout.left - 10, layout.faultsTop + FAULT_ROW / 2);
  ctx.textAlign = "left";
}

/** One block per height, first decision to first decision; the part after round 0 stands out. */
function paintHeights(ctx: CanvasRenderingContext2D, app: App, palette: Palette): void {
  const { layout, view, model } = app;
  const top = layout.heightsTop;
  const tall = HEIGHTS_HEIGHT - 4;
  for (const span of model.heights) {
    if (span.until < view.from || span.from > view.until) continue;
    const x1 = xOf(span.from, view, layout.left, layout.width);
    const x2 = xOf(span.until, view, layout.left, layout.width);
    const wide = Math.max(1, x2 - x1 - 1);
    const inRange =
      span.height >= app.filters.fromHeight && span.height <= app.filters.untilHeight ? 1 : 0.35;
    ctx.globalAlpha = (span.height % 2 === 0 ? 0.2 : 0.32) * inRange;
    ctx.fillStyle = span.decided ? palette.decided : palette.quiet;
    ctx.fillRect(x1, top, wide, tall);
    const firstLater = span.roundStarts[0];
    if (firstLater !== undefined && firstLater.t < span.until) {
      const later = xOf(firstLater.t, view, layout.left, layout.width);
      ctx.globalAlpha = 0.55 * inRange;
      ctx.fillStyle = palette.round;
      ctx.fillRect(later, top, Math.max(2, x2 - later - 1), tall);
    }
    ctx.globalAlpha = 1;
    const selected = app.selected?.kind === "height" && app.selected.span === span;
    if (selected) {
      ctx.strokeStyle = palette.accent;
      ctx.lineWidth = 2;
      ctx.strokeRect(x1 + 1, top + 1, wide - 1, tall - 2);
    }
    const visible = Math.max(x1, layout.left);
    const room = Math.min(x2, layout.left + layout.width) - visible - 8;
    ctx.font = `${selected ? "600 " : ""}12px ${palette.font}`;
    ctx.fillStyle = palette.text;
    const rounds = span.rounds === 0 ? "" : ` · round ${span.rounds}`;
    const label = [
      `height ${span.height}${rounds}`,
      `${span.height}${span.rounds === 0 ? "" : ` · r${span.rounds}`}`,
      String(span.height),
    ].find((text) => ctx.measureText(text).width <= room);
    if (label !== undefined) ctx.fillText(label, visible + 4, top + tall / 2 + 0.5);
  }
}

function paintHeightLines(ctx: CanvasRenderingContext2D, app: App, palette: Palette): void {
  const { layout, view, model } = app;
  const visible = model.heights.filter(
    ({ until, decided }) => decided && until >= view.from && until <= view.until,
  );
  if (visible.length > layout.width / 12) return;
  ctx.strokeStyle = palette.decided;
  ctx.globalAlpha = 0.55;
  ctx.setLineDash([2, 4]);
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (const { until } of visible) {
    const x = Math.round(xOf(until, view, layout.left, layout.width)) + 0.5;
    ctx.moveTo(x, layout.lanesTop - 4);
    ctx.lineTo(x, layout.height);
  }
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.globalAlpha = 1;
}

function paintFaults(ctx: CanvasRenderingContext2D, app: App, palette: Palette): void {
  if (!app.filters.faults) return;
  const { layout, view, model } = app;
  ctx.font = `10.5px ${palette.font}`;
  model.faults.forEach((fault, i) => {
    if (fault.until < view.from || fault.from > view.until) return;
    const x1 = xOf(fault.from, view, layout.left, layout.width);
    const x2 = Math.max(x1 + 4, xOf(fault.until, view, layout.left, layout.width));
    const y = layout.faultsTop + (layout.faultRow[i] ?? 0) * FAULT_ROW;
    const chosen = app.selected?.kind === "fault" && app.selected.fault === fault;
    ctx.fillStyle = palette.fault;
    ctx.globalAlpha = chosen ? 0.55 : 0.3;
    ctx.fillRect(x1, y, x2 - x1, FAULT_ROW - 3);
    ctx.globalAlpha = 1;
    ctx.fillRect(x1, y, 2, FAULT_ROW - 3);
    const visible = Math.max(x1, layout.left);
    const room = Math.min(x2, layout.left + layout.width) - visible - 10;
    if (room > 24) {
      ctx.fillStyle = palette.text;
      ctx.fillText(fitText(ctx, fault.text, room), visible + 6, y + (FAULT_ROW - 3) / 2 + 0.5);
    }
  });
}

/** The lanes that a fault touches, for as long as it lasts. */
function paintFaultFields(ctx: CanvasRenderingContext2D, app: App, palette: Palette): void {
  if (!app.filters.faults) return;
  const { layout, view, model, scroll } = app;
  const pattern = hatch(ctx, palette.fault);
  for (const fault of model.faults) {
    if (fault.until < view.from || fault.from > view.until) continue;
    const chosen = app.selected?.kind === "fault" && app.selected.fault === fault;
    const x1 = xOf(fault.from, view, layout.left, layout.width);
    const x2 = Math.max(x1 + 2, xOf(fault.until, view, layout.left, layout.width));
    ctx.globalAlpha = chosen ? 0.5 : 0.16;
    ctx.fillStyle = pattern;
    for (const node of fault.nodes) {
      const at = layout.place[node] ?? -1;
      if (at < 0) continue;
      ctx.fillRect(x1, layout.lanesTop + at * layout.laneHeight - scroll, x2 - x1, layout.laneHeight);
    }
  }
  ctx.globalAlpha = 1;
}

function paintViolationLines(ctx: CanvasRenderingContext2D, app: App, palette: Palette): void {
  const { layout, view, model } = app;
  ctx.strokeStyle = palette.violation;
  ctx.fillStyle = palette.violation;
  ctx.font = `600 12px ${palette.font}`;
  for (const violation of model.violations) {
    if (violation.t < view.from || violation.t > view.until) continue;
    const x = xOf(violation.t, view, layout.left, layout.width);
    ctx.lineWidth = app.selected?.kind === "violation" && app.selected.violation === violation ? 3 : 1.5;
    ctx.beginPath();
    ctx.moveTo(x, layout.lanesTop - 4);
    ctx.lineTo(x, layout.height);
    ctx.stroke();
    const label = `✖ ${violation.law}`;
    const wide = ctx.measureText(label).width + 8;
    const left = x + wide > layout.left + layout.width ? x - wide : x;
    ctx.fillRect(left, layout.lanesTop - 4, wide, 16);
    ctx.fillStyle = palette.background;
    ctx.fillText(label, left + 4, layout.lanesTop + 4.5);
    ctx.fillStyle = palette.violation;
  }
}

function paintCursor(ctx: CanvasRenderingContext2D, app: App, palette: Palette): void {
  if (app.cursor === null) return;
  const { layout, view } = app;
  const x = Math.round(xOf(app.cursor, view, layout.left, layout.width)) + 0.5;
  if (x < layout.left || x > layout.left + layout.width) return;
  ctx.strokeStyle = palette.text;
  ctx.globalAlpha = 0.35;
  ctx.lineWidth = 1;
  ctx.beginPath();
  ctx.moveTo(x, AXIS_HEIGHT - 2);
  ctx.lineTo(x, layout.height);
  ctx.stroke();
  ctx.globalAlpha = 1;
  ctx.font = `600 11px ${palette.font}`;
  const label = moment(app.cursor);
  const wide = ctx.measureText(label).width + 10;
  const left = Math.min(Math.max(x - wide / 2, layout.left), layout.left + layout.width - wide);
  ctx.fillStyle = palette.text;
  ctx.fillRect(left, 3, wide, AXIS_HEIGHT - 6);
  ctx.fillStyle = palette.background;
  ctx.fillText(label, left + 5, AXIS_HEIGHT / 2 + 0.5);
}
