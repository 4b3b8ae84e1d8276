import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, storageError } from "./errors.ts";
import { lockHome } from "./home-lock.ts";

/** Never removed: losing the sign state can make a validator sign twice; the lock is held while this runs. */
const KEPT: ReadonlySet<string> = new Set(["priv_validator_state.bin", "lock", "pid"]);

/**
 * Removes everything in the `data` directory but the sign state: blocks, index, log, an embedded client's chain.
 * Answers the names removed. Keys lie elsewhere and are not touched.
 * @throws StoreError `HOME_LOCKED` while a node runs on it, `STORE_IO`.
 */
export async function resetData(dataDir: string): Promise<string[]> {
  const lock = await lockHome(dataDir);
  try {
    const names = (await readdir(dataDir)).filter((name) => !KEPT.has(name)).sort();
    for (const name of names) await rm(join(dataDir, name), { recursive: true });
    return names;
  } catch (error) {
    throw storageError(codeOf(error) === "ENOENT" ? "find" : "remove files in", dataDir, error);
  } finally {
    await lock.release();
  }
}
