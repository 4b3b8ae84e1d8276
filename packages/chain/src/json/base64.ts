/** Standard base64 with padding, as Go writes byte strings in JSON. Pure, for browsers and Node alike. */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const VALUES: ReadonlyMap<string, number> = new Map(
  [...ALPHABET].map((character, value) => [character, value]),
);

export function toBase64(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let i = 0; i < bytes.length; i += 3) {
    const present = Math.min(3, bytes.length - i);
    const group = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    pieces.push(
      ALPHABET.charAt(group >>> 18),
      ALPHABET.charAt((group >>> 12) & 63),
      present > 1 ? ALPHABET.charAt((group >>> 6) & 63) : "=",
      present > 2 ? ALPHABET.charAt(group & 63) : "=",
    );
  }
  return pieces.join("");
}

/** The bytes of canonical, padded base64, or null for anything else. */
export function fromBase64(text: string): Uint8Array | null {
  if (text.length % 4 !== 0) return null;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let position = 0;
  for (let i = 0; i < text.length; i += 4) {
    const last = i + 4 === text.length;
    let group = 0;
    for (let j = 0; j < 4; j++) {
      const isPadding = last && j >= 4 - padding;
      const value = isPadding ? 0 : VALUES.get(text.charAt(i + j));
      if (value === undefined) return null;
      group = (group << 6) | value;
    }
    for (let j = 2; j >= 0 && position < bytes.length; j--) bytes[position++] = (group >>> (8 * j)) & 0xff;
    const unusedBits = last ? group & ((1 << (8 * padding)) - 1) : 0;
    if (unusedBits !== 0) return null;
  }
  return bytes;
}
