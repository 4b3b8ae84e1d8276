import { createHash } from "node:crypto";
import { createAddressFromString } from "@ethereumjs/util";
import type { LogRecord, ReceiptRecord } from "../chain/receipts.ts";
import { CONSOLIDATION_REQUESTS, WITHDRAWAL_REQUESTS } from "../genesis/system-contracts.ts";
import { type Hex, toHex } from "../hex.ts";
import type { View } from "./view.ts";

const SYSTEM_ADDRESS = "0xfffffffffffffffffffffffffffffffffffffffe";
const SYSTEM_CALL_GAS = 30_000_000n;
const DEPOSIT_TOPIC: Hex = "0x649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5";
const DEPOSIT_LOG_LENGTH = 576;

/** Offset and length of each field of a deposit event, in the order of a request (EIP-6110). */
const DEPOSIT_FIELDS: readonly (readonly [number, number])[] = [
  [192, 48],
  [288, 32],
  [352, 8],
  [416, 96],
  [544, 8],
];

/** A log at the deposit contract that is no deposit event: no block may contain it. */
export class MalformedDeposit extends Error {
  override readonly name = "MalformedDeposit";
}

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(chunks));
}

/** True for a log that EIP-6110 reads as a deposit. */
function isDepositLog(log: LogRecord, contract: Hex): boolean {
  const topic = log.topics[0];
  return topic !== undefined && toHex(topic) === DEPOSIT_TOPIC && toHex(log.address) === contract;
}

/** True for a log that makes any block with it invalid. */
export function isMalformedDeposit(log: LogRecord, contract: Hex): boolean {
  return isDepositLog(log, contract) && log.data.length !== DEPOSIT_LOG_LENGTH;
}

/**
 * Deposits among the logs of a block. As in Geth the fields are cut at fixed positions and only the length is
 * checked. Throws MalformedDeposit.
 */
export function depositRequests(receipts: readonly ReceiptRecord[], contract: Hex): Uint8Array {
  const chunks: Uint8Array[] = [];
  for (const receipt of receipts) {
    for (const log of receipt.logs) {
      if (!isDepositLog(log, contract)) continue;
      if (log.data.length !== DEPOSIT_LOG_LENGTH) {
        throw new MalformedDeposit(`deposit log of ${log.data.length} bytes, expected ${DEPOSIT_LOG_LENGTH}`);
      }
      for (const [offset, length] of DEPOSIT_FIELDS) chunks.push(log.data.subarray(offset, offset + length));
    }
  }
  return concat(chunks);
}

async function systemCall(view: View, contract: Hex): Promise<Uint8Array> {
  const system = createAddressFromString(SYSTEM_ADDRESS);
  const to = createAddressFromString(contract);
  if ((await view.state.getCode(to)).length === 0) throw new Error(`system contract ${contract} has no code`);
  const before = await view.state.getAccount(system);
  const { execResult } = await view.evm.runCall({ caller: system, gasLimit: SYSTEM_CALL_GAS, to });
  if (before === undefined) await view.state.deleteAccount(system);
  else await view.state.putAccount(system, before);
  if (execResult.exceptionError !== undefined) {
    throw new Error(`system contract ${contract} failed: ${execResult.exceptionError.error}`);
  }
  return execResult.returnValue;
}

/** Execution requests of a block (EIP-7685), type byte first, without empty ones, ascending by type. */
export async function collectRequests(
  view: View,
  receipts: readonly ReceiptRecord[],
  depositContract: Hex,
): Promise<Uint8Array[]> {
  const bodies = [
    depositRequests(receipts, depositContract),
    await systemCall(view, WITHDRAWAL_REQUESTS.address),
    await systemCall(view, CONSOLIDATION_REQUESTS.address),
  ];
  return bodies.flatMap((body, type) => (body.length === 0 ? [] : [concat([new Uint8Array([type]), body])]));
}

/** requests_hash of the header (EIP-7685). */
export function requestsHash(requests: readonly Uint8Array[]): Uint8Array {
  const outer = createHash("sha256");
  for (const request of requests) outer.update(createHash("sha256").update(request).digest());
  return new Uint8Array(outer.digest());
}
