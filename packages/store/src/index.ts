export { type BodyDisk, type BodyWriter, fsBodyDisk } from "./body-disk.ts";
export { StoreError, type StoreErrorCode } from "./errors.ts";
export { type HomeLock, lockHome } from "./home-lock.ts";
export type { Index, Operation as IndexOperation, Range as IndexRange } from "./index-db.ts";
export { openStore, type StoreOptions } from "./open.ts";
export { type RebuildResult, rebuildIndex } from "./rebuild.ts";
export { resetData } from "./reset.ts";
export * from "./types.ts";
