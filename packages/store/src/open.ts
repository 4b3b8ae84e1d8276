import { join } from "node:path";
import type { Height } from "@quorate/chain";
import { SegmentedBlockStore } from "./block-store.ts";
import { type BodyDisk, type BodyWriter, fsBodyDisk } from "./body-disk.ts";
import { BodyLog, type BodyLogOptions } from "./body-log.ts";
import { FORMAT, type Tip } from "./commit-batch.ts";
import { at, corrupt, decoded } from "./damage.ts";
import type { StoreError } from "./errors.ts";
import { type Index, IndexDb } from "./index-db.ts";
import {
  BASE_KEY,
  decodeHeight,
  decodeMeta,
  EXECUTED_KEY,
  FORMAT_KEY,
  heightKey,
  heightOfKey,
  tableRange,
} from "./keys.ts";
import { fullHeightOf, loadState, readStored } from "./state-history.ts";
import type { BlockStore } from "./types.ts";

export interface StoreOptions {
  /** `data` of the home: bodies go to `blocks/`, the index to `db/` below it. */
  readonly dir: string;
  /** Bytes after which a new body segment starts, default 32 MiB. */
  readonly segmentBytes?: number;
  /** Zeros kept ready behind the last body, default 1 MiB. */
  readonly stepBytes?: number;
  /** Writes and syncs bodies instead of the thread pool, for example the writer thread of the log. */
  readonly writer?: BodyWriter;
  /** Told when a write or sync failed, also one that nobody waits for: the store takes no further body or height. */
  readonly onFailure?: (error: StoreError) => void;
  /** All of the bodies' files, for tests; excludes `writer`. */
  readonly disk?: BodyDisk;
  /** Instead of the database below `dir`, for tests. */
  readonly index?: Index;
}

/** Read whole at opening, so it also bounds what that takes of memory. */
const DEFAULT_SEGMENT_BYTES = 32 * 1024 * 1024;
const DEFAULT_STEP_BYTES = 1024 * 1024;

/** Where the bodies of a store lie. */
export function bodyLogOptions(options: StoreOptions): BodyLogOptions {
  return {
    dir: join(options.dir, "blocks"),
    segmentBytes: options.segmentBytes ?? DEFAULT_SEGMENT_BYTES,
    stepBytes: options.stepBytes ?? DEFAULT_STEP_BYTES,
    ...(options.onFailure === undefined ? {} : { onFailure: options.onFailure }),
  };
}

/** Where the index of a store lies. */
export function indexLocation(options: StoreOptions): string {
  return join(options.dir, "db");
}

async function loadTip(db: Index): Promise<{ tip: Tip | null; base: Height }> {
  const [newest] = await db.entries({ ...tableRange("m"), reverse: true, limit: 1 });
  const [oldest] = await db.entries({ ...tableRange("m"), limit: 1 });
  if (newest === undefined || oldest === undefined) return { tip: null, base: 0 };
  const format = await db.get(FORMAT_KEY);
  if (format?.[0] !== FORMAT) {
    throw corrupt(`its format is ${format?.[0] ?? "unknown"}, this version reads ${FORMAT}`, {});
  }
  const height = decoded("a key", () => heightOfKey(newest[0]));
  const meta = decoded(`the entry of ${at(height)}`, () => decodeMeta(height, newest[1]));
  const stateBytes = await db.get(heightKey("t", height));
  if (stateBytes === null) throw corrupt(`the state of ${at(height)} is missing`, { height });
  const state = await loadState(stateBytes, height, async (full) => {
    const bytes = await db.get(heightKey("t", full));
    if (bytes === null) throw corrupt(`the state of ${at(full)} is missing`, { height: full });
    return decoded(`the state of ${at(full)}`, () => readStored(bytes).state);
  });
  const tip = { meta, state, fullHeight: fullHeightOf(stateBytes) };
  const pruned = await db.get(BASE_KEY);
  const base = decoded("the base", () => (pruned === null ? heightOfKey(oldest[0]) : decodeHeight(pruned)));
  return { tip, base };
}

/** Every body that the index names must be there: the tip's whole, the others' segments at least. */
async function checkBodies(db: Index, bodies: BodyLog, tip: Tip, base: Height): Promise<void> {
  const first = await db.get(heightKey("m", base));
  const from = first === null ? tip.meta : decoded(`the entry of ${at(base)}`, () => decodeMeta(base, first));
  const present = new Set(bodies.segments);
  for (let segment = from.body.segment; segment <= tip.meta.body.segment; segment++) {
    if (present.has(segment)) continue;
    throw corrupt(`body segment ${segment} is missing`, { segment, base, height: tip.meta.height });
  }
  await bodies.read(tip.meta.body, tip.meta.blockId);
}

/**
 * Opens the block store below `options.dir`, creating it when there is none, and checks that index and bodies fit.
 * @throws StoreError `STORE_LOCKED`, `STORE_CORRUPT`, `STORE_IO`, `STORE_FULL`.
 */
export async function openStore(options: StoreOptions): Promise<BlockStore> {
  const disk = options.disk ?? fsBodyDisk(options.writer);
  const db = options.index ?? (await IndexDb.open(indexLocation(options)));
  let bodies: BodyLog | null = null;
  try {
    const { tip, base } = await loadTip(db);
    const executed = await db.get(EXECUTED_KEY);
    bodies = await BodyLog.open(disk, bodyLogOptions(options), tip?.meta.body ?? null, tip?.meta.height ?? 0);
    if (tip !== null) await checkBodies(db, bodies, tip, base);
    const opened = {
      tip,
      base,
      executed: executed === null ? 0 : decoded("the executed height", () => decodeHeight(executed)),
    };
    return new SegmentedBlockStore(db, bodies, opened, options.onFailure);
  } catch (error) {
    await (bodies?.close() ?? disk.close());
    await db.close();
    throw error;
  }
}
