import { paramsBlock } from "@ethereumjs/block";
import { type ChainConfig, Common, type CustomCrypto, Hardfork, type ParamsDict } from "@ethereumjs/common";
import { paramsEVM } from "@ethereumjs/evm";
import { paramsTx } from "@ethereumjs/tx";
import { paramsVM } from "@ethereumjs/vm";
import type { ChainSpec } from "../genesis/parse.ts";

/**
 * Rules of one chain whose fork never changes. The library copies its Common and merges parameters for every
 * transaction and header; here one object serves all, which makes execution several times faster.
 */
class FixedCommon extends Common {
  private sealed = false;

  seal(): this {
    for (const params of [paramsBlock, paramsTx, paramsVM, paramsEVM]) this.updateParams(params);
    this.sealed = true;
    return this;
  }

  override copy(): Common {
    return this;
  }

  override updateParams(params: ParamsDict): void {
    if (!this.sealed) super.updateParams(params);
  }

  override setHardfork(hardfork: string | Hardfork): void {
    if (!this.sealed) super.setHardfork(hardfork);
  }

  override setHardforkBy(): string {
    return this.hardfork();
  }
}

const FORKS_BEFORE_MERGE = [
  Hardfork.Chainstart,
  Hardfork.Homestead,
  Hardfork.TangerineWhistle,
  Hardfork.SpuriousDragon,
  Hardfork.Byzantium,
  Hardfork.Constantinople,
  Hardfork.Petersburg,
  Hardfork.Istanbul,
  Hardfork.Berlin,
  Hardfork.London,
  Hardfork.Paris,
];

/** The rules of a chain, every fork active from block 0. */
export function createCommon(spec: ChainSpec, crypto: CustomCrypto): Common {
  const timed: string[] = [Hardfork.Shanghai, Hardfork.Cancun, Hardfork.Prague];
  if (spec.fork === "osaka") timed.push(Hardfork.Osaka);
  const chain: ChainConfig = {
    name: `devnet-${spec.chainId}`,
    chainId: Number(spec.chainId),
    genesis: {
      gasLimit: Number(spec.header.gasLimit),
      difficulty: 0,
      nonce: "0x0000000000000000",
      extraData: "0x",
    },
    hardforks: [
      ...FORKS_BEFORE_MERGE.map((name) => ({ name, block: 0 })),
      ...timed.map((name) => ({ name, block: null, timestamp: 0 })),
    ],
    bootstrapNodes: [],
    consensus: { type: "pos", algorithm: "casper", casper: {} },
    depositContractAddress: spec.depositContract,
  };
  const hardfork = spec.fork === "osaka" ? Hardfork.Osaka : Hardfork.Prague;
  return new FixedCommon({ chain, hardfork, customCrypto: crypto }).seal();
}
