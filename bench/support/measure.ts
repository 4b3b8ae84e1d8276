/**
 * CPU time of small pieces of work, over interleaved rounds. The lower decile of the rounds counts: other work on the
 * machine takes caches and half of a core away and so only ever adds.
 */

export interface Work {
  readonly name: string;
  /** Does the work so many times. */
  readonly run: (times: number) => void | Promise<void>;
}

/** CPU µs of the calling thread per time, per name. `roundMs`: about how long a round of one work takes. */
export async function threadCpu(
  works: readonly Work[],
  { rounds = 20, roundMs = 15 }: { readonly rounds?: number; readonly roundMs?: number } = {},
): Promise<Map<string, number>> {
  return measure(works, rounds, roundMs, () => {
    const { user, system } = process.threadCpuUsage();
    return user + system;
  });
}

/** The same for the whole process: worker threads and garbage collection included. */
export async function processCpu(
  works: readonly Work[],
  { rounds = 12, roundMs = 60 }: { readonly rounds?: number; readonly roundMs?: number } = {},
): Promise<Map<string, number>> {
  return measure(works, rounds, roundMs, () => {
    const { user, system } = process.cpuUsage();
    return user + system;
  });
}

async function measure(
  works: readonly Work[],
  rounds: number,
  roundMs: number,
  cpu: () => number,
): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  for (const { name, run } of works) {
    // Warm the code up, and find how often fills a round: the kernel counts CPU in steps of up to 4 ms.
    let count = 1;
    for (let took = 0; took < roundMs; count *= 2) {
      const began = performance.now();
      await run(count);
      took = performance.now() - began;
    }
    times.set(name, count);
  }
  const samples = new Map<string, number[]>(works.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const { name, run } of works) {
      const count = times.get(name) ?? 1;
      const before = cpu();
      await run(count);
      samples.get(name)?.push((cpu() - before) / count);
    }
  }
  return new Map([...samples].map(([name, list]) => [name, quantile(list, 0.1)]));
}

export function median(list: readonly number[]): number {
  return quantile(list, 0.5);
}

export function quantile(list: readonly number[], q: number): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}
