import type { ChainState, EnvelopeV1, PayloadAttributes, Withdrawal } from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import type { ExecutionPayload } from "../types.ts";
import { readArray, readData, readNumber, readQuantity, readRecord, readU64, ShapeError } from "./hex.ts";

/** Result of engine_getPayloadV4/V5 without blobs. @throws ShapeError */
export function payloadFromJson(result: unknown): ExecutionPayload {
  const reply = readRecord(result, "result");
  const payload = readRecord(reply["executionPayload"], "executionPayload");
  const hash = (field: string): Uint8Array => readData(payload[field], field, 32);
  const envelope: EnvelopeV1 = {
    version: 1,
    parentHash: hash("parentHash"),
    feeRecipient: readData(payload["feeRecipient"], "feeRecipient", 20),
    stateRoot: hash("stateRoot"),
    receiptsRoot: hash("receiptsRoot"),
    logsBloom: readData(payload["logsBloom"], "logsBloom", 256),
    prevRandao: hash("prevRandao"),
    blockNumber: readNumber(payload["blockNumber"], "blockNumber"),
    gasLimit: readU64(payload["gasLimit"], "gasLimit"),
    gasUsed: readU64(payload["gasUsed"], "gasUsed"),
    timestamp: readNumber(payload["timestamp"], "timestamp"),
    extraData: readData(payload["extraData"], "extraData", { max: 32 }),
    baseFeePerGas: readQuantity(payload["baseFeePerGas"], "baseFeePerGas"),
    blockHash: hash("blockHash"),
    blobGasUsed: readU64(payload["blobGasUsed"], "blobGasUsed"),
    excessBlobGas: readU64(payload["excessBlobGas"], "excessBlobGas"),
    withdrawals: readArray(payload["withdrawals"], "withdrawals", 16).map(readWithdrawal),
    executionRequests: readRequests(reply["executionRequests"]),
  };
  const transactions = readArray(payload["transactions"], "transactions", MAX_TXS).map((tx) =>
    readData(tx, "transactions", { max: MAX_BYTES }),
  );
  return { envelope, transactions };
}

/** Beyond what fits into a reply; the reply itself is bounded. */
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_TXS = 1_000_000;

/** Each a type byte and data, types strictly ascending (EIP-7685): others have no place in an envelope. */
function readRequests(value: unknown): Uint8Array[] {
  let previous = -1;
  return readArray(value, "executionRequests", 16).map((entry) => {
    const request = readData(entry, "executionRequests", { max: MAX_BYTES });
    const [type = -1] = request;
    if (request.length < 2 || type <= previous)
      throw new ShapeError("executionRequests: out of order or empty");
    previous = type;
    return request;
  });
}

function readWithdrawal(value: unknown): Withdrawal {
  const withdrawal = readRecord(value, "withdrawal");
  return {
    index: readU64(withdrawal["index"], "index"),
    validatorIndex: readU64(withdrawal["validatorIndex"], "validatorIndex"),
    address: readData(withdrawal["address"], "address", 20),
    amountGwei: readU64(withdrawal["amount"], "amount"),
  };
}

export interface Mismatch {
  readonly reason: string;
  readonly action: string;
}

/**
 * Whether the EL built what was asked for. Every validator checks the same fields against the same state, so a payload
 * that differs would only cost the round.
 */
export function mismatch(
  payload: ExecutionPayload,
  state: ChainState,
  attributes: PayloadAttributes,
): Mismatch | null {
  const { envelope } = payload;
  const other = (field: string): Mismatch => ({
    reason: `the execution client built a payload with another ${field} than asked for`,
    action: "report it to the client's authors; the node stays silent in this round",
  });
  if (!bytesEqual(envelope.parentHash, state.el.blockHash)) return other("parent");
  if (envelope.blockNumber !== state.el.number + 1) return other("number");
  if (envelope.timestamp !== attributes.timestamp) return other("timestamp");
  if (!bytesEqual(envelope.prevRandao, attributes.prevRandao)) return other("prevRandao");
  if (!bytesEqual(envelope.feeRecipient, attributes.suggestedFeeRecipient)) return other("fee recipient");
  if (!sameWithdrawals(envelope.withdrawals, attributes.withdrawals)) return other("list of withdrawals");
  const target = BigInt(state.params.gasLimit);
  const [low, high] = state.el.gasLimit < target ? [state.el.gasLimit, target] : [target, state.el.gasLimit];
  if (envelope.gasLimit < low || envelope.gasLimit > high) {
    return {
      reason: `the execution client built a payload with gas limit ${envelope.gasLimit}, the chain's is ${target}`,
      action: `start the execution client with gas limit ${target} (Geth: --miner.gaslimit ${target})`,
    };
  }
  return null;
}

function sameWithdrawals(a: readonly Withdrawal[], b: readonly Withdrawal[]): boolean {
  return (
    a.length === b.length &&
    a.every((left, index) => {
      const right = b[index];
      return (
        right !== undefined &&
        left.index === right.index &&
        left.validatorIndex === right.validatorIndex &&
        left.amountGwei === right.amountGwei &&
        bytesEqual(left.address, right.address)
      );
    })
  );
}
