import {
  type Block,
  type BlockId,
  blockIdEquals,
  blockIdKey,
  type ChainState,
  type Commit,
  decodeBlock,
  type Evidence,
  encodeCommit,
  evidenceId,
  type ValidatorSet,
} from "@quorate/chain";
import { toHexUpper } from "@quorate/crypto";
import {
  type BlockMeta,
  type BlockStore,
  type BodyRef,
  type CommitBatch,
  type CommittedEvidence,
  type ServedBlock,
  StoreError,
} from "@quorate/store";
import { atOnce, type Pace } from "./pace.ts";

interface Decided {
  readonly batch: CommitBatch;
  seenCommit: Commit;
}

/** Block store in memory. Bodies and batches wait for the pace (`body.sync`, `store.commit`) and are noted when done. */
export class MemoryStore implements BlockStore {
  readonly bodies = new Map<string, Uint8Array>();
  readonly kept: Evidence[] = [];
  private readonly decided: Decided[] = [];
  private readonly pace: Pace;
  private readonly note: (event: string) => void;
  private failure: StoreError | null = null;
  private executed = 0;

  constructor(pace: Pace = atOnce, note: (event: string) => void = () => undefined) {
    this.pace = pace;
    this.note = note;
  }

  break(): void {
    this.failure = new StoreError("STORE_IO", "EIO: injected");
  }

  /** What a restart finds; with fewer `heights` than there were, what is left after the index was lost. */
  copy(heights: number = this.decided.length): MemoryStore {
    const copy = new MemoryStore();
    copy.load(this, heights);
    return copy;
  }

  /** Takes over what another store holds. */
  load(other: MemoryStore, heights: number = other.decided.length): void {
    for (const [key, bytes] of other.bodies) this.bodies.set(key, bytes);
    this.kept.push(...other.kept);
    this.decided.push(...other.decided.slice(0, heights).map((each) => ({ ...each })));
  }

  get base(): number {
    return this.decided[0]?.batch.height ?? 0;
  }

  get height(): number {
    return this.decided.at(-1)?.batch.height ?? 0;
  }

  async putBody(blockId: BlockId, bytes: Uint8Array): Promise<BodyRef> {
    await this.pace("body.sync");
    if (this.failure !== null) throw this.failure;
    this.bodies.set(blockIdKey(blockId), bytes);
    this.note(`body.sync ${blockIdKey(blockId).slice(0, 8)}`);
    return { segment: 1, offset: 0, length: bytes.length };
  }

  async getBody(blockId: BlockId): Promise<Uint8Array | null> {
    return this.bodies.get(blockIdKey(blockId)) ?? null;
  }

  async commit(...run: readonly CommitBatch[]): Promise<void> {
    await this.pace("store.commit");
    if (this.failure !== null) throw this.failure;
    for (const batch of run) {
      this.decided.push({ batch, seenCommit: batch.seenCommit });
      await this.dropEvidence(batch.block.evidence);
    }
    this.note(`store.commit ${run.map(({ height }) => height).join(" ")}`);
  }

  async blockBytes(height: number): Promise<Uint8Array | null> {
    const found = this.at(height);
    return found === undefined ? null : this.getBody(found.batch.blockId);
  }

  async block(height: number): Promise<Block | null> {
    const bytes = await this.blockBytes(height);
    return bytes === null ? null : decodeBlock(bytes);
  }

  async blocks(from: number, count: number, maxBytes: number): Promise<readonly ServedBlock[]> {
    const blocks: ServedBlock[] = [];
    let size = 0;
    for (let height = from; blocks.length < count; height++) {
      const [block, commit] = [await this.blockBytes(height), await this.commitOf(height)];
      if (block === null || commit === null) break;
      const encoded = encodeCommit(commit);
      size += block.length + encoded.length;
      if (blocks.length > 0 && size > maxBytes) break;
      blocks.push({ height, block, commit: encoded });
    }
    return blocks;
  }

  async meta(height: number): Promise<BlockMeta | null> {
    const batch = this.at(height)?.batch;
    if (batch === undefined) return null;
    const { blockId, body, block } = batch;
    return { height, blockId, body, numTxs: block.txs.length - 1, blockBytes: body.length };
  }

  async heightOf(blockHash: Uint8Array): Promise<number | null> {
    const found = this.decided.find(({ batch }) => Buffer.compare(batch.blockId.hash, blockHash) === 0);
    return found?.batch.height ?? null;
  }

  async commitOf(height: number): Promise<Commit | null> {
    const next = this.at(height + 1);
    return next === undefined ? this.seenCommit(height) : next.batch.block.lastCommit;
  }

  async seenCommit(height: number): Promise<Commit | null> {
    return this.at(height)?.seenCommit ?? null;
  }

  async extendSeenCommit(commit: Commit): Promise<void> {
    if (this.failure !== null) throw this.failure;
    const found = this.at(commit.height);
    if (found !== undefined && blockIdEquals(found.batch.blockId, commit.blockId)) found.seenCommit = commit;
  }

  async state(): Promise<ChainState | null> {
    return this.decided.at(-1)?.batch.state ?? null;
  }

  async validators(height: number): Promise<ValidatorSet | null> {
    return (await this.stateAt(height))?.lastValidators ?? null;
  }

  async stateAt(height: number): Promise<ChainState | null> {
    return this.at(height)?.batch.state ?? null;
  }

  async executedHeight(): Promise<number> {
    return this.executed;
  }

  async setExecutedHeight(height: number): Promise<void> {
    this.executed = height;
  }

  async putEvidence(evidence: Evidence): Promise<void> {
    if (this.failure !== null) throw this.failure;
    this.kept.push(evidence);
    this.note("evidence kept");
  }

  dropEvidence(list: readonly Evidence[]): Promise<void> {
    const ids = list.map((each) => toHexUpper(evidenceId(each)));
    const left = this.kept.filter((each) => !ids.includes(toHexUpper(evidenceId(each))));
    this.kept.splice(0, this.kept.length, ...left);
    return Promise.resolve();
  }

  async evidence(): Promise<readonly Evidence[]> {
    return this.kept;
  }

  async committedEvidence(): Promise<readonly CommittedEvidence[]> {
    return this.decided
      .flatMap(({ batch }) => batch.block.evidence.map((evidence) => ({ height: batch.height, evidence })))
      .reverse();
  }

  prune(): Promise<number> {
    return Promise.resolve(0);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private at(height: number): Decided | undefined {
    return this.decided.find(({ batch }) => batch.height === height);
  }
}
