/** All judges of CometBFT structures, found by kind and form. */
import type { Case, Judge } from "../case.ts";
import { blockJudges } from "./blocks.ts";
import { commitJudges } from "./commits.ts";
import { evidenceJudges } from "./evidence.ts";
import { hashJudges } from "./hashes.ts";
import { messageJudges } from "./messages.ts";
import { privvalJudges } from "./privval.ts";
import { setJudges } from "./sets.ts";

const JUDGES: readonly Judge[] = [
  ...messageJudges,
  ...hashJudges,
  ...setJudges,
  ...commitJudges,
  ...evidenceJudges,
  ...blockJudges,
  ...privvalJudges,
];

/** Kinds of CometBFT that this chain has no rule for: block time by the median, vote extensions, its size estimate. */
export const SKIPPED_KINDS: ReadonlySet<string> = new Set([
  "median_time",
  "max_data_bytes",
  "vote_extension",
]);

export const KNOWN_KINDS: ReadonlySet<string> = new Set([
  ...JUDGES.map(({ kind }) => kind),
  ...SKIPPED_KINDS,
]);

/** The judge of a case, or null when its kind and form are unknown. */
export function judgeOf({ kind, input, expect }: Case): Judge | null {
  for (const judge of JUDGES) {
    if (judge.kind !== kind) continue;
    try {
      if (judge.takes(input, expect)) return judge;
    } catch {
      // A form that cannot even be looked at is not this judge's.
    }
  }
  return null;
}
