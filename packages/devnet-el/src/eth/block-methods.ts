import type { Block } from "@ethereumjs/block";
import { RPC, RpcError } from "../errors.ts";
import { hashParam, quantity, quantityParam, toHex } from "../hex.ts";
import type { Methods } from "../server/jsonrpc.ts";
import type { EthContext } from "./context.ts";
import { blockJson, receiptsJson, senderOf, transactionJson } from "./format.ts";

/** Methods that show blocks, transactions and receipts. */
export function blockMethods(context: EthContext): Methods {
  const { chain, pool } = context;
  const byHash = (value: unknown): Block | undefined => chain.block(hashParam(value, "block hash"));
  const show = (block: Block | undefined, full: unknown): unknown =>
    block === undefined ? null : blockJson(block, context.receipts(block), full === true);
  const count = (block: Block | undefined): unknown =>
    block === undefined ? null : quantity(block.transactions.length);
  const uncles = (block: Block | undefined): unknown => (block === undefined ? null : "0x0");
  const at = (block: Block | undefined, rawIndex: unknown): unknown => {
    const index = Number(quantityParam(rawIndex, "index", 32));
    const transaction = block?.transactions[index];
    if (block === undefined || transaction === undefined) return null;
    return transactionJson(transaction, senderOf(transaction, context.receipts(block)[index]), {
      block,
      index,
    });
  };
  const find = (value: unknown): { block: Block; index: number } | undefined => {
    const place = chain.locate(hashParam(value, "transaction hash"));
    const block = place === undefined ? undefined : chain.canonicalBlock(place.number);
    return place === undefined || block === undefined ? undefined : { block, index: place.index };
  };
  return {
    eth_getBlockByNumber: (params) => show(context.find(params[0]), params[1]),
    eth_getBlockByHash: (params) => show(byHash(params[0]), params[1]),
    eth_getBlockReceipts: (params) => {
      const block = context.find(params[0]);
      return block === undefined ? null : receiptsJson(block, context.receipts(block));
    },
    eth_getBlockTransactionCountByNumber: (params) => count(context.find(params[0])),
    eth_getBlockTransactionCountByHash: (params) => count(byHash(params[0])),
    eth_getUncleCountByBlockNumber: (params) => uncles(context.find(params[0])),
    eth_getUncleCountByBlockHash: (params) => uncles(byHash(params[0])),
    eth_getTransactionByHash: (params) => {
      const place = find(params[0]);
      if (place !== undefined) return at(place.block, quantity(place.index));
      const pending = pool.get(hashParam(params[0], "transaction hash"));
      return pending === undefined ? null : transactionJson(pending.transaction, pending.from, undefined);
    },
    eth_getTransactionByBlockNumberAndIndex: (params) => at(context.find(params[0]), params[1]),
    eth_getTransactionByBlockHashAndIndex: (params) => at(byHash(params[0]), params[1]),
    eth_getTransactionReceipt: (params) => {
      const place = find(params[0]);
      if (place === undefined) return null;
      const receipt = receiptsJson(place.block, context.receipts(place.block))[place.index];
      if (receipt === undefined) throw new RpcError(RPC.INTERNAL, "the block has no such receipt");
      return receipt;
    },
    eth_getRawTransactionByHash: (params) => {
      const place = find(params[0]);
      const transaction =
        place?.block.transactions[place.index] ??
        pool.get(hashParam(params[0], "transaction hash"))?.transaction;
      return transaction === undefined ? null : toHex(transaction.serialize());
    },
  };
}
