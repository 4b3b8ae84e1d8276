/** Time port. */
export interface SyncClock {
  /** Monotonic ms. */
  monotonicMs(): number;
  /** Calls back once after `ms`; the returned function cancels. */
  timer(ms: number, callback: () => void): () => void;
}

/** Bounds and durations of block sync; each default with its reason. */
export interface SyncLimits {
  /** Heights that may be fetched ahead of the tip: the pipeline's length. */
  readonly window: number;
  /** Most blocks of one request, and of the first, before anything is known of their size. */
  readonly batch: number;
  readonly firstBatch: number;
  /** Requests in flight over all peers; one peer has one. */
  readonly requests: number;
  /**
   * Answers of one peer that wait to be verified, while it is asked for more than the next height: a liar far ahead of the
   * tip is found out when the tip gets there.
   */
  readonly waitingAnswers: number;
  /** Expected bytes of one response: large blocks are asked for in smaller ranges. */
  readonly responseBytes: number;
  /** Fetched bytes that may wait; above it only the next height is asked for. */
  readonly bufferedBytes: number;
  /** Heights, signatures and bytes that are verified as one batch and stored as one group; one height always is. */
  readonly verifyHeights: number;
  readonly verifySignatures: number;
  readonly verifyBytes: number;
  /** ms for one response. */
  readonly requestTimeoutMs: number;
  /** ms after which another peer is asked for the range that everything waits for. */
  readonly hedgeMs: number;
  /** Failures without any good block in between, after which a peer's claims are not believed. */
  readonly strikes: number;
  /** Pause after a failure, doubling with each. */
  readonly strikePauseMs: number;
  /** ms until a peer that struck out is tried again. */
  readonly forgiveMs: number;
  /** Peers remembered by name. */
  readonly peersKept: number;
  /** ms between looks at the list of peers while nothing else happens. */
  readonly pollMs: number;
}

export const DEFAULT_LIMITS: SyncLimits = {
  window: 1_024,
  batch: 128,
  firstBatch: 32,
  requests: 8,
  waitingAnswers: 2,
  responseBytes: 4_194_304,
  bufferedBytes: 67_108_864,
  verifyHeights: 128,
  verifySignatures: 2_048,
  verifyBytes: 4_194_304,
  requestTimeoutMs: 10_000,
  hedgeMs: 1_000,
  strikes: 3,
  strikePauseMs: 250,
  forgiveMs: 60_000,
  peersKept: 1_024,
  pollMs: 250,
};

export interface SyncOptions {
  /** Default: the system's clock. */
  readonly clock?: SyncClock;
  readonly limits?: Partial<SyncLimits>;
}

export const systemClock: SyncClock = {
  monotonicMs: () => performance.now(),
  timer(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
