/** Wheel, drag, touch and keys on the diagram. */
import { sameTarget } from "../target.ts";
import { pan, timeAt, whole, zoom } from "../viewport.ts";
import { type App, select, setScroll, setView } from "./app.ts";
import { pickNext, type Stop } from "./jump.ts";
import { targetAt } from "./pick.ts";

/** A press that moves less than this is a click. */
const CLICK_PX = 4;

export function listenToDiagram(app: App, canvas: HTMLCanvasElement): void {
  const timeOf = (x: number): number => timeAt(x, app.view, app.layout.left, app.layout.width);
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const unit = event.deltaMode === 1 ? 16 : 1;
      const sideways = event.shiftKey ? event.deltaY + event.deltaX : event.deltaX;
      if (event.altKey) setScroll(app, app.scroll + event.deltaY * unit);
      else if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) panBy(app, sideways * unit);
      else
        setView(app, zoom(app.view, 1.0016 ** (event.deltaY * unit), timeOf(event.offsetX), app.model.end));
    },
    { passive: false },
  );

  const pointers = new Map<number, { x: number; y: number }>();
  let moved = 0;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    moved = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (before === undefined) {
      hoverAt(app, event.offsetX, event.offsetY);
      return;
    }
    const here = { x: event.offsetX, y: event.offsetY };
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other !== undefined) {
      const was = Math.hypot(before.x - other.x, before.y - other.y);
      const is = Math.max(1, Math.hypot(here.x - other.x, here.y - other.y));
      setView(app, zoom(app.view, was / is, timeOf((here.x + other.x) / 2), app.model.end));
    } else {
      moved += Math.hypot(here.x - before.x, here.y - before.y);
      if (moved > CLICK_PX) {
        canvas.classList.add("dragging");
        panBy(app, before.x - here.x);
        if (here.y !== before.y) setScroll(app, app.scroll + before.y - here.y);
      }
    }
    pointers.set(event.pointerId, here);
  });
  const release = (event: PointerEvent): void => {
    pointers.delete(event.pointerId);
    canvas.classList.remove("dragging");
  };
  canvas.addEventListener("pointerup", (event) => {
    const click = pointers.size === 1 && moved <= CLICK_PX;
    release(event);
    if (click) select(app, targetAt(app, event.offsetX, event.offsetY));
  });
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => {
    app.cursor = null;
    app.hover = null;
    app.changed("hover");
  });
  canvas.addEventListener("dblclick", (event) => {
    setView(app, zoom(app.view, event.shiftKey ? 4 : 0.25, timeOf(event.offsetX), app.model.end));
  });
}

function hoverAt(app: App, x: number, y: number): void {
  const { layout } = app;
  const inside = x >= layout.left && x <= layout.left + layout.width;
  app.cursor = inside ? timeAt(x, app.view, layout.left, layout.width) : null;
  const target = targetAt(app, x, y);
  app.hover = sameTarget(target, app.hover) ? app.hover : target;
  app.changed("hover");
}

function panBy(app: App, px: number): void {
  setView(app, pan(app.view, (px / app.layout.width) * (app.view.until - app.view.from), app.model.end));
}

const STOPS: Readonly<Record<string, Stop>> = {
  v: "violation",
  r: "round",
  f: "fault",
  c: "crash",
  l: "lock",
  x: "lost",
};

/** Keys work wherever nothing is being typed. */
export function listenToKeys(
  app: App,
  actions: { help(): void; find(): void; height(step: number): void },
): void {
  document.addEventListener("keydown", (event) => {
    const at = event.target;
    if (at instanceof HTMLInputElement && at.type !== "checkbox") return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const middle = (app.view.from + app.view.until) / 2;
    const centre = app.cursor ?? middle;
    const step = app.layout.width * (event.shiftKey ? 0.6 : 0.15);
    const stop = STOPS[event.key.toLowerCase()];
    if (stop !== undefined) pickNext(app, stop, event.shiftKey ? -1 : 1);
    else if (event.key === "ArrowLeft") panBy(app, -step);
    else if (event.key === "ArrowRight") panBy(app, step);
    else if (event.key === "ArrowUp") setScroll(app, app.scroll - app.layout.laneHeight);
    else if (event.key === "ArrowDown") setScroll(app, app.scroll + app.layout.laneHeight);
    else if (event.key === "+" || event.key === "=") setView(app, zoom(app.view, 0.6, centre, app.model.end));
    else if (event.key === "-") setView(app, zoom(app.view, 1 / 0.6, centre, app.model.end));
    else if (event.key === "0") setView(app, whole(app.model.end));
    else if (event.key === "n") actions.height(1);
    else if (event.key === "p") actions.height(-1);
    else if (event.key === "/") actions.find();
    else if (event.key === "?") actions.help();
    else if (event.key === "Escape") select(app, null);
    else return;
    event.preventDefault();
  });
}
