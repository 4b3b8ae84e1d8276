/** The document's plots. Plain SVG 1.1, one colour per side, readable on light and dark pages. */
import { type Comparison, figure, type Line, linesOf, times } from "../support/comparison.ts";
import type { Stages } from "../support/stages.ts";

const WIDTH = 860;
const OURS = "#2f81f7";
const THEIRS = "#8b949e";
const GOAL = "#d29922";
const STEP_COLOURS = ["#8b949e", "#6e7681", "#2f81f7", "#3fb950", "#238636", "#d29922", "#9e6a03", "#a371f7"];

function text(x: number, y: number, content: string, more = ""): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${round(x)}" y="${round(y)}" ${more}>${escaped}</text>`;
}

function bar(x: number, y: number, width: number, height: number, colour: string): string {
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(Math.max(width, 0.5))}" height="${height}" fill="${colour}"/>`;
}

function page(height: number, title: string, body: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="13" fill="#8b949e" role="img">`,
    `<title>${title}</title>`,
    ...body,
    "</svg>",
    "",
  ].join("\n");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Both sides of every figure that has a goal, each pair on a scale of its own, with the goal's mark. */
export function comparisonPlot(comparisons: readonly Comparison[]): string {
  const lines = comparisons
    .flatMap(linesOf)
    .filter(
      ({ goals, ours, theirs }) =>
        goals.length > 0 && Number.isFinite(ours.median) && Number.isFinite(theirs.median),
    );
  const left = 250;
  const room = WIDTH - left - 110;
  const body = lines.flatMap((line, index) => pair(line, 30 + index * 46, left, room));
  const legend = [
    bar(left, 6, 12, 12, OURS),
    text(left + 18, 17, "Quorate"),
    bar(left + 90, 6, 12, 12, THEIRS),
    text(left + 108, 17, "opponent"),
    bar(left + 190, 6, 3, 12, GOAL),
    text(left + 200, 17, "goal"),
  ];
  return page(40 + lines.length * 46, "Quorate beside its opponents", [...legend, ...body]);
}

function pair(line: Line, y: number, left: number, room: number): readonly string[] {
  const { id, row, ours, theirs, goals } = line;
  const marks = goals.map(({ goal }) => (goal.of === "ratio" ? goal.bound * theirs.median : goal.bound));
  const most = Math.max(ours.median, theirs.median, ...marks);
  const long = (value: number): number => (value / most) * room;
  const met = goals.every((each) => each.met);
  return [
    text(0, y + 15, `${id} ${row.metric.replaceAll("_", " ")}`, 'font-weight="600"'),
    text(0, y + 32, `${row.unit}; ${met ? "met" : "missed"}`),
    bar(left, y + 2, long(ours.median), 15, OURS),
    text(left + long(ours.median) + 6, y + 14, `${figure(ours.median)} (${times(line.ratio)})`),
    bar(left, y + 20, long(theirs.median), 15, THEIRS),
    text(left + long(theirs.median) + 6, y + 32, figure(theirs.median)),
    ...marks.map((mark) => bar(left + long(mark), y, 3, 37, GOAL)),
  ];
}

/** The steps of a height one after the other, on one line of time. */
export function stagesPlot({ steps, msPerHeight }: Stages): string {
  const sum = steps.reduce((total, { ms }) => total + ms, 0);
  const scale = (WIDTH - 20) / sum;
  let x = 0;
  const bars: string[] = [];
  steps.forEach(({ name, ms }, index) => {
    const colour = STEP_COLOURS[index % STEP_COLOURS.length] ?? OURS;
    bars.push(bar(x, 30, ms * scale, 34, colour));
    const y = 86 + Math.floor(index / 4) * 20;
    const at = (index % 4) * 212;
    bars.push(bar(at, y, 12, 12, colour), text(at + 18, y + 11, `${name} ${ms.toFixed(2)} ms`));
    x += ms * scale;
  });
  const title = `One height of four validators: ${msPerHeight.toFixed(2)} ms`;
  return page(96 + Math.ceil(steps.length / 4) * 20, title, [
    text(0, 18, title, 'font-weight="600"'),
    ...bars,
  ]);
}
