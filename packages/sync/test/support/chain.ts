import {
  applyBlock,
  type BlockId,
  blockIdOf,
  type ChainState,
  type Commit,
  CommitFlag,
  DEFAULT_PARAMS,
  type Evidence,
  earliestTime,
  encodeBlock,
  encodeCommit,
  encodeEnvelope,
  type Genesis,
  type Height,
  makeBlock,
  makeDuplicateVoteEvidence,
  stateFromGenesis,
  type Time,
  timeFromMs,
  type Vote,
  VoteType,
  voteSignBytes,
} from "@quorate/chain";
import { addressOf, compareBytes, ed25519PublicKey, ed25519Sign } from "@quorate/crypto";

export interface Served {
  readonly height: Height;
  readonly block: Uint8Array;
  readonly commit: Uint8Array;
}

/** A chain without EL whose four validators sign every block. */
export interface TestChain {
  readonly genesis: ChainState;
  /** State after each height, genesis first. */
  readonly states: readonly ChainState[];
  /** `blocks[0]` is height 1. */
  readonly blocks: readonly Served[];
}

const SEEDS = [1, 2, 3, 4].map((byte) => new Uint8Array(32).fill(byte));

export function testChain(
  length: number,
  name = "sync-test",
  evidenceAt: (height: Height, states: readonly ChainState[]) => readonly Evidence[] = () => [],
): TestChain {
  const genesis = stateFromGenesis(testGenesis(name));
  const states = [genesis];
  const blocks: Served[] = [];
  let state = genesis;
  let lastCommit: Commit | null = null;
  for (let height = 1; height <= length; height++) {
    const txs = [new Uint8Array([height & 255, height >> 8])];
    const made = nextBlock(state, lastCommit, txs, undefined, evidenceAt(height, states));
    blocks.push({ height, block: made.bytes, commit: encodeCommit(made.commit) });
    lastCommit = made.commit;
    state = made.state;
    states.push(state);
  }
  return { genesis, states, blocks };
}

/** A decided block on `state`; `forge` may change what is signed. */
export function nextBlock(
  state: ChainState,
  lastCommit: Commit | null,
  txs: readonly Uint8Array[],
  change: (block: ReturnType<typeof makeBlock>) => ReturnType<typeof makeBlock> = (block) => block,
  evidence: readonly Evidence[] = [],
): { readonly bytes: Uint8Array; readonly commit: Commit; readonly state: ChainState } {
  const block = change(
    makeBlock(state, {
      time: earliestTime(state),
      txs: [encodeEnvelope({ version: 0 }), ...txs],
      proposerAddress: state.validators.proposer.address,
      lastCommit,
      evidence,
    }),
  );
  const bytes = encodeBlock(block);
  const blockId = blockIdOf(block, bytes);
  return {
    bytes,
    commit: signCommit(state, block.header.height, blockId),
    state: applyBlock(state, block, blockId),
  };
}

/** Two precommits of a validator for the height after `state`, one of them for nil. `time`: that of its block. */
export function doubleVote(state: ChainState, time: Time): Evidence {
  const height = state.lastHeight + 1;
  const hash = new Uint8Array(32).fill(9);
  const vote = (blockId: BlockId | null): Vote => {
    const unsigned = { type: VoteType.precommit, height, round: 0, blockId, timestamp: time };
    const { address } = state.validators.validators[0]!;
    const signature = ed25519Sign(seedOf(address), voteSignBytes(state.chainId, unsigned));
    return { ...unsigned, validatorAddress: address, validatorIndex: 0, signature };
  };
  return makeDuplicateVoteEvidence(
    vote(null),
    vote({ hash, parts: { total: 1, hash } }),
    state.validators,
    time,
  );
}

function seedOf(address: Uint8Array): Uint8Array {
  return SEEDS.find((seed) => compareBytes(addressOf(ed25519PublicKey(seed)), address) === 0)!;
}

export function signCommit(state: ChainState, height: Height, blockId: BlockId): Commit {
  const signatures = state.validators.validators.map((validator, index) => {
    const timestamp = timeFromMs(1_800_000_000_000 + height * 1000 + index);
    const message = voteSignBytes(state.chainId, {
      type: VoteType.precommit,
      height,
      round: 0,
      blockId,
      timestamp,
    });
    return {
      flag: CommitFlag.commit,
      validatorAddress: validator.address,
      timestamp,
      signature: ed25519Sign(seedOf(validator.address), message),
    };
  });
  return { height, round: 0, blockId, signatures };
}

function testGenesis(chainId: string): Genesis {
  return {
    chainId,
    genesisTime: timeFromMs(1_700_000_000_000),
    initialHeight: 1,
    execution: "none",
    evmChainId: 0,
    elGenesisHash: new Uint8Array(32),
    anchorNumber: 0,
    anchorHash: new Uint8Array(32),
    depositContractAddress: new Uint8Array(20),
    params: DEFAULT_PARAMS,
    validators: SEEDS.map((seed, index) => ({
      pubKey: ed25519PublicKey(seed),
      power: 10n,
      name: `v${index}`,
      owner: new Uint8Array(20).fill(index + 1),
    })),
    upgrades: [],
  };
}
