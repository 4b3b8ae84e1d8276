export { openStore, type StoreOptions } from "./block-store.ts";
export { type BodyDisk, type BodyWriter, fsBodyDisk } from "./body-disk.ts";
export { StoreError, type StoreErrorCode } from "./errors.ts";
export { type HomeLock, lockHome } from "./home-lock.ts";
export { resetData } from "./reset.ts";
export * from "./types.ts";
