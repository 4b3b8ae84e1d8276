import { pbkdf2Sync } from "node:crypto";
import { HDKey, privateKeyToAddress } from "viem/accounts";

/** The mnemonic that Ethereum's development tools share: worthless on purpose. */
const MNEMONIC = "test test test test test test test test test test test junk";
const DEV_ACCOUNTS = 10;
const LOAD_ACCOUNTS = 4;

export interface DevAccount {
  readonly address: `0x${string}`;
  readonly privateKey: `0x${string}`;
}

/**
 * BIP-39 and BIP-44, with what all accounts share done once and by Node's own hash: stretching the mnemonic anew for each
 * of them took a second of every start of a network.
 */
function derive(accountIndex: number, count: number): DevAccount[] {
  const seed = pbkdf2Sync(MNEMONIC, "mnemonic", 2048, 64, "sha512");
  const parent = HDKey.fromMasterSeed(seed).derive(`m/44'/60'/${accountIndex}'/0`);
  return Array.from({ length: count }, (_, addressIndex) => {
    const key = parent.deriveChild(addressIndex).privateKey;
    if (key === null) throw new Error("a derived account has no private key");
    const privateKey = `0x${Buffer.from(key).toString("hex")}` as const;
    return { address: privateKeyToAddress(privateKey), privateKey };
  });
}

/** Prefunded accounts for the user: those that Hardhat and Anvil list. */
export function devAccounts(): DevAccount[] {
  return derive(0, DEV_ACCOUNTS);
}

/** Prefunded accounts of the load generator, so that its nonces never meet the user's. */
export function loadAccounts(): DevAccount[] {
  return derive(1, LOAD_ACCOUNTS);
}
