/** A chain without EL in memory: deterministic keys, real blocks and signatures. */
import {
  applyBlock,
  type Block,
  type BlockId,
  blockIdOf,
  type Certificate,
  type ChainParams,
  type ChainState,
  type Commit,
  CommitFlag,
  certificateFromVotes,
  DEFAULT_PARAMS,
  type Evidence,
  earliestTime,
  encodeBlock,
  encodeEnvelope,
  type Genesis,
  makeBlock,
  type Proposal,
  proposalSignBytes,
  proposerOf,
  stateFromGenesis,
  type Time,
  timeFromMs,
  type Vote,
  VoteType,
  voteSignBytes,
  ZERO_TIME,
} from "@quorate/chain";
import { addressOf, bytesEqual, type Ed25519Signer, ed25519Signer } from "@quorate/crypto";
import type { SyncedBlock } from "@quorate/sync";

export const GENESIS_MS = 1_767_225_600_000;
const ZERO32 = new Uint8Array(32);

export interface MadeBlock {
  readonly block: Block;
  readonly bytes: Uint8Array;
  readonly blockId: BlockId;
}

export interface Keys {
  /** In the order of the validator set. */
  readonly seeds: readonly Uint8Array[];
  readonly addresses: readonly Uint8Array[];
}

export interface TestChain {
  readonly genesis: Genesis;
  readonly keys: Keys;
  readonly start: ChainState;
}

/** By seed: opening a key costs more than signing with it. */
const signers = new Map<string, Ed25519Signer>();

export function signerOf(seed: Uint8Array): Ed25519Signer {
  const name = Buffer.from(seed).toString("hex");
  const signer = signers.get(name) ?? ed25519Signer(seed);
  signers.set(name, signer);
  return signer;
}

export function makeChain(
  validators = 4,
  params: Partial<ChainParams> = {},
  changes: Partial<Genesis> = {},
): TestChain {
  const seeds = Array.from({ length: validators }, (_, i) => new Uint8Array(32).fill(i + 1));
  const genesis: Genesis = {
    chainId: "runner-test",
    genesisTime: timeFromMs(GENESIS_MS),
    initialHeight: 1,
    execution: "none",
    evmChainId: 0,
    elGenesisHash: ZERO32,
    anchorNumber: 0,
    anchorHash: ZERO32,
    depositContractAddress: new Uint8Array(20),
    params: { ...DEFAULT_PARAMS, blockIntervalMs: 0, ...params },
    validators: seeds.map((seed, i) => ({
      pubKey: signerOf(seed).publicKey,
      power: 10n,
      name: `v${i}`,
      owner: new Uint8Array(20).fill(i + 1),
    })),
    upgrades: [],
    ...changes,
  };
  const start = stateFromGenesis(genesis);
  const ordered = start.validators.validators.map(({ address }) => {
    const seed = seeds.find((each) => bytesEqual(addressOf(signerOf(each).publicKey), address));
    if (seed === undefined) throw new Error("a validator without a key");
    return seed;
  });
  return {
    genesis,
    start,
    keys: { seeds: ordered, addresses: start.validators.validators.map(({ address }) => address) },
  };
}

/** As block sync hands on a block on `before` that it verified. */
export function syncedBlock(before: ChainState, made: MadeBlock, commit: Commit): SyncedBlock {
  return { ...made, commit, state: applyBlock(before, made.block, made.blockId) };
}

/** Index of the proposer of a round of the height after `state`. */
export function proposerIndex(state: ChainState, round: number): number {
  const { address } = proposerOf(state.validators, round);
  return state.validators.validators.findIndex((each) => bytesEqual(each.address, address));
}

export function nextBlock(
  state: ChainState,
  lastCommit: Commit | null,
  options: {
    readonly round?: number;
    readonly txs?: readonly Uint8Array[];
    readonly time?: Time;
    readonly evidence?: readonly Evidence[];
    readonly change?: (block: Block) => Block;
  } = {},
): MadeBlock {
  const made = makeBlock(state, {
    time: options.time ?? earliestTime(state),
    txs: [encodeEnvelope({ version: 0 }), ...(options.txs ?? [])],
    proposerAddress: proposerOf(state.validators, options.round ?? 0).address,
    lastCommit,
    evidence: options.evidence ?? [],
  });
  const block = options.change === undefined ? made : options.change(made);
  const bytes = encodeBlock(block);
  return { block, bytes, blockId: blockIdOf(block, bytes) };
}

/** Signs as validators of one height; everything it makes is valid unless a test changes it. */
export class Signers {
  private readonly chain: TestChain;
  private readonly state: ChainState;

  constructor(chain: TestChain, state: ChainState) {
    this.chain = chain;
    this.state = state;
  }

  vote(index: number, type: VoteType, round: number, blockId: BlockId | null, ms = 1): Vote {
    const height = this.state.lastHeight + 1;
    const unsigned = { type, height, round, blockId, timestamp: timeFromMs(GENESIS_MS + ms) };
    return {
      ...unsigned,
      validatorIndex: index,
      validatorAddress: this.address(index),
      signature: signerOf(this.seed(index)).sign(voteSignBytes(this.chain.genesis.chainId, unsigned)),
    };
  }

  proposal(block: MadeBlock, round = 0, polRound = -1): Proposal {
    const unsigned = {
      height: this.state.lastHeight + 1,
      round,
      polRound,
      blockId: block.blockId,
      timestamp: block.block.header.time,
    };
    const seed = this.seed(proposerIndex(this.state, round));
    return {
      ...unsigned,
      signature: signerOf(seed).sign(proposalSignBytes(this.chain.genesis.chainId, unsigned)),
    };
  }

  certificate(
    type: VoteType,
    round: number,
    blockId: BlockId | null,
    indexes: readonly number[],
  ): Certificate {
    return certificateFromVotes(indexes.map((index) => this.vote(index, type, round, blockId)));
  }

  commit(round: number, blockId: BlockId, indexes: readonly number[]): Commit {
    const height = this.state.lastHeight + 1;
    const signatures = this.state.validators.validators.map((_, index) => {
      if (!indexes.includes(index)) {
        const nothing = new Uint8Array();
        return {
          flag: CommitFlag.absent,
          validatorAddress: nothing,
          timestamp: ZERO_TIME,
          signature: nothing,
        };
      }
      const { validatorAddress, timestamp, signature } = this.vote(index, VoteType.precommit, round, blockId);
      return { flag: CommitFlag.commit, validatorAddress, timestamp, signature };
    });
    return { height, round, blockId, signatures };
  }

  private seed(index: number): Uint8Array {
    const { seeds, addresses } = this.chain.keys;
    const address = this.address(index);
    const seed = seeds[addresses.findIndex((each) => bytesEqual(each, address))];
    if (seed === undefined) throw new Error(`no key of validator ${index}`);
    return seed;
  }

  /** Indexes are those of the set of this height, which a conviction makes smaller. */
  private address(index: number): Uint8Array {
    const validator = this.state.validators.validators[index];
    if (validator === undefined) throw new Error(`no validator ${index}`);
    return validator.address;
  }
}

/** `count` decided blocks on genesis, all validators signing. */
export function decidedChain(
  chain: TestChain,
  count: number,
): readonly { readonly made: MadeBlock; readonly commit: Commit; readonly state: ChainState }[] {
  const everybody = chain.keys.seeds.map((_, index) => index);
  const blocks: { made: MadeBlock; commit: Commit; state: ChainState }[] = [];
  let state = chain.start;
  let lastCommit: Commit | null = null;
  for (let i = 0; i < count; i++) {
    const made = nextBlock(state, lastCommit, { txs: [new Uint8Array([i & 255, i >> 8])] });
    const commit = new Signers(chain, state).commit(0, made.blockId, everybody);
    state = applyBlock(state, made.block, made.blockId);
    blocks.push({ made, commit, state });
    lastCommit = commit;
  }
  return blocks;
}
