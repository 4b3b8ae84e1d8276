import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  applyBlock,
  type Block,
  type BlockId,
  blockIdOf,
  type ChainState,
  type Commit,
  CommitFlag,
  DEFAULT_PARAMS,
  type Evidence,
  earliestTime,
  encodeBlock,
  encodeEnvelope,
  makeBlock,
  proposerOf,
  stateFromGenesis,
  timeFromMs,
  VoteType,
  voteSignBytes,
  ZERO_TIME,
} from "@quorate/chain";
import { addressOf, ed25519PublicKey, ed25519Sign, sha256, toHex, utf8Encode } from "@quorate/crypto";
import type { BlockStore, CommitBatch } from "../src/index.ts";

/** A decided block with what the store is given for it. */
export interface Decided {
  readonly blockId: BlockId;
  readonly block: Block;
  readonly bytes: Uint8Array;
  readonly seenCommit: Commit;
  readonly state: ChainState;
}

const SEEDS = [1, 2, 3, 4].map((i) => sha256(utf8Encode(`store fixture ${i}`)));
const BY_ADDRESS = new Map(SEEDS.map((seed) => [toHex(addressOf(ed25519PublicKey(seed))), seed]));

export function genesisState(initialHeight = 1): ChainState {
  return stateFromGenesis({
    chainId: "store-fixture",
    genesisTime: timeFromMs(1_767_225_600_000),
    initialHeight,
    execution: "none",
    evmChainId: 0,
    elGenesisHash: new Uint8Array(32),
    anchorNumber: initialHeight - 1,
    anchorHash: new Uint8Array(32),
    depositContractAddress: new Uint8Array(20),
    params: DEFAULT_PARAMS,
    validators: SEEDS.map((seed, i) => ({
      pubKey: ed25519PublicKey(seed),
      power: BigInt(10 + i),
      name: `node${i}`,
      owner: new Uint8Array(20),
    })),
    upgrades: [],
  });
}

/** Precommits of all validators but those left out. */
export function commitFor(
  state: ChainState,
  blockId: BlockId,
  height: number,
  absent: readonly number[] = [],
): Commit {
  const timestamp = state.lastTime;
  const set = state.validators.validators;
  return {
    height,
    round: 0,
    blockId,
    signatures: set.map((validator, i) => {
      if (absent.includes(i)) {
        const nothing = new Uint8Array();
        return {
          flag: CommitFlag.absent,
          validatorAddress: nothing,
          timestamp: ZERO_TIME,
          signature: nothing,
        };
      }
      const seed = BY_ADDRESS.get(toHex(validator.address)) as Uint8Array;
      const content = { type: VoteType.precommit, height, round: 0, blockId, timestamp };
      const signature = ed25519Sign(seed, voteSignBytes(state.chainId, content));
      return { flag: CommitFlag.commit, validatorAddress: validator.address, timestamp, signature };
    }),
  };
}

export function decide(
  state: ChainState,
  lastCommit: Commit | null,
  options: {
    readonly payload?: number;
    readonly absent?: readonly number[];
    readonly evidence?: readonly Evidence[];
  } = {},
): Decided {
  const height = state.lastHeight + 1;
  const tx = new Uint8Array(options.payload ?? 40).fill(height & 0xff);
  const block = makeBlock(state, {
    time: earliestTime(state),
    txs: [encodeEnvelope({ version: 0 }), tx],
    proposerAddress: proposerOf(state.validators, 0).address,
    lastCommit,
    evidence: options.evidence ?? [],
  });
  const bytes = encodeBlock(block);
  const blockId = blockIdOf(block, bytes);
  const seenCommit = commitFor(state, blockId, height, options.absent);
  return { block, bytes, blockId, seenCommit, state: applyBlock(state, block, blockId) };
}

/** The first `count` blocks of one chain. */
export function chain(
  count: number,
  options: { readonly payload?: number; readonly initialHeight?: number } = {},
): Decided[] {
  const blocks: Decided[] = [];
  let state = genesisState(options.initialHeight);
  for (let i = 0; i < count; i++) {
    const decided = decide(state, blocks.at(-1)?.seenCommit ?? null, { ...options, absent: [i % 4] });
    blocks.push(decided);
    state = decided.state;
  }
  return blocks;
}

export async function store(into: BlockStore, decided: Decided): Promise<CommitBatch> {
  const [batch] = await storeRun(into, [decided]);
  return batch!;
}

/** All of them as one group. */
export async function storeRun(into: BlockStore, run: readonly Decided[]): Promise<readonly CommitBatch[]> {
  const batches = await Promise.all(
    run.map(async ({ blockId, bytes, block, seenCommit, state }) => {
      const body = await into.putBody(blockId, bytes);
      return { height: block.header.height, blockId, body, block, seenCommit, state };
    }),
  );
  await into.commit(...batches);
  return batches;
}

export async function withDir(run: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "quorate-store-"));
  try {
    await run(dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}
