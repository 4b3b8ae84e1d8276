/** The registry contract of a permissioned chain: where it stands, its code, and how it is put into a genesis. */
import type { ElGenesisAccount } from "@quorate/devnet-el";
import { type Artefact, readArtefact } from "./artefact.ts";

/** "Quorate" in ASCII and a 1: nobody has a key for it. */
export const REGISTRY_ADDRESS = "0x51756f7261746500000000000000000000000001";

export function registryArtefact(): Artefact {
  return readArtefact("ValidatorRegistry");
}

/** The account of the registry contract in a genesis: its code, and its owner in storage. */
export function registryAccount(owner: string): ElGenesisAccount {
  const { deployedBytecode, storage } = registryArtefact();
  const slot = `0x${BigInt(storage["owner"]!).toString(16).padStart(64, "0")}`;
  const value = `0x${owner.slice(2).toLowerCase().padStart(64, "0")}`;
  return { balance: "0x0", nonce: "0x1", code: deployedBytecode, storage: { [slot]: value } };
}
