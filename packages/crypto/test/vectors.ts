import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

const DIRECTORY = new URL("../../../../shared/vectors/", import.meta.url);

/** Why the vector tests are skipped, or false when the vectors are there. */
export const vectorsAbsent: string | false = existsSync(DIRECTORY)
  ? false
  : "skipped: no ../shared/vectors beside this repository";

export function readVectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, DIRECTORY), "utf8")) as T;
}

export function readGzipLines(name: string): string[] {
  return gunzipSync(readFileSync(new URL(name, DIRECTORY)))
    .toString("ascii")
    .split("\n")
    .filter((line) => line.length > 0);
}
