import type { Block } from "@ethereumjs/block";
import type { Chain, ExecutedBlock } from "../chain/chain.ts";
import { DevnetElError, RPC, RpcError, reasonOf } from "../errors.ts";
import type { ChainSpec } from "../genesis/parse.ts";
import { toHex } from "../hex.ts";
import { BlockExecution } from "./execution.ts";
import { MAX_BLOCK_BYTES } from "./limits.ts";
import { requestsHash } from "./requests.ts";
import { openView, type VmEnvironment } from "./view.ts";

/** Verdict about a block whose parent is known and valid. */
export type Validation =
  | { readonly valid: true; readonly executed: ExecutedBlock }
  | { readonly valid: false; readonly reason: string };

function headerFault(block: Block, parent: Block, spec: ChainSpec): string | undefined {
  const header = block.header;
  const above = parent.header;
  if (header.number !== above.number + 1n)
    return `invalid number, parent ${above.number} given ${header.number}`;
  if (header.timestamp <= above.timestamp) {
    return `invalid timestamp, parent ${above.timestamp} given ${header.timestamp}`;
  }
  if (header.gasLimit > 0x7fffffffffffffffn) return `invalid gasLimit: have ${header.gasLimit}, max 2^63-1`;
  const step = above.gasLimit / 1024n;
  const difference =
    header.gasLimit > above.gasLimit ? header.gasLimit - above.gasLimit : above.gasLimit - header.gasLimit;
  if (difference >= step)
    return `invalid gas limit: have ${header.gasLimit}, want ${above.gasLimit} +-= ${step - 1n}`;
  if (header.gasLimit < 5000n) return "invalid gas limit below 5000";
  if (header.gasUsed > header.gasLimit)
    return `invalid gasUsed: have ${header.gasUsed}, gasLimit ${header.gasLimit}`;
  const baseFee = above.calcNextBaseFee();
  if (header.baseFeePerGas !== baseFee)
    return `invalid baseFee: have ${header.baseFeePerGas}, want ${baseFee}`;
  const excess = above.calcNextExcessBlobGas(block.common);
  if (header.excessBlobGas !== excess)
    return `invalid excessBlobGas: have ${header.excessBlobGas}, want ${excess}`;
  if (header.blobGasUsed !== 0n) return `invalid blobGasUsed: have ${header.blobGasUsed}, want 0`;
  if (spec.fork === "osaka" && block.serialize().length > MAX_BLOCK_BYTES) {
    return `block RLP-encoded size exceeds maximum ${MAX_BLOCK_BYTES}`;
  }
  return undefined;
}

function differs(name: string, have: Uint8Array | undefined, want: Uint8Array): string | undefined {
  const given = have === undefined ? "0x" : toHex(have);
  return given === toHex(want) ? undefined : `invalid ${name} (remote: ${given} local: ${toHex(want)})`;
}

/**
 * The reason that a thrown refusal gives. What is no refusal (a bug, a damaged store) is thrown on: it says nothing
 * about the block.
 */
function verdict(thrown: unknown): string {
  const reason = reasonOf(thrown);
  if (thrown instanceof DevnetElError || thrown instanceof TypeError || thrown instanceof RangeError)
    throw thrown;
  if (/Missing node in DB/.test(reason))
    throw new DevnetElError("STORE", `the state is incomplete: ${reason}`);
  return reason;
}

/** Executes a block on its parent's state and compares every field of the header with the outcome. */
export async function validateBlock(
  environment: VmEnvironment,
  spec: ChainSpec,
  chain: Chain,
  block: Block,
  parent: Block,
): Promise<Validation> {
  const fault = headerFault(block, parent, spec);
  if (fault !== undefined) return { valid: false, reason: fault };
  const parentHash = toHex(block.header.parentHash);
  const overlay = chain.overlayOn(parentHash);
  const view = openView(environment, overlay, parent.header.stateRoot, chain.ancestryOf(parent));
  try {
    const execution = new BlockExecution(view, block.header, spec.depositContract);
    await execution.begin();
    for (const [index, transaction] of block.transactions.entries()) {
      const errors = transaction.getValidationErrors();
      if (errors.length > 0)
        return { valid: false, reason: `invalid transaction ${index}: ${errors.join("; ")}` };
      try {
        await execution.run(transaction);
      } catch (thrown) {
        if (chain.has(parentHash))
          return { valid: false, reason: `could not apply tx ${index}: ${verdict(thrown)}` };
        throw thrown;
      }
    }
    const result = await execution.finish(block.withdrawals ?? []);
    const { header } = block;
    const mismatch =
      (result.gasUsed === header.gasUsed
        ? undefined
        : `invalid gas used (remote: ${header.gasUsed} local: ${result.gasUsed})`) ??
      differs("bloom", header.logsBloom, result.logsBloom) ??
      differs("receipt root hash", header.receiptTrie, result.receiptsRoot) ??
      differs("requests hash", header.requestsHash, requestsHash(result.requests)) ??
      differs("merkle root", header.stateRoot, result.stateRoot);
    if (mismatch !== undefined) return { valid: false, reason: mismatch };
    const executed: ExecutedBlock = {
      block,
      hash: toHex(block.hash()),
      receipts: result.receipts,
      overlay,
      touched: view.touched,
    };
    return { valid: true, executed };
  } catch (thrown) {
    // Another block was decided at the parent's height meanwhile, and the parent's state is gone.
    if (!chain.has(parentHash))
      throw new RpcError(RPC.INTERNAL, "the parent was dropped while its child was executed");
    return { valid: false, reason: verdict(thrown) };
  }
}
