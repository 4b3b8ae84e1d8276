import { keccak_256 } from "@noble/hashes/sha3.js";
import type { LogRecord } from "../chain/receipts.ts";

/** Byte and mask of the three bits of an entry (Yellow Paper, M3:2048). */
function bits(entry: Uint8Array): [number, number][] {
  const hash = keccak_256(entry);
  return [0, 2, 4].map((at) => {
    const bit = (((hash[at] ?? 0) << 8) | (hash[at + 1] ?? 0)) & 2047;
    return [255 - (bit >> 3), 1 << (bit & 7)];
  });
}

/** Bloom of the logs of one receipt. */
export function logsBloom(logs: readonly LogRecord[]): Uint8Array {
  const bloom = new Uint8Array(256);
  for (const log of logs) {
    for (const entry of [log.address, ...log.topics]) {
      for (const [at, mask] of bits(entry)) bloom[at] = (bloom[at] ?? 0) | mask;
    }
  }
  return bloom;
}

/** False when no log below `bloom` has this address or topic. */
export function mayContain(bloom: Uint8Array, entry: Uint8Array): boolean {
  return bits(entry).every(([at, mask]) => ((bloom[at] ?? 0) & mask) !== 0);
}
