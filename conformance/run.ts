/** Judges files and counts cases. */
import { ed25519PublicKey, ed25519Sign, type SignatureCheck } from "@quorate/crypto";
import { type Case, fail, Mismatch } from "./case.ts";
import { type CollectionCase, collectionCases } from "./comet/collection.ts";
import { judgeOf, SKIPPED_KINDS } from "./comet/index.ts";
import { replayTrace } from "./driver/replay.ts";
import { traceEntries } from "./driver/trace.ts";
import {
  type ExpectedVerdicts,
  expectations,
  NO_EXPECTATIONS,
  type SignatureCase,
  signatureEntry,
  signInputCase,
  wycheproofCases,
} from "./ed25519/files.ts";
import { judgeSignatures } from "./ed25519/judge.ts";
import { openPaths, type VerifierPath } from "./ed25519/paths.ts";
import { type Found, filesBelow, look } from "./find.ts";

export interface CaseResult {
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
  /** Why it failed, or which kind was skipped. */
  readonly note?: string;
}

export interface FileResult {
  readonly file: string;
  /** What the file was taken for. */
  readonly taken: string;
  readonly cases: readonly CaseResult[];
  /** Why nothing was judged in it, or that it could not be read. */
  readonly note?: string;
  readonly unreadable?: true;
}

const message = (error: unknown): string =>
  error instanceof Mismatch
    ? error.message
    : error instanceof Error
      ? `${error.name}: ${error.message.split("\n")[0]}`
      : String(error);

export async function judgeCase(vector: Case): Promise<CaseResult> {
  const name = `${vector.kind}: ${vector.name}`;
  if (SKIPPED_KINDS.has(vector.kind)) return { name, outcome: "skipped", note: vector.kind };
  const judge = judgeOf(vector);
  if (judge === null) return { name, outcome: "failed", note: "a kind or form that is not known here" };
  try {
    const expected = Object.keys(vector.expect ?? {}).filter((field) => field !== "go_error");
    if (expected.length === 0) fail("the vector expects nothing");
    await judge.run(vector.input, vector.expect);
    return { name, outcome: "passed" };
  } catch (error) {
    return { name, outcome: "failed", note: message(error) };
  }
}

async function judgeCollectionCase({ name, skip, run }: CollectionCase): Promise<CaseResult> {
  if (skip !== undefined) return { name, outcome: "skipped", note: skip };
  try {
    await run();
    return { name, outcome: "passed" };
  } catch (error) {
    return { name, outcome: "failed", note: message(error) };
  }
}

function judgeTrace(trace: unknown, name: string): CaseResult {
  try {
    replayTrace(traceEntries(trace));
    return { name, outcome: "passed" };
  } catch (error) {
    return { name, outcome: "failed", note: message(error) };
  }
}

type Parsed = SignatureCase | { readonly name: string; readonly broken: string };

function each<T>(
  items: readonly T[],
  name: (i: number) => string,
  read: (item: T, name: string) => SignatureCase,
): Parsed[] {
  return items.map((item, i) => {
    try {
      return read(item, name(i));
    } catch (error) {
      return { name: name(i), broken: message(error) };
    }
  });
}

function signatureCases(found: Found): Parsed[] | null {
  switch (found.kind) {
    case "signatures":
      return each(found.entries, (i) => `vector ${i}`, signatureEntry);
    case "sign_input":
      return each(found.lines, (i) => `line ${i + 1}`, signInputCase);
    case "wycheproof":
      return wycheproofCases(found.document);
    default:
      return null;
  }
}

async function judgeSignatureFile(
  parsed: readonly Parsed[],
  paths: readonly VerifierPath[],
  expected: ExpectedVerdicts,
): Promise<CaseResult[]> {
  const sound = parsed.filter((each): each is SignatureCase => !("broken" in each));
  const faults = await judgeSignatures(sound, paths, expected);
  const bySound = new Map(sound.map((each, i) => [each, faults[i] ?? null]));
  return parsed.map((each): CaseResult => {
    if ("broken" in each) return { name: each.name, outcome: "failed", note: each.broken };
    const fault = bySound.get(each) ?? null;
    return fault === null
      ? { name: each.name, outcome: "passed" }
      : { name: each.name, outcome: "failed", note: fault };
  });
}

async function judgeFile(
  file: string,
  found: Found,
  paths: () => readonly VerifierPath[],
  expected: ExpectedVerdicts,
): Promise<FileResult> {
  try {
    const signatures = signatureCases(found);
    if (signatures !== null) {
      const cases = await judgeSignatureFile(signatures, paths(), expected);
      return { file, taken: `Ed25519 (${found.kind})`, cases };
    }
    switch (found.kind) {
      case "cases": {
        const cases: CaseResult[] = [];
        for (const vector of found.cases) cases.push(await judgeCase(vector));
        return { file, taken: "CometBFT structures", cases };
      }
      case "collection": {
        const cases: CaseResult[] = [];
        for (const vector of collectionCases(found.document)) cases.push(await judgeCollectionCase(vector));
        return { file, taken: "CometBFT structures (collected)", cases };
      }
      case "traces":
        return {
          file,
          taken: "driver trace",
          cases: found.traces.map((trace, i) =>
            judgeTrace(trace, found.traces.length === 1 ? "trace" : `trace ${i}`),
          ),
        };
      case "expectations":
        return {
          file,
          taken: "expected verdicts",
          cases: [],
          note: "expected verdicts for cases of other files",
        };
      case "ignored":
        return { file, taken: "ignored", cases: [], note: found.why };
      default:
        return {
          file,
          taken: "unreadable",
          cases: [],
          note: "why" in found ? found.why : "",
          unreadable: true,
        };
    }
  } catch (error) {
    return { file, taken: "unreadable", cases: [], note: message(error), unreadable: true };
  }
}

function merged(all: readonly ExpectedVerdicts[]): ExpectedVerdicts {
  return {
    speccheck: new Map(all.flatMap(({ speccheck }) => [...speccheck])),
    openssl: new Map(all.flatMap(({ openssl }) => [...openssl])),
    wycheproof: new Map(all.flatMap(({ wycheproof }) => [...wycheproof])),
  };
}

interface Looked {
  readonly file: string;
  readonly found: Found;
}

/** Judges files whose content is known, telling each result as it comes. */
export async function judgeFiles(
  files: readonly Looked[],
  tell: (result: FileResult) => void,
): Promise<void> {
  const stated: ExpectedVerdicts[] = [NO_EXPECTATIONS];
  const readable = files.map(({ file, found }): Looked => {
    if (found.kind !== "expectations") return { file, found };
    try {
      stated.push(expectations(found.document));
      return { file, found };
    } catch (error) {
      return { file, found: { kind: "unreadable", why: message(error) } };
    }
  });
  const expected = merged(stated);
  await using opened = new AsyncDisposableStack();
  let paths: readonly VerifierPath[] | null = null;
  const open = (): readonly VerifierPath[] => {
    paths ??= opened.use(openPaths(companion())).paths;
    return paths;
  };
  for (const { file, found } of readable) tell(await judgeFile(file, found, open, expected));
}

/** A signature that holds. */
function companion(): SignatureCheck {
  const seed = new Uint8Array(32).fill(21);
  const text = new TextEncoder().encode("a signature that holds");
  return { publicKey: ed25519PublicKey(seed), message: text, signature: ed25519Sign(seed, text) };
}

export interface Summary {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly unreadable: number;
  /** Everything holds, everything could be read, and there was something. */
  readonly ok: boolean;
}

export function summaryOf(results: readonly FileResult[]): Summary {
  const count = (outcome: CaseResult["outcome"]): number =>
    results.reduce((sum, { cases }) => sum + cases.filter((each) => each.outcome === outcome).length, 0);
  const [passed, failed, skipped] = [count("passed"), count("failed"), count("skipped")];
  const unreadable = results.filter((result) => result.unreadable).length;
  return { passed, failed, skipped, unreadable, ok: failed + unreadable === 0 && passed > 0 };
}

/** Judges every file below a directory. */
export async function judgeDirectory(
  directory: string,
  tell: (result: FileResult) => void,
): Promise<FileResult[]> {
  const files: Looked[] = [];
  for (const file of await filesBelow(directory)) files.push({ file, found: await look(file) });
  const results: FileResult[] = [];
  await judgeFiles(files, (result) => {
    results.push(result);
    tell(result);
  });
  return results;
}
