import type { Common } from "@ethereumjs/common";
import {
  createTxFromRLP,
  isAccessList2930Tx,
  isBlob4844Tx,
  isLegacyTx,
  type TypedTransaction,
} from "@ethereumjs/tx";

/** The signed transaction that these bytes are (EIP-2718). Throws when they are no transaction of this chain. */
export function decodeTransaction(raw: Uint8Array, common: Common): TypedTransaction {
  const transaction = createTxFromRLP(raw, { common });
  if (isBlob4844Tx(transaction)) {
    throw new Error("blob transactions are not supported by the embedded execution client");
  }
  return transaction;
}

/** Greatest price per gas that the sender pays. */
export function feeCap(transaction: TypedTransaction): bigint {
  return isLegacyTx(transaction) || isAccessList2930Tx(transaction)
    ? transaction.gasPrice
    : transaction.maxFeePerGas;
}

/** Greatest part of it that the proposer gets. */
export function tipCap(transaction: TypedTransaction): bigint {
  return isLegacyTx(transaction) || isAccessList2930Tx(transaction)
    ? transaction.gasPrice
    : transaction.maxPriorityFeePerGas;
}

/** What the proposer gets per gas at this base fee; negative when the sender does not pay the base fee. */
export function effectiveTip(transaction: TypedTransaction, baseFee: bigint): bigint {
  const spare = feeCap(transaction) - baseFee;
  const tip = tipCap(transaction);
  if (spare < tip) return spare;
  return tip;
}

/** What the sender pays per gas in a block with this base fee. */
export function effectivePrice(transaction: TypedTransaction, baseFee: bigint): bigint {
  return baseFee + effectiveTip(transaction, baseFee);
}

/** The most that the transaction can take from its sender's balance, in wei. */
export function maxCost(transaction: TypedTransaction): bigint {
  return transaction.value + feeCap(transaction) * transaction.gasLimit;
}
