import type { WalError } from "./errors.ts";

/** Write-ahead log: an append-only sequence of typed records with a CRC chained over the previous one. */

/** Position of a record: its sequence number and the chained CRC-32C at it. What a sign-state slot depends on. */
export interface WalPosition {
  /** 1, 2, 3 … never restarts within a home. 0 = "depends on nothing". */
  readonly sequence: bigint;
  readonly crc: number;
}

export interface WalRecord extends WalPosition {
  /** 0 .. 255, meaning given by the caller (node): the log does not interpret it. */
  readonly type: number;
  readonly payload: Uint8Array;
}

/** How the end of the log looked when it was opened. */
export type WalCondition =
  /** Every record up to the end is whole. */
  | { readonly kind: "clean" }
  /** The last, never acknowledged record was cut off by a crash: truncated. */
  | { readonly kind: "torn"; readonly file: string; readonly offset: number; readonly bytesDropped: number }
  /** Something in the middle, or before the given dependency, is gone: the log was set aside, a new one begun. */
  | {
      readonly kind: "damaged";
      readonly file: string;
      readonly offset: number;
      readonly reason: string;
      /** Name under which `file` is kept; empty when there was no log to move. */
      readonly movedTo: string;
    };

export interface WalOptions {
  /** Directory of the segment files, created when missing. */
  readonly dir: string;
  /** Written at the start of each segment; replay tells it to the caller. */
  readonly coreVersion: number;
  /** Bytes after which a new segment starts, default 16 MiB. */
  readonly segmentBytes?: number;
  /** What the sign state depended on: a log that ends before it is damaged, not torn (DESIGN §5.6). */
  readonly dependency?: WalPosition;
  /** Told when the log has failed (`WAL_IO`) in something that no {@link Wal.sync} waits for. */
  readonly onFailure?: (error: WalError) => void;
}

export interface Wal {
  readonly condition: WalCondition;
  /** Position of the last appended record. */
  readonly position: WalPosition;
  /** Bytes appended and not handed to the disk yet; more than `MAX_BACKLOG_BYTES` of them mean that it fails. */
  readonly backlogBytes: number;
  /**
   * What is appended and not written yet would reach the disk port within the turn of a {@link sync} called now: no
   * earlier write is under way and no new segment is due. Only then does a later call on the same disk come after it.
   */
  readonly direct: boolean;
  /** Buffers a record; durable only after {@link sync}. Never blocks. */
  append(type: number, payload: Uint8Array): WalPosition;
  /** Resolves when everything appended before the call is on disk (group commit). Rejects once and for ever on EIO. */
  sync(): Promise<void>;
  /** Records after the last record of `afterType` (or all), oldest first; `version` = core version of the segment. */
  replay(fromSequence: bigint): AsyncIterable<WalRecord & { readonly coreVersion: number }>;
  /** Position of the newest record of this type, e.g. EndHeight; `null` when none. */
  lastOfType(type: number): Promise<WalPosition | null>;
  /** Deletes whole segments that end before `sequence`; never the one holding the dependency. */
  prune(beforeSequence: bigint, dependency: WalPosition): Promise<number>;
  close(): Promise<void>;
}

/**
 * Disk port: every byte goes through it, so that the simulator can lose, tear and rot. Operations take effect in the
 * order of the calls. Once a write or sync has failed, every later one fails too. Errors carry the errno as `code`.
 */
export interface WalDisk {
  /** Names in the directory, none when it does not exist. */
  list(dir: string): Promise<string[]>;
  read(file: string): Promise<Uint8Array>;
  /** Appends at `offset` and returns after the write call (not durable). */
  write(file: string, offset: number, bytes: Uint8Array): Promise<void>;
  /** As {@link write}, of bytes that nobody needs afterwards: their array may be empty from now on. */
  give?(file: string, offset: number, bytes: Uint8Array): Promise<void>;
  fdatasync(file: string): Promise<void>;
  /** Creates with `size` zero bytes, synced together with its directory entry. */
  create(file: string, size: number): Promise<void>;
  truncate(file: string, size: number): Promise<void>;
  /** Durable together with the directory entry, as is {@link remove}. */
  rename(from: string, to: string): Promise<void>;
  remove(file: string): Promise<void>;
  close(): Promise<void>;
}
