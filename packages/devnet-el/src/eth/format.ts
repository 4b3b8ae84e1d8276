import type { Block } from "@ethereumjs/block";
import { isEOACode7702Tx, isLegacyTx, type TypedTransaction } from "@ethereumjs/tx";
import type { ReceiptRecord } from "../chain/receipts.ts";
import { withdrawalJson } from "../engine/payload.ts";
import { type Hex, quantity, toBigInt, toHex } from "../hex.ts";
import { effectivePrice, feeCap, tipCap } from "../vm/transaction.ts";
import { logsBloom } from "./bloom.ts";

/** Where a transaction was included. */
export interface Place {
  readonly block: Block;
  readonly index: number;
}

type Json = Readonly<Record<string, unknown>>;

function accessListJson(transaction: Exclude<TypedTransaction, { type: 0 }>): unknown {
  return transaction.accessList.map(([address, keys]) => ({
    address: toHex(address),
    storageKeys: keys.map(toHex),
  }));
}

/** A transaction as eth_getTransactionByHash shows it; `place` is undefined while it is pending. */
export function transactionJson(transaction: TypedTransaction, from: Hex, place: Place | undefined): Json {
  const header = place?.block.header;
  const price =
    header === undefined ? feeCap(transaction) : effectivePrice(transaction, header.baseFeePerGas ?? 0n);
  const v = transaction.v ?? 0n;
  const common: Json = {
    blockHash: place === undefined ? null : toHex(place.block.hash()),
    blockNumber: header === undefined ? null : quantity(header.number),
    blockTimestamp: header === undefined ? null : quantity(header.timestamp),
    from,
    gas: quantity(transaction.gasLimit),
    gasPrice: quantity(price),
    hash: toHex(transaction.hash()),
    input: toHex(transaction.data),
    nonce: quantity(transaction.nonce),
    to: transaction.to?.toString() ?? null,
    transactionIndex: place === undefined ? null : quantity(place.index),
    value: quantity(transaction.value),
    type: quantity(transaction.type),
    v: quantity(v),
    r: quantity(transaction.r ?? 0n),
    s: quantity(transaction.s ?? 0n),
  };
  if (isLegacyTx(transaction)) return v > 28n ? { ...common, chainId: quantity((v - 35n) / 2n) } : common;
  return {
    ...common,
    chainId: quantity(transaction.chainId),
    yParity: quantity(v),
    accessList: accessListJson(transaction),
    ...(transaction.type === 1
      ? {}
      : { maxFeePerGas: quantity(feeCap(transaction)), maxPriorityFeePerGas: quantity(tipCap(transaction)) }),
    ...(isEOACode7702Tx(transaction)
      ? {
          authorizationList: transaction.authorizationList.map(
            ([chainId, address, nonce, yParity, r, s]) => ({
              chainId: quantity(toBigInt(chainId)),
              address: toHex(address),
              nonce: quantity(toBigInt(nonce)),
              yParity: quantity(toBigInt(yParity)),
              r: quantity(toBigInt(r)),
              s: quantity(toBigInt(s)),
            }),
          ),
        }
      : {}),
  };
}

/** A block as eth_getBlockByNumber shows it, with whole transactions if `full`. */
export function blockJson(block: Block, receipts: readonly ReceiptRecord[], full: boolean): Json {
  const { header } = block;
  return {
    number: quantity(header.number),
    hash: toHex(block.hash()),
    parentHash: toHex(header.parentHash),
    nonce: toHex(header.nonce),
    mixHash: toHex(header.mixHash),
    sha3Uncles: toHex(header.uncleHash),
    logsBloom: toHex(header.logsBloom),
    stateRoot: toHex(header.stateRoot),
    miner: header.coinbase.toString(),
    difficulty: "0x0",
    extraData: toHex(header.extraData),
    gasLimit: quantity(header.gasLimit),
    gasUsed: quantity(header.gasUsed),
    timestamp: quantity(header.timestamp),
    transactionsRoot: toHex(header.transactionsTrie),
    receiptsRoot: toHex(header.receiptTrie),
    baseFeePerGas: quantity(header.baseFeePerGas ?? 0n),
    withdrawalsRoot: toHex(header.withdrawalsRoot ?? new Uint8Array(32)),
    blobGasUsed: quantity(header.blobGasUsed ?? 0n),
    excessBlobGas: quantity(header.excessBlobGas ?? 0n),
    parentBeaconBlockRoot: toHex(header.parentBeaconBlockRoot ?? new Uint8Array(32)),
    requestsHash: toHex(header.requestsHash ?? new Uint8Array(32)),
    size: quantity(block.serialize().length),
    uncles: [],
    transactions: block.transactions.map((transaction, index) =>
      full
        ? transactionJson(transaction, senderOf(transaction, receipts[index]), { block, index })
        : toHex(transaction.hash()),
    ),
    withdrawals: (block.withdrawals ?? []).map(withdrawalJson),
  };
}

/** The sender, as execution recorded it; recovered again only where no receipt is at hand. */
export function senderOf(transaction: TypedTransaction, receipt: ReceiptRecord | undefined): Hex {
  return receipt === undefined ? transaction.getSenderAddress().toString() : toHex(receipt.from);
}

/** All receipts of a block as eth_getBlockReceipts shows them. */
export function receiptsJson(block: Block, receipts: readonly ReceiptRecord[]): Json[] {
  const { header } = block;
  const blockHash = toHex(block.hash());
  const blockNumber = quantity(header.number);
  const blockTimestamp = quantity(header.timestamp);
  let logIndex = 0;
  return receipts.map((receipt, index) => {
    const transaction = block.transactions[index];
    if (transaction === undefined) throw new RangeError(`block ${blockHash} has a receipt too many`);
    const place = {
      blockHash,
      blockNumber,
      transactionHash: toHex(transaction.hash()),
      transactionIndex: quantity(index),
    };
    const logs = receipt.logs.map((log) => ({
      ...place,
      blockTimestamp,
      address: toHex(log.address),
      topics: log.topics.map(toHex),
      data: toHex(log.data),
      logIndex: quantity(logIndex++),
      removed: false,
    }));
    return {
      ...place,
      from: toHex(receipt.from),
      to: transaction.to?.toString() ?? null,
      cumulativeGasUsed: quantity(receipt.cumulativeGasUsed),
      effectiveGasPrice: quantity(effectivePrice(transaction, header.baseFeePerGas ?? 0n)),
      gasUsed: quantity(receipt.gasUsed),
      contractAddress: receipt.created === undefined ? null : toHex(receipt.created),
      logs,
      logsBloom: toHex(logsBloom(receipt.logs)),
      status: receipt.succeeded ? "0x1" : "0x0",
      type: quantity(transaction.type),
    };
  });
}
