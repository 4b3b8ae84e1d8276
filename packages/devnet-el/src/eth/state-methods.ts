import { getMerkleStateProof } from "@ethereumjs/statemanager";
import { createAddressFromString } from "@ethereumjs/util";
import {
  addressParam,
  arrayParam,
  dataParam,
  type Hex,
  padded,
  quantity,
  slotParam,
  toBigInt,
  toHex,
  ZERO_HASH,
} from "../hex.ts";
import type { Methods } from "../server/jsonrpc.ts";
import type { EthContext } from "./context.ts";

const MAX_PROOF_KEYS = 1024;

/** Methods that read one account: balance, nonce, code, storage, proofs; and the way into the pool. */
export function stateMethods(context: EthContext): Methods {
  const { chain, pool } = context;
  return {
    eth_getBalance: async (params) => {
      const address = createAddressFromString(addressParam(params[0], "address"));
      const account = await context.stateAfter(context.block(params[1])).getAccount(address);
      return quantity(account?.balance ?? 0n);
    },
    eth_getTransactionCount: async (params) => {
      const address = addressParam(params[0], "address");
      const state = context.stateAfter(context.block(params[1]));
      const nonce = (await state.getAccount(createAddressFromString(address)))?.nonce ?? 0n;
      return quantity(params[1] === "pending" ? pool.nextNonce(address, nonce) : nonce);
    },
    eth_getCode: async (params) => {
      const address = createAddressFromString(addressParam(params[0], "address"));
      return toHex(await context.stateAfter(context.block(params[1])).getCode(address));
    },
    eth_getStorageAt: async (params) => {
      const address = createAddressFromString(addressParam(params[0], "address"));
      const slot = slotParam(params[1], "slot");
      const value = await context.stateAfter(context.block(params[2])).getStorage(address, slot);
      return toHex(padded(toBigInt(value), 32));
    },
    eth_getProof: async (params) => {
      const address = createAddressFromString(addressParam(params[0], "address"));
      const rawKeys = arrayParam(params[1] ?? [], "storage keys", MAX_PROOF_KEYS);
      const slots = rawKeys.map((key) => slotParam(key, "storage key"));
      const state = context.stateAfter(context.block(params[2]));
      const absent = (await state.getAccount(address)) === undefined;
      const proof = await getMerkleStateProof(state, address, slots);
      return {
        ...proof,
        ...(absent ? { codeHash: ZERO_HASH, storageHash: ZERO_HASH } : {}),
        storageProof: rawKeys.map((key, i) => {
          const entry = proof.storageProof[i];
          const value = entry === undefined ? 0n : BigInt(entry.value === "0x" ? 0 : entry.value);
          return { key: String(key), value: quantity(value), proof: entry?.proof ?? [] };
        }),
      };
    },
    eth_sendRawTransaction: (params) => pool.add(dataParam(params[0], "raw transaction")),
    eth_accounts: (): Hex[] => [],
    eth_syncing: () => false,
    eth_blockNumber: () => quantity(chain.headNumber),
    eth_chainId: () => quantity(context.spec.chainId),
  };
}
