import type { Block } from "@ethereumjs/block";
import { RPC, RpcError } from "../errors.ts";
import { arrayParam, quantity, quantityParam } from "../hex.ts";
import type { Methods } from "../server/jsonrpc.ts";
import { effectiveTip } from "../vm/transaction.ts";
import type { EthContext } from "./context.ts";

/** Tip suggested to wallets, wei. Blocks are rarely full here, so a fixed one is enough. */
const SUGGESTED_TIP = 1_000_000_000n;
const MAX_HISTORY = 1024n;
const MAX_PERCENTILES = 100;

function percentilesParam(value: unknown): number[] {
  const percentiles = arrayParam(value ?? [], "rewardPercentiles", MAX_PERCENTILES).map((percentile, i) => {
    if (typeof percentile !== "number" || !(percentile >= 0 && percentile <= 100)) {
      throw new RpcError(RPC.SERVER, `invalid reward percentile: ${String(percentile)} at ${i}`);
    }
    return percentile;
  });
  for (const [i, percentile] of percentiles.entries()) {
    if (i > 0 && percentile <= (percentiles[i - 1] ?? 0)) {
      throw new RpcError(RPC.SERVER, `invalid reward percentile: #${i} must be greater than #${i - 1}`);
    }
  }
  return percentiles;
}

/** Tips at these percentiles of the gas used in a block. */
function rewards(context: EthContext, block: Block, percentiles: readonly number[]): string[] {
  if (percentiles.length === 0) return [];
  if (block.transactions.length === 0) return percentiles.map(() => "0x0");
  const baseFee = block.header.baseFeePerGas ?? 0n;
  const receipts = context.receipts(block);
  const sorted = block.transactions
    .map((transaction, i) => ({ gas: receipts[i]?.gasUsed ?? 0n, tip: effectiveTip(transaction, baseFee) }))
    .sort((a, b) => (a.tip < b.tip ? -1 : a.tip > b.tip ? 1 : 0));
  let at = 0;
  let sum = sorted[0]?.gas ?? 0n;
  return percentiles.map((percentile) => {
    const threshold = BigInt(Math.floor((Number(block.header.gasUsed) * percentile) / 100));
    while (sum < threshold && at < sorted.length - 1) {
      at += 1;
      sum += sorted[at]?.gas ?? 0n;
    }
    return quantity(sorted[at]?.tip ?? 0n);
  });
}

/** eth_gasPrice, eth_maxPriorityFeePerGas, eth_blobBaseFee, eth_feeHistory. */
export function feeMethods(context: EthContext): Methods {
  const { chain } = context;
  return {
    eth_gasPrice: () => quantity(chain.head.header.calcNextBaseFee() + SUGGESTED_TIP),
    eth_maxPriorityFeePerGas: () => quantity(SUGGESTED_TIP),
    eth_blobBaseFee: () => "0x1",
    eth_feeHistory: (params) => {
      const [rawCount, newest, rawPercentiles] = params;
      const asked =
        typeof rawCount === "number" ? BigInt(rawCount) : quantityParam(rawCount, "blockCount", 64);
      const percentiles = percentilesParam(rawPercentiles);
      const last = context.find(newest);
      if (last === undefined) throw new RpcError(RPC.SERVER, "request beyond head block");
      const to = Number(last.header.number);
      const count = Math.min(Number(asked < MAX_HISTORY ? asked : MAX_HISTORY), to + 1);
      if (count === 0) return { oldestBlock: "0x0", gasUsedRatio: null };
      const blocks: Block[] = [];
      for (let number = to - count + 1; number <= to; number++) blocks.push(context.block(quantity(number)));
      const fees = [
        ...blocks.map((block) => block.header.baseFeePerGas ?? 0n),
        last.header.calcNextBaseFee(),
      ];
      return {
        oldestBlock: quantity(to - count + 1),
        ...(percentiles.length === 0
          ? {}
          : { reward: blocks.map((block) => rewards(context, block, percentiles)) }),
        baseFeePerGas: fees.map(quantity),
        gasUsedRatio: blocks.map((block) => Number(block.header.gasUsed) / Number(block.header.gasLimit)),
        baseFeePerBlobGas: fees.map(() => "0x1"),
        blobGasUsedRatio: blocks.map(() => 0),
      };
    },
  };
}
