export { DiskThread, inlineDisk, threadDisk } from "./disk.ts";
export { type DiskOp, DiskOps, type FileCalls } from "./disk-ops.ts";
export { WalError, type WalErrorCode } from "./errors.ts";
export { MAX_PAYLOAD_BYTES } from "./format.ts";
export { type InspectedRecord, inspectWal, type WalInspection } from "./inspect.ts";
export type { ScanVerdict, SegmentInfo } from "./scan.ts";
export * from "./types.ts";
export { DEFAULT_SEGMENT_BYTES, MAX_BACKLOG_BYTES, openWal } from "./wal.ts";
