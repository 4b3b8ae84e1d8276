/**
 * The browser's modules as one script: types stripped, imports between them resolved by order. The modules share one
 * scope, so a name is exported once among all of them, and imports are not renamed.
 */
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { dirname, join } from "node:path";

const IMPORT = /^import\s+(?:type\s+)?(\{[^}]*\}\s+from\s+)?"([^"]+)";[^\S\n]*$/gm;

/** @throws Error for an import that cannot be inlined: a package, or a renamed name */
export function inlineModules(entry: string): string {
  const done = new Set<string>();
  const parts: string[] = [];
  const visit = (path: string): void => {
    if (done.has(path)) return;
    done.add(path);
    const stripped = quietly(() => stripTypeScriptTypes(readFileSync(path, "utf8")));
    const code = stripped.replace(IMPORT, (_, names: string | undefined, from: string) => {
      if (!from.startsWith("."))
        throw new Error(`${path} imports ${from}: only the page's own modules are inlined`);
      if (/\sas\s/.test(names ?? ""))
        throw new Error(`${path} renames an import of ${from}: names are shared here`);
      visit(join(dirname(path), from));
      return "";
    });
    parts.push(code.replace(/^export\s+/gm, ""));
  };
  visit(entry);
  return parts
    .join("\n")
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "")
    .join("\n");
}

/** Node announces its type stripper as experimental each time: nothing to someone who asked for a page. */
function quietly<T>(work: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return work();
  } finally {
    process.emitWarning = emitWarning;
  }
}
