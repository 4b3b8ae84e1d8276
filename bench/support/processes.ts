/** What the kernel knows of processes: CPU time and memory, for programs of any language alike. */
import { readFileSync } from "node:fs";

/** Linux counts CPU time in ticks of 10 ms (USER_HZ), whatever the kernel's own tick. */
const TICK_S = 0.01;

/** CPU seconds (user and system, all threads) of these processes together; one that is gone counts as 0. */
export function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const text = readOr(`/proc/${pid}/stat`);
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return sum + (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_S;
  }, 0);
}

/** CPU seconds of the whole machine. */
export function machineCpuSeconds(): number {
  const [, user, nice, system, , , irq, softirq] = readOr("/proc/stat").split(/\s+/, 8).map(Number);
  return [user, nice, system, irq, softirq].reduce<number>((sum, each) => sum + (each ?? 0), 0) * TICK_S;
}

/** Resident memory of a process, MB of 2^20 bytes; NaN when it is gone. */
export function rssMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readOr(`/proc/${pid}/status`))?.[1] ?? Number.NaN) / 1024;
}

function readOr(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The process has ended.
    return "";
  }
}
