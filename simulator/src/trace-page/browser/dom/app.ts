/** What the page knows at a moment, and the ways to change it; every change asks for one repaint of what shows it. */
import {
  type Chosen,
  choose,
  type Filters,
  indexMessages,
  type MessageIndex,
  openFilters,
} from "../culling.ts";
import { type Layout, layOut } from "../layout.ts";
import type { Model } from "../model.ts";
import type { HeightStory } from "../rounds.ts";
import type { Chapter } from "../story.ts";
import { type Target, timesOf } from "../target.ts";
import { clamp, frame, type Viewport, whole } from "../viewport.ts";

export const GUTTER = 148;
/** More lines than this are a grey field, and take longer than a frame to draw. */
const LINE_BUDGET = 6000;

export type Change = "view" | "filters" | "hover" | "selection" | "size" | "theme";

export interface App {
  readonly model: Model;
  readonly index: MessageIndex;
  readonly stories: readonly HeightStory[];
  readonly chapters: readonly Chapter[];
  readonly mostLines: number;
  view: Viewport;
  /** px by which the lanes are moved up. */
  scroll: number;
  filters: Filters;
  layout: Layout;
  chosen: Chosen;
  hover: Target | null;
  selected: Target | null;
  /** Virtual ms under the pointer; null: the pointer is elsewhere. */
  cursor: number | null;
  /** Texts that contain what is looked for; null: nothing is looked for. */
  found: ReadonlySet<number> | null;
  changed(what: Change): void;
  onChange(listener: (what: Change) => void): void;
}

export function createApp(
  model: Model,
  stories: readonly HeightStory[],
  chapters: readonly Chapter[],
  size: { readonly width: number; readonly height: number },
): App {
  const index = indexMessages(model.messages);
  const filters = openFilters(model.lanes.length, model.kindCounts);
  const listeners: ((what: Change) => void)[] = [];
  const layout = layOut(size, filters.nodes, model.faults, GUTTER);
  const view = whole(model.end);
  return {
    model,
    index,
    stories,
    chapters,
    mostLines: LINE_BUDGET,
    view,
    scroll: 0,
    filters,
    layout,
    chosen: choose(model.messages, index, view, filters, layout.width, LINE_BUDGET),
    hover: null,
    selected: null,
    cursor: null,
    found: null,
    changed(what) {
      for (const listener of listeners) listener(what);
    },
    onChange(listener) {
      listeners.push(listener);
    },
  };
}

export function rechoose(app: App): void {
  app.chosen = choose(
    app.model.messages,
    app.index,
    app.view,
    app.filters,
    Math.round(app.layout.width),
    app.mostLines,
  );
}

export function setView(app: App, view: Viewport): void {
  app.view = clamp(view, app.model.end);
  rechoose(app);
  app.changed("view");
}

export function setScroll(app: App, scroll: number): void {
  const most = Math.max(0, app.layout.lanesTop + app.layout.lanesHeight + 8 - app.layout.height);
  app.scroll = Math.max(0, Math.min(most, scroll));
  app.changed("view");
}

export function setFilters(app: App, filters: Filters): void {
  app.filters = filters;
  resize(app, { width: app.layout.left + app.layout.width + 12, height: app.layout.height });
  app.changed("filters");
}

export function resize(app: App, size: { readonly width: number; readonly height: number }): void {
  const faults = app.filters.faults ? app.model.faults : [];
  app.layout = layOut(size, app.filters.nodes, faults, GUTTER);
  rechoose(app);
  setScroll(app, app.scroll);
}

export function select(app: App, target: Target | null): void {
  app.selected = target;
  app.changed("selection");
}

/** Selects and brings into view, wide enough to see what led there. */
export function goTo(app: App, target: Target): void {
  const [from, until] = timesOf(app.model, target);
  app.selected = target;
  if (target.kind === "height" || until - from > 50) setView(app, frame(from, until, app.model.end));
  else {
    const height = app.model.heights.find((span) => span.until >= from);
    const room = Math.max(300, Math.min(1500, height === undefined ? 0 : height.until - height.from));
    setView(app, { from: from - room, until: until + room / 2 });
  }
  app.changed("selection");
}
