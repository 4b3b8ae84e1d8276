/**
 * `npm run conformance -- --dir PATH [--verbose]`: searches PATH for vectors and judges this code by them. Exit 0 when all
 * that was found holds; 1 on a failed case, an unreadable vector file, or when nothing was found; 2 on wrong usage.
 */
import { relative } from "node:path";
import { parseArgs } from "node:util";
import { type FileResult, judgeDirectory, summaryOf } from "./run.ts";

/** Failed cases shown in full per file; the rest is counted. */
const SHOWN = 20;

const USAGE = "usage: npm run conformance -- --dir PATH [--verbose]";

function usage(problem: string): never {
  process.stderr.write(`${problem}\n${USAGE}\n`);
  process.exit(2);
}

function options(): { readonly dir: string; readonly verbose: boolean } {
  try {
    const { values, positionals } = parseArgs({
      options: { dir: { type: "string" }, verbose: { type: "boolean", default: false } },
      allowPositionals: true,
    });
    if (positionals.length > 0) usage(`unexpected "${positionals[0]}"`);
    if (values.dir === undefined) usage("--dir PATH is missing");
    return { dir: values.dir, verbose: values.verbose };
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

if (process.argv.includes("--help")) {
  console.log(USAGE);
  process.exit(0);
}
const { dir, verbose } = options();
function tell(result: FileResult): void {
  const name = relative(dir, result.file) || result.file;
  const lines: string[] = [];
  if (result.unreadable) lines.push(`${name}: UNREADABLE: ${result.note}`);
  else if (result.taken === "ignored") lines.push(`${name}: ignored (${result.note})`);
  else if (result.note !== undefined) lines.push(`${name}: ${result.note}`);
  else {
    const skipped = new Map<string, number>();
    for (const { outcome, note } of result.cases) {
      if (outcome === "skipped") skipped.set(note ?? "", (skipped.get(note ?? "") ?? 0) + 1);
    }
    const skips = [...skipped].map(([kind, n]) => `, ${n} skipped (${kind})`).join("");
    const { passed, failed } = summaryOf([result]);
    lines.push(`${name}: ${result.taken}: ${passed} passed${failed > 0 ? `, ${failed} FAILED` : ""}${skips}`);
    const failures = result.cases.filter(({ outcome }) => outcome === "failed");
    for (const each of failures.slice(0, verbose ? failures.length : SHOWN)) {
      lines.push(`  FAILED ${each.name}: ${each.note}`);
    }
    if (!verbose && failures.length > SHOWN) {
      lines.push(`  … and ${failures.length - SHOWN} more (--verbose shows all)`);
    }
    if (verbose) {
      for (const each of result.cases) if (each.outcome === "passed") lines.push(`  passed ${each.name}`);
    }
  }
  process.stdout.write(`${lines.join("\n")}\n`);
}

let results: FileResult[] = [];
try {
  results = await judgeDirectory(dir, tell);
} catch (error) {
  process.stdout.write(`cannot search ${dir}: ${error instanceof Error ? error.message : String(error)}\n`);
}
const { passed, failed, skipped, unreadable, ok } = summaryOf(results);
if (unreadable > 0) process.stdout.write(`${unreadable} unreadable file${unreadable === 1 ? "" : "s"}\n`);
if (passed + failed === 0) process.stdout.write(`no vectors found in ${dir}\n`);
process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
process.exitCode = ok ? 0 : 1;
