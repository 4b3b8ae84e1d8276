/** Jumps to the next thing worth looking at, from where the view or the selection is. */
import { sameTarget, type Target, timesOf } from "../target.ts";
import { type App, goTo } from "./app.ts";

export type Stop = "violation" | "round" | "fault" | "crash" | "lock" | "lost";

/** All stops of a kind, in order of time. */
export function stopsOf(app: App, stop: Stop): Target[] {
  const { model } = app;
  const byTime = (targets: Target[]): Target[] =>
    targets.sort((a, b) => timesOf(model, a)[0] - timesOf(model, b)[0]);
  switch (stop) {
    case "violation":
      return byTime(model.violations.map((violation) => ({ kind: "violation", violation })));
    case "round":
      return byTime(
        model.heights.filter(({ rounds }) => rounds > 0).map((span) => ({ kind: "height", span })),
      );
    case "fault":
      return byTime(model.faults.map((fault) => ({ kind: "fault", fault })));
    case "crash":
      return byTime(
        model.lanes.flatMap(({ index, outages }) =>
          outages.map((outage): Target => ({ kind: "outage", node: index, outage })),
        ),
      );
    case "lock":
      return byTime(
        model.lanes.flatMap(({ index, locks }) =>
          locks.map((lock): Target => ({ kind: "lock", node: index, lock })),
        ),
      );
    case "lost": {
      const { messages } = model;
      const targets: Target[] = [];
      for (let row = 0; row < messages.count; row++) {
        if (messages.fate[row] === 1 && app.filters.kinds[messages.kind[row]!])
          targets.push({ kind: "message", row });
      }
      return targets;
    }
  }
}

/** Selects the next (or previous) one; after the last comes the first. */
export function pickNext(app: App, stop: Stop, direction: 1 | -1): boolean {
  const stops = stopsOf(app, stop);
  if (stops.length === 0) return false;
  const current = app.selected;
  const from = current === null ? (app.view.from + app.view.until) / 2 : timesOf(app.model, current)[0];
  const times = stops.map((target) => timesOf(app.model, target)[0]);
  const same = current === null ? -1 : stops.findIndex((target) => sameTarget(target, current));
  let next: number;
  if (same >= 0) next = same + direction;
  else if (current === null && app.view.until - app.view.from >= app.model.end)
    next = direction === 1 ? 0 : -1;
  else if (direction === 1) next = times.findIndex((t) => t > from);
  else next = times.findLastIndex((t) => t < from);
  if (next < 0) next = direction === 1 ? 0 : stops.length - 1;
  goTo(app, stops[next % stops.length]!);
  return true;
}
