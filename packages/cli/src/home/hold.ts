import { existsSync } from "node:fs";
import { homePaths } from "@quorate/node/home";
import { lockHome } from "@quorate/store";

/**
 * Keeps a node from starting in this home until released. @throws StoreError HOME_LOCKED (exit 4) when one runs. A
 * directory without config.toml is no home, and left alone.
 */
export async function holdHome(home: string): Promise<() => Promise<void>> {
  const { config, data } = homePaths(home);
  if (!existsSync(config)) return () => Promise.resolve();
  const lock = await lockHome(data);
  return () => lock.release();
}
