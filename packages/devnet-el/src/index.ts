/**
 * An execution client for development networks, in a process of its own. This entry is light: the EVM is loaded only
 * where it is used.
 */
export { DevnetElError, type DevnetElErrorCode } from "./errors.ts";
export { DEFAULT_GAS_LIMIT, type ElGenesisOptions, makeElGenesis } from "./genesis/make.ts";
export { type ChainSpec, type Fork, type GenesisAccount, parseElGenesis } from "./genesis/parse.ts";
export type { SystemContract } from "./genesis/system-contracts.ts";
export type { ElGenesis, ElGenesisAccount } from "./genesis/types.ts";

import { parseElGenesis } from "./genesis/parse.ts";
import type { ElGenesis } from "./genesis/types.ts";

/** The program to start in a child process: `node main [flags]`; `--help` lists the flags. */
export const devnetElEntry: URL = new URL(
  import.meta.url.endsWith(".ts") ? "./main.ts" : "./main.js",
  import.meta.url,
);

/**
 * Flags of Node itself to start it with: a small young generation saves 30 MB of memory in each of a network's clients
 * and costs little, as most of what execution allocates dies at once.
 */
export const devnetElNodeFlags: readonly string[] = ["--max-semi-space-size=2"];

/** Hash of block 0 as Geth computes it. Throws DevnetElError GENESIS for a genesis this client does not execute. */
export async function elGenesisHash(genesis: ElGenesis): Promise<Uint8Array> {
  const spec = parseElGenesis(genesis);
  const [{ createCommon }, { makeGenesisState }] = await Promise.all([
    import("./vm/common.ts"),
    import("./genesis/state.ts"),
  ]);
  // No transaction is executed: the cryptography of precompiles and signatures, slow to load, is not needed.
  const { block } = await makeGenesisState(spec, createCommon(spec, {}));
  return block.hash();
}
