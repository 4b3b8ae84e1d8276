import { readFileSync } from "node:fs";
import type { Abi } from "viem";

/** What `npm run contracts` compiled of a contract. */
export interface Artefact {
  readonly abi: Abi;
  /** Slot of each variable by name. */
  readonly storage: Readonly<Record<string, string>>;
  readonly deployedBytecode: `0x${string}`;
}

export function readArtefact(contract: string): Artefact {
  const file = new URL(`../../../../config/contracts/${contract}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")) as Artefact;
}
