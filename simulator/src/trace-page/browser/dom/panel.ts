/** The words beside the diagram: what is selected, what happened at each height, which faults there were. */
import type { HeightSpan } from "../model.ts";
import type { HeightStory } from "../rounds.ts";
import type { Chapter } from "../story.ts";
import { describe, type Target } from "../target.ts";
import { duration, moment } from "../text.ts";
import { type App, goTo, select } from "./app.ts";
import { find, make } from "./elements.ts";
import { blockColour, type Palette } from "./palette.ts";

const MARKS = { plain: "●", slow: "▲", bad: "✖" } as const;
const TONES = { plain: "as usual", slow: "delayed", bad: "a law was broken" } as const;

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

/** Who signed what in each round: the reason why a round decided or not, in one look. */
function voteTable(app: App, story: HeightStory, palette: Palette): HTMLElement {
  const rounds = story.rounds.filter(
    ({ proposer, prevotes, precommits }) =>
      proposer !== null || prevotes.some((v) => v.length > 0) || precommits.some((v) => v.length > 0),
  );
  const head = make("tr", {}, make("td"));
  const sub = make("tr", {}, make("td"));
  for (const { round } of rounds) {
    head.append(make("th", { colspan: "2", scope: "colgroup" }, `round ${round}`));
    sub.append(make("th", { scope: "col" }, "prevote"), make("th", { scope: "col" }, "precommit"));
  }
  head.append(make("th", { scope: "col" }, "decided"));
  sub.append(make("td"));
  const body = make("tbody");
  for (const lane of app.model.lanes) {
    const row = make("tr", {}, make("th", { scope: "row" }, lane.name));
    for (const { prevotes, precommits, proposer } of rounds) {
      const star =
        proposer === lane.index ? make("span", { class: "proposer", title: "proposer" }, "★") : null;
      row.append(voteCell(prevotes[lane.index] ?? [], palette, star));
      row.append(voteCell(precommits[lane.index] ?? [], palette, null));
    }
    const decision = story.decisions[lane.index] ?? null;
    row.append(voteCell(decision === null ? [] : [decision.block], palette, null));
    body.append(row);
  }
  return make(
    "div",
    { class: "votes" },
    make(
      "table",
      {},
      make("caption", {}, "Who signed what (★ proposed)"),
      make("thead", {}, head, sub),
      body,
    ),
  );
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
