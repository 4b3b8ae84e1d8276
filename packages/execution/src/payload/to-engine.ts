import {
  type Block,
  decodeEnvelope,
  type EnvelopeV1,
  encodeEnvelope,
  type PayloadAttributes,
  type Withdrawal,
} from "@quorate/chain";
import { sha256, toHex } from "@quorate/crypto";
import { ExecutionError } from "../errors.ts";
import type { ExecutionPayload } from "../types.ts";
import { data, quantity } from "./hex.ts";

/**
 * Splits a block into its envelope and its transactions.
 * @throws ExecutionError ENVELOPE when `txs[0]` is no envelope of version 1.
 */
export function payloadOf(block: Block): ExecutionPayload {
  const first = block.txs[0];
  const envelope = first === undefined ? null : decodeEnvelope(first);
  if (envelope === null || envelope.version !== 1) {
    throw new ExecutionError(
      "ENVELOPE",
      `block ${block.header.height} carries no execution envelope of version 1: it belongs to a chain without EL`,
      { height: block.header.height },
    );
  }
  return { envelope, transactions: block.txs.slice(1) };
}

/**
 * Why the adapter refuses a payload without asking: what an EL does not check or checks differently
 * (geth-verified §13.1; EIP-7685 order). `null`: nothing against it.
 */
export function refusal(payload: ExecutionPayload): string | null {
  const { envelope, transactions } = payload;
  if (transactions.some((tx) => tx[0] === 0x03)) return "blob transactions are not allowed on this chain";
  if (envelope.blobGasUsed !== 0n) return "blob gas used without blob transactions";
  const types = envelope.executionRequests.map((request) => request[0] ?? -1);
  const ordered = types.every((type, index) => index === 0 || type > (types[index - 1] ?? -1));
  if (!ordered) return "execution requests are not strictly ascending by type";
  if (envelope.executionRequests.some((request) => request.length < 2))
    return "an execution request without data";
  return null;
}

/**
 * Identifies everything that newPayload judges. The payload's own `blockHash` does not: it is a claim that only the EL
 * checks, and a false body may carry the hash of a valid one.
 */
export function fingerprint(payload: ExecutionPayload, parentBeaconBlockRoot: Uint8Array): string {
  const lengths = new Uint32Array(payload.transactions.map((tx) => tx.length));
  return toHex(
    sha256(
      parentBeaconBlockRoot,
      encodeEnvelope(payload.envelope),
      new Uint8Array(lengths.buffer),
      ...payload.transactions,
    ),
  );
}

/** ExecutionPayloadV3 as JSON. */
export function payloadToJson(payload: ExecutionPayload): Readonly<Record<string, unknown>> {
  const { envelope, transactions } = payload;
  return {
    parentHash: data(envelope.parentHash),
    feeRecipient: data(envelope.feeRecipient),
    stateRoot: data(envelope.stateRoot),
    receiptsRoot: data(envelope.receiptsRoot),
    logsBloom: data(envelope.logsBloom),
    prevRandao: data(envelope.prevRandao),
    blockNumber: quantity(envelope.blockNumber),
    gasLimit: quantity(envelope.gasLimit),
    gasUsed: quantity(envelope.gasUsed),
    timestamp: quantity(envelope.timestamp),
    extraData: data(envelope.extraData),
    baseFeePerGas: quantity(envelope.baseFeePerGas),
    blockHash: data(envelope.blockHash),
    transactions: transactions.map(data),
    withdrawals: envelope.withdrawals.map(withdrawalToJson),
    blobGasUsed: quantity(envelope.blobGasUsed),
    excessBlobGas: quantity(envelope.excessBlobGas),
  };
}

/** Params of engine_newPayloadV4; no blobs, so no versioned hashes. */
export function newPayloadParams(
  payload: ExecutionPayload,
  parentBeaconBlockRoot: Uint8Array,
): readonly unknown[] {
  const requests: EnvelopeV1["executionRequests"] = payload.envelope.executionRequests;
  return [payloadToJson(payload), [], data(parentBeaconBlockRoot), requests.map(data)];
}

/** PayloadAttributesV3 as JSON. */
export function attributesToJson(attributes: PayloadAttributes): Readonly<Record<string, unknown>> {
  return {
    timestamp: quantity(attributes.timestamp),
    prevRandao: data(attributes.prevRandao),
    suggestedFeeRecipient: data(attributes.suggestedFeeRecipient),
    withdrawals: attributes.withdrawals.map(withdrawalToJson),
    parentBeaconBlockRoot: data(attributes.parentBeaconBlockRoot),
  };
}

function withdrawalToJson(withdrawal: Withdrawal): Readonly<Record<string, string>> {
  return {
    index: quantity(withdrawal.index),
    validatorIndex: quantity(withdrawal.validatorIndex),
    address: data(withdrawal.address),
    amount: quantity(withdrawal.amountGwei),
  };
}
