import { type ChainState, unsupportedUpgrade } from "@quorate/chain";
import { NodeError } from "./errors.ts";

/** A scheduled upgrade that this version does not know and that acts at the next height ends the run cleanly (exit 8). */
export function requireSupported(state: ChainState): void {
  const upgrade = unsupportedUpgrade(state.upgrades, state.lastHeight + 1);
  if (upgrade === null) return;
  throw new NodeError({
    exitCode: 8,
    code: "UPGRADE_NEEDED",
    what: `height ${state.lastHeight + 1} needs app version ${upgrade.appVersion}, which this version does not know`,
    do: "install the release that the network announced for this upgrade and start again",
  });
}
