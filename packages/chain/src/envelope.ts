/**
 * The execution envelope, `txs[0]` of every block: payload fields without the transactions, and execution requests
 * (docs/protocol.md; DESIGN §3a). One canonical form: what decodes re-encodes to the same bytes.
 */
import { ByteReader, ByteWriter } from "./bytes.ts";
import { ChainError } from "./errors.ts";
import type { Envelope, EnvelopeV1, Withdrawal } from "./types.ts";

/** Most withdrawals of a payload (EIP-4895). */
export const MAX_WITHDRAWALS = 16;
/** Longest extra data of an Ethereum header, bytes. */
export const MAX_EXTRA_DATA = 32;
/** Most entries of execution requests: one per type byte (EIP-7685), counted in a u8. */
export const MAX_EXECUTION_REQUESTS = 255;

const LOGS_BLOOM_BYTES = 256;

/** The envelope of a block on a chain without EL: the one byte 0x00. */
export const NO_EXECUTION: Envelope = { version: 0 };

/** @throws ChainError `ENVELOPE` when a field has the wrong length or is out of range. */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  if (envelope.version === 0) return Uint8Array.of(0);
  checkShape(envelope);
  const writer = new ByteWriter()
    .u8(1)
    .bytes(envelope.parentHash)
    .bytes(envelope.feeRecipient)
    .bytes(envelope.stateRoot)
    .bytes(envelope.receiptsRoot)
    .bytes(envelope.logsBloom)
    .bytes(envelope.prevRandao)
    .u64(BigInt(envelope.blockNumber))
    .u64(envelope.gasLimit)
    .u64(envelope.gasUsed)
    .u64(BigInt(envelope.timestamp))
    .u8(envelope.extraData.length)
    .bytes(envelope.extraData)
    .bytes(uint256(envelope.baseFeePerGas))
    .bytes(envelope.blockHash)
    .u64(envelope.blobGasUsed)
    .u64(envelope.excessBlobGas)
    .u8(envelope.withdrawals.length);
  for (const withdrawal of envelope.withdrawals) {
    writer
      .u64(withdrawal.index)
      .u64(withdrawal.validatorIndex)
      .bytes(withdrawal.address)
      .u64(withdrawal.amountGwei);
  }
  writer.u8(envelope.executionRequests.length);
  for (const request of envelope.executionRequests) writer.u32(request.length).bytes(request);
  return writer.finish();
}

/** @throws ChainError `DECODE` for anything that is not exactly one canonical envelope. */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  const reader = new ByteReader(bytes);
  const version = reader.u8();
  if (version === 0) {
    reader.end();
    return NO_EXECUTION;
  }
  if (version !== 1) {
    throw new ChainError("DECODE", `execution envelope has version ${version}; known versions are 0 and 1`, {
      version,
    });
  }
  const envelope: EnvelopeV1 = {
    version: 1,
    parentHash: reader.bytes(32),
    feeRecipient: reader.bytes(20),
    stateRoot: reader.bytes(32),
    receiptsRoot: reader.bytes(32),
    logsBloom: reader.bytes(LOGS_BLOOM_BYTES),
    prevRandao: reader.bytes(32),
    blockNumber: reader.safeU64(),
    gasLimit: reader.u64(),
    gasUsed: reader.u64(),
    timestamp: reader.safeU64(),
    extraData: reader.bytes(atMost(reader.u8(), MAX_EXTRA_DATA, "extra data bytes")),
    baseFeePerGas: toBigInt(reader.bytes(32)),
    blockHash: reader.bytes(32),
    blobGasUsed: reader.u64(),
    excessBlobGas: reader.u64(),
    withdrawals: readWithdrawals(reader),
    executionRequests: readRequests(reader),
  };
  reader.end();
  return envelope;
}

function readWithdrawals(reader: ByteReader): Withdrawal[] {
  const count = atMost(reader.u8(), MAX_WITHDRAWALS, "withdrawals");
  return Array.from({ length: count }, () => ({
    index: reader.u64(),
    validatorIndex: reader.u64(),
    address: reader.bytes(20),
    amountGwei: reader.u64(),
  }));
}

function readRequests(reader: ByteReader): Uint8Array[] {
  const requests: Uint8Array[] = [];
  const count = reader.u8();
  for (let i = 0; i < count; i++) requests.push(reader.bytes(reader.u32()));
  const fault = requestsFault(requests);
  if (fault !== null) throw new ChainError("DECODE", fault, {});
  return requests;
}

/** EIP-7685: every entry is a type byte and at least one byte of data; types strictly ascend. */
function requestsFault(requests: readonly Uint8Array[]): string | null {
  let previous = -1;
  for (const request of requests) {
    const type = request[0];
    if (type === undefined || request.length < 2) return "an execution request is shorter than 2 bytes";
    if (type <= previous) return `execution request types do not ascend: ${type} after ${previous}`;
    previous = type;
  }
  return null;
}

function checkShape(envelope: EnvelopeV1): void {
  const lengths: readonly (readonly [name: string, value: Uint8Array, length: number])[] = [
    ["parentHash", envelope.parentHash, 32],
    ["feeRecipient", envelope.feeRecipient, 20],
    ["stateRoot", envelope.stateRoot, 32],
    ["receiptsRoot", envelope.receiptsRoot, 32],
    ["logsBloom", envelope.logsBloom, LOGS_BLOOM_BYTES],
    ["prevRandao", envelope.prevRandao, 32],
    ["blockHash", envelope.blockHash, 32],
    ...envelope.withdrawals.map((w) => ["withdrawal address", w.address, 20] as const),
  ];
  for (const [name, value, length] of lengths) {
    if (value.length !== length) throw refused(`${name} has ${value.length} bytes instead of ${length}`);
  }
  for (const [name, value] of [
    ["blockNumber", envelope.blockNumber],
    ["timestamp", envelope.timestamp],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < 0) throw refused(`${name} is ${value}`);
  }
  if (envelope.extraData.length > MAX_EXTRA_DATA) {
    throw refused(`extra data has ${envelope.extraData.length} bytes, at most ${MAX_EXTRA_DATA} are allowed`);
  }
  if (envelope.withdrawals.length > MAX_WITHDRAWALS) {
    throw refused(`${envelope.withdrawals.length} withdrawals, at most ${MAX_WITHDRAWALS} are allowed`);
  }
  if (envelope.executionRequests.length > MAX_EXECUTION_REQUESTS) {
    throw refused(
      `${envelope.executionRequests.length} execution requests, at most ${MAX_EXECUTION_REQUESTS}`,
    );
  }
  const fault = requestsFault(envelope.executionRequests);
  if (fault !== null) throw refused(fault);
}

function refused(what: string): ChainError {
  return new ChainError("ENVELOPE", `the execution envelope cannot be encoded: ${what}`, {});
}

function atMost(count: number, limit: number, what: string): number {
  if (count > limit)
    throw new ChainError("DECODE", `${count} ${what}, at most ${limit} are allowed`, { count });
  return count;
}

function uint256(value: bigint): Uint8Array {
  if (value < 0n || value >= 1n << 256n) throw refused(`baseFeePerGas ${value} is outside 256 bits`);
  const bytes = new Uint8Array(32);
  let rest = value;
  for (let i = 31; rest > 0n; i--) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

function toBigInt(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}
