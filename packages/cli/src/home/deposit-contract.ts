/** The deposit contract of a chain in stake mode: where it stands, and how it is put into a genesis. */
import { STANDARD_DEPOSIT_CONTRACT } from "@quorate/chain";
import type { ElGenesisAccount } from "@quorate/devnet-el";
import { type Artefact, readArtefact } from "./artefact.ts";

/** That of Ethereum's: it is what chooses stake mode. */
export const DEPOSIT_ADDRESS: `0x${string}` = `0x${Buffer.from(STANDARD_DEPOSIT_CONTRACT).toString("hex")}`;

export function depositArtefact(): Artefact {
  return readArtefact("DepositContract");
}

/** The account of the deposit contract in a genesis: code alone, its storage begins empty. */
export function depositAccount(): ElGenesisAccount {
  return { balance: "0x0", nonce: "0x1", code: depositArtefact().deployedBytecode };
}
