/** Genesis hash and upgrades hash (docs/protocol.md; DESIGN §3a): what stands for genesis everywhere. */
import { sha256 } from "@quorate/crypto";
import { ByteWriter } from "../bytes.ts";
import { remembered } from "../memo.ts";
import { changedParamsRoot, paramsRoot } from "../params/params.ts";
import { genesisRegistry, registryRoot } from "../registry/registry.ts";
import { timeToMs } from "../time.ts";
import type { Genesis, Hash, Upgrade } from "../types.ts";
import { ascii } from "./ascii.ts";

const DOMAIN = ascii("QUORATE-GENESIS-1");

/**
 * SHA-256 over everything that makes two chains different: also BlockID.hash(H-1) of the first block, the prefix of
 * topic names, and part of the peer handshake. Names of validators are not part of it.
 */
export const genesisHash: (genesis: Genesis) => Hash = remembered((genesis: Genesis): Hash => {
  const bytes = new ByteWriter()
    .bytes(DOMAIN)
    .str(genesis.chainId)
    .u64(BigInt(timeToMs(genesis.genesisTime)))
    .u64(BigInt(genesis.initialHeight))
    .u8(genesis.execution === "engine" ? 1 : 0)
    .u64(BigInt(genesis.evmChainId))
    .bytes(genesis.elGenesisHash)
    .u64(BigInt(genesis.anchorNumber))
    .bytes(genesis.anchorHash)
    .bytes(genesis.depositContractAddress)
    .bytes(paramsRoot(genesis.params))
    .bytes(registryRoot(genesisRegistry(genesis)))
    .bytes(upgradesHash(genesis.upgrades))
    .finish();
  return sha256(bytes);
});

/** SHA-256(u32 n ‖ n × (height u64 ‖ app_version u64 ‖ root of the changed params)); compared in the peer handshake. */
export function upgradesHash(upgrades: readonly Upgrade[]): Hash {
  const writer = new ByteWriter().u32(upgrades.length);
  for (const upgrade of upgrades) {
    writer.u64(BigInt(upgrade.height)).u64(BigInt(upgrade.appVersion)).bytes(changedParamsRoot(upgrade));
  }
  return sha256(writer.finish());
}
