import type { Verifier, VerifierBackend } from "@quorate/crypto";
import type { SigningKey } from "@quorate/privval";
import type { Machine } from "../core/machine.ts";
import type { CryptoScheme } from "./keyed-hash.ts";

/** What signing and verifying costs, ms of virtual time; figures of `npm run bench:height` on a 2-core machine. */
export interface CryptoCosts {
  readonly signMs: number;
  /** One signature on the main thread. */
  readonly verifyMs: number;
  /** One signature of a batch in a worker, and the way there and back. */
  readonly batchMs: number;
  readonly workerMs: number;
}

export const DEFAULT_COSTS: CryptoCosts = { signMs: 0.03, verifyMs: 0.1, batchMs: 0.05, workerMs: 0.2 };

/** A key whose use keeps the processor busy. */
export function costlyKey(key: SigningKey, machine: Machine, costs: CryptoCosts): SigningKey {
  return {
    address: key.address,
    signer: {
      publicKey: key.signer.publicKey,
      sign(message) {
        machine.charge(costs.signMs);
        return key.signer.sign(message);
      },
    },
  };
}

/** Fewer checks than this are not worth a worker's round trip; as in the product's pool. */
const INLINE_BELOW = 8;

/** The pool of workers: one batch after the other; a few checks are done on the spot. */
export function simulatedVerifier(machine: Machine, scheme: CryptoScheme, costs: CryptoCosts): Verifier {
  let freeAtMs = 0;
  return {
    verifyNow(check) {
      machine.charge(costs.verifyMs);
      return scheme.verify(check);
    },
    suitsNow: (count) => count < INLINE_BELOW,
    async verify(checks, options) {
      options?.signal?.throwIfAborted();
      if (checks.length < INLINE_BELOW) {
        machine.charge(checks.length * costs.verifyMs);
        return checks.map((check) => scheme.verify(check));
      }
      machine.workersMs += checks.length * costs.batchMs;
      freeAtMs = Math.max(freeAtMs, machine.now) + checks.length * costs.batchMs;
      await machine.sleep(freeAtMs - machine.now + costs.workerMs);
      options?.signal?.throwIfAborted();
      return checks.map((check) => scheme.verify(check));
    },
    canAccept: () => true,
    close: () => Promise.resolve(),
  };
}

/** For what verifies outside a node (rebuilding an index, the judge of a run). */
export function backendOf(scheme: CryptoScheme): VerifierBackend {
  return {
    name: "native",
    verify: (check) => scheme.verify(check),
    verifyBatch: (checks) => checks.map((check) => scheme.verify(check)),
  };
}
