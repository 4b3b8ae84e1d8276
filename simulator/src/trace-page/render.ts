/**
 * A simulated run as one HTML page that needs nothing else: a lane per node, time to the right, messages as arrows.
 * The trace lies in the page packed (see browser/codec.ts); script and style come from the files beside this one.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import type { TraceEvent, TraceHeader } from "../trace.ts";
import { encodeTrace } from "./browser/codec.ts";
import { escapeHtml, plural } from "./browser/text.ts";
import { inlineModules } from "./inline.ts";

export interface TracePageOptions {
  /** The command that makes this run again; by default seed, validators and heights of the header. */
  readonly replay?: string;
}

const VERDICTS = {
  ok: "all laws held",
  violation: "a law was broken",
  stall: "the chain did not go on",
} as const;

/** @throws TraceFormatError for a trace with numbers that are not whole (times excepted: they are kept to 1 µs) */
export function renderTracePage(
  header: TraceHeader,
  events: readonly TraceEvent[],
  options: TracePageOptions = {},
): string {
  const read = (name: string): string => readFileSync(join(import.meta.dirname, name), "utf8");
  const script = inlineModules(join(import.meta.dirname, "browser", "dom", "main.ts"));
  const packed = deflateRawSync(encodeTrace(header, events), { level: 9 }).toString("base64");
  const replay =
    options.replay ??
    `npm run sim -- --seed ${header.seed} --validators ${header.validators} --heights ${header.heights}`;
  const title = `Seed ${header.seed}: ${VERDICTS[header.verdict]}`;
  const values: Readonly<Record<string, string>> = {
    title: escapeHtml(title),
    style: `<style>\n${read("page.css")}</style>`,
    verdict: `<span class="verdict ${header.verdict}">${VERDICTS[header.verdict]}</span>`,
    seed: String(header.seed),
    shape: escapeHtml(
      `${plural(header.validators, "validator")}, ${header.links === undefined ? "" : `links: ${header.links}; `}${plural(header.heights, "height")} wanted`,
    ),
    replay: escapeHtml(replay),
    trace: `<script type="application/octet-stream" id="trace">${packed}</script>`,
    // A script element ends at the first "</script" in it, wherever that stands.
    script: `<script type="module">\n${script.replaceAll("</script", "<\\/script")}\n</script>`,
  };
  return read("page.html").replace(/<!--([a-z-]+)-->/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`page.html names ${name}, which nothing fills`);
    return value;
  });
}
