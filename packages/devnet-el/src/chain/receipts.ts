import { RLP } from "@ethereumjs/rlp";
import { DevnetElError } from "../errors.ts";
import { fromHex, quantity, toBigInt } from "../hex.ts";

/** A log as the EVM emitted it. */
export interface LogRecord {
  readonly address: Uint8Array;
  readonly topics: readonly Uint8Array[];
  readonly data: Uint8Array;
}

/** What execution found out about one transaction. */
export interface ReceiptRecord {
  readonly succeeded: boolean;
  readonly gasUsed: bigint;
  readonly cumulativeGasUsed: bigint;
  readonly from: Uint8Array;
  /** Address of the contract of a creation transaction, failed or not. */
  readonly created: Uint8Array | undefined;
  readonly logs: readonly LogRecord[];
}

function minimal(value: bigint): Uint8Array {
  if (value === 0n) return new Uint8Array(0);
  const digits = quantity(value).slice(2);
  return fromHex(`0x${digits.length % 2 === 0 ? digits : `0${digits}`}`);
}

/** Receipts of a block in the form that the store keeps. */
export function encodeReceipts(receipts: readonly ReceiptRecord[]): Uint8Array {
  return RLP.encode(
    receipts.map((receipt) => [
      receipt.succeeded ? 1 : 0,
      minimal(receipt.gasUsed),
      minimal(receipt.cumulativeGasUsed),
      receipt.from,
      receipt.created ?? new Uint8Array(0),
      receipt.logs.map((log) => [log.address, [...log.topics], log.data]),
    ]),
  );
}

type Item = Uint8Array | Item[];

function bytes(item: Item | undefined): Uint8Array {
  if (!(item instanceof Uint8Array)) throw new DevnetElError("STORE", "a stored receipt is damaged");
  return item;
}

function list(item: Item | undefined): Item[] {
  if (!Array.isArray(item)) throw new DevnetElError("STORE", "a stored receipt is damaged");
  return item;
}

/** The inverse of `encodeReceipts`. Throws DevnetElError STORE for other bytes. */
export function decodeReceipts(encoded: Uint8Array): ReceiptRecord[] {
  return list(RLP.decode(encoded) as Item).map((entry) => {
    const [status, gasUsed, cumulative, from, created, logs] = list(entry);
    const contract = bytes(created);
    return {
      succeeded: bytes(status).length > 0,
      gasUsed: toBigInt(bytes(gasUsed)),
      cumulativeGasUsed: toBigInt(bytes(cumulative)),
      from: bytes(from),
      created: contract.length === 0 ? undefined : contract,
      logs: list(logs).map((log) => {
        const [address, topics, data] = list(log);
        return { address: bytes(address), topics: list(topics).map(bytes), data: bytes(data) };
      }),
    };
  });
}
