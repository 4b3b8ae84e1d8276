/** Versions of the rules: the first, those that this build knows, and what it cannot follow. */
import type { Height, Upgrade } from "../types.ts";

/** Version of the rules that a chain starts with: header.version.app of its first block. */
export const INITIAL_APP_VERSION = 1n;

/** Versions of the rules (header.version.app) that this build knows. */
export const SUPPORTED_APP_VERSIONS: readonly number[] = [1];

/**
 * The first upgrade from `height` on that this build cannot follow, or null. A node warns about it from the start and
 * stops cleanly before that height.
 */
export function unsupportedUpgrade(upgrades: readonly Upgrade[], height: Height): Upgrade | null {
  const unsupported = upgrades.find(
    (upgrade) => upgrade.height >= height && !SUPPORTED_APP_VERSIONS.includes(upgrade.appVersion),
  );
  return unsupported ?? null;
}
