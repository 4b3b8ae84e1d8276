/**
 * Faults of a machine that no signal can bring about: a wrong clock, a slow disk, the loss of power. They are put into a process from
 * outside, by a module that Node loads before the program (preload.ts), and changed while it runs through a file.
 */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What is wrong with a machine now. */
export interface MachineFaults {
  /** ms by which the wall clock goes ahead of the true one. */
  readonly clockOffsetMs: number;
  /** Seconds that its clocks and timers count in one true second. */
  readonly clockRate: number;
  /** ms that every sync of a file takes longer. */
  readonly syncDelayMs: number;
  /** The process dies by SIGKILL at this sync from now on, in whichever thread; 0 = at none. */
  readonly killAtSync: number;
  /** Whether that sync is still made. */
  readonly killAfter: boolean;
  /** What was written to the log or the sign state and not synced is lost with the process, as when the power fails. */
  readonly losesUnsynced: boolean;
}

export const NO_FAULTS: MachineFaults = {
  clockOffsetMs: 0,
  clockRate: 1,
  syncDelayMs: 0,
  killAtSync: 0,
  killAfter: false,
  losesUnsynced: false,
};

/** Names the file of one process: its threads and its children have the same faults. */
export const FAULTS_FILE = "QUORATE_FAULTS_FILE";

/** Of a node, in its home. */
export function faultsFile(home: string): string {
  return join(home, "faults.json");
}

/** Takes effect within 50 ms in every process that reads this file. */
export function setFaults(file: string, faults: Partial<MachineFaults>): void {
  writeFileSync(`${file}.new`, JSON.stringify({ ...NO_FAULTS, ...faults }));
  renameSync(`${file}.new`, file);
}

/** Environment for a Node process that obeys a faults file: the one named, or each node the one in its home. */
export function faultyEnvironment(file: string | null, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const preload = `--import=${new URL("./preload.ts", import.meta.url).href}`;
  return {
    ...env,
    NODE_OPTIONS: [env["NODE_OPTIONS"], preload].filter(Boolean).join(" "),
    ...(file === null ? {} : { [FAULTS_FILE]: file }),
  };
}
