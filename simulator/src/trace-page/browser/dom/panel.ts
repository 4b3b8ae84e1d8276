/** The words beside the diagram: what is selected, what happened at each height, which faults there were. */
import type { HeightSpan } from "../model.ts";
import type { HeightStory } from "../rounds.ts";
import type { Chapter } from "../story.ts";
import { describe, type Target } from "../target.ts";
import { duration, moment } from "../text.ts";
import { type App, goTo, select } from "./app.ts";
import { find, make } from "./elements.ts";
import { blockColour, type Palette } from "./palette.ts";

const MARKS = { plain: "●", late: "○", slow: "▲", bad: "✖" } as const;
const TONES = {
  plain: "as usual",
  late: "late on some nodes",
  slow: "delayed",
  bad: "a law was broken",
} as const;

export interface Panel {
  /** Call after the selection or the theme changed. */
  refresh(palette: Palette): void;
}

export function createPanel(app: App): Panel {
  const details = find("#details", HTMLElement);
  const story = find("#story", HTMLOListElement);
  const items = new Map<number, HTMLLIElement>();
  for (const chapter of app.chapters) {
    const item = chapterItem(app, chapter);
    items.set(chapter.height, item);
    story.append(item);
  }
  fillFaults(app);

  const refresh = (palette: Palette): void => {
    const { selected } = app;
    details.replaceChildren(...(selected === null ? [] : detailsOf(app, selected, palette)));
    details.hidden = selected === null;
    const height = selected === null ? null : heightOf(selected);
    for (const [at, item] of items) {
      const current = at === height;
      item.classList.toggle("current", current);
      if (current && selected?.kind === "height") item.scrollIntoView({ block: "nearest" });
    }
  };
  return { refresh };
}

function heightOf(target: Target): number | null {
  switch (target.kind) {
    case "height":
    case "step":
      return target.span.height;
    case "lock":
      return target.lock.height;
    case "signature":
      return target.signature.height;
    case "decision":
      return target.decision.height;
    case "message":
    case "outage":
    case "fault":
    case "violation":
      return null;
  }
}

export function spanOf(app: App, height: number): HeightSpan | null {
  return app.model.heights.find((span) => span.height === height) ?? null;
}

function chapterItem(app: App, chapter: Chapter): HTMLLIElement {
  const button = make(
    "button",
    { type: "button", class: "chapter" },
    make("span", { class: `mark ${chapter.tone}`, title: TONES[chapter.tone] }, MARKS[chapter.tone]),
    make("span", { class: "number" }, String(chapter.height)),
    make("span", { class: "headline" }, chapter.headline),
  );
  button.addEventListener("click", () => {
    const span = spanOf(app, chapter.height);
    if (span !== null) goTo(app, { kind: "height", span });
  });
  const item = make("li", { class: chapter.tone, "data-height": String(chapter.height) }, button);
  const sentences = make("div", { class: "sentences" });
  for (const sentence of chapter.sentences) sentences.append(make("p", {}, sentence));
  item.append(sentences);
  return item;
}

function fillFaults(app: App): void {
  const list = find("#faults", HTMLOListElement);
  const planned = app.model.header.faults;
  for (const fault of app.model.faults) {
    const button = make(
      "button",
      { type: "button" },
      make("span", { class: "when" }, moment(fault.from)),
      make("span", {}, fault.text),
      make(
        "span",
        { class: "lasted" },
        fault.until > fault.from ? duration(fault.until - fault.from) : "once",
      ),
    );
    button.addEventListener("click", () => goTo(app, { kind: "fault", fault }));
    list.append(make("li", {}, button));
  }
  if (app.model.faults.length === 0) {
    for (const text of planned) list.append(make("li", { class: "text" }, text));
  }
  find("#faults-section", HTMLElement).hidden = list.childElementCount === 0;
}

function detailsOf(app: App, target: Target, palette: Palette): HTMLElement[] {
  const { title, facts } = describe(app.model, target);
  const close = make("button", { type: "button", class: "close", "aria-label": "close details" }, "×");
  close.addEventListener("click", () => select(app, null));
  const list = make("dl");
  for (const [name, value] of facts) list.append(make("dt", {}, name), make("dd", {}, value));
  const parts: HTMLElement[] = [make("h2", {}, title), close, list];
  if (target.kind === "height") {
    const story = app.stories.find(({ height }) => height === target.span.height);
    if (story !== undefined) parts.push(voteTable(app, story, palette));
  }
  return parts;
}

/** Beyond so many nodes they stand one below the other, else side by side: what fits beside the diagram. */
const SIDE_BY_SIDE = 6;

/** Who signed what in each round: the reason why a round decided or not, in one look. */
function voteTable(app: App, story: HeightStory, palette: Palette): HTMLElement {
  const lanes = app.model.lanes;
  const lines: { readonly label: string; readonly cells: readonly HTMLElement[] }[] = [];
  for (const { round, proposer, prevotes, precommits } of story.rounds) {
    if (proposer === null && ![...prevotes, ...precommits].some((votes) => votes.length > 0)) continue;
    const star = (node: number): HTMLElement | null =>
      node === proposer ? make("span", { class: "proposer", title: "proposed in this round" }, "★") : null;
    lines.push({
      label: `round ${round} prevote`,
      cells: lanes.map(({ index }) => voteCell(prevotes[index] ?? [], palette, star(index))),
    });
    lines.push({
      label: "precommit",
      cells: lanes.map(({ index }) => voteCell(precommits[index] ?? [], palette, null)),
    });
  }
  lines.push({
    label: "decided",
    cells: story.decisions.map((decision) =>
      voteCell(decision === null ? [] : [decision.block], palette, null),
    ),
  });
  const head = make("tr", {}, make("td"));
  const body = make("tbody");
  if (lanes.length <= SIDE_BY_SIDE) {
    for (const { name } of lanes) head.append(make("th", { scope: "col" }, name));
    for (const { label, cells } of lines)
      body.append(make("tr", {}, make("th", { scope: "row" }, label), ...cells));
  } else {
    for (const { label } of lines) head.append(make("th", { scope: "col" }, label));
    for (const { name, index } of lanes) {
      const cells = lines.flatMap((line) => line.cells[index] ?? []);
      body.append(make("tr", {}, make("th", { scope: "row" }, name), ...cells));
    }
  }
  const caption = make("caption", {}, "Who signed what (★ proposed)");
  return make("div", { class: "votes" }, make("table", {}, caption, make("thead", {}, head), body));
}

function voteCell(votes: readonly string[], palette: Palette, star: HTMLElement | null): HTMLElement {
  const cell = make("td", votes.length > 1 ? { class: "double", title: "two different votes" } : {});
  if (star !== null) cell.append(star);
  if (votes.length === 0) cell.append(make("span", { class: "none" }, "–"));
  for (const vote of votes) {
    if (vote === "nil") cell.append(make("span", { class: "nil" }, "nil"));
    else {
      const chip = make("span", { class: "chip" });
      chip.style.background = blockColour(palette, vote);
      cell.append(make("span", { class: "block", title: vote }, chip, vote.slice(0, 4)));
    }
  }
  return cell;
}
