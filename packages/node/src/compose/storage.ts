/** Opens what is durable, in the one order that is safe: home lock and store, then sign state, then WAL. */
import { access } from "node:fs/promises";
import { CORE_VERSION } from "@quorate/consensus";
import type { LogPort } from "@quorate/gossip";
import { FilePrivVal, type PrivVal, PrivvalError, type SigningKey, type SlotDisk } from "@quorate/privval";
import { type BlockStore, type HomeLock, lockHome, type RebuildResult, StoreError } from "@quorate/store";
import { openWal, type Wal, type WalDisk, WalError } from "@quorate/wal";
import { NodeError, reasonOf } from "../errors.ts";
import { type HomePaths, requirePrivate, unreadable } from "../home.ts";

/** Takes the home for this process before anything in it is opened. Exit 4 when another one holds it. */
export async function lockHomeOf(paths: HomePaths): Promise<HomeLock> {
  try {
    return await lockHome(paths.data);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw storeFailure(error, paths);
  }
}

/** A damaged index is rebuilt from the bodies once; exit 3 when that fails too, 6 when the disk does. */
export async function openStoreOf(
  paths: HomePaths,
  log: LogPort,
  work: { readonly open: () => Promise<BlockStore>; readonly rebuild: () => Promise<RebuildResult> },
): Promise<BlockStore> {
  try {
    return await work.open();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.code !== "STORE_CORRUPT") throw storeFailure(error, paths);
    log.error("the block store's index is damaged: rebuilding it from the bodies", { reason: error.message });
  }
  try {
    const { height, movedTo } = await work.rebuild();
    log.warn("the block store's index was rebuilt; what is missing comes back from the other nodes", {
      height,
      movedTo,
    });
    return await work.open();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw storeFailure(error, paths);
  }
}

/** Exit 4 held by another process, 3 damaged, 6 refused by the disk. */
export function storeFailure(error: StoreError, paths: HomePaths): NodeError {
  switch (error.code) {
    case "STORE_LOCKED":
    case "HOME_LOCKED":
      return new NodeError({
        exitCode: 4,
        code: "HOME_IN_USE",
        what: error.message,
        do: "stop the other process, or use another --home: one home, one validator",
        cause: error,
      });
    case "STORE_CORRUPT":
      return new NodeError({
        exitCode: 3,
        code: "STORE_CORRUPT",
        what: `the block store in ${paths.data} is damaged: ${error.message}`,
        do: "run `validator reset` (keeps keys and sign state) and start again: the blocks come back from the other nodes",
        cause: error,
      });
    default:
      return new NodeError({
        exitCode: 6,
        code: error.code,
        what: `the block store in ${paths.data} cannot be opened: ${error.message}`,
        do: "check free space, permissions and health of the disk",
        cause: error,
      });
  }
}

/** `null` when the home has no validator key: a full node. Exit 5 when the sign state does not allow signing. */
export async function openPrivVal(paths: HomePaths, disk: SlotDisk): Promise<PrivVal | null> {
  try {
    await access(paths.validatorKey);
  } catch (error) {
    // Only a home without a key is a full node's: a validator whose key cannot be reached must not turn into one.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw unreadable(paths.validatorKey, error);
  }
  await requirePrivate(paths.validatorKey);
  return openPrivValWith(paths.validatorKey, paths, disk);
}

/** With a key that was found. Exit 5 when the sign state does not allow signing. */
export async function openPrivValWith(
  keyFile: string | SigningKey,
  paths: HomePaths,
  disk: SlotDisk,
): Promise<PrivVal> {
  try {
    return await FilePrivVal.open({ keyFile, stateFile: paths.signState, disk });
  } catch (error) {
    if (!(error instanceof PrivvalError)) throw error;
    throw privvalFailure(error);
  }
}

function privvalFailure(error: PrivvalError): NodeError {
  const { code, message: what } = error;
  const facts = { code, what, cause: error };
  switch (code) {
    case "SIGN_STATE_IO":
    case "SIGN_STATE_FULL":
      return new NodeError({
        ...facts,
        exitCode: 6,
        do: "check free space, permissions and health of the disk",
      });
    case "SIGN_STATE_MISSING":
    case "SIGN_STATE_DAMAGED":
    case "SIGN_STATE_FOREIGN":
      return new NodeError({
        ...facts,
        exitCode: 5,
        do: "restore the file from this machine, or `validator key state import` a state at least as high as everything this key ever signed; `key state init --force` only for a key that never signed",
      });
    default:
      return new NodeError({
        ...facts,
        exitCode: 3,
        do: "restore the key file, or run `validator key new` in a fresh home",
      });
  }
}

export async function openWalOf(
  paths: HomePaths,
  disk: WalDisk,
  privval: PrivVal | null,
  log: LogPort,
  onFailure: (error: WalError) => void,
  segmentBytes?: number,
): Promise<Wal> {
  try {
    const dependency = privval?.state.dependency;
    const wal = await openWal(
      {
        dir: paths.wal,
        coreVersion: CORE_VERSION,
        onFailure,
        ...(dependency === undefined ? {} : { dependency }),
        ...(segmentBytes === undefined ? {} : { segmentBytes }),
      },
      disk,
    );
    reportCondition(wal, log);
    return wal;
  } catch (error) {
    if (!(error instanceof WalError)) throw error;
    throw new NodeError({
      exitCode: 6,
      code: error.code,
      what: `the write-ahead log in ${paths.wal} cannot be opened: ${error.message}`,
      do: "check free space, permissions and health of the disk",
      cause: error,
    });
  }
}

function reportCondition(wal: Wal, log: LogPort): void {
  const { condition } = wal;
  switch (condition.kind) {
    case "clean":
      return;
    case "torn":
      log.info("the WAL's last record was cut off by a crash and dropped", { ...condition });
      return;
    case "damaged":
      log.error(
        "the WAL is damaged: it was set aside, the lock comes from the sign state, the node goes on",
        { ...condition },
      );
      return;
  }
}

/** A close that fails is reported and does not keep the others from closing. */
export async function closeAll(
  log: LogPort,
  parts: readonly (readonly [string, () => Promise<void>])[],
): Promise<void> {
  for (const [name, close] of parts) {
    try {
      await close();
    } catch (error) {
      log.error("closing failed", { part: name, reason: reasonOf(error) });
    }
  }
}
