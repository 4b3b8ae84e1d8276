export { createBlockSync } from "./block-sync.ts";
export { ForkFound, SyncError, type SyncErrorCode } from "./errors.ts";
export { DEFAULT_LIMITS, type SyncClock, type SyncLimits, type SyncOptions } from "./options.ts";
export * from "./types.ts";
