/** Making a block and applying one: the two ends of the chain's state transition. */
import { EMPTY_COMMIT } from "../encoding/commit.ts";
import { decodeEnvelope } from "../envelope.ts";
import { ChainError } from "../errors.ts";
import { commitHash, consensusParamsHash, dataHash, evidenceHash, validatorsHash } from "../hash/hashes.ts";
import { BLOCK_PROTOCOL } from "../limits.ts";
import { remembered, rememberedByMembers } from "../memo.ts";
import { applyRegistry, powerChanges } from "../registry/apply.ts";
import { registryEntryByAddress } from "../registry/registry.ts";
import { rulesAt } from "../registry/schedule.ts";
import { timeToMs } from "../time.ts";
import type {
  Address,
  Block,
  BlockId,
  ChainParams,
  ChainState,
  Commit,
  ElHead,
  EnvelopeV1,
  Evidence,
  Hash,
  Header,
  Time,
} from "../types.ts";
import { incrementProposerPriority, updateValidatorSet } from "../validators/set.ts";
import { appHashOf } from "./app-hash.ts";
import { floorSeconds } from "./attributes.ts";

export interface BlockContent {
  /** Whole milliseconds, at least {@link earliestTime}. */
  readonly time: Time;
  /** Envelope first. */
  readonly txs: readonly Uint8Array[];
  readonly proposerAddress: Address;
  /** Commit of the last block; ignored for the first one, which carries the empty commit. */
  readonly lastCommit: Commit | null;
  readonly evidence: readonly Evidence[];
}

const validatorsHashOf = rememberedByMembers<Hash>(validatorsHash);
const consensusHashOf = remembered<ChainParams, Hash>((params) =>
  consensusParamsHash({ maxBytes: BigInt(params.maxBlockBytes), maxGas: -1n }),
);

/** The header fields of the next block that follow from the state alone. */
export function expectedHeader(
  state: ChainState,
): Omit<Header, "time" | "proposerAddress" | "lastCommitHash" | "dataHash" | "evidenceHash"> {
  return {
    version: { block: BLOCK_PROTOCOL, app: state.appVersion },
    chainId: state.chainId,
    height: state.lastHeight + 1,
    lastBlockId: state.lastBlockId,
    validatorsHash: validatorsHashOf(state.validators),
    nextValidatorsHash: validatorsHashOf(state.nextValidators),
    consensusHash: consensusHashOf(state.params),
    appHash: state.appHash,
    lastResultsHash: NO_RESULTS,
  };
}

/** Root of the empty list: execution results live in the EL. */
const NO_RESULTS: Hash = evidenceHash([]);

/** The next block with this content. What it makes of valid content passes `validateBlock`. */
export function makeBlock(state: ChainState, content: BlockContent): Block {
  const lastCommit = state.lastBlockId === null ? EMPTY_COMMIT : content.lastCommit;
  if (lastCommit === null) {
    throw new ChainError("BAD_LAST_COMMIT", "a block after the first needs the commit of the last block", {
      height: state.lastHeight + 1,
    });
  }
  return {
    header: {
      ...expectedHeader(state),
      time: content.time,
      lastCommitHash: commitHash(lastCommit),
      dataHash: dataHash(content.txs),
      evidenceHash: evidenceHash(content.evidence),
      proposerAddress: content.proposerAddress,
    },
    txs: content.txs,
    evidence: content.evidence,
    lastCommit,
  };
}

/**
 * The state after a decided block. Pure; the block must have passed `validateBlock` against `state`.
 * @throws ChainError `BAD_HEIGHT` for another height, `DECODE` for a block without an envelope.
 */
export function applyBlock(state: ChainState, block: Block, blockId: BlockId): ChainState {
  const { header } = block;
  if (header.height !== state.lastHeight + 1) {
    throw new ChainError(
      "BAD_HEIGHT",
      `block ${header.height} cannot be applied after ${state.lastHeight}; apply ${state.lastHeight + 1} first`,
      { height: header.height, lastHeight: state.lastHeight },
    );
  }
  const envelope = envelopeOf(state, block);
  const el = elHeadOf(state, block, envelope);
  const validators = state.nextValidators;
  const changed = applyRegistry(state.registry, {
    chainId: state.chainId,
    elGenesisHash: state.elGenesisHash,
    height: header.height,
    lastTimeMs: timeToMs(state.lastTime),
    timeMs: timeToMs(header.time),
    params: state.params,
    appVersion: state.appVersion,
    upgrades: state.upgrades,
    totalPower: validators.totalPower,
    offenders: offendersOf(state, block),
    requests: envelope?.executionRequests ?? [],
  });
  const nextValidators = updateValidatorSet(validators, powerChanges(state.registry, changed));
  const { params, appVersion, registry } = rulesAt(
    { params: state.params, appVersion: state.appVersion, registry: changed },
    state.upgrades,
    header.height + 1,
  );
  return {
    ...state,
    lastHeight: header.height,
    lastBlockId: blockId,
    lastTime: header.time,
    lastValidators: state.validators,
    validators,
    nextValidators: incrementProposerPriority(nextValidators, 1),
    params,
    appVersion,
    appHash: appHashOf({ elHash: el.blockHash, registry, params, validators }),
    el,
    registry,
  };
}

/** Keys that the evidence of a block convicts: those of duplicate votes. Attacks on light clients are kept, no more. */
function offendersOf(state: ChainState, block: Block): readonly Uint8Array[] {
  return block.evidence.flatMap((evidence) => {
    if (evidence.kind !== "duplicate_vote") return [];
    const entry = registryEntryByAddress(state.registry, evidence.voteA.validatorAddress);
    return entry === null ? [] : [entry.pubKey];
  });
}

/** Null on a chain without an execution client. */
function envelopeOf(state: ChainState, block: Block): EnvelopeV1 | null {
  if (state.execution === "none") return null;
  const first = block.txs[0];
  const envelope = first === undefined ? null : decodeEnvelope(first);
  if (envelope?.version !== 1) {
    throw new ChainError("ENVELOPE_VERSION", `block ${block.header.height} carries no execution payload`, {
      height: block.header.height,
    });
  }
  return envelope;
}

function elHeadOf(state: ChainState, block: Block, envelope: EnvelopeV1 | null): ElHead {
  const { header } = block;
  if (envelope === null) {
    return {
      blockHash: header.dataHash,
      number: header.height,
      timestamp: floorSeconds(header.time),
      gasLimit: state.el.gasLimit,
    };
  }
  return {
    blockHash: envelope.blockHash,
    number: envelope.blockNumber,
    timestamp: envelope.timestamp,
    gasLimit: envelope.gasLimit,
  };
}
