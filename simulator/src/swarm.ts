/** Many seeds on all cores: child processes that each take the next seed when they are done with one. */
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { type RunOptions, runSeed, type SimResult } from "./run.ts";

export type SeedOptions = Omit<RunOptions, "seed" | "log" | "trace" | "plan" | "scheme" | "liar" | "beside">;

/** Results in the order of the seeds; `done` hears of each as it comes. A child that dies rejects. */
export async function runSeeds(
  seeds: readonly number[],
  options: SeedOptions,
  done: (result: SimResult) => void = () => undefined,
  workers: number = availableParallelism(),
): Promise<readonly SimResult[]> {
  const results = new Map<number, SimResult>();
  const note = (result: SimResult): void => {
    results.set(result.seed, result);
    done(result);
  };
  if (seeds.length === 1 || workers < 2) {
    for (const seed of seeds) note(await runSeed({ ...options, seed }));
  } else {
    const waiting = [...seeds];
    await Promise.all(
      Array.from({ length: Math.min(workers, seeds.length) }, () => work(waiting, options, note)),
    );
  }
  return seeds.flatMap((seed) => results.get(seed) ?? []);
}

function work(waiting: number[], options: SeedOptions, note: (result: SimResult) => void): Promise<void> {
  const child = fork(new URL("./swarm-child.ts", import.meta.url), [JSON.stringify(options)]);
  return new Promise((resolve, reject) => {
    let seed: number | undefined;
    const next = (): void => {
      seed = waiting.shift();
      if (seed === undefined) child.disconnect();
      else child.send(seed);
    };
    child.on("message", (result: SimResult) => {
      note(result);
      next();
    });
    child.on("error", reject);
    child.on("exit", (code) => {
      if (seed === undefined) resolve();
      else reject(new Error(`the process that ran seed ${seed} ended with ${code}`));
    });
    next();
  });
}
