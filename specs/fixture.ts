/** The traces that `npm test` replays without running the model: kept packed beside it, made by `npm run spec -- --traces`. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import type { Trace } from "./replay/trace.ts";

const FILE = join(import.meta.dirname, "traces.json.gz");

export interface Fixture {
  /** {@link modelDigest} of the model that made them. */
  readonly model: string;
  readonly directed: readonly Trace[];
  readonly random: readonly Trace[];
}

/** Returns the size in bytes. */
export function writeFixture(fixture: Fixture): number {
  const bytes = gzipSync(JSON.stringify(fixture), { level: 9 });
  writeFileSync(FILE, bytes);
  return bytes.length;
}

export function readFixture(): Fixture {
  const fixture: Fixture = JSON.parse(gunzipSync(readFileSync(FILE)).toString("utf8"));
  return fixture;
}
