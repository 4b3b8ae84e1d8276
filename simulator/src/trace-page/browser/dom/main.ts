/** Unpacks the trace that this page carries and brings the page to life. */
import { decodeTrace } from "../codec.ts";
import { buildModel } from "../model.ts";
import { heightStories } from "../rounds.ts";
import { chapters, summary } from "../story.ts";
import { describe, type Target } from "../target.ts";
import { count, duration, moment } from "../text.ts";
import { frame } from "../viewport.ts";
import { type App, type Change, createApp, goTo, resize, setView } from "./app.ts";
import { createControls } from "./controls.ts";
import { find, make } from "./elements.ts";
import { listenToDiagram, listenToKeys } from "./input.ts";
import { createMinimap } from "./minimap.ts";
import { paint } from "./paint.ts";
import { readPalette } from "./palette.ts";
import { createPanel } from "./panel.ts";

async function unpack(): Promise<Uint8Array> {
  const coded = find("#trace", HTMLScriptElement).textContent.trim();
  const packed = Uint8Array.from(atob(coded), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function start(): Promise<void> {
  let themed: () => void = () => {};
  listenToTheme(() => themed());
  const { header, events } = decodeTrace(await unpack());
  const model = buildModel(header, events);
  const stories = heightStories(model);
  const canvas = find("#diagram", HTMLCanvasElement);
  const size = (): { width: number; height: number } => ({
    width: canvas.clientWidth,
    height: canvas.clientHeight,
  });
  const app = createApp(model, stories, chapters(model, stories), size());
  find("#summary", HTMLElement).textContent = summary(model, stories);
  let palette = readPalette();
  const panel = createPanel(app);
  const controls = createControls(app);
  const minimap = createMinimap(app, find("#minimap", HTMLCanvasElement));
  const ctx = canvas.getContext("2d");
  if (ctx === null) throw new Error("this browser has no 2D canvas");
  const status = find("#status", HTMLElement);
  const tooltip = find("#tooltip", HTMLElement);
  const help = find("#help", HTMLDialogElement);

  let wanted = false;
  let described: Target | null = null;
  const repaint = (): void => {
    wanted = false;
    const ratio = devicePixelRatio;
    const { width, height } = size();
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    paint(ctx, app, palette);
    minimap.paint(palette);
    status.textContent = statusText(app);
  };
  const onChange = (what: Change): void => {
    if (what === "theme") palette = readPalette();
    if (what === "selection" || what === "theme") panel.refresh(palette);
    if (what === "view" || what === "filters" || what === "selection") controls.refresh();
    if (app.hover !== described) {
      described = app.hover;
      showTooltip(app, tooltip, canvas);
    }
    if (!wanted) {
      wanted = true;
      requestAnimationFrame(repaint);
    }
  };
  app.onChange(onChange);
  themed = () => app.changed("theme");

  listenToDiagram(app, canvas);
  canvas.addEventListener("pointermove", (event) => placeTooltip(tooltip, event));
  const finder = find("#find", HTMLInputElement);
  listenToKeys(app, {
    help: () => (help.open ? help.close() : help.showModal()),
    find: () => finder.focus(),
    height: (step) => controls.height(step),
  });
  find("#help-button", HTMLButtonElement).addEventListener("click", () => help.showModal());
  listenToCopy();
  new ResizeObserver(() => resize(app, size())).observe(canvas);
  openAt(app);
  window.addEventListener("hashchange", () => openAt(app));
  panel.refresh(palette);
  controls.refresh();
  repaint();
  document.documentElement.dataset["ready"] = "yes";
}

function statusText(app: App): string {
  const { from, until } = app.view;
  const { rows, matching, beyond } = app.chosen;
  const shown = `${moment(Math.max(0, from))} to ${moment(Math.min(app.model.end, until))} (${duration(until - from)})`;
  const drawn =
    beyond === 0
      ? `${count(matching)} of ${count(app.model.messages.count)} messages`
      : `${count(matching)} of ${count(app.model.messages.count)} messages, ${count(rows.length)} drawn: zoom in to see all`;
  return `${shown} · ${drawn}`;
}

function showTooltip(app: App, tooltip: HTMLElement, canvas: HTMLCanvasElement): void {
  const { hover } = app;
  tooltip.hidden = hover === null;
  canvas.classList.toggle("pointing", hover !== null);
  if (hover === null) return;
  const { title, facts } = describe(app.model, hover);
  const list = make("dl");
  for (const [name, value] of facts) list.append(make("dt", {}, name), make("dd", {}, value));
  tooltip.replaceChildren(make("strong", {}, title), list);
}

function placeTooltip(tooltip: HTMLElement, event: PointerEvent): void {
  const { clientX, clientY } = event;
  const right = clientX + 18 + tooltip.offsetWidth > innerWidth;
  const below = clientY + 18 + tooltip.offsetHeight > innerHeight;
  tooltip.style.left = `${right ? Math.max(4, clientX - tooltip.offsetWidth - 12) : clientX + 18}px`;
  tooltip.style.top = `${below ? Math.max(4, clientY - tooltip.offsetHeight - 12) : clientY + 18}px`;
}

const THEMES = ["auto", "light", "dark"] as const;

/** Before anything reads a colour: the style sheet knows only which theme is in use, not why. */
function listenToTheme(changed: () => void): void {
  const button = find("#theme", HTMLButtonElement);
  const system = matchMedia("(prefers-color-scheme: dark)");
  let at = 0;
  const apply = (): void => {
    const theme = THEMES[at] ?? "auto";
    document.documentElement.dataset["theme"] =
      theme === "auto" ? (system.matches ? "dark" : "light") : theme;
    button.textContent = `theme: ${theme}`;
    changed();
  };
  button.addEventListener("click", () => {
    at = (at + 1) % THEMES.length;
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}

function listenToCopy(): void {
  const button = find("#copy", HTMLButtonElement);
  button.addEventListener("click", () => {
    const command = find("#replay", HTMLElement).textContent;
    navigator.clipboard.writeText(command).then(
      () => {
        button.textContent = "copied";
      },
      () => {
        getSelection()?.selectAllChildren(find("#replay", HTMLElement));
        button.textContent = "press Ctrl+C";
      },
    );
  });
}

/**
 * `#height=7` or `#t=12000,15500` (ms) opens there, so that a place in a trace can be linked to. Without either, a run
 * that broke a law opens where it first did.
 */
function openAt(app: App): void {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const height = Number(wanted.get("height") ?? Number.NaN);
  const span = app.model.heights.find((s) => s.height === height);
  if (span !== undefined) goTo(app, { kind: "height", span });
  const [violation] = app.model.violations;
  if (location.hash.length < 2 && violation !== undefined) goTo(app, { kind: "violation", violation });
  const [from = Number.NaN, until = Number.NaN] = (wanted.get("t") ?? "").split(",").map(Number);
  if (until > from) setView(app, frame(from, until, app.model.end));
}

start().catch((error: unknown) => {
  find("#summary", HTMLElement).textContent =
    `This trace cannot be shown: ${error instanceof Error ? error.message : String(error)}`;
  throw error;
});
