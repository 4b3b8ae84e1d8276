/** Smaller pieces are not worth the call. */
const LEAST_BYTES = 16_384;

/**
 * Frees the memory of bytes that nobody reads any more, where they are all that it holds from `from` on. Left to the
 * collection of garbage, the megabytes of bodies on their way bring that about every few blocks. For the last reader
 * alone: whoever holds a view of that memory finds it empty.
 */
export function giveBack(bytes: Uint8Array, from: number): void {
  const { buffer, byteOffset, length } = bytes;
  const isRest = byteOffset === from && from + length === buffer.byteLength;
  if (length >= LEAST_BYTES && isRest && buffer instanceof ArrayBuffer) buffer.transfer(0);
}
