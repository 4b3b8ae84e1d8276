/** What `npm run spec` does with the model: typecheck, directed runs, guided random traces; and the files of it all. */
import { createHash } from "node:crypto";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { OFFLINE, type QuintResult, quint } from "./quint.ts";
import { type Trace, traceOfItf } from "./replay/trace.ts";

const HERE = import.meta.dirname;
export const MODEL: string = join(HERE, "network.qnt");
export const DIRECTED: readonly string[] = ["rounds", "locks", "restarts"].map((name) =>
  join(HERE, "test", `${name}.qnt`),
);

/**
 * What random traces must have seen to mean anything: definitions in network.qnt, and the number of traces from which on
 * one that nobody saw is a failure.
 */
export const WITNESSES: ReadonlyMap<string, number> = new Map([
  ["decides", 30],
  ["decidesLater", 30],
  ["reachesRound2", 30],
  ["locks", 30],
  ["hiddenLock", 30],
  ["lateValid", 30],
  ["reproposes", 30],
  ["polkaNil", 30],
  ["overrides", 30],
  ["accuses", 30],
  ["comesBackLocked", 30],
  ["restoresSnapshot", 30],
  ["signerRefuses", 60],
  ["secondHeight", 30],
  ["changesLock", 1000],
]);

export interface Batch {
  readonly ok: boolean;
  /** What Quint said when it was not. */
  readonly text: string;
  readonly traces: readonly Trace[];
  /** Per witness in how many traces it was seen. */
  readonly witnessed: ReadonlyMap<string, number>;
}

/** The model itself; a file of directed runs is typechecked before it is run. */
export function typecheck(): Promise<QuintResult> {
  return quint(["typecheck", MODEL]);
}

/** The `run` definitions of one file, with a trace of each that held. */
export async function directed(file: string): Promise<Batch> {
  const prefix = basename(file, ".qnt");
  return withTraces(async (directory) => {
    const out = join(directory, `${prefix}.{test}.{seq}.itf.json`);
    return quint(["test", file, ...OFFLINE, "--seed=1", `--out-itf=${out}`]);
  });
}

/** `count` guided random traces of `steps` steps, every state checked against the invariants. */
export function simulate(options: {
  readonly seed: number;
  readonly count: number;
  readonly steps: number;
}): Promise<Batch> {
  const { seed, count, steps } = options;
  return withTraces(async (directory) =>
    quint([
      "run",
      MODEL,
      ...OFFLINE,
      "--invariant=safety",
      `--max-samples=${count}`,
      `--n-traces=${count}`,
      `--max-steps=${steps}`,
      `--seed=${seed}`,
      `--out-itf=${join(directory, `seed-${seed}.{seq}.itf.json`)}`,
      "--witnesses",
      ...WITNESSES.keys(),
    ]),
  );
}

async function withTraces(run: (directory: string) => Promise<QuintResult>): Promise<Batch> {
  const directory = mkdtempSync(join(tmpdir(), "quorate-spec-"));
  try {
    const { ok, text } = await run(directory);
    const traces = globSync("*.itf.json", { cwd: directory })
      .toSorted((a, b) => a.localeCompare(b, "en", { numeric: true }))
      .map((name) => traceOfItf(basename(name, ".itf.json"), readFileSync(join(directory, name), "utf8")));
    return { ok, text, traces, witnessed: witnessesIn(text) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function witnessesIn(text: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [, name, count] of text.matchAll(/^(\w+) was witnessed in (\d+) trace/gm)) {
    if (name !== undefined) found.set(name, Number(count));
  }
  return found;
}

/** SHA-256 over all sources of the model: the checked-in traces name the model that they are of. */
export function modelDigest(): string {
  const hash = createHash("sha256");
  for (const name of globSync("{*,test/*}.qnt", { cwd: HERE }).toSorted()) {
    hash.update(`${name}\n`).update(readFileSync(join(HERE, name)));
  }
  return hash.digest("hex");
}
