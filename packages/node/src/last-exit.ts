import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { reasonOf } from "./errors.ts";
import type { HomePaths } from "./home.ts";
import type { NodeExit } from "./types.ts";

/** What a fatal end leaves for the operator; written before the process goes. */
export interface StateDump {
  readonly time: string;
  readonly exit: NodeExit;
  readonly height: number;
  readonly consensus: unknown;
  readonly execution: unknown;
  /** What the stop is about, e.g. both certificates of a fork. */
  readonly facts: unknown;
  readonly stack: string | null;
}

/** Writes `data/state-dump.json`. Returns what went wrong, if anything: a dump must not hide the first fault. */
export async function writeStateDump(paths: HomePaths, dump: StateDump): Promise<string | null> {
  try {
    await mkdir(dirname(paths.stateDump), { recursive: true });
    await writeFile(paths.stateDump, `${JSON.stringify(dump, jsonSafe, 2)}\n`);
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}

function jsonSafe(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (value instanceof Map) return [...value.entries()];
  if (value instanceof Set) return [...value.values()];
  return value;
}
