import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";

/** No two sign bytes for one (validator, height, round, type) in all that these nodes sent or received. */
export async function assertNoConflicts(files: readonly string[]): Promise<void> {
  const seen = new Map<string, string>();
  for (const file of files) {
    // A node that never got as far has none.
    if (!existsSync(file)) continue;
    for (const line of (await readFile(file, "utf8")).split("\n").filter(Boolean)) {
      const { validator, height, round, type, sign_bytes } = JSON.parse(line) as Record<string, string>;
      const key = `${validator}/${height}/${round}/${type}`;
      const before = seen.get(key);
      if (before !== undefined) assert.equal(sign_bytes, before, `conflicting signatures at ${key}`);
      seen.set(key, sign_bytes ?? "");
    }
  }
}
