import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { at, nodeGet, numberAt, textAt } from "../rpc-client.ts";

/** What the live table shows of a node beyond its events; `null` where it did not answer. */
export interface NodeSample {
  readonly round: number | null;
  readonly step: string;
  readonly elHead: string;
  readonly peers: number | null;
}

export async function sampleNode(rpc: string, signal: AbortSignal): Promise<NodeSample> {
  try {
    const [status, peers] = await Promise.all([
      nodeGet(rpc, "status", signal),
      nodeGet(rpc, "net_info", signal),
    ]);
    const executed = at(status, "execution", "executed_height");
    return {
      round: numberAt(status, "consensus", "round"),
      step: textAt(status, "consensus", "step"),
      elHead: typeof executed === "string" ? executed : "",
      peers: numberAt(peers, "n_peers"),
    };
  } catch {
    return { round: null, step: "", elHead: "", peers: null };
  }
}

/** Resident memory of a process in MiB, `null` when it cannot be told. */
export async function residentMib(pid: number | null): Promise<number | null> {
  if (pid === null) return null;
  try {
    if (process.platform === "linux") {
      const kib = /^VmRSS:\s+(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
      return kib === undefined ? null : Math.round(Number(kib) / 1024);
    }
    const { stdout } = await promisify(execFile)("ps", ["-o", "rss=", "-p", String(pid)]);
    return Math.round(Number(stdout.trim()) / 1024);
  } catch {
    // It is gone: the table shows it as dead.
    return null;
  }
}
