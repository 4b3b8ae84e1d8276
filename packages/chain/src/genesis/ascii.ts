/** Bytes of an ASCII constant: the domain strings of our own hashes, which carry no length. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
