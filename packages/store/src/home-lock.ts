import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { codeOf, StoreError, storageError } from "./errors.ts";

export interface HomeLock {
  /** Frees the home. The operating system does the same when the process ends in any way. */
  release(): Promise<void>;
}

async function holderOf(file: string): Promise<number | null> {
  try {
    const pid = Number.parseInt(await readFile(file, "utf8"), 10);
    return Number.isSafeInteger(pid) ? pid : null;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw storageError("read", file, error);
  }
}

/**
 * Takes the home with this `data` directory for this process, before anything in it is opened: two nodes on one key
 * would sign twice. Held by LevelDB's file lock, which Node itself has no call for; it ends with the process.
 * @throws StoreError `HOME_LOCKED` at once, naming the holder's pid, when another process has it.
 */
export async function lockHome(dataDir: string): Promise<HomeLock> {
  const location = join(dataDir, "lock");
  const pidFile = join(dataDir, "pid");
  try {
    await mkdir(dataDir, { recursive: true });
  } catch (error) {
    throw storageError("create", dataDir, error);
  }
  const db = new ClassicLevel(location, { writeBufferSize: 64 * 1024, cacheSize: 0 });
  try {
    await db.open();
  } catch (error) {
    if (codeOf(error) !== "LEVEL_LOCKED") throw storageError("lock", location, error);
    const pid = await holderOf(pidFile);
    throw new StoreError(
      "HOME_LOCKED",
      `${dataDir} is in use by ${pid === null ? "another process" : `process ${pid}`}: stop it first, or use another home`,
      { dataDir, pid },
      error,
    );
  }
  try {
    await writeFile(pidFile, `${process.pid}\n`);
  } catch (error) {
    await db.close();
    throw storageError("write", pidFile, error);
  }
  return { release: () => db.close() };
}
