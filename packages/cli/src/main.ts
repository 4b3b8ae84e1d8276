import { run } from "./run.ts";

/** A pipe that the reader closed ends the output, not the program. */
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

const code = await run(process.argv.slice(2), {
  env: process.env,
  stdoutIsTty: process.stdout.isTTY === true,
  columns: () => process.stdout.columns ?? 120,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
});

// Whatever a command left open (a socket in linger, a worker) must not outlive its answer.
process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));
