import { Block, createBlockHeader, genTransactionsTrieRoot, genWithdrawalsTrieRoot } from "@ethereumjs/block";
import type { Common } from "@ethereumjs/common";
import { MerklePatriciaTrie } from "@ethereumjs/mpt";
import { RLP } from "@ethereumjs/rlp";
import type { TypedTransaction } from "@ethereumjs/tx";
import { KECCAK256_RLP_ARRAY, type Withdrawal } from "@ethereumjs/util";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { RPC, RpcError, reasonOf } from "../errors.ts";
import {
  arrayParam,
  dataParam,
  fromHex,
  type Hex,
  hashParam,
  objectParam,
  quantity,
  quantityParam,
  toHex,
} from "../hex.ts";
import { decodeTransaction } from "../vm/transaction.ts";
import { withdrawalsParam } from "./attributes.ts";

/** Transactions that one payload may carry: more than the gas of any block here pays for. */
const MAX_TRANSACTIONS = 65_536;
const MAX_REQUESTS = 256;

/** ExecutionPayloadV3 with the fields of the header that travel beside it. */
export interface PayloadFields {
  readonly parentHash: Hex;
  readonly feeRecipient: Uint8Array;
  readonly stateRoot: Uint8Array;
  readonly receiptsRoot: Uint8Array;
  readonly logsBloom: Uint8Array;
  readonly prevRandao: Uint8Array;
  readonly blockNumber: bigint;
  readonly gasLimit: bigint;
  readonly gasUsed: bigint;
  readonly timestamp: bigint;
  readonly extraData: Uint8Array;
  readonly baseFeePerGas: bigint;
  readonly blockHash: Hex;
  readonly transactions: readonly Uint8Array[];
  readonly withdrawals: readonly Withdrawal[];
  readonly blobGasUsed: bigint;
  readonly excessBlobGas: bigint;
}

/** The shape of ExecutionPayloadV3. Throws -32602. */
export function payloadParam(value: unknown): PayloadFields {
  const raw = objectParam(value, "payload");
  const fixed = (name: string, length: number): Uint8Array => dataParam(raw[name], name, { length });
  const u64 = (name: string): bigint => quantityParam(raw[name], name, 64);
  return {
    parentHash: hashParam(raw["parentHash"], "parentHash"),
    feeRecipient: fixed("feeRecipient", 20),
    stateRoot: fixed("stateRoot", 32),
    receiptsRoot: fixed("receiptsRoot", 32),
    logsBloom: fixed("logsBloom", 256),
    prevRandao: fixed("prevRandao", 32),
    blockNumber: u64("blockNumber"),
    gasLimit: u64("gasLimit"),
    gasUsed: u64("gasUsed"),
    timestamp: u64("timestamp"),
    extraData: dataParam(raw["extraData"], "extraData"),
    baseFeePerGas: quantityParam(raw["baseFeePerGas"], "baseFeePerGas", 256),
    blockHash: hashParam(raw["blockHash"], "blockHash"),
    transactions: arrayParam(raw["transactions"], "transactions", MAX_TRANSACTIONS).map((transaction, i) =>
      dataParam(transaction, `transactions[${i}]`),
    ),
    withdrawals: withdrawalsParam(raw["withdrawals"], "withdrawals"),
    blobGasUsed: u64("blobGasUsed"),
    excessBlobGas: u64("excessBlobGas"),
  };
}

/** Execution requests: each a type byte and data, types strictly ascending. Throws -32602. */
export function requestsParam(value: unknown): Uint8Array[] {
  if (value === undefined || value === null) {
    throw new RpcError(RPC.INVALID_PARAMS, "missing value for required argument 3");
  }
  const requests = arrayParam(value, "executionRequests", MAX_REQUESTS).map((request, i) =>
    dataParam(request, `executionRequests[${i}]`),
  );
  let previous = -1;
  for (const request of requests) {
    const type = request[0];
    if (type === undefined || request.length < 2) throw new RpcError(RPC.INVALID_PARAMS, "empty request");
    if (type <= previous)
      throw new RpcError(RPC.INVALID_PARAMS, "requests are not strictly ascending by type");
    previous = type;
  }
  return requests;
}

/** A payload that cannot be the block it claims to be; its parent is not looked at. */
export class MalformedPayload extends Error {
  override readonly name = "MalformedPayload";
}

/** A payload with the hash it claims, whose header no block can have. */
export class InvalidHeader extends Error {
  override readonly name = "InvalidHeader";
}

function integer(value: bigint): Uint8Array {
  if (value === 0n) return new Uint8Array(0);
  const digits = quantity(value).slice(2);
  return fromHex(`0x${digits.length % 2 === 0 ? digits : `0${digits}`}`);
}

/**
 * The block that a payload describes, its hash computed anew before anything else is believed. `known` finds a
 * transaction of the pool by hash, whose sender needs no second recovery.
 * Throws MalformedPayload when hash or transactions are wrong, InvalidHeader when the header breaks a fixed rule.
 */
export async function decodePayload(
  fields: PayloadFields,
  parentBeaconBlockRoot: Uint8Array,
  requestsHash: Uint8Array,
  common: Common,
  known: (hash: Hex) => TypedTransaction | undefined,
): Promise<Block> {
  if (fields.extraData.length > 32)
    throw new MalformedPayload(`invalid extradata length: ${fields.extraData.length}`);
  const transactions = fields.transactions.map((raw, i) => {
    try {
      return known(toHex(keccak_256(raw))) ?? decodeTransaction(raw, common);
    } catch (thrown) {
      throw new MalformedPayload(`invalid transaction ${i}: ${reasonOf(thrown)}`);
    }
  });
  const trie = (): MerklePatriciaTrie => new MerklePatriciaTrie({ common });
  const withdrawals = [...fields.withdrawals];
  const transactionsTrie = await genTransactionsTrieRoot(transactions, trie());
  const withdrawalsRoot = await genWithdrawalsTrieRoot(withdrawals, trie());
  const nonce = new Uint8Array(8);
  const encoded = RLP.encode([
    fromHex(fields.parentHash),
    KECCAK256_RLP_ARRAY,
    fields.feeRecipient,
    fields.stateRoot,
    transactionsTrie,
    fields.receiptsRoot,
    fields.logsBloom,
    new Uint8Array(0),
    integer(fields.blockNumber),
    integer(fields.gasLimit),
    integer(fields.gasUsed),
    integer(fields.timestamp),
    fields.extraData,
    fields.prevRandao,
    nonce,
    integer(fields.baseFeePerGas),
    withdrawalsRoot,
    integer(fields.blobGasUsed),
    integer(fields.excessBlobGas),
    parentBeaconBlockRoot,
    requestsHash,
  ]);
  const hash = toHex(keccak_256(encoded));
  if (hash !== fields.blockHash) {
    throw new MalformedPayload(`blockhash mismatch, want ${fields.blockHash} got ${hash}`);
  }
  try {
    const header = createBlockHeader(
      {
        parentHash: fromHex(fields.parentHash),
        coinbase: fields.feeRecipient,
        stateRoot: fields.stateRoot,
        transactionsTrie,
        receiptTrie: fields.receiptsRoot,
        logsBloom: fields.logsBloom,
        number: fields.blockNumber,
        gasLimit: fields.gasLimit,
        gasUsed: fields.gasUsed,
        timestamp: fields.timestamp,
        extraData: fields.extraData,
        mixHash: fields.prevRandao,
        baseFeePerGas: fields.baseFeePerGas,
        withdrawalsRoot,
        blobGasUsed: fields.blobGasUsed,
        excessBlobGas: fields.excessBlobGas,
        parentBeaconBlockRoot,
        requestsHash,
      },
      { common },
    );
    // Not createBlock: it makes every transaction anew and forgets the recovered senders.
    return new Block(header, transactions, [], withdrawals, { common });
  } catch (thrown) {
    throw new InvalidHeader(reasonOf(thrown));
  }
}

/** ExecutionPayloadV3 of a block. */
export function payloadJson(block: Block): Readonly<Record<string, unknown>> {
  const { header } = block;
  return {
    parentHash: toHex(header.parentHash),
    feeRecipient: header.coinbase.toString(),
    stateRoot: toHex(header.stateRoot),
    receiptsRoot: toHex(header.receiptTrie),
    logsBloom: toHex(header.logsBloom),
    prevRandao: toHex(header.mixHash),
    blockNumber: quantity(header.number),
    gasLimit: quantity(header.gasLimit),
    gasUsed: quantity(header.gasUsed),
    timestamp: quantity(header.timestamp),
    extraData: toHex(header.extraData),
    baseFeePerGas: quantity(header.baseFeePerGas ?? 0n),
    blockHash: toHex(block.hash()),
    transactions: block.transactions.map((transaction) => toHex(transaction.serialize())),
    withdrawals: (block.withdrawals ?? []).map(withdrawalJson),
    blobGasUsed: quantity(header.blobGasUsed ?? 0n),
    excessBlobGas: quantity(header.excessBlobGas ?? 0n),
  };
}

/** WithdrawalV1. */
export function withdrawalJson(withdrawal: Withdrawal): Readonly<Record<string, string>> {
  return {
    index: quantity(withdrawal.index),
    validatorIndex: quantity(withdrawal.validatorIndex),
    address: withdrawal.address.toString(),
    amount: quantity(withdrawal.amount),
  };
}
