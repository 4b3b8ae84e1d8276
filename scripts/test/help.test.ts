/** Every command of the repository says what it takes when asked. Benchmarks share what answers: one stands for all. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";

const ROOT = join(import.meta.dirname, "../..");
const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  scripts: Record<string, string>;
};
/** They take nothing. */
const WITHOUT_OPTIONS = ["contracts", "wasm", "docs:config", "docs:gas", "boundaries"];
const TOOLS = Object.entries(scripts)
  .map(([name, line]) => ({ name, file: /run\.sh tool (\S+)$/.exec(line)?.[1] }))
  .filter((tool): tool is { name: string; file: string } => tool.file !== undefined)
  .filter(({ name }) => !WITHOUT_OPTIONS.includes(name))
  .filter(({ name }) => !name.startsWith("bench:") || name === "bench:height");

for (const { name, file } of TOOLS) {
  test(`npm run ${name} -- --help says what there is and ends with 0`, async () => {
    const child = spawn(process.execPath, ["--conditions=quorate-source", file, "--help"], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    const [out, code] = await Promise.all([text(child.stdout), ended]);
    assert.equal(code, 0);
    assert.match(out, new RegExp(`npm run ${name}\\b`));
  });
}
