/** A copy of the sources in which one file at a time differs: hard links, so that it shares what does not. */
import {
  copyFileSync,
  linkSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** Never part of a copy: what is built, installed or of no use to a test. */
const LEFT_OUT = new Set(["node_modules", "lib", ".git", ".testnet", ".cache", "coverage"]);

export interface Overlay extends AsyncDisposable {
  /** Root of the copy; files have the same paths below it. Disposing of it deletes them. */
  readonly root: string;
  /** Environment of a process that runs in the copy: what it compiles there is kept for the next one. */
  readonly env: Readonly<Record<string, string>>;
  /** Gives a file (path from the root) another text, until the result is disposed of. */
  change(file: string, text: string): Disposable;
}

export async function makeOverlay(root: string): Promise<Overlay> {
  const base = await mkdtemp(join(tmpdir(), "quorate-mutant-"));
  const copy = join(base, "repository");
  copyTree(root, copy);
  linkModules(root, copy);
  // What the tests look for beside the repository.
  symlinkSync(join(dirname(root), "shared"), join(base, "shared"));
  return {
    root: copy,
    env: { NODE_COMPILE_CACHE: join(base, "compiled") },
    change: (file, text) => {
      // The link goes first: writing through it would change the sources themselves.
      unlinkSync(join(copy, file));
      writeFileSync(join(copy, file), text);
      return {
        [Symbol.dispose]: () => {
          unlinkSync(join(copy, file));
          linkOrCopy(join(root, file), join(copy, file));
        },
      };
    },
    [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true, maxRetries: 5 }),
  };
}

function copyTree(from: string, to: string): void {
  mkdirSync(to);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (LEFT_OUT.has(entry.name)) continue;
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    if (entry.isDirectory()) copyTree(source, target);
    else if (entry.isFile()) linkOrCopy(source, target);
  }
}

function linkOrCopy(source: string, target: string): void {
  try {
    linkSync(source, target);
  } catch {
    // Another file system, or one without links.
    copyFileSync(source, target);
  }
}

/** Installed packages as they are, the workspace's own as those of the copy. */
function linkModules(root: string, copy: string): void {
  const modules = join(copy, "node_modules");
  mkdirSync(join(modules, "@quorate"), { recursive: true });
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name !== "@quorate") symlinkSync(join(root, "node_modules", name), join(modules, name));
  }
  for (const name of readdirSync(join(copy, "packages"), { withFileTypes: true })) {
    if (!name.isDirectory()) continue;
    symlinkSync(join("..", "..", "packages", name.name), join(modules, "@quorate", name.name));
    const own = join(root, "packages", name.name, "node_modules");
    if (readdirSync(join(root, "packages", name.name)).includes("node_modules")) {
      symlinkSync(own, join(copy, "packages", name.name, "node_modules"));
    }
  }
}
