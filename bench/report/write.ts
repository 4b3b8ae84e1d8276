import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Comparisons, readResults } from "../support/results.ts";
import type { Stages } from "../support/stages.ts";
import type { Verification } from "../support/verification.ts";
import { documentFiles, type Results } from "./document.ts";

const DOCS = join(import.meta.dirname, "..", "..", "docs");

export function lastResults(): Results {
  return {
    cometbft: readResults<Comparisons>("vs-cometbft"),
    geth: readResults<Comparisons>("geth"),
    stages: readResults<Stages>("stages"),
    verify: readResults<Verification>("verify"),
  };
}

/** docs/performance.md and its plots from the last results. */
export async function writeDocument(): Promise<void> {
  for (const [name, content] of documentFiles(lastResults())) {
    const file = join(DOCS, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  }
}
