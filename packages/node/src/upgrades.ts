import {
  type ChainState,
  plannedUpgrades,
  SUPPORTED_APP_VERSIONS,
  type Upgrade,
  unsupportedUpgrade,
} from "@quorate/chain";
import { NodeError } from "./errors.ts";

/** The first scheduled upgrade that this version does not know, in force or still to come; `null` when it knows all. */
export function unknownUpgrade(state: ChainState): Upgrade | null {
  const appVersion = Number(state.appVersion);
  // What the registry's owner scheduled leaves the plan when it is in force.
  return SUPPORTED_APP_VERSIONS.includes(appVersion)
    ? unsupportedUpgrade(plannedUpgrades(state), 0)
    : { height: state.lastHeight + 1, appVersion, params: {} };
}

/** Whether the height after `state` needs rules that this version does not know. */
export function isUpgradeNeeded(state: ChainState): boolean {
  const upgrade = unknownUpgrade(state);
  return upgrade !== null && upgrade.height <= state.lastHeight + 1;
}

/**
 * An upgrade that this version does not know and that is in force at the next height ends the run cleanly. One that is
 * still to come does not: until then the node follows.
 * @throws NodeError `UPGRADE_NEEDED`, exit 8.
 */
export function requireSupported(state: ChainState): void {
  const upgrade = unknownUpgrade(state);
  if (upgrade === null || !isUpgradeNeeded(state)) return;
  throw new NodeError({
    exitCode: 8,
    code: "UPGRADE_NEEDED",
    what: `height ${state.lastHeight + 1} needs app version ${upgrade.appVersion} (from height ${upgrade.height}), which this version does not know`,
    do: "install the release that the network announced for this upgrade and start again",
  });
}
