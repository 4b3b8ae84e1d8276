/** Bounds of this package, each with its reason. */
export const LIMITS = {
  /** A 10 MiB block is about 21 MiB of JSON; Geth itself takes 128 MiB. */
  replyBytes: 67_108_864,
  /** Text of an HTTP error that is looked at: Geth's refusals are one short line. */
  errorTextBytes: 1024,
  /** Characters of an EL's own message that reach a log. */
  messageChars: 200,
  /** Calls that may wait in the newPayload/forkchoiceUpdated queue: a height has few candidates. */
  engineQueue: 64,
  /** Validated payload hashes remembered: several heights with several rounds each. */
  validPayloads: 256,
  /** Builds remembered; Geth itself keeps ten payloads. */
  builds: 4,
  /** Hashes of transactions already handed to gossip or taken from it. */
  seenTxs: 65_536,
  /** Pending transactions handed out by one call. */
  pendingTxs: 2_048,
  /** Bytes of pending transactions handed out by one call. */
  pendingTxBytes: 4_194_304,
  /** Reply to a listing of the pool at connect. */
  poolListingBytes: 16_777_216,
  /** Gossiped transactions that wait for the EL. */
  submitQueue: 4_096,
  /** Items of one JSON-RPC batch: Geth's public port takes 1000. */
  batchItems: 200,
  /** Bytes of one JSON-RPC batch: Geth's public port takes 5 MiB. */
  batchBytes: 1_048_576,
  /** Largest transaction Geth's pool takes. */
  txBytes: 131_072,
  /** Decided blocks that a ready EL may be behind: one that it executes and one that was decided meanwhile. */
  readyLag: 2,
  /** Distance beyond which replay adopts heads in steps (twice the speed on empty blocks). */
  replayStep: 50,
  /** FIFO pool of a chain without EL. */
  poolTxs: 50_000,
  poolBytes: 67_108_864,
  /** Hashes of decided opaque transactions kept against late duplicates. */
  decidedTxs: 65_536,
} as const;
