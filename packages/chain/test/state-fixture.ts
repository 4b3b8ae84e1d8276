/** A chain in memory for the tests of the state half: deterministic keys, real signatures, no execution client. */
import {
  applyBlock,
  type Block,
  type BlockId,
  blockIdOf,
  type ChainParams,
  type ChainState,
  type Commit,
  CommitFlag,
  DEFAULT_PARAMS,
  type EnvelopeV1,
  type Evidence,
  earliestTime,
  encodeBlock,
  encodeEnvelope,
  type Genesis,
  makeBlock,
  NO_EXECUTION,
  payloadAttributes,
  proposerOf,
  stateFromGenesis,
  type Time,
  timeFromMs,
  VoteType,
  voteSignBytes,
} from "@quorate/chain";
import { addressOf, ed25519PublicKey, ed25519Sign, sha256, toHex, utf8Encode } from "@quorate/crypto";

export const GENESIS_TIME: Time = timeFromMs(1_767_225_600_250);

export interface Fixture {
  readonly genesis: Genesis;
  /** Seeds by address in hex. */
  readonly seeds: ReadonlyMap<string, Uint8Array>;
}

export function makeFixture(
  execution: Genesis["execution"],
  options: {
    readonly powers?: readonly bigint[];
    readonly params?: Partial<ChainParams>;
    readonly upgrades?: Genesis["upgrades"];
    readonly initialHeight?: number;
  } = {},
): Fixture {
  const powers = options.powers ?? [10n, 10n, 10n, 10n];
  const seeds = powers.map((_, i) => sha256(utf8Encode(`state fixture ${i}`)));
  const elGenesisHash = execution === "engine" ? new Uint8Array(32).fill(0xe1) : new Uint8Array(32);
  const initialHeight = options.initialHeight ?? 1;
  return {
    genesis: {
      chainId: "state-fixture",
      genesisTime: GENESIS_TIME,
      initialHeight,
      execution,
      evmChainId: execution === "engine" ? 1337 : 0,
      elGenesisHash,
      anchorNumber: initialHeight - 1,
      anchorHash: execution === "engine" && initialHeight > 1 ? new Uint8Array(32).fill(0xa7) : elGenesisHash,
      depositContractAddress: new Uint8Array(20).fill(execution === "engine" ? 0xdc : 0),
      params: { ...DEFAULT_PARAMS, ...options.params },
      validators: powers.map((power, i) => ({
        pubKey: ed25519PublicKey(seeds[i]!),
        power,
        name: `node${i}`,
        owner: new Uint8Array(20).fill(execution === "engine" ? i + 1 : 0),
      })),
      upgrades: options.upgrades ?? [],
    },
    seeds: new Map(seeds.map((seed) => [toHex(addressOf(ed25519PublicKey(seed))), seed])),
  };
}

/** A payload that keeps every rule for the next block of `state`; the EL's own hashes are made up. */
export function envelopeFor(
  state: ChainState,
  time: Time,
  proposer: Uint8Array,
  changes: Partial<EnvelopeV1> = {},
): EnvelopeV1 {
  const attributes = payloadAttributes(state, time, proposer);
  const number = state.lastHeight + 1;
  return {
    version: 1,
    parentHash: state.el.blockHash,
    feeRecipient: attributes.suggestedFeeRecipient,
    stateRoot: sha256(utf8Encode(`state ${number}`)),
    receiptsRoot: sha256(utf8Encode(`receipts ${number}`)),
    logsBloom: new Uint8Array(256),
    prevRandao: attributes.prevRandao,
    blockNumber: number,
    gasLimit: state.el.gasLimit,
    gasUsed: 21_000n,
    timestamp: attributes.timestamp,
    extraData: utf8Encode("fixture"),
    baseFeePerGas: 1_000_000_000n,
    blockHash: sha256(utf8Encode(`el block ${number}`)),
    blobGasUsed: 0n,
    excessBlobGas: 0n,
    withdrawals: attributes.withdrawals,
    executionRequests: [],
    ...changes,
  };
}

/** The block that the proposer of round 0 would make. */
export function nextBlock(
  state: ChainState,
  lastCommit: Commit | null,
  options: {
    readonly time?: Time;
    readonly envelope?: Partial<EnvelopeV1>;
    readonly transactions?: readonly Uint8Array[];
    readonly evidence?: readonly Evidence[];
  } = {},
): Block {
  const time = options.time ?? earliestTime(state);
  const proposerAddress = proposerOf(state.validators, 0).address;
  const envelope =
    state.execution === "none"
      ? NO_EXECUTION
      : envelopeFor(state, time, proposerAddress, options.envelope ?? {});
  const transactions = options.transactions ?? [Uint8Array.of(0x02, 0xc0, state.lastHeight & 0xff)];
  return makeBlock(state, {
    time,
    txs: [encodeEnvelope(envelope), ...transactions],
    proposerAddress,
    lastCommit,
    evidence: options.evidence ?? [],
  });
}

export function idOf(block: Block): BlockId {
  return blockIdOf(block, encodeBlock(block));
}

/** Precommits for a block by the whole set that decides it; those of `absent` indexes are missing. */
export function commitFor(
  fixture: Fixture,
  state: ChainState,
  block: Block,
  blockId: BlockId,
  absent: ReadonlySet<number> = new Set(),
): Commit {
  const { height } = block.header;
  const signatures = state.validators.validators.map((validator, index) => {
    if (absent.has(index)) {
      return {
        flag: CommitFlag.absent,
        validatorAddress: new Uint8Array(0),
        timestamp: -62_135_596_800n * 1_000_000_000n,
        signature: new Uint8Array(0),
      };
    }
    const timestamp = block.header.time + BigInt(index + 1) * 1_000_000n;
    const vote = { type: VoteType.precommit, height, round: 0, blockId, timestamp };
    const seed = fixture.seeds.get(toHex(validator.address))!;
    return {
      flag: CommitFlag.commit,
      validatorAddress: validator.address,
      timestamp,
      signature: ed25519Sign(seed, voteSignBytes(state.chainId, vote)),
    };
  });
  return { height, round: 0, blockId, signatures };
}

export interface Tip {
  readonly state: ChainState;
  /** Commit for the last block; null before the first. */
  readonly commit: Commit | null;
}

/** The chain after `blocks` blocks. */
export function chainOf(fixture: Fixture, blocks: number): Tip {
  let tip: Tip = { state: stateFromGenesis(fixture.genesis), commit: null };
  for (let i = 0; i < blocks; i++) tip = advance(fixture, tip);
  return tip;
}

export function advance(fixture: Fixture, tip: Tip, block: Block = nextBlock(tip.state, tip.commit)): Tip {
  const blockId = idOf(block);
  return {
    state: applyBlock(tip.state, block, blockId),
    commit: commitFor(fixture, tip.state, block, blockId),
  };
}
