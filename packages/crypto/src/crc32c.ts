/** Castagnoli polynomial 0x1EDC6F41, bit-reversed (RFC 3720 section 12.1). */
const POLYNOMIAL = 0x82f63b78;
/** Bytes of a word, and words that are taken in side by side: what one waits for does not hold up the others. */
const WORD_BYTES = 4;
const LANES = 4;
const BLOCK_BYTES = WORD_BYTES * LANES;

/** Advances by one byte. */
const BYTE: Int32Array = table((byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  return crc;
});

/** Advance byte 0 .. 3 of a word to the same lane of the next block. */
const FIRST: Int32Array = ahead(BLOCK_BYTES - 1);
const SECOND: Int32Array = ahead(BLOCK_BYTES - 2);
const THIRD: Int32Array = ahead(BLOCK_BYTES - 3);
const FOURTH: Int32Array = ahead(BLOCK_BYTES - 4);

const LITTLE_ENDIAN: boolean = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

function table(entry: (byte: number) => number): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => entry(byte));
}

/** A byte and so many zero bytes behind it. */
function ahead(zeros: number): Int32Array {
  return table((byte) => {
    let crc = BYTE[byte]!;
    for (let zero = 0; zero < zeros; zero++) crc = (crc >>> 8) ^ BYTE[crc & 255]!;
    return crc;
  });
}

function wordOf(word: number): number {
  let crc = word;
  for (let byte = 0; byte < WORD_BYTES; byte++) crc = (crc >>> 8) ^ BYTE[crc & 255]!;
  return crc;
}

function blockOf(word: number): number {
  return (
    FIRST[word & 255]! ^ SECOND[(word >>> 8) & 255]! ^ THIRD[(word >>> 16) & 255]! ^ FOURTH[word >>> 24]!
  );
}

/** Whole blocks, two or more: every lane on its own up to the last block, where they come together. */
function blocksOf(words: Int32Array, previous: number): number {
  let [a, b, c, d] = [previous, 0, 0, 0];
  let at = 0;
  for (const last = words.length - LANES; at < last; at += LANES) {
    a = blockOf(a ^ words[at]!);
    b = blockOf(b ^ words[at + 1]!);
    c = blockOf(c ^ words[at + 2]!);
    d = blockOf(d ^ words[at + 3]!);
  }
  let crc = wordOf(a ^ words[at]!);
  crc = wordOf(crc ^ b ^ words[at + 1]!);
  crc = wordOf(crc ^ c ^ words[at + 2]!);
  return wordOf(crc ^ d ^ words[at + 3]!);
}

/**
 * CRC-32C of `bytes`, continuing from `previous` (the CRC of what stands before them; 0 for nothing).
 * Unsigned 32-bit number. `crc32c(b, crc32c(a))` equals the CRC of a followed by b.
 */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  const { buffer, byteOffset, length } = bytes;
  let crc = ~previous;
  let at = 0;
  const unaligned = -byteOffset & (WORD_BYTES - 1);
  const blocks = LITTLE_ENDIAN ? Math.floor((length - unaligned) / BLOCK_BYTES) : 0;
  if (blocks > 1) {
    for (; at < unaligned; at++) crc = (crc >>> 8) ^ BYTE[(crc ^ bytes[at]!) & 255]!;
    crc = blocksOf(new Int32Array(buffer, byteOffset + at, blocks * LANES), crc);
    at += blocks * BLOCK_BYTES;
  }
  for (; at < length; at++) crc = (crc >>> 8) ^ BYTE[(crc ^ bytes[at]!) & 255]!;
  return ~crc >>> 0;
}
