import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** Nobody reads any more: a running node or network stops as for SIGTERM, everything else just ends. */
for (const stream of [process.stdout, process.stderr]) {
  stream.once("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.kill(process.pid, "SIGTERM");
    stream.on("error", () => undefined);
  });
}

// Halves the CPU time of a start. What follows is imported after it, so that it is cached too. Not Node's own default: what
// lies there is executed, and below the system's directory for temporary files anybody could have put it.
const home = homedir();
const cache = process.env["QUORATE_CACHE"] ?? (home === "" ? null : join(home, ".cache", "quorate"));
const directory = cache === null ? undefined : enableCompileCache(join(cache, "compiled")).directory;
// For threads and child processes: each would load the compiler of the sources by itself.
if (directory !== undefined) process.env["NODE_COMPILE_CACHE"] ??= dirname(directory);
const { run } = await import("./run.ts");

const code = await run(process.argv.slice(2), {
  env: process.env,
  stdoutIsTty: process.stdout.isTTY === true,
  columns: () => process.stdout.columns ?? 120,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
});

// Whatever a command left open (a socket in linger, a worker) must not outlive its answer.
process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));
