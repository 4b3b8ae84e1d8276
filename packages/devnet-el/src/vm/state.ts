import type { Common } from "@ethereumjs/common";
import { MerklePatriciaTrie } from "@ethereumjs/mpt";
import { Caches, MerkleStateManager } from "@ethereumjs/statemanager";
import type { Account, Address } from "@ethereumjs/util";
import type { Overlay } from "../chain/nodes.ts";

/** State manager that remembers which accounts were written. */
export class TrackingState extends MerkleStateManager {
  readonly touched: Set<string> = new Set<string>();

  override putAccount(address: Address, account?: Account): Promise<void> {
    this.touched.add(address.toString());
    return super.putAccount(address, account);
  }
}

/** The state with this root; what is written goes into `overlay`. Without root the state is empty. */
export function openState(common: Common, overlay: Overlay, root: Uint8Array | undefined): TrackingState {
  const trie = new MerklePatriciaTrie({
    db: overlay,
    common,
    useKeyHashing: true,
    valueEncoding: "view",
    cacheSize: 0,
    ...(root === undefined ? {} : { root }),
  });
  return new TrackingState({ common, trie, caches: new Caches() });
}
