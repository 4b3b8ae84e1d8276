/**
 * Execution requests (EIP-7685) as the payload carries them, read for the registry: deposits (EIP-6110) and withdrawal
 * requests (EIP-7002). What is no such request is not there: nothing in here can refuse a block.
 */
import { ADDRESS_SIZE, PUBLIC_KEY_SIZE } from "../limits.ts";

const DEPOSITS = 0x00;
const WITHDRAWALS = 0x01;
const DEPOSIT_SIZE = 192;
const WITHDRAWAL_SIZE = 76;

/** One deposit event of the registry or deposit contract, its fields as they stand in the log. */
export interface DepositRequest {
  /** 48 bytes: an Ed25519 key and 16 zero bytes, or the name of a reserved request. */
  readonly keyField: Uint8Array;
  /** 32 bytes. */
  readonly credentials: Uint8Array;
  /** Permissioned: the absolute power. Stake: gwei. */
  readonly amount: bigint;
  /** 96 bytes: a proof of possession and 32 zero bytes. */
  readonly signatureField: Uint8Array;
  readonly index: bigint;
}

/** One call of the withdrawal request contract. */
export interface WithdrawalRequest {
  /** 20 bytes: who called. */
  readonly source: Uint8Array;
  /** 48 bytes. */
  readonly keyField: Uint8Array;
  /** Gwei; 0 leaves. */
  readonly amount: bigint;
}

export interface RegistryRequests {
  readonly deposits: readonly DepositRequest[];
  readonly withdrawals: readonly WithdrawalRequest[];
}

/**
 * Deposits and withdrawal requests among the requests of a block, each as type byte ‖ data. Other types, and data that
 * is no whole number of items, count as absent.
 */
export function parseRequests(requests: readonly Uint8Array[]): RegistryRequests {
  return {
    deposits: items(requests, DEPOSITS, DEPOSIT_SIZE).map((item) => ({
      keyField: item.slice(0, 48),
      credentials: item.slice(48, 80),
      amount: littleEndian(item.slice(80, 88)),
      signatureField: item.slice(88, 184),
      index: littleEndian(item.slice(184, 192)),
    })),
    withdrawals: items(requests, WITHDRAWALS, WITHDRAWAL_SIZE).map((item) => ({
      source: item.slice(0, 20),
      keyField: item.slice(20, 68),
      amount: littleEndian(item.slice(68, 76)),
    })),
  };
}

/** The Ed25519 key of a 48-byte field, or null when the bytes behind it are not zero. */
export function keyOfField(field: Uint8Array): Uint8Array | null {
  return isZero(field.subarray(PUBLIC_KEY_SIZE)) ? field.slice(0, PUBLIC_KEY_SIZE) : null;
}

/** The address of credentials 0x01 ‖ 11 zero bytes ‖ address, or null for any others and for the zero address. */
export function ownerOfCredentials(credentials: Uint8Array): Uint8Array | null {
  const owner = credentials.slice(credentials.length - ADDRESS_SIZE);
  const prefixed = credentials[0] === 1 && isZero(credentials.subarray(1, credentials.length - ADDRESS_SIZE));
  return prefixed && !isZero(owner) ? owner : null;
}

export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

function items(requests: readonly Uint8Array[], type: number, size: number): Uint8Array[] {
  const data = requests.find((request) => request[0] === type)?.subarray(1);
  if (data === undefined || data.length % size !== 0) return [];
  return Array.from({ length: data.length / size }, (_, i) => data.slice(i * size, (i + 1) * size));
}

function littleEndian(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigUint64(0, true);
}
