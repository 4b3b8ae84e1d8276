import { mnemonicToAccount } from "viem/accounts";

/** The mnemonic that Ethereum's development tools share: worthless on purpose. */
const MNEMONIC = "test test test test test test test test test test test junk";
const DEV_ACCOUNTS = 10;
const LOAD_ACCOUNTS = 4;

export interface DevAccount {
  readonly address: `0x${string}`;
  readonly privateKey: `0x${string}`;
}

function derive(accountIndex: number, count: number): DevAccount[] {
  return Array.from({ length: count }, (_, addressIndex) => {
    const account = mnemonicToAccount(MNEMONIC, { accountIndex, addressIndex });
    const key = account.getHdKey().privateKey;
    if (key === null) throw new Error("a derived account has no private key");
    return { address: account.address, privateKey: `0x${Buffer.from(key).toString("hex")}` };
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
