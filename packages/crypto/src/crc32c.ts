/** Castagnoli polynomial 0x1EDC6F41, bit-reversed (RFC 3720 section 12.1). */
const POLYNOMIAL = 0x82f63b78;
const SLICES = 8;

/** Slicing-by-8: table `s` advances a byte by `s` further zero bytes. */
const TABLE: Int32Array = (() => {
  const table = new Int32Array(256 * SLICES);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    table[byte] = crc;
  }
  for (let at = 256; at < table.length; at++) {
    const crc = table[at - 256]!;
    table[at] = (crc >>> 8) ^ table[crc & 255]!;
  }
  return table;
})();

/**
 * CRC-32C of `bytes`, continuing from `previous` (the CRC of what stands before them; 0 for nothing).
 * Unsigned 32-bit number. `crc32c(b, crc32c(a))` equals the CRC of a followed by b.
 */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  let crc = ~previous;
  const length = bytes.length;
  let at = 0;
  for (const end = length - (length % SLICES); at < end; at += SLICES) {
    const low = crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    crc =
      TABLE[1792 + (low & 255)]! ^
      TABLE[1536 + ((low >>> 8) & 255)]! ^
      TABLE[1280 + ((low >>> 16) & 255)]! ^
      TABLE[1024 + (low >>> 24)]! ^
      TABLE[768 + bytes[at + 4]!]! ^
      TABLE[512 + bytes[at + 5]!]! ^
      TABLE[256 + bytes[at + 6]!]! ^
      TABLE[bytes[at + 7]!]!;
  }
  for (; at < length; at++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[at]!) & 255]!;
  return ~crc >>> 0;
}
