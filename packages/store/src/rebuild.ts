import { rename } from "node:fs/promises";
import {
  applyBlock,
  type Block,
  type BlockId,
  blockIdKey,
  ChainError,
  type ChainState,
  type Commit,
  decodeBlock,
  type Height,
  verifyCommit,
} from "@quorate/chain";
import { nativeBackend, type VerifierBackend } from "@quorate/crypto";
import { fsBodyDisk } from "./body-disk.ts";
import { BodyLog } from "./body-log.ts";
import { runOperations, type Tip } from "./commit-batch.ts";
import { at } from "./damage.ts";
import { codeOf, StoreError, storageError } from "./errors.ts";
import { IndexDb } from "./index-db.ts";
import { bodyLogOptions, indexLocation, type StoreOptions } from "./open.ts";
import type { BodyRef } from "./types.ts";

export interface RebuildResult {
  /** Highest height in the new index; the height before the chain's first when no decision could be proven. */
  readonly height: Height;
  /** Where the old index was moved, `null` when there was none. */
  readonly movedTo: string | null;
}

interface Candidate {
  readonly ref: BodyRef;
  readonly blockId: BlockId;
}

/** Bodies by the height in their header; what is no block is left out. */
async function candidates(bodies: BodyLog): Promise<Map<Height, Candidate[]>> {
  const found = new Map<Height, Candidate[]>();
  for await (const { ref, blockId, bytes } of bodies.all()) {
    const block = blockIn(bytes);
    if (block === null) continue;
    const { height } = block.header;
    const there = found.get(height) ?? [];
    there.push({ ref, blockId });
    found.set(height, there);
  }
  return found;
}

function blockIn(bytes: Uint8Array): Block | null {
  try {
    return decodeBlock(bytes);
  } catch (error) {
    if (error instanceof ChainError) return null;
    throw error;
  }
}

function proves(state: ChainState, blockId: BlockId, commit: Commit, backend: VerifierBackend): boolean {
  try {
    verifyCommit(state.chainId, state.validators, blockId, state.lastHeight + 1, commit, backend);
    return true;
  } catch (error) {
    if (error instanceof ChainError) return false;
    throw error;
  }
}

/** The body of the next height that a body of the height after it carries +2/3 precommits for. */
async function decidedNext(
  state: ChainState,
  found: ReadonlyMap<Height, readonly Candidate[]>,
  bodies: BodyLog,
  backend: VerifierBackend,
): Promise<{ readonly candidate: Candidate; readonly block: Block; readonly commit: Commit } | null> {
  const height = state.lastHeight + 1;
  const here = new Map(
    (found.get(height) ?? []).map((candidate) => [blockIdKey(candidate.blockId), candidate]),
  );
  for (const successor of found.get(height + 1) ?? []) {
    const { lastCommit } = decodeBlock(await bodies.read(successor.ref, successor.blockId));
    const candidate = here.get(blockIdKey(lastCommit.blockId));
    if (candidate === undefined || !proves(state, candidate.blockId, lastCommit, backend)) continue;
    const block = decodeBlock(await bodies.read(candidate.ref, candidate.blockId));
    return { candidate, block, commit: lastCommit };
  }
  return null;
}

async function moveAside(location: string): Promise<string | null> {
  for (let number = 1; ; number++) {
    const to = `${location}.damaged-${number}`;
    try {
      await rename(location, to);
      return to;
    } catch (error) {
      const code = codeOf(error);
      if (code === "ENOENT") return null;
      if (code !== "ENOTEMPTY" && code !== "EEXIST") throw storageError("rename", location, error);
    }
  }
}

/**
 * Makes a new index from the bodies when the old one is damaged or lost: walks the chain from genesis, taking at each
 * height the body that the next height's block carries a valid commit for. The last decided height has no such
 * successor and is fetched from peers again, as are evidence and the execution cursor's meaning (it begins at 0). The
 * old index is moved aside; an index given in `options` must be empty. The caller holds the home and has no store open
 * on it.
 * @throws StoreError `STORE_CORRUPT` when the bodies of the first heights are gone (pruned); `STORE_IO`, `STORE_FULL`.
 */
export async function rebuildIndex(
  options: StoreOptions,
  genesis: ChainState,
  backend: VerifierBackend = nativeBackend,
): Promise<RebuildResult> {
  const disk = options.disk ?? fsBodyDisk();
  const bodies = await BodyLog.open(disk, bodyLogOptions(options), null, genesis.lastHeight);
  try {
    const found = await candidates(bodies);
    const lowest = Math.min(...found.keys());
    if (found.size > 0 && lowest > genesis.lastHeight + 1) {
      throw new StoreError(
        "STORE_CORRUPT",
        `the index cannot be rebuilt: the bodies begin at ${at(lowest)}, the chain at ${at(genesis.lastHeight + 1)}; ` +
          "run `validator reset` and let the node sync again",
        { lowest, first: genesis.lastHeight + 1 },
      );
    }
    const movedTo = options.index === undefined ? await moveAside(indexLocation(options)) : null;
    const db = options.index ?? (await IndexDb.open(indexLocation(options)));
    try {
      let tip: Tip | null = null;
      let state = genesis;
      for (;;) {
        const next = await decidedNext(state, found, bodies, backend);
        if (next === null) break;
        const { block, commit, candidate } = next;
        const { ref: body, blockId } = candidate;
        const height = block.header.height;
        state = applyBlock(state, block, blockId);
        const made = runOperations([{ height, block, blockId, body, seenCommit: commit, state }], tip);
        await db.write(made.operations, { sync: true });
        tip = made.tip;
      }
      return { height: state.lastHeight, movedTo };
    } finally {
      await db.close();
    }
  } finally {
    await bodies.close();
  }
}
