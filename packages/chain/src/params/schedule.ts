/** Which params and rules hold at a height: genesis plus the upgrades scheduled up to there. */
import type { ChainParams, Genesis, Height, Upgrade } from "../types.ts";
import { withParams } from "./params.ts";

/** Version of the rules that a chain starts with: header.version.app of its first block. */
export const INITIAL_APP_VERSION = 1n;

/** Versions of the rules (header.version.app) that this build knows. */
export const SUPPORTED_APP_VERSIONS: readonly number[] = [1];

/** Params in force for the block of `height`. */
export function paramsAtHeight(genesis: Genesis, height: Height): ChainParams {
  return genesis.upgrades
    .filter((upgrade) => upgrade.height <= height)
    .reduce((params, upgrade) => withParams(params, upgrade.params), genesis.params);
}

/** header.version.app of the block of `height`. */
export function appVersionAtHeight(genesis: Genesis, height: Height): bigint {
  const last = genesis.upgrades.filter((upgrade) => upgrade.height <= height).at(-1);
  return last === undefined ? INITIAL_APP_VERSION : BigInt(last.appVersion);
}

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
