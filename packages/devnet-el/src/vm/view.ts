import type { Common } from "@ethereumjs/common";
import { EVM } from "@ethereumjs/evm";
import type { MerkleStateManager } from "@ethereumjs/statemanager";
import { VM } from "@ethereumjs/vm";
import type { Overlay } from "../chain/nodes.ts";
import type { CryptoBackends } from "./crypto.ts";
import { Meter } from "./meter.ts";
import { openState } from "./state.ts";

/** Hash of the ancestor with this number on the branch that is being executed. */
export type Ancestry = (number: number) => Uint8Array | undefined;

/** What every execution shares. */
export interface VmEnvironment {
  readonly common: Common;
  readonly crypto: CryptoBackends;
}

/** One state and an EVM over it. Views never share anything mutable, so any number may run side by side. */
export interface View {
  readonly state: MerkleStateManager;
  readonly evm: EVM;
  readonly vm: VM;
  readonly overlay: Overlay;
  readonly meter: Meter;
  /** Addresses (lower-case hex) of the accounts written so far. */
  readonly touched: ReadonlySet<string>;
}

/** A view of the state with this root; what it writes goes into `overlay`. */
export function openView(
  environment: VmEnvironment,
  overlay: Overlay,
  root: Uint8Array | undefined,
  ancestry: Ancestry,
): View {
  const { common, crypto } = environment;
  const state = openState(common, overlay, root);
  const blockchain = {
    getBlock(number: number): Promise<{ hash(): Uint8Array }> {
      const hash = ancestry(number);
      if (hash === undefined) return Promise.reject(new Error(`no hash of ancestor ${number}`));
      return Promise.resolve({ hash: () => hash });
    },
    putBlock: (): Promise<void> => Promise.resolve(),
    shallowCopy: () => blockchain,
  };
  const meter = new Meter();
  // The factory createEVM replaces a bn254 option by the slow default; the constructor takes it.
  const evm = new EVM({
    common,
    stateManager: state,
    blockchain,
    bls: crypto.bls,
    bn254: crypto.bn254,
    customOpcodes: [meter.opcode],
  });
  // Each EVM listens for fork changes of the shared rules; they never come and would keep it alive.
  common.events.removeAllListeners();
  const vm = new VM({ common, stateManager: state, blockchain, evm });
  return { state, evm, vm, overlay, meter, touched: state.touched };
}
