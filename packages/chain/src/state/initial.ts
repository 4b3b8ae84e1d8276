/** The state before the first block. */
import { genesisHash } from "../genesis/hash.ts";
import { INITIAL_APP_VERSION } from "../params/schedule.ts";
import { genesisRegistry } from "../registry/registry.ts";
import { timeToMs } from "../time.ts";
import type { ChainState, Genesis } from "../types.ts";
import { incrementProposerPriority, makeValidatorSet } from "../validators/set.ts";
import { appHashOf } from "./app-hash.ts";

/**
 * State at `initialHeight - 1`. Genesis does not carry the anchor's own gas limit and timestamp: the gas limit is the
 * param (the EL genesis is made with it) and the timestamp is bounded by floor(genesis_time), which stands for it.
 * @throws ChainError for a validator set that `makeValidatorSet` refuses.
 */
export function stateFromGenesis(genesis: Genesis): ChainState {
  const validators = makeValidatorSet(genesis.validators);
  const registry = genesisRegistry(genesis);
  const { params } = genesis;
  return {
    genesisHash: genesisHash(genesis),
    elGenesisHash: genesis.elGenesisHash,
    chainId: genesis.chainId,
    initialHeight: genesis.initialHeight,
    execution: genesis.execution,
    lastHeight: genesis.initialHeight - 1,
    lastBlockId: null,
    lastTime: genesis.genesisTime,
    lastValidators: null,
    validators,
    nextValidators: incrementProposerPriority(validators, 1),
    params,
    upgrades: genesis.upgrades,
    appVersion: INITIAL_APP_VERSION,
    appHash: appHashOf({ elHash: genesis.anchorHash, registry, params, validators }),
    el: {
      blockHash: genesis.anchorHash,
      number: genesis.anchorNumber,
      timestamp: Math.floor(timeToMs(genesis.genesisTime) / 1000),
      gasLimit: BigInt(params.gasLimit),
    },
    registry,
  };
}
