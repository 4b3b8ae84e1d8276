import { nativeBackend } from "./backends.ts";
import { CryptoError } from "./errors.ts";
import type { Verifier, VerifierBackend } from "./types.ts";

/** A verifier that does everything at once on the calling thread: for tests, tools and small sets. */
export function inlineVerifier(backend: VerifierBackend = nativeBackend): Verifier {
  let closed = false;
  return {
    verifyNow: (check) => backend.verify(check),
    async verify(checks, options) {
      options?.signal?.throwIfAborted();
      if (closed) throw new CryptoError("CLOSED", "the verifier is closed; start a new one");
      return backend.verifyBatch(checks);
    },
    canAccept: () => !closed,
    async close() {
      closed = true;
    },
  };
}
