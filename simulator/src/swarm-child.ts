import { runSeed } from "./run.ts";
import type { SeedOptions } from "./swarm.ts";

const options = JSON.parse(process.argv[2] ?? "{}") as SeedOptions;
process.on("message", (seed: number) => {
  runSeed({ ...options, seed }).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      process.stderr.write(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    },
  );
});
