/** From the model's values to the product's, and what the product takes of them by design. */
import type {
  BlockId,
  Commit,
  CommitFlag,
  Header,
  MerkleProof,
  Proposal,
  Time,
  Validator,
  ValidatorSet,
  Vote,
  VoteType,
} from "@quorate/chain";
import { ChainError } from "@quorate/chain";
import { CryptoError } from "@quorate/crypto";
import { fail } from "../case.ts";
import * as basic from "../model/basic.ts";
import * as values from "../model/values.ts";
import { totalPower } from "../model/verify.ts";

const MAX_HEIGHT = BigInt(Number.MAX_SAFE_INTEGER);
const MAX_ROUND = 2n ** 31n - 1n;

/** Whether a height is a number that the product takes: 0 .. 2^53-1. */
export const representable = (height: bigint): boolean => height >= 0n && height <= MAX_HEIGHT;

export const time = (value: values.Timestamp): Time => values.nanoseconds(value);

export const blockId = (id: values.BlockId): BlockId | null => (values.isNil(id) ? null : someBlockId(id));
export const someBlockId = (id: values.BlockId): BlockId => ({
  hash: id.hash,
  parts: { total: Number(id.total), hash: id.partsHash },
});

export const vote = (value: values.Vote): Vote => ({
  type: value.type as VoteType,
  height: Number(value.height),
  round: Number(value.round),
  blockId: blockId(value.blockId),
  timestamp: time(value.timestamp),
  validatorAddress: value.address,
  validatorIndex: Number(value.index),
  signature: value.signature,
});

export const proposal = (value: values.Proposal): Proposal => ({
  height: Number(value.height),
  round: Number(value.round),
  polRound: Number(value.polRound),
  blockId: someBlockId(value.blockId),
  timestamp: time(value.timestamp),
  signature: value.signature,
});

export const commit = (value: values.Commit): Commit => ({
  height: Number(value.height),
  round: Number(value.round),
  blockId: someBlockId(value.blockId),
  signatures: value.signatures.map((sig) => ({
    flag: sig.flag as CommitFlag,
    validatorAddress: sig.address,
    timestamp: time(sig.timestamp),
    signature: sig.signature,
  })),
});

export const header = (value: values.Header): Header => ({
  version: { block: value.versionBlock, app: value.versionApp },
  chainId: value.chainId,
  height: Number(value.height),
  time: time(value.time),
  lastBlockId: blockId(value.lastBlockId),
  lastCommitHash: value.lastCommitHash,
  dataHash: value.dataHash,
  validatorsHash: value.validatorsHash,
  nextValidatorsHash: value.nextValidatorsHash,
  consensusHash: value.consensusHash,
  appHash: value.appHash,
  lastResultsHash: value.lastResultsHash,
  evidenceHash: value.evidenceHash,
  proposerAddress: value.proposerAddress,
});

export const proof = (value: values.Proof): MerkleProof => ({
  total: Number(value.total),
  index: Number(value.index),
  leafHash: value.leafHash,
  aunts: value.aunts,
});

export const validator = (value: values.Validator): Validator => ({ ...value });

/** A set as given, its validators in set order; which one proposes only the library's own fields can say. */
export function setOf(validators: readonly values.Validator[], proposer = validators[0]): ValidatorSet {
  if (proposer === undefined) throw new TypeError("a validator set without validators");
  return {
    validators: validators.map(validator),
    proposer: validator(proposer),
    totalPower: totalPower(validators),
  };
}

const fitsTime = (value: values.Timestamp): boolean => basic.timeReason(value) === null;
const fitsId = (id: values.BlockId): boolean => values.isNil(id) || values.isComplete(id);

/**
 * What the product takes beyond CometBFT's basic validity: heights to 2^53-1, signatures of 64 bytes, block ids complete
 * or nil, times that have a text, no vote extensions.
 */
export const takes = {
  vote: (value: values.Vote): boolean =>
    basic.vote(value) === null &&
    representable(value.height) &&
    value.round <= MAX_ROUND &&
    value.index <= MAX_ROUND &&
    value.signature.length === 64 &&
    value.extension.length === 0 &&
    value.extensionSignature.length === 0 &&
    fitsTime(value.timestamp),
  proposal: (value: values.Proposal): boolean =>
    basic.proposal(value) === null &&
    value.height >= 1n &&
    representable(value.height) &&
    value.round <= MAX_ROUND &&
    // A proof-of-lock round is an earlier round; CometBFT compares that later.
    value.polRound < value.round &&
    value.signature.length === 64 &&
    fitsTime(value.timestamp),
  commit: (value: values.Commit): boolean => {
    if (basic.commit(value) !== null || !representable(value.height)) return false;
    if (value.height === 0n) {
      return value.round === 0n && value.signatures.length === 0 && values.isNil(value.blockId);
    }
    return (
      value.round <= MAX_ROUND &&
      values.isComplete(value.blockId) &&
      value.signatures.every(
        (sig) => fitsTime(sig.timestamp) && (sig.flag === 1 || sig.signature.length === 64),
      )
    );
  },
  header: (value: values.Header): boolean =>
    basic.header(value) === null &&
    representable(value.height) &&
    fitsTime(value.time) &&
    fitsId(value.lastBlockId) &&
    value.appHash.length <= 1024,
};

const isTyped = (error: unknown): boolean => error instanceof ChainError || error instanceof CryptoError;

/** Runs code of the product that must refuse, with one of its own errors. */
export function refused(what: string, run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (isTyped(error)) return;
    fail(`${what}: the product threw ${String(error)} instead of one of its own errors`);
  }
  fail(`${what}: the product takes it`);
}

/** {@link refused} of an asynchronous answer. */
export async function refusedLater(what: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (isTyped(error)) return;
    fail(`${what}: the product threw ${String(error)} instead of one of its own errors`);
  }
  fail(`${what}: the product takes it`);
}

/** The stable reason of a product's refusal, or null when it took the value. */
export function reasonOf(what: string, run: () => unknown): string | null {
  try {
    run();
    return null;
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
    const { reason } = error.facts;
    return typeof reason === "string" ? reason : fail(`${what}: refused without a reason: ${error.message}`);
  }
}

/** What a decoder of the product says against some bytes, or null when it takes them. */
export function reasonOfDecoding(run: () => unknown): string | null {
  try {
    run();
    return null;
  } catch (error) {
    if (isTyped(error)) return (error as Error).message;
    throw error;
  }
}
