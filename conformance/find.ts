/** Finds vector files under a directory by their content alone. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { Case, Json } from "./case.ts";
import { isCollection } from "./comet/collection.ts";
import { KNOWN_KINDS } from "./comet/index.ts";
import { isTrace } from "./driver/trace.ts";
import { isExpectations, isSignatureEntry, isSignInputLine, isWycheproof } from "./ed25519/files.ts";

/** What a file is, by its content. */
export type Found =
  | { readonly kind: "cases"; readonly cases: readonly Case[] }
  | { readonly kind: "signatures"; readonly entries: readonly Json[] }
  | { readonly kind: "wycheproof"; readonly document: Json }
  | { readonly kind: "sign_input"; readonly lines: readonly string[] }
  | { readonly kind: "traces"; readonly traces: readonly Json[] }
  | { readonly kind: "collection"; readonly document: Json }
  | { readonly kind: "expectations"; readonly document: Json }
  | { readonly kind: "ignored"; readonly why: string }
  | { readonly kind: "unreadable"; readonly why: string };

/** Largest file that is looked into. */
const MAX_FILE = 512 * 1024 * 1024;
const MAX_UNZIPPED = 1024 * 1024 * 1024;

/** All files below a directory, sorted; symbolic links are followed once. */
export async function filesBelow(directory: string): Promise<string[]> {
  const files: string[] = [];
  const seen = new Set<string>();
  const walk = async (path: string): Promise<void> => {
    const { dev, ino } = await stat(path);
    const id = `${dev}:${ino}`;
    if (seen.has(id)) return;
    seen.add(id);
    for (const name of (await readdir(path)).sort()) {
      const child = join(path, name);
      const info = await stat(child).catch(() => null);
      if (info === null || info.isFile()) files.push(child);
      else if (info.isDirectory()) await walk(child);
    }
  };
  const info = await stat(directory);
  if (info.isFile()) return [directory];
  await walk(directory);
  return files;
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export async function look(file: string): Promise<Found> {
  let content: Buffer;
  try {
    const { size } = await stat(file);
    if (size > MAX_FILE) return { kind: "unreadable", why: `${size} bytes are more than is read` };
    content = await readFile(file);
  } catch (error) {
    return { kind: "unreadable", why: reason(error) };
  }
  if (content[0] === 0x1f && content[1] === 0x8b) {
    try {
      content = gunzipSync(content, { maxOutputLength: MAX_UNZIPPED });
    } catch (error) {
      return { kind: "unreadable", why: `its gzip stream is broken: ${reason(error)}` };
    }
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(content);
  } catch {
    return { kind: "ignored", why: "no text" };
  }
  return classify(text);
}

/** What a text is. Exported for its tests. */
export function classify(text: string): Found {
  const document = parse(text);
  if (document.ok) return ofDocument(document.value);
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  if (lines.length > 0 && lines.some(isSignInputLine)) return { kind: "sign_input", lines };
  return ofLines(text, lines, document.why);
}

function parse(
  text: string,
): { readonly ok: true; readonly value: Json } | { readonly ok: false; readonly why: string } {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    return { ok: false, why: reason(error) };
  }
}

const isObject = (value: Json): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A case of a kind that is known here; its neighbours of other kinds are then faults, not foreign matter. */
const isCase = (value: Json): boolean =>
  isObject(value) &&
  typeof value.kind === "string" &&
  KNOWN_KINDS.has(value.kind) &&
  isObject(value.input) &&
  Object.hasOwn(value, "expect");

const asCase = (value: Json): Case => ({
  name: String(value?.name ?? "unnamed"),
  kind: String(value?.kind ?? "of no kind"),
  input: value?.input,
  expect: value?.expect,
});

function ofList(list: readonly Json[]): Found | null {
  if (list.some(isCase)) return { kind: "cases", cases: list.map(asCase) };
  if (list.some(isSignatureEntry)) return { kind: "signatures", entries: list };
  if (list.some(isTrace) && list.every((each) => !isTrace([each]))) return { kind: "traces", traces: list };
  return null;
}

function ofDocument(value: Json): Found {
  if (isTrace(value)) return { kind: "traces", traces: [value] };
  if (Array.isArray(value)) return ofList(value) ?? ignored(value);
  if (isCase(value)) return { kind: "cases", cases: [asCase(value)] };
  if (isSignatureEntry(value)) return { kind: "signatures", entries: [value] };
  if (!isObject(value)) return ignored(value);
  if (isWycheproof(value)) return { kind: "wycheproof", document: value };
  if (isExpectations(value)) return { kind: "expectations", document: value };
  if (isCollection(value)) return { kind: "collection", document: value };
  // Whatever the list of cases is called.
  for (const inner of Object.values(value)) {
    const found = Array.isArray(inner) ? ofList(inner) : null;
    if (found !== null) return found;
  }
  return ignored(value);
}

/** One JSON value a line, or a damaged document of a kind that would have been judged. */
function ofLines(text: string, lines: readonly string[], why: string): Found {
  const values = lines.map(parse);
  const parsed = values.filter((value) => value.ok).map(({ value }) => value as Json);
  const found = parsed.length > 1 || lines.length === 1 ? ofList(parsed) : null;
  if (found !== null && parsed.length === lines.length) return found;
  if (looksLikeVectors(text)) return { kind: "unreadable", why: `malformed JSON: ${why}` };
  return { kind: "ignored", why: "neither JSON nor lines of vectors" };
}

const MARKS: readonly (readonly RegExp[])[] = [
  [/"kind"\s*:/, /"input"\s*:/, /"expect"\s*:/],
  [/"vk_bytes"\s*:/, /"sig_bytes"\s*:/],
  [/"pub_key"\s*:/, /"signature"\s*:/, /"message"\s*:/],
  [/"pub"\s*:/, /"msg"\s*:/, /"sig"\s*:/],
  [/"testGroups"\s*:/, /"tcId"\s*:/],
  [/"valset"\s*:/, /"steps"\s*:|"states"\s*:|"init"\s*:/],
];

/** Whether a text that is no JSON was to be a vector file: cut off or damaged, not something else. */
function looksLikeVectors(text: string): boolean {
  if (!/^\s*[[{]/.test(text)) return false;
  return MARKS.some((marks) => marks.every((mark) => mark.test(text)));
}

const ignored = (value: Json): Found => ({
  kind: "ignored",
  why: Array.isArray(value) || isObject(value) ? "JSON of another form" : "no vectors",
});
