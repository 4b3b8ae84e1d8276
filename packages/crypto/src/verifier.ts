import { nativeBackend } from "./backends.ts";
import { CryptoError } from "./errors.ts";
import type { Verifier, VerifierBackend } from "./types.ts";

/** Groups from this size on are a matter for `verify`, as with the pool of a node. */
const GROUP = 8;

/** A verifier that does everything at once on the calling thread: for tests, tools and small sets. */
export function inlineVerifier(backend: VerifierBackend = nativeBackend): Verifier {
  let closed = false;
  return {
    verifyNow: (check) => backend.verify(check),
    suitsNow: (count) => count < GROUP,
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
