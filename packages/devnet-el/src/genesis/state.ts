import { type Block, createBlock } from "@ethereumjs/block";
import type { Common } from "@ethereumjs/common";
import { createAccount, createAddressFromString } from "@ethereumjs/util";
import { Overlay } from "../chain/nodes.ts";
import { fromHex } from "../hex.ts";
import { openState } from "../vm/state.ts";
import type { ChainSpec } from "./parse.ts";

/** Block 0 and the nodes of its state. */
export interface GenesisState {
  readonly block: Block;
  readonly nodes: ReadonlyMap<string, Uint8Array>;
}

const ACCOUNTS_PER_FLUSH = 1000;

/** Writes the accounts of genesis into an empty state and makes block 0, as Geth does. Executes nothing. */
export async function makeGenesisState(spec: ChainSpec, common: Common): Promise<GenesisState> {
  const overlay = new Overlay({ get: () => undefined }, undefined);
  const state = openState(common, overlay, undefined);
  let pending = 0;
  for (const entry of spec.alloc) {
    const address = createAddressFromString(entry.address);
    await state.putAccount(address, createAccount({ balance: entry.balance, nonce: entry.nonce }));
    if (entry.code.length > 0) await state.putCode(address, entry.code);
    for (const [slot, value] of entry.storage) await state.putStorage(address, fromHex(slot), value);
    pending += 1;
    if (pending % ACCOUNTS_PER_FLUSH === 0) await state.flush();
  }
  const stateRoot = await state.getStateRoot();
  const block = createBlock(
    { header: { number: 0n, difficulty: 0n, stateRoot, ...spec.header }, withdrawals: [] },
    { common },
  );
  return { block, nodes: overlay.reachable(stateRoot) };
}
