import { randomBytes } from "node:crypto";
import { link, mkdir, open, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { errorCode } from "../errors.ts";

/** Modes of what a home holds: secrets are for the owner alone. */
export const MODE = { secret: 0o600, public: 0o644, directory: 0o700 } as const;

/**
 * Writes a file that does not exist yet, whole and synced or not at all. Resolves false, with nothing changed, when it
 * exists already.
 */
export async function writeNew(file: string, text: string, mode: number): Promise<boolean> {
  await mkdir(dirname(file), { recursive: true, mode: MODE.directory });
  const temporary = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  const handle = await open(temporary, "wx", mode);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await link(temporary, file);
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  } finally {
    await unlink(temporary);
  }
}

/** What `init` made and what it found, as paths relative to the home. */
export class Inventory {
  readonly created: string[] = [];
  readonly kept: string[] = [];

  note(path: string, created: boolean): void {
    (created ? this.created : this.kept).push(path);
  }
}
