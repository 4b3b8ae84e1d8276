/** The bar above the diagram: zoom, jumps, search, and the filters that are the legend at the same time. */
import { openFilters } from "../culling.ts";
import { MESSAGE_KINDS } from "../message-kinds.ts";
import { count } from "../text.ts";
import { whole, zoom } from "../viewport.ts";
import { type App, goTo, setFilters, setView } from "./app.ts";
import { find, make } from "./elements.ts";
import { pickNext, type Stop, stopsOf } from "./jump.ts";
import { spanOf } from "./panel.ts";

export interface Controls {
  /** Height `step` further than the one in view. */
  height(step: number): void;
  refresh(): void;
}

export function createControls(app: App): Controls {
  const middle = (): number => (app.view.from + app.view.until) / 2;
  const on = (selector: string, action: () => void): void => {
    find(selector, HTMLButtonElement).addEventListener("click", action);
  };
  on("#zoom-in", () => setView(app, zoom(app.view, 0.5, middle(), app.model.end)));
  on("#zoom-out", () => setView(app, zoom(app.view, 2, middle(), app.model.end)));
  on("#fit", () => setView(app, whole(app.model.end)));

  const heightInput = find("#height", HTMLInputElement);
  const currentHeight = (): number => {
    const { selected, model } = app;
    if (selected?.kind === "height") return selected.span.height;
    return model.heights.find(({ until }) => until >= middle())?.height ?? model.heights.at(-1)?.height ?? 1;
  };
  const goToHeight = (height: number): void => {
    const { heights } = app.model;
    const nearest =
      spanOf(app, height) ?? (height < (heights[0]?.height ?? 0) ? heights[0] : heights.at(-1)) ?? null;
    if (nearest !== null) goTo(app, { kind: "height", span: nearest });
  };
  const step = (by: number): void => {
    goToHeight(app.selected?.kind === "height" ? currentHeight() + by : currentHeight());
  };
  on("#height-before", () => step(-1));
  on("#height-after", () => step(1));
  heightInput.addEventListener("change", () => goToHeight(Number(heightInput.value)));

  for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-stop]")) {
    const stop = button.dataset["stop"] as Stop;
    const stops = stopsOf(app, stop).length;
    button.append(make("span", { class: "n" }, count(stops)));
    button.disabled = stops === 0;
    button.addEventListener("click", (event) => pickNext(app, stop, event.shiftKey ? -1 : 1));
  }

  const kinds = createKindSwitches(app);
  const rest = createOtherFilters(app);
  createSearch(app);
  const refresh = (): void => {
    if (document.activeElement !== heightInput) heightInput.value = String(currentHeight());
    kinds();
    rest();
  };
  return { height: step, refresh };
}

function createKindSwitches(app: App): () => void {
  const box = find("#kinds", HTMLElement);
  const inputs = MESSAGE_KINDS.flatMap(({ id, label }, kind) => {
    const sent = app.model.kindCounts[kind] ?? 0;
    if (sent === 0) return [];
    const input = make("input", { type: "checkbox", id: `kind-${id}` });
    input.addEventListener("change", () => {
      const next = app.filters.kinds.map((value, i) => (i === kind ? input.checked : value));
      setFilters(app, { ...app.filters, kinds: next });
    });
    const swatch = make("span", { class: "swatch" });
    swatch.style.background = `var(--kind-${id})`;
    box.append(
      make("label", { class: "switch" }, input, swatch, label, make("span", { class: "n" }, count(sent))),
    );
    return [{ input, kind }];
  });
  return () => {
    for (const { input, kind } of inputs) input.checked = app.filters.kinds[kind] ?? false;
  };
}

function createOtherFilters(app: App): () => void {
  const onlyLost = find("#only-lost", HTMLInputElement);
  const faults = find("#show-faults", HTMLInputElement);
  const from = find("#from-height", HTMLInputElement);
  const until = find("#until-height", HTMLInputElement);
  const nodes = find("#nodes", HTMLElement);
  const nodesTitle = find("#nodes-title", HTMLElement);
  onlyLost.addEventListener("change", () => setFilters(app, { ...app.filters, onlyLost: onlyLost.checked }));
  faults.addEventListener("change", () => setFilters(app, { ...app.filters, faults: faults.checked }));
  const range = (): void => {
    const first = from.value === "" ? 0 : Number(from.value);
    const last = until.value === "" ? Number.POSITIVE_INFINITY : Number(until.value);
    setFilters(app, { ...app.filters, fromHeight: first, untilHeight: last });
  };
  from.addEventListener("change", range);
  until.addEventListener("change", range);
  const boxes = app.model.lanes.map((lane) => {
    const input = make("input", { type: "checkbox" });
    input.addEventListener("change", () => {
      const next = app.filters.nodes.map((value, i) => (i === lane.index ? input.checked : value));
      setFilters(app, { ...app.filters, nodes: next });
    });
    nodes.append(make("label", {}, input, lane.name));
    return input;
  });
  for (const [label, value] of [
    ["all", true],
    ["none", false],
  ] as const) {
    const button = make("button", { type: "button" }, label);
    button.addEventListener("click", () =>
      setFilters(app, { ...app.filters, nodes: app.filters.nodes.map(() => value) }),
    );
    nodes.append(button);
  }
  find("#reset", HTMLButtonElement).addEventListener("click", () =>
    setFilters(app, openFilters(app.model.lanes.length, app.model.kindCounts)),
  );
  return () => {
    onlyLost.checked = app.filters.onlyLost;
    faults.checked = app.filters.faults;
    from.value = app.filters.fromHeight === 0 ? "" : String(app.filters.fromHeight);
    until.value = Number.isFinite(app.filters.untilHeight) ? String(app.filters.untilHeight) : "";
    boxes.forEach((input, i) => {
      input.checked = app.filters.nodes[i] ?? false;
    });
    const shown = app.filters.nodes.filter(Boolean).length;
    nodesTitle.textContent = `Nodes ${shown}/${app.filters.nodes.length}`;
  };
}

/** Messages whose text contains what is typed stand out; the others fade. */
function createSearch(app: App): void {
  const input = find("#find", HTMLInputElement);
  input.addEventListener("input", () => {
    const text = input.value.trim().toLowerCase();
    app.found =
      text === ""
        ? null
        : new Set(app.model.texts.flatMap((t, i) => (t.toLowerCase().includes(text) ? [i] : [])));
    app.changed("filters");
  });
}
