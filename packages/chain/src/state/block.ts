/** Making a block and applying one: the two ends of the chain's state transition. */
import { EMPTY_COMMIT } from "../encoding/commit.ts";
import { decodeEnvelope } from "../envelope.ts";
import { ChainError } from "../errors.ts";
import { commitHash, consensusParamsHash, dataHash, evidenceHash, validatorsHash } from "../hash/hashes.ts";
import { BLOCK_PROTOCOL } from "../limits.ts";
import { withParams } from "../params/params.ts";
import type {
  Address,
  Block,
  BlockId,
  ChainParams,
  ChainState,
  Commit,
  ElHead,
  Evidence,
  Hash,
  Header,
  Time,
  ValidatorSet,
} from "../types.ts";
import { incrementProposerPriority } from "../validators/set.ts";
import { appHashOf } from "./app-hash.ts";
import { floorSeconds } from "./attributes.ts";
import { remembered } from "./memo.ts";

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

const validatorsHashOf = remembered<ValidatorSet, Hash>(validatorsHash);
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
  const el = elHeadOf(state, block);
  const upgrade = state.upgrades.find((candidate) => candidate.height === header.height + 1);
  const params = upgrade === undefined ? state.params : withParams(state.params, upgrade.params);
  const validators = state.nextValidators;
  const { registry } = state;
  return {
    ...state,
    lastHeight: header.height,
    lastBlockId: blockId,
    lastTime: header.time,
    lastValidators: state.validators,
    validators,
    nextValidators: incrementProposerPriority(validators, 1),
    params,
    appVersion: upgrade === undefined ? state.appVersion : BigInt(upgrade.appVersion),
    appHash: appHashOf({ elHash: el.blockHash, registry, params, validators }),
    el,
  };
}

function elHeadOf(state: ChainState, block: Block): ElHead {
  const { header } = block;
  if (state.execution === "none") {
    return {
      blockHash: header.dataHash,
      number: header.height,
      timestamp: floorSeconds(header.time),
      gasLimit: state.el.gasLimit,
    };
  }
  const first = block.txs[0];
  const envelope = first === undefined ? null : decodeEnvelope(first);
  if (envelope?.version !== 1) {
    throw new ChainError("ENVELOPE_VERSION", `block ${header.height} carries no execution payload`, {
      height: header.height,
    });
  }
  return {
    blockHash: envelope.blockHash,
    number: envelope.blockNumber,
    timestamp: envelope.timestamp,
    gasLimit: envelope.gasLimit,
  };
}
