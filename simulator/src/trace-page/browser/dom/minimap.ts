/** The whole run in one strip: how many messages, which heights took more rounds, faults, absences, where the view is. */
import { timeAt, whole, xOf } from "../viewport.ts";
import { type App, GUTTER, setView } from "./app.ts";
import type { Palette } from "./palette.ts";

export interface Minimap {
  paint(palette: Palette): void;
}

export function createMinimap(app: App, canvas: HTMLCanvasElement): Minimap {
  const density = { width: 0, counts: new Float64Array(0), lost: new Float64Array(0) };
  const size = (): { width: number; height: number; left: number } => ({
    width: Math.max(50, canvas.clientWidth - GUTTER - 12),
    height: canvas.clientHeight,
    left: GUTTER,
  });
  const countMessages = (width: number): void => {
    if (density.width === width) return;
    const all = whole(app.model.end);
    density.width = width;
    density.counts = new Float64Array(width);
    density.lost = new Float64Array(width);
    const { messages } = app.model;
    for (let row = 0; row < messages.count; row++) {
      const x = Math.min(width - 1, Math.max(0, Math.floor(xOf(messages.sent[row]!, all, 0, width))));
      density.counts[x] = density.counts[x]! + 1;
      if (messages.fate[row] === 1) density.lost[x] = density.lost[x]! + 1;
    }
  };

  const paint = (palette: Palette): void => {
    const ctx = canvas.getContext("2d");
    if (ctx === null) return;
    const { width, height, left } = size();
    const ratio = devicePixelRatio;
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(height * ratio);
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    const all = whole(app.model.end);
    const toX = (t: number): number => xOf(t, all, left, width);
    ctx.fillStyle = palette.background;
    ctx.fillRect(0, 0, canvas.clientWidth, height);
    ctx.textBaseline = "middle";
    ctx.textAlign = "right";
    ctx.font = `11px ${palette.font}`;
    ctx.fillStyle = palette.quiet;
    ctx.fillText("whole run", left - 10, height / 2);
    for (const span of app.model.heights) {
      ctx.fillStyle = span.rounds > 0 ? palette.round : palette.decided;
      ctx.globalAlpha = span.rounds > 0 ? 0.5 : span.height % 2 === 0 ? 0.14 : 0.26;
      ctx.fillRect(toX(span.from), 0, Math.max(1, toX(span.until) - toX(span.from)), height);
    }
    ctx.globalAlpha = 1;
    countMessages(Math.round(width));
    const most = density.counts.reduce((a, b) => Math.max(a, b), 1);
    for (let x = 0; x < density.width; x++) {
      const share = Math.log1p(density.counts[x]!) / Math.log1p(most);
      ctx.fillStyle = palette.quiet;
      ctx.globalAlpha = 0.55;
      ctx.fillRect(left + x, height - share * (height - 12), 1, share * (height - 12));
      const lost = Math.log1p(density.lost[x]!) / Math.log1p(most);
      ctx.fillStyle = palette.lost;
      ctx.globalAlpha = 0.9;
      ctx.fillRect(left + x, height - lost * (height - 12), 1, lost * (height - 12));
    }
    ctx.globalAlpha = 1;
    for (const fault of app.model.faults) {
      ctx.fillStyle = palette.fault;
      ctx.globalAlpha = 0.75;
      ctx.fillRect(toX(fault.from), 0, Math.max(2, toX(fault.until) - toX(fault.from)), 3);
    }
    ctx.globalAlpha = 1;
    for (const lane of app.model.lanes) {
      for (const outage of lane.outages) {
        ctx.fillStyle = outage.kind === "crash" ? palette.down : palette.paused;
        ctx.fillRect(toX(outage.from), 4, Math.max(2, toX(outage.until) - toX(outage.from)), 3);
      }
    }
    for (const violation of app.model.violations) {
      ctx.fillStyle = palette.violation;
      ctx.fillRect(toX(violation.t) - 1, 0, 3, height);
    }
    const x1 = toX(app.view.from);
    const x2 = toX(app.view.until);
    ctx.fillStyle = palette.background;
    ctx.globalAlpha = 0.6;
    ctx.fillRect(left, 0, Math.max(0, x1 - left), height);
    ctx.fillRect(x2, 0, Math.max(0, left + width - x2), height);
    ctx.globalAlpha = 1;
    ctx.strokeStyle = palette.accent;
    ctx.lineWidth = 2;
    ctx.strokeRect(
      Math.max(left, x1) + 1,
      1,
      Math.max(4, Math.min(x2, left + width) - Math.max(left, x1) - 2),
      height - 2,
    );
  };

  let grabbed: number | null = null;
  const moveTo = (event: PointerEvent): void => {
    const { width, left } = size();
    const t = timeAt(event.offsetX, whole(app.model.end), left, width);
    const half = (app.view.until - app.view.from) / 2;
    setView(app, { from: t - (grabbed ?? 0) - half, until: t - (grabbed ?? 0) + half });
  };
  canvas.addEventListener("pointerdown", (event) => {
    const { width, left } = size();
    const t = timeAt(event.offsetX, whole(app.model.end), left, width);
    const middle = (app.view.from + app.view.until) / 2;
    grabbed = t >= app.view.from && t <= app.view.until ? t - middle : 0;
    canvas.setPointerCapture(event.pointerId);
    moveTo(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (grabbed !== null) moveTo(event);
  });
  const release = (): void => {
    grabbed = null;
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  return { paint };
}
