import {
  type Block,
  type BlockId,
  blockIdEquals,
  type ChainState,
  type Commit,
  decodeBlock,
  decodeCommit,
  decodeEvidence,
  type Evidence,
  encodeCommit,
  encodeEvidence,
  type Height,
  type ValidatorSet,
} from "@quorate/chain";
import { toHexUpper } from "@quorate/crypto";
import type { BodyLog } from "./body-log.ts";
import { pendingKey, runOperations, type Tip } from "./commit-batch.ts";
import { at, corrupt, decoded } from "./damage.ts";
import { StoreError } from "./errors.ts";
import { del, type Index, type Operation, put } from "./index-db.ts";
import {
  BASE_KEY,
  decodeHeight,
  decodeMeta,
  EXECUTED_KEY,
  encodeHeight,
  hashKey,
  heightKey,
  heightOfKey,
  heightRange,
  tableRange,
} from "./keys.ts";
import { fullHeightOf, loadState, readStored, SetWalk, storeFull } from "./state-history.ts";
import type { BlockMeta, BlockStore, BodyRef, CommitBatch, CommittedEvidence, ServedBlock } from "./types.ts";

/** Equivocations kept; older ones expire first. */
const MAX_EVIDENCE = 1024;
/** Heights removed by one write while pruning. */
const PRUNE_BATCH = 256;

/** The store over an opened index and opened bodies. */
export class SegmentedBlockStore implements BlockStore {
  readonly #db: Index;
  readonly #bodies: BodyLog;
  #tip: Tip | null;
  /** The blocks committed last, as one group: asked for right afterwards, by peers one height behind and by the pool. */
  #newest: readonly Block[] = [];
  #base: Height;
  #executed: Height;
  /** Writes to the index, one after the other. */
  #queue: Promise<unknown> = Promise.resolve();
  #failure: StoreError | null = null;
  #closing = false;
  #closed = false;
  readonly #onFailure: (error: StoreError) => void;

  constructor(
    db: Index,
    bodies: BodyLog,
    opened: { readonly tip: Tip | null; readonly base: Height; readonly executed: Height },
    onFailure: (error: StoreError) => void = () => undefined,
  ) {
    this.#onFailure = onFailure;
    this.#db = db;
    this.#bodies = bodies;
    this.#tip = opened.tip;
    this.#base = opened.base;
    this.#executed = opened.executed;
  }

  get base(): Height {
    return this.#base;
  }

  get height(): Height {
    return this.#tip?.meta.height ?? 0;
  }

  async putBody(blockId: BlockId, bytes: Uint8Array): Promise<BodyRef> {
    this.#assertOpen();
    return this.#bodies.put(blockId, bytes);
  }

  async getBody(blockId: BlockId): Promise<Uint8Array | null> {
    this.#assertOpen();
    const ref = this.#bodies.undecided(blockId);
    if (ref !== null) return this.#bodies.read(ref, blockId);
    const height = await this.heightOf(blockId.hash);
    const meta = height === null ? null : await this.meta(height);
    if (meta === null || !blockIdEquals(meta.blockId, blockId)) return null;
    return this.#bodies.read(meta.body, blockId);
  }

  commit(...run: readonly CommitBatch[]): Promise<void> {
    return this.#inTurn(async () => {
      const before = this.#tip;
      const known = before?.meta.height ?? 0;
      for (const batch of run) if (batch.height <= known) await this.#checkDecided(batch);
      const fresh = run.filter(({ height }) => height > known);
      const [first] = fresh;
      const last = fresh.at(-1);
      if (first === undefined || last === undefined) return;
      let height = before?.meta.height;
      for (const batch of fresh) {
        this.#checkOrder(batch, height);
        height = batch.height;
      }
      const { operations, tip } = runOperations(fresh, before);
      await this.#write(operations, true);
      this.#tip = tip;
      this.#newest = fresh.map(({ block }) => block);
      if (before === null) this.#base = first.height;
      this.#bodies.advance(last.height);
    });
  }

  async blockBytes(height: Height): Promise<Uint8Array | null> {
    const meta = await this.meta(height);
    return meta === null ? null : this.#bodies.read(meta.body, meta.blockId);
  }

  async block(height: Height): Promise<Block | null> {
    this.#assertOpen();
    const newest = this.#newest[height - (this.#newest[0]?.header.height ?? 0)];
    if (newest !== undefined) return newest;
    const bytes = await this.blockBytes(height);
    return bytes === null ? null : decoded(`the block of ${at(height)}`, () => decodeBlock(bytes));
  }

  async blocks(from: Height, count: number, maxBytes: number): Promise<readonly ServedBlock[]> {
    this.#assertOpen();
    const tip = this.#tip?.meta;
    if (tip === undefined || from < this.#base || from > tip.height || count < 1) return [];
    const to = Math.min(tip.height, from + count - 1);
    const [metas, commits, seen] = await Promise.all([
      this.#db.entries(heightRange("m", from, to)),
      this.#db.entries(heightRange("c", from, Math.min(to, tip.height - 1))),
      to === tip.height ? this.#db.get(heightKey("s", to)) : null,
    ]);
    const commitBytes = commits.map(([, value]) => value);
    if (seen !== null) commitBytes.push(seen);
    const chosen: { readonly meta: BlockMeta; readonly commit: Uint8Array }[] = [];
    let size = 0;
    for (const [index, [key, value]] of metas.entries()) {
      const height = decoded("a key", () => heightOfKey(key));
      const meta = decoded(`the entry of ${at(height)}`, () => decodeMeta(height, value));
      const bytes = commitBytes[index];
      // Pruned while it was being read.
      if (height !== from + index || bytes === undefined) break;
      const commit = new Uint8Array(bytes);
      const { blockId } = decoded(`the commit of ${at(height)}`, () => decodeCommit(commit));
      size += meta.body.length + commit.length;
      if (!blockIdEquals(blockId, meta.blockId) || (index > 0 && size > maxBytes)) break;
      chosen.push({ meta, commit });
    }
    const bodies = await this.#bodies.readAll(
      chosen.map(({ meta }) => ({ ref: meta.body, blockId: meta.blockId })),
    );
    return chosen.flatMap(({ meta: { height }, commit }, index) => {
      const block = bodies[index];
      return block === undefined ? [] : [{ height, block, commit }];
    });
  }

  async meta(height: Height): Promise<BlockMeta | null> {
    this.#assertOpen();
    const tip = this.#tip;
    if (tip === null || height < this.#base || height > tip.meta.height) return null;
    if (height === tip.meta.height) return tip.meta;
    const bytes = await this.#db.get(heightKey("m", height));
    if (bytes !== null) return decoded(`the entry of ${at(height)}`, () => decodeMeta(height, bytes));
    // Pruned while it was being read, or gone although it should be there.
    if (height < this.#base) return null;
    throw corrupt(`the entry of ${at(height)} is missing`, { height });
  }

  async heightOf(blockHash: Uint8Array): Promise<Height | null> {
    this.#assertOpen();
    if (blockHash.length !== 32) return null;
    const bytes = await this.#db.get(hashKey(blockHash));
    return bytes === null ? null : decoded("the height of a block hash", () => decodeHeight(bytes));
  }

  async commitOf(height: Height): Promise<Commit | null> {
    this.#assertOpen();
    if (height === this.height) return this.seenCommit(height);
    return this.#commitAt("c", height);
  }

  async seenCommit(height: Height): Promise<Commit | null> {
    this.#assertOpen();
    return this.#commitAt("s", height);
  }

  extendSeenCommit(commit: Commit): Promise<void> {
    return this.#inTurn(async () => {
      const tip = this.#tip?.meta;
      // Late precommits of a height that meanwhile has a successor are of no use any more.
      if (tip === undefined || commit.height !== tip.height) return;
      if (!blockIdEquals(commit.blockId, tip.blockId)) throw conflict(tip, commit.blockId);
      await this.#write([put(heightKey("s", tip.height), encodeCommit(commit))], false);
    });
  }

  async state(): Promise<ChainState | null> {
    this.#assertOpen();
    return this.#tip?.state ?? null;
  }

  async validators(height: Height): Promise<ValidatorSet | null> {
    this.#assertOpen();
    const tip = this.#tip;
    if (tip === null || height < this.#base || height > tip.meta.height + 2) return null;
    if (height === tip.meta.height + 2) return tip.state.nextValidators;
    if (height === tip.meta.height + 1) return tip.state.validators;
    if (height === tip.meta.height) return tip.state.lastValidators;
    const bytes = await this.#db.get(heightKey("t", height));
    if (bytes === null) return this.#missingState(height);
    const fullHeight = decoded(`the state of ${at(height)}`, () => fullHeightOf(bytes));
    return new SetWalk(await this.#fullState(fullHeight)).at(height);
  }

  async stateAt(height: Height): Promise<ChainState | null> {
    this.#assertOpen();
    const tip = this.#tip;
    if (tip === null || height < this.#base || height > tip.meta.height) return null;
    if (height === tip.meta.height) return tip.state;
    const bytes = await this.#db.get(heightKey("t", height));
    if (bytes === null) return this.#missingState(height);
    return loadState(bytes, height, (full) => this.#fullState(full));
  }

  async executedHeight(): Promise<Height> {
    this.#assertOpen();
    return this.#executed;
  }

  setExecutedHeight(height: Height): Promise<void> {
    return this.#inTurn(async () => {
      await this.#write([put(EXECUTED_KEY, encodeHeight(height))], false);
      this.#executed = height;
    });
  }

  putEvidence(evidence: Evidence): Promise<void> {
    return this.#inTurn(async () => {
      const key = pendingKey(evidence);
      if ((await this.#db.get(key)) !== null) return;
      const kept = await this.#db.entries({ ...tableRange("e"), limit: MAX_EVIDENCE });
      const operations = [put(key, encodeEvidence(evidence))];
      // The oldest expires first.
      const [oldest] = kept;
      if (kept.length === MAX_EVIDENCE && oldest !== undefined) operations.push(del(oldest[0]));
      await this.#write(operations, true);
    });
  }

  dropEvidence(list: readonly Evidence[]): Promise<void> {
    return this.#inTurn(() =>
      this.#write(
        list.map((evidence) => del(pendingKey(evidence))),
        false,
      ),
    );
  }

  async evidence(): Promise<readonly Evidence[]> {
    this.#assertOpen();
    const entries = await this.#db.entries(tableRange("e"));
    return entries.map(([, bytes]) => evidenceIn(bytes));
  }

  async committedEvidence(): Promise<readonly CommittedEvidence[]> {
    this.#assertOpen();
    const entries = await this.#db.entries({ ...tableRange("v"), reverse: true, limit: MAX_EVIDENCE });
    return entries.map(([key, bytes]) => ({
      height: decoded("a key", () => heightOfKey(key.slice(0, 9))),
      evidence: evidenceIn(bytes),
    }));
  }

  prune(retainHeight: Height): Promise<number> {
    return this.#inTurn(async () => {
      const tip = this.#tip;
      if (tip === null) return 0;
      const until = Math.min(retainHeight, tip.meta.height);
      const base = this.#base;
      if (until <= base) return 0;
      // Out of sight first: nobody is answered with what is about to go, not even after a crash in between.
      await this.#raiseBase(until);
      const [oldest] = await this.#db.entries({ ...tableRange("m"), limit: 1 });
      const from = oldest === undefined ? base : decoded("a key", () => heightOfKey(oldest[0]));
      for (let start = from; start < until; start += PRUNE_BATCH) {
        const operations = [];
        for (let height = start; height < Math.min(until, start + PRUNE_BATCH); height++) {
          const bytes = await this.#db.get(heightKey("m", height));
          if (bytes !== null) {
            const { blockId } = decoded(`the entry of ${at(height)}`, () => decodeMeta(height, bytes));
            operations.push(del(hashKey(blockId.hash)));
          }
          for (const table of ["m", "c", "s", "t"] as const) operations.push(del(heightKey(table, height)));
        }
        await this.#write(operations, true);
      }
      const bytes = await this.#db.get(heightKey("m", until));
      const meta =
        bytes === null ? tip.meta : decoded(`the entry of ${at(until)}`, () => decodeMeta(until, bytes));
      await this.#bodies.removeBefore(meta.body.segment);
      return until - base;
    });
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    await this.#queue;
    this.#closed = true;
    await this.#bodies.close();
    await this.#db.close();
  }

  /** Makes the states from `height` on independent of the full states below it, and `height` the base. */
  async #raiseBase(height: Height): Promise<void> {
    const tip = this.#tip as Tip;
    const state = await this.stateAt(height);
    if (state === null) throw corrupt(`the state of ${at(height)} is missing`, { height });
    const operations = [
      put(heightKey("t", height), storeFull(state).bytes),
      put(BASE_KEY, encodeHeight(height)),
    ];
    // Those behind it that build on a full state below it now build on this one.
    for (let above = height + 1; above <= tip.meta.height; above++) {
      const bytes = await this.#db.get(heightKey("t", above));
      if (bytes === null) throw corrupt(`the state of ${at(above)} is missing`, { height: above });
      if (fullHeightOf(bytes) >= height) break;
      const moved = new Uint8Array(bytes);
      moved.set(encodeHeight(height), 1);
      operations.push(put(heightKey("t", above), moved));
    }
    await this.#write(operations, true);
    this.#tip = { ...tip, fullHeight: Math.max(tip.fullHeight, height) };
    this.#base = height;
  }

  async #commitAt(table: "c" | "s", height: Height): Promise<Commit | null> {
    if (height < this.#base || height > this.height) return null;
    const bytes = await this.#db.get(heightKey(table, height));
    return bytes === null
      ? null
      : decoded(`the commit of ${at(height)}`, () => decodeCommit(new Uint8Array(bytes)));
  }

  async #fullState(height: Height): Promise<ChainState> {
    const bytes = await this.#db.get(heightKey("t", height));
    if (bytes === null) throw corrupt(`the state of ${at(height)} is missing`, { height });
    return decoded(`the state of ${at(height)}`, () => readStored(bytes).state);
  }

  #missingState(height: Height): null {
    if (height < this.#base) return null;
    throw corrupt(`the state of ${at(height)} is missing`, { height });
  }

  async #checkDecided({ height, blockId }: CommitBatch): Promise<void> {
    const meta = await this.meta(height);
    if (meta !== null && !blockIdEquals(meta.blockId, blockId)) throw conflict(meta, blockId);
  }

  /** `tip`: the height below it; `undefined`: it is the first. */
  #checkOrder(batch: CommitBatch, tip: Height | undefined): void {
    const { height, blockId, state, seenCommit, body } = batch;
    const order = (what: string): StoreError =>
      new StoreError("STORE_ORDER", `cannot commit ${at(height)}: ${what}`, { height, tip });
    if (tip !== undefined && height !== tip + 1) throw order(`the store is at ${tip}`);
    if (state.lastHeight !== height || !blockIdEquals(state.lastBlockId, blockId)) {
      throw order("the state is not the one after this block");
    }
    if (!blockIdEquals(seenCommit.blockId, blockId)) throw order("the commit is for another block");
    const known = this.#bodies.undecided(blockId);
    if (known === null || known.segment !== body.segment || known.offset !== body.offset) {
      throw order("its body was not put into this store");
    }
  }

  async #write(operations: Operation[], sync: boolean): Promise<void> {
    try {
      await this.#db.write(operations, { sync });
    } catch (error) {
      if (error instanceof StoreError && this.#failure === null) {
        this.#failure = error;
        // Whoever asked may take it lightly, but no height can be committed any more.
        this.#onFailure(error);
      }
      throw error;
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing) return Promise.reject(closedError());
    const turn = this.#queue.then(() => {
      if (this.#failure !== null) throw this.#failure;
      return work();
    });
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError();
  }
}

function evidenceIn(bytes: Uint8Array): Evidence {
  return decoded("evidence", () => decodeEvidence(new Uint8Array(bytes)));
}

function closedError(): StoreError {
  return new StoreError("STORE_CLOSED", "the block store is closed");
}

function conflict(meta: BlockMeta, other: BlockId): StoreError {
  const decided = toHexUpper(meta.blockId.hash);
  const found = toHexUpper(other.hash);
  return new StoreError(
    "STORE_CONFLICT",
    `${at(meta.height)} was decided as block ${decided}, not as ${found}: two blocks were decided, stop and compare`,
    { height: meta.height, decided, found },
  );
}
