import type { SignatureCheck } from "@quorate/crypto";

const KEY = 32;
const SIGNATURE = 64;

/**
 * Checks as one transferable buffer: per check u32 message length ‖ key[32] ‖ signature[64] ‖ message. A key or
 * signature of another length cannot be valid and is marked by the length 2^32-1.
 */
export function packChecks(checks: readonly SignatureCheck[]): ArrayBuffer {
  let size = 0;
  for (const check of checks) size += wellFormed(check) ? 4 + KEY + SIGNATURE + check.message.length : 4;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const check of checks) {
    if (!wellFormed(check)) {
      view.setUint32(at, ILL_FORMED);
      at += 4;
      continue;
    }
    view.setUint32(at, check.message.length);
    bytes.set(check.publicKey, at + 4);
    bytes.set(check.signature, at + 4 + KEY);
    bytes.set(check.message, at + 4 + KEY + SIGNATURE);
    at += 4 + KEY + SIGNATURE + check.message.length;
  }
  return bytes.buffer;
}

const ILL_FORMED = 0xffffffff;

function wellFormed(check: SignatureCheck): boolean {
  return check.publicKey.length === KEY && check.signature.length === SIGNATURE;
}

/** The checks of {@link packChecks} as views of the buffer; `null` stands for an ill-formed one. */
export function unpackChecks(buffer: ArrayBuffer): (SignatureCheck | null)[] {
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  const checks: (SignatureCheck | null)[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint32(at);
    at += 4;
    if (length === ILL_FORMED) {
      checks.push(null);
      continue;
    }
    checks.push({
      publicKey: bytes.subarray(at, at + KEY),
      signature: bytes.subarray(at + KEY, at + KEY + SIGNATURE),
      message: bytes.subarray(at + KEY + SIGNATURE, at + KEY + SIGNATURE + length),
    });
    at += KEY + SIGNATURE + length;
  }
  return checks;
}
