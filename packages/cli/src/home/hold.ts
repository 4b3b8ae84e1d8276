import { existsSync } from "node:fs";
import { homePaths } from "@quorate/node";
import { openStore } from "@quorate/store";

/**
 * Keeps a node from starting in this home until released. @throws StoreError STORE_LOCKED (exit 4) when one runs. A home
 * without data is free.
 */
export async function holdHome(home: string): Promise<() => Promise<void>> {
  const { store: dir, data } = homePaths(home);
  if (!existsSync(data)) return () => Promise.resolve();
  const store = await openStore({ dir });
  return () => store.close();
}
