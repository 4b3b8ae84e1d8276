/**
 * Compiles packages/crypto/assembly into packages/crypto/wasm/ed25519.wasm with its SHA-256 beside it: `npm run wasm`. The
 * compiler comes from npm and needs no network; the same source, compiler and settings give the same bytes on every machine.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const ROOT = join(import.meta.dirname, "..");
const SOURCES = join(ROOT, "packages", "crypto", "assembly");
const COMPILER = join(ROOT, "node_modules", "assemblyscript", "bin", "asc.js");
const PAGE = 65_536;
/** Where the compiler's own data begin: behind everything that assembly/layout.ts places. */
const MEMORY_BASE = 88 * PAGE;

/** The module as it is committed and loaded. */
export const WASM_FILE: string = join(ROOT, "packages", "crypto", "wasm", "ed25519.wasm");
/** Its hash, in the format of sha256sum. */
export const WASM_HASH_FILE: string = `${WASM_FILE}.sha256`;

const SETTINGS: readonly string[] = [
  ...["-O3", "--noAssert", "--runtime", "stub", "--enable", "simd"],
  // Everything lies at fixed addresses; the memory never grows, and nothing is imported.
  ...["--memoryBase", String(MEMORY_BASE), "--initialMemory", String(MEMORY_BASE / PAGE + 1)],
  ...["--maximumMemory", String(MEMORY_BASE / PAGE + 1), "--use", "abort="],
];

/** @throws Error with the compiler's words when the sources have errors or warnings. */
export function compileWasm(): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), "quorate-wasm-"));
  try {
    const out = join(folder, "out.wasm");
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [COMPILER, "index.ts", "--outFile", out, ...SETTINGS],
      {
        cwd: SOURCES,
        encoding: "utf8",
      },
    );
    const words = `${stdout}${stderr}`.trim();
    if (status !== 0 || words !== "")
      throw new Error(words === "" ? `the compiler ended with ${status}` : words);
    return readFileSync(out);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A line of sha256sum for the module. */
export function hashLine(wasm: Uint8Array): string {
  return `${createHash("sha256").update(wasm).digest("hex")}  ed25519.wasm\n`;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const wasm = compileWasm();
  writeFileSync(WASM_FILE, wasm);
  writeFileSync(WASM_HASH_FILE, hashLine(wasm));
  process.stdout.write(`${WASM_FILE} (${wasm.length} bytes)\n${hashLine(wasm)}`);
}
