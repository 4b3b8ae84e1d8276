import type { Common } from "@ethereumjs/common";
import { createTxFromRLP, isBlob4844Tx, type TypedTransaction } from "@ethereumjs/tx";
import { RPC, RpcError, reasonOf } from "../errors.ts";
import { type Hex, toHex } from "../hex.ts";
import { MAX_TRANSACTION_GAS } from "../vm/limits.ts";
import { feeCap, maxCost, tipCap } from "../vm/transaction.ts";

/** Greatest encoded transaction that the pool takes, bytes; as in Geth. */
export const MAX_TRANSACTION_BYTES = 131_072;
/** Smallest tip that the pool takes, wei. */
export const MIN_TIP = 1n;
/** A replacement must offer at least this many percent more, in tip and in fee cap. */
const REPLACEMENT_PERCENT = 10n;
const MAX_INITCODE_BYTES = 49_152;
const MAX_NONCE = 2n ** 64n - 1n;

/** A transaction of the pool, with what its order depends on. */
export interface PooledTransaction {
  readonly transaction: TypedTransaction;
  readonly hash: Hex;
  readonly from: Hex;
  readonly nonce: bigint;
  readonly feeCap: bigint;
  readonly tipCap: bigint;
  /** the most it can take from the balance, wei */
  readonly cost: bigint;
  /** encoded length */
  readonly size: number;
  /** order of arrival */
  readonly sequence: number;
}

/** What the pool must know about a sender. */
export interface SenderAccount {
  readonly nonce: bigint;
  readonly balance: bigint;
  /** has code that is no delegation, so it cannot send (EIP-3607) */
  readonly isContract: boolean;
}

/** A transaction that the pool does not take; the texts are those that wallets look for. */
export function refusal(message: string): RpcError {
  return new RpcError(RPC.SERVER, message);
}

function decode(raw: Uint8Array, common: Common): TypedTransaction {
  if (raw.length > MAX_TRANSACTION_BYTES) {
    throw refusal(`oversized data: transaction size ${raw.length}, limit ${MAX_TRANSACTION_BYTES}`);
  }
  if (raw[0] === 3)
    throw refusal("transaction type not supported: blob transactions are refused by this client");
  let transaction: TypedTransaction;
  try {
    transaction = createTxFromRLP(raw, { common });
  } catch (thrown) {
    const reason = reasonOf(thrown);
    const gas = /maxTransactionGasLimit|gas ?limit/i.test(reason) && /7825|exceed|cap|higher/i.test(reason);
    throw refusal(
      gas ? `transaction gas limit too high (cap: ${MAX_TRANSACTION_GAS})` : `invalid transaction: ${reason}`,
    );
  }
  if (isBlob4844Tx(transaction)) throw refusal("transaction type not supported");
  if (toHex(transaction.serialize()) !== toHex(raw))
    throw refusal("invalid transaction: encoding is not canonical");
  return transaction;
}

/** Decodes a transaction and checks what needs no state. Throws RpcError -32000. */
export function admit(
  raw: Uint8Array,
  common: Common,
  head: { readonly gasLimit: bigint },
  sequence: number,
): PooledTransaction {
  const transaction = decode(raw, common);
  const entry = {
    transaction,
    hash: toHex(transaction.hash()),
    nonce: transaction.nonce,
    feeCap: feeCap(transaction),
    tipCap: tipCap(transaction),
    cost: maxCost(transaction),
    size: raw.length,
    sequence,
  };
  if (transaction.gasLimit > head.gasLimit) throw refusal("exceeds block gas limit");
  if (common.isActivatedEIP(7825) && transaction.gasLimit > MAX_TRANSACTION_GAS) {
    throw refusal(
      `transaction gas limit too high (cap: ${MAX_TRANSACTION_GAS}, tx: ${transaction.gasLimit})`,
    );
  }
  if (entry.nonce >= MAX_NONCE) throw refusal("nonce has max value");
  if (entry.tipCap > entry.feeCap) {
    throw refusal("max priority fee per gas higher than max fee per gas");
  }
  if (entry.tipCap < MIN_TIP) {
    throw refusal(`transaction underpriced: gas tip cap ${entry.tipCap}, minimum needed ${MIN_TIP}`);
  }
  if (transaction.to === undefined && transaction.data.length > MAX_INITCODE_BYTES) {
    throw refusal(
      `max initcode size exceeded: code size ${transaction.data.length}, limit ${MAX_INITCODE_BYTES}`,
    );
  }
  const minimum = transaction.getMinimumGasLimit();
  if (transaction.gasLimit < minimum) {
    throw refusal(`intrinsic gas too low: gas ${transaction.gasLimit}, minimum needed ${minimum}`);
  }
  let from: Hex;
  try {
    from = transaction.getSenderAddress().toString();
  } catch {
    throw refusal("invalid sender");
  }
  return { ...entry, from };
}

/** Checks against the sender's account. Throws RpcError -32000. */
export function checkSender(entry: PooledTransaction, account: SenderAccount): void {
  if (account.isContract) throw refusal("sender not an eoa");
  if (entry.nonce < account.nonce) {
    throw refusal(`nonce too low: next nonce ${account.nonce}, tx nonce ${entry.nonce}`);
  }
  if (entry.cost > account.balance) {
    throw refusal(
      `insufficient funds for gas * price + value: balance ${account.balance}, tx cost ${entry.cost}, overshot ${entry.cost - account.balance}`,
    );
  }
}

/** True when `entry` pays enough more than `old` to take its place. */
export function replaces(old: PooledTransaction, entry: PooledTransaction): boolean {
  const enough = (before: bigint, after: bigint): boolean =>
    after > before && after * 100n >= before * (100n + REPLACEMENT_PERCENT);
  return enough(old.feeCap, entry.feeCap) && enough(old.tipCap, entry.tipCap);
}
