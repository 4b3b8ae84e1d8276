/**
 * The arrows of the architecture as a check: what a package may import, which packages know no Node API, and who may
 * touch a private key. Prints one line per breach; exit 1 when there is any.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

/** Package -> packages of this workspace that it may import. Only `node` constructs; `cli` starts it. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  crypto: [],
  chain: ["crypto"],
  consensus: ["chain"],
  wal: ["crypto"],
  privval: ["chain", "crypto"],
  store: ["chain", "crypto"],
  gossip: ["chain", "crypto"],
  execution: ["chain", "crypto"],
  sync: ["chain", "crypto", "light"],
  light: ["chain", "crypto"],
  proofs: ["chain", "crypto"],
  rpc: ["chain", "crypto"],
  node: [
    "chain",
    "consensus",
    "crypto",
    "execution",
    "gossip",
    "light",
    "privval",
    "rpc",
    "store",
    "sync",
    "wal",
  ],
  cli: [
    "node",
    "chain",
    "consensus",
    "crypto",
    "devnet-el",
    "execution",
    "gossip",
    "privval",
    "store",
    "wal",
  ],
  "devnet-el": [],
};

/** Private folders beside the packages: no package knows of them. */
const PRIVATE = /^(\.\.\/){3,}(bench|campaigns|conformance|fuzz|mutants|scripts|simulator|specs|testnet)\//;

/** Changes the sources that it reads, so it runs none of them in its own process: Node's modules and its own only. */
const APART = "mutants";

/** No Node API, no clock, no randomness, no timers, no I/O: only their inputs. */
const PURE = ["chain", "consensus"];

const IMPURE_GLOBALS =
  /(?<![\w$.])(process|Buffer|setTimeout|setInterval|setImmediate|queueMicrotask|performance|console|fetch|WebSocket|Worker|crypto|globalThis|require|__dirname)(?=\s*[.(])|(?<![\w$.])Date\s*\.\s*now|new\s+Date\s*\(\s*\)|Math\s*\.\s*random/g;

/** Only privval signs; the functions themselves lie in crypto. Gossip makes its own node key, which signs nothing here. */
const KEY_FUNCTIONS: Readonly<Record<string, readonly string[]>> = {
  ed25519Sign: ["crypto", "privval"],
  ed25519Keygen: ["crypto", "privval", "gossip"],
};

/** The simulated world: virtual time, seeded randomness and memory alone, or the same seed would not be the same run. */
const SIMULATED =
  /^src\/(?:core|network|disk|crypto|cluster|faults|invariants)\/|^src\/(?:judge|recorder|witness)\.ts$/;
const SIMULATED_BREACH =
  /(?<![\w$.])(setTimeout|setInterval|performance|Worker|fetch)(?=\s*[.(])|Date\s*\.\s*now|new\s+Date\s*\(\s*\)|Math\s*\.\s*random|AbortSignal\s*\.\s*timeout/g;
const SIMULATED_MODULES: ReadonlySet<string> = new Set(["node:crypto", "node:path/posix"]);

export interface PackageSource {
  readonly name: string;
  readonly dependencies: readonly string[];
  readonly files: readonly { readonly path: string; readonly text: string }[];
}

/** Source text with comments and the contents of string literals blanked, line breaks kept. */
function codeOnly(text: string): string {
  const token = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g;
  return text.replace(token, (found) => found.replace(/[^\n]/g, " "));
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<![:"'`])\/\/[^\n]*/g, (found) => found.replace(/[^\n]/g, " "));
}

/** Module specifiers of static and dynamic imports and re-exports. */
export function importsOf(text: string): { readonly names: string; readonly from: string }[] {
  const found: { names: string; from: string }[] = [];
  const code = withoutComments(text);
  const statics = /(?:^|[\n;])\s*(?:import|export)\s*(?:type\s+)?([^"'`;]*?)\s*(?:from\s*)?["']([^"']+)["']/g;
  for (const match of code.matchAll(statics)) {
    found.push({ names: match[1] ?? "", from: match[2] ?? "" });
  }
  for (const match of code.matchAll(/\bimport\s*\(\s*["'`]([^"'`]+)["'`]/g)) {
    found.push({ names: "", from: match[1] ?? "" });
  }
  return found;
}

/** Every breach of the table, as `package: what`. */
export function breaches(packages: readonly PackageSource[]): string[] {
  const found: string[] = [];
  for (const { name, dependencies, files } of packages) {
    const allowed = ARROWS[name];
    if (allowed === undefined) {
      found.push(`${name}: no arrows are fixed for this package; add it to scripts/boundaries.ts`);
      continue;
    }
    const internal = (specifier: string): string | null =>
      specifier.startsWith("@quorate/") ? (specifier.split("/")[1] ?? "") : null;
    for (const dependency of dependencies) {
      const target = internal(dependency);
      if (target !== null && !allowed.includes(target)) {
        found.push(`${name}: package.json depends on ${target}, which ${name} may not import`);
      }
    }
    for (const file of files) {
      found.push(...breachesOfFile(name, allowed, dependencies, internal, file));
    }
  }
  return found;
}

function breachesOfFile(
  name: string,
  allowed: readonly string[],
  dependencies: readonly string[],
  internal: (specifier: string) => string | null,
  file: { readonly path: string; readonly text: string },
): string[] {
  const found: string[] = [];
  for (const { names, from } of importsOf(file.text)) {
    const target = internal(from);
    if (target !== null && target !== name) {
      if (!allowed.includes(target)) found.push(`${name}: ${file.path} imports ${target}`);
      if (!dependencies.includes(`@quorate/${target}`)) {
        found.push(`${name}: ${file.path} imports ${target} without declaring it`);
      }
    }
    if (/^(\.\.\/)+packages\//.test(from) || /^(\.\.\/)+[\w-]+\/src\//.test(from)) {
      found.push(`${name}: ${file.path} reaches into another package by path (${from})`);
    }
    if (PRIVATE.test(from)) found.push(`${name}: ${file.path} imports ${from}, which no package may know of`);
    if (PURE.includes(name) && from.startsWith("node:")) {
      found.push(`${name}: ${file.path} imports ${from}, but ${name} is pure`);
    }
    const keys = Object.entries(KEY_FUNCTIONS)
      .filter(([key, holders]) => !holders.includes(name) && new RegExp(`\\b${key}\\b`).test(names))
      .map(([key]) => key);
    if (keys.length > 0) {
      found.push(`${name}: ${file.path} imports ${keys.join(", ")}; only privval sees the key`);
    }
  }
  if (PURE.includes(name)) {
    for (const match of codeOnly(file.text).matchAll(IMPURE_GLOBALS)) {
      found.push(`${name}: ${file.path} uses ${match[0].trim()}, but ${name} is pure`);
    }
  }
  return found;
}

/** Imports of the folder that stands apart which lead out of it, as `mutants: what`. `path` is from that folder. */
export function breachesApart(files: readonly { readonly path: string; readonly text: string }[]): string[] {
  const inside = (path: string, from: string): boolean =>
    from.startsWith("node:") || (from.startsWith(".") && !join(dirname(path), from).startsWith(".."));
  return files.flatMap(({ path, text }) =>
    [...withoutComments(text).matchAll(/^(?:import|export|\})[^"\n]*\bfrom "([^"]+)"/gm)]
      .map((match) => match[1] ?? "")
      .filter((from) => !inside(path, from))
      .map((from) => `${APART}: ${path} imports ${from}; it may import only node: and its own modules`),
  );
}

/** Every TypeScript file below a folder. */
function sourcesOf(folder: string): { readonly path: string; readonly text: string }[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => ({ path, text: readFileSync(join(folder, path), "utf8") }));
}

/** What in the simulated world reaches out of it. */
export function breachesSimulated(
  files: readonly { readonly path: string; readonly text: string }[],
): string[] {
  return files
    .filter(({ path }) => SIMULATED.test(path))
    .flatMap(({ path, text }) => [
      ...importsOf(text)
        .filter(({ from }) => from.startsWith("node:") && !SIMULATED_MODULES.has(from))
        .map(({ from }) => `simulator: ${path} imports ${from}, but the simulated world is memory alone`),
      ...[...codeOnly(text).matchAll(SIMULATED_BREACH)].map(
        ([name]) => `simulator: ${path} uses ${name.trim()}, but its time and randomness are the seed's`,
      ),
    ]);
}

export function readPackages(root: string): PackageSource[] {
  return readdirSync(join(root, "packages"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => {
      const directory = join(root, "packages", name);
      const manifest: { dependencies?: Record<string, string> } = JSON.parse(
        readFileSync(join(directory, "package.json"), "utf8"),
      );
      const files = sourcesOf(join(directory, "src")).map(({ path, text }) => ({
        path: `packages/${name}/src/${path}`,
        text,
      }));
      return { name, dependencies: Object.keys(manifest.dependencies ?? {}), files };
    });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const root = join(import.meta.dirname, "..");
  const packages = readPackages(root);
  const found = [
    ...breaches(packages),
    ...breachesApart(sourcesOf(join(root, APART))),
    ...breachesSimulated(sourcesOf(join(root, "simulator"))),
  ];
  for (const line of found) process.stderr.write(`boundary: ${line}\n`);
  const files = packages.reduce((sum, { files }) => sum + files.length, 0);
  process.stdout.write(`boundaries: ${packages.length} packages, ${files} files, ${found.length} breaches\n`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
