/** One signature to check under ZIP-215 rules. */
export interface SignatureCheck {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/**
 * An Ed25519 backend with exactly ZIP-215's verdict. `native`: an OpenSSL accept is proof, its rejections go to noble.
 * `noble`: the oracle. `wasm` (`@quorate/crypto/wasm`): true batches by random linear combination.
 */
export interface VerifierBackend {
  readonly name: "native" | "noble" | "wasm";
  verify(check: SignatureCheck): boolean;
  /** Verdict per check, in order. A true batch backend splits failing batches until every culprit is named. */
  verifyBatch(checks: readonly SignatureCheck[]): boolean[];
}

/** Asynchronous face of verification: inline for small work, worker pool for groups (gossip/verification). */
export interface Verifier {
  /** Few live votes: in line, synchronously. */
  verifyNow(check: SignatureCheck): boolean;
  /** As `verifyNow`, for what one turn brought: a true batch costs less. Absent where it costs the same. */
  readonly verifyTogether?: (checks: readonly SignatureCheck[]) => readonly boolean[];
  /** Whether so few checks are better done at once, by `verifyNow`, than given to `verify`. */
  suitsNow(count: number): boolean;
  /** Groups: commits, certificates, packs, block sync. Higher `priority` first; rejects when aborted or closed. */
  verify(
    checks: readonly SignatureCheck[],
    options?: { readonly priority?: number; readonly signal?: AbortSignal },
  ): Promise<boolean[]>;
  /** False when the queue is full: the caller slows its peer down. */
  canAccept(count: number): boolean;
  close(): Promise<void>;
}
