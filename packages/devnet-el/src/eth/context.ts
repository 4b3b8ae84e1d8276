import type { Block } from "@ethereumjs/block";
import type { MerkleStateManager } from "@ethereumjs/statemanager";
import type { Chain } from "../chain/chain.ts";
import type { ReceiptRecord } from "../chain/receipts.ts";
import { DevnetElError, RPC, RpcError } from "../errors.ts";
import type { ChainSpec } from "../genesis/parse.ts";
import { hashParam, quantityParam, toHex } from "../hex.ts";
import type { TxPool } from "../pool/pool.ts";
import { openState } from "../vm/state.ts";
import { openView, type View, type VmEnvironment } from "../vm/view.ts";

/** What the eth_* methods read. */
export class EthContext {
  readonly chain: Chain;
  readonly pool: TxPool;
  readonly spec: ChainSpec;
  readonly environment: VmEnvironment;

  constructor(chain: Chain, pool: TxPool, spec: ChainSpec, environment: VmEnvironment) {
    this.chain = chain;
    this.pool = pool;
    this.spec = spec;
    this.environment = environment;
  }

  /**
   * The block that a tag, number, hash or EIP-1898 object names; undefined when there is none. The tag pending means
   * latest: nothing decides what the next block holds before its proposer does. Throws -32602 for another form,
   * -32000 for safe or finalized before there is one.
   */
  find(tag: unknown): Block | undefined {
    const { chain } = this;
    if (typeof tag === "object" && tag !== null && !Array.isArray(tag)) {
      const { blockHash, blockNumber, requireCanonical } = tag as Record<string, unknown>;
      if (blockHash === undefined) return this.find(blockNumber);
      const block = chain.block(hashParam(blockHash, "blockHash"));
      if (block !== undefined && requireCanonical === true && !chain.isCanonical(block)) {
        throw new RpcError(RPC.SERVER, "hash is not currently canonical");
      }
      return block;
    }
    switch (tag) {
      case undefined:
      case null:
      case "latest":
      case "pending":
        return chain.head;
      case "earliest":
        return chain.canonicalBlock(0);
      case "safe":
      case "finalized": {
        const block = tag === "safe" ? chain.safe : chain.finalized;
        if (block === undefined) throw new RpcError(RPC.SERVER, `${tag} block not found`);
        return block;
      }
      default:
        if (typeof tag === "string" && tag.length === 66) return chain.block(hashParam(tag, "block hash"));
        return chain.canonicalBlock(Number(quantityParam(tag, "block number", 53)));
    }
  }

  /** As `find`, but throws -32000 when there is no such block. */
  block(tag: unknown): Block {
    const block = this.find(tag);
    if (block === undefined) throw new RpcError(RPC.SERVER, "header not found");
    return block;
  }

  /** Receipts of a block that is known. */
  receipts(block: Block): readonly ReceiptRecord[] {
    const receipts = this.chain.receipts(toHex(block.hash()));
    if (receipts === undefined) throw new DevnetElError("INTERNAL", "a known block has no receipts");
    return receipts;
  }

  /** State after a block; what is written to it is thrown away. */
  stateAfter(block: Block): MerkleStateManager {
    const overlay = this.chain.overlayOn(toHex(block.hash()));
    return openState(this.environment.common, overlay, block.header.stateRoot);
  }

  /** State after a block with an EVM over it; what is written to it is thrown away. */
  viewAfter(block: Block): View {
    const { chain } = this;
    const overlay = chain.overlayOn(toHex(block.hash()));
    return openView(this.environment, overlay, block.header.stateRoot, chain.ancestryOf(block));
  }
}
