/**
 * Every rule of the chain that a block must keep, each with its own code. Pure: a verdict depends on the state, the block
 * and, for its evidence, the chain's past. What is left to ask: the signatures (returned), the proposer's turn
 * (`validateProposer`), timeliness (`isTimely`), and execution (the EL's newPayload).
 */
import type { SignatureCheck } from "@quorate/crypto";
import { bytesEqual, toHexUpper } from "@quorate/crypto";
import { blockIdEquals } from "../block-id.ts";
import { commitChecks } from "../commit/verify.ts";
import { encodeBlock } from "../encoding/block.ts";
import { decodeEnvelope } from "../envelope.ts";
import { ChainError } from "../errors.ts";
import { evidenceHeight } from "../evidence/age.ts";
import { type ChainPast, evidenceListSize, judgeDuplicateVote, NO_PAST } from "../evidence/judge.ts";
import { commitHash, dataHash, evidenceHash } from "../hash/hashes.ts";
import { envelopeVersionAt } from "../params/params.ts";
import type { Block, ChainState, EnvelopeV1, Round } from "../types.ts";
import { proposerOf, validatorByAddress } from "../validators/set.ts";
import {
  earliestTime,
  feeRecipient,
  floorSeconds,
  NS_PER_MS,
  nextWithdrawals,
  payloadTimestamp,
  prevRandao,
} from "./attributes.ts";
import { expectedHeader } from "./block.ts";

/** First byte of an EIP-4844 transaction. */
const BLOB_TX_TYPE = 0x03;

/**
 * Checks `block` as the block of height `state.lastHeight + 1`.
 *
 * @param encodedBytes length of the encoded block where the caller knows it; otherwise it is encoded to find out.
 * @param past the decided heights that the block's evidence is of; without them a block with evidence is refused.
 * @returns the checks of every signature in its last commit and its evidence; the block is valid only if all hold.
 * @throws ChainError with a code per rule: `BAD_VERSION`, `BAD_CHAIN_ID`, `BAD_HEIGHT`, `BAD_LAST_BLOCK_ID`,
 *   `BAD_TIME`, `BAD_TIME_GRANULARITY`, `BAD_LAST_COMMIT_HASH`, `BAD_LAST_COMMIT`, `BAD_DATA_HASH`,
 *   `BAD_VALIDATORS_HASH`, `BAD_NEXT_VALIDATORS_HASH`, `BAD_CONSENSUS_HASH`, `BAD_APP_HASH`, `BAD_LAST_RESULTS_HASH`,
 *   `BAD_EVIDENCE_HASH`, `BAD_EVIDENCE`, `BAD_PROPOSER`, `BLOCK_TOO_LARGE`, and for the execution envelope
 *   `ENVELOPE_MISSING`, `ENVELOPE_VERSION`, `ENVELOPE_PARENT`, `ENVELOPE_NUMBER`, `ENVELOPE_TIMESTAMP`,
 *   `ENVELOPE_PREV_RANDAO`, `ENVELOPE_FEE_RECIPIENT`, `ENVELOPE_GAS_LIMIT`, `ENVELOPE_GAS_USED`,
 *   `ENVELOPE_WITHDRAWALS`, `ENVELOPE_BLOBS`, `BAD_TRANSACTION`, `DECODE`.
 */
export function validateBlock(
  state: ChainState,
  block: Block,
  encodedBytes?: number,
  past: ChainPast = NO_PAST,
): readonly SignatureCheck[] {
  checkHeader(state, block);
  checkBody(state, block);
  const evidenceChecks = checkEvidence(state, block, past);
  checkExecution(state, block);
  const size = encodedBytes ?? encodeBlock(block).length;
  if (size > state.params.maxBlockBytes) {
    throw refuse(
      block,
      "BLOCK_TOO_LARGE",
      `has ${size} bytes, at most ${state.params.maxBlockBytes} are allowed`,
    );
  }
  return [...lastCommitChecks(state, block), ...evidenceChecks];
}

/**
 * Is the block's proposer the one whose turn it is in `round`? A block proposed anew (`polRound` -1) must come from the
 * proposer of (height, round); a re-proposed one keeps its first proposer, of whom only membership is asked.
 * @throws ChainError `BAD_PROPOSER`.
 */
export function validateProposer(state: ChainState, block: Block, round: Round, polRound: Round): void {
  const { proposerAddress } = block.header;
  if (validatorByAddress(state.validators, proposerAddress) === null) {
    throw refuse(block, "BAD_PROPOSER", "is proposed by someone outside the validator set");
  }
  if (polRound < 0 && !bytesEqual(proposerOf(state.validators, round).address, proposerAddress)) {
    throw refuse(block, "BAD_PROPOSER", `is proposed by another validator than that of round ${round}`);
  }
}

function checkHeader(state: ChainState, block: Block): void {
  const { header } = block;
  const expected = expectedHeader(state);
  if (header.version.block !== expected.version.block || header.version.app !== expected.version.app) {
    throw refuse(
      block,
      "BAD_VERSION",
      `has version ${header.version.block}/${header.version.app} instead of ${expected.version.block}/${expected.version.app}`,
    );
  }
  if (header.chainId !== expected.chainId) throw refuse(block, "BAD_CHAIN_ID", "is of another chain id");
  if (header.height !== expected.height) {
    throw refuse(block, "BAD_HEIGHT", `follows height ${state.lastHeight}, not ${header.height - 1}`);
  }
  if (!blockIdEquals(header.lastBlockId, expected.lastBlockId)) {
    throw refuse(block, "BAD_LAST_BLOCK_ID", "does not link to the last block");
  }
  if (header.time % NS_PER_MS !== 0n) {
    throw refuse(block, "BAD_TIME_GRANULARITY", "has a time that is no whole millisecond");
  }
  const earliest = earliestTime(state);
  if (header.time < earliest) {
    const early = (earliest - header.time) / NS_PER_MS;
    throw refuse(block, "BAD_TIME", `has a time ${early} ms before the earliest that its height may have`);
  }
  const same = (code: string, name: string, found: Uint8Array, wanted: Uint8Array): void => {
    if (!bytesEqual(found, wanted)) throw refuse(block, code, `has another ${name} than the state`);
  };
  const { validatorsHash, nextValidatorsHash, consensusHash, appHash, lastResultsHash } = header;
  same("BAD_VALIDATORS_HASH", "validators hash", validatorsHash, expected.validatorsHash);
  same("BAD_NEXT_VALIDATORS_HASH", "next validators hash", nextValidatorsHash, expected.nextValidatorsHash);
  same("BAD_CONSENSUS_HASH", "consensus hash", consensusHash, expected.consensusHash);
  same("BAD_APP_HASH", "app hash", appHash, expected.appHash);
  same("BAD_LAST_RESULTS_HASH", "last results hash", lastResultsHash, expected.lastResultsHash);
  if (validatorByAddress(state.validators, header.proposerAddress) === null) {
    throw refuse(block, "BAD_PROPOSER", "is proposed by someone outside the validator set");
  }
}

function checkBody(state: ChainState, block: Block): void {
  const { header } = block;
  if (!bytesEqual(header.evidenceHash, evidenceHash(block.evidence))) {
    throw refuse(block, "BAD_EVIDENCE_HASH", "has an evidence hash that is not that of its evidence");
  }
  if (!bytesEqual(header.dataHash, dataHash(block.txs))) {
    throw refuse(block, "BAD_DATA_HASH", "has a data hash that is not that of its transactions");
  }
  if (!bytesEqual(header.lastCommitHash, commitHash(block.lastCommit))) {
    throw refuse(block, "BAD_LAST_COMMIT_HASH", "has a last-commit hash that is not that of its last commit");
  }
  const { lastCommit } = block;
  if (state.lastBlockId === null) {
    const empty =
      lastCommit.height === 0 &&
      lastCommit.round === 0 &&
      lastCommit.signatures.length === 0 &&
      lastCommit.blockId.hash.length === 0 &&
      lastCommit.blockId.parts.total === 0 &&
      lastCommit.blockId.parts.hash.length === 0;
    if (!empty) throw refuse(block, "BAD_LAST_COMMIT", "is the first block but carries a commit");
  }
}

/**
 * Evidence: double votes alone, each true against the chain's own past, young enough, of a validator that was not
 * convicted before and is not accused twice here, and all of it within `max_evidence_bytes`.
 */
function checkEvidence(state: ChainState, block: Block, past: ChainPast): readonly SignatureCheck[] {
  const size = evidenceListSize(block.evidence);
  if (size > state.params.maxEvidenceBytes) {
    throw refuse(
      block,
      "BAD_EVIDENCE",
      `carries ${size} bytes of evidence, at most ${state.params.maxEvidenceBytes} are allowed`,
    );
  }
  const accused = new Set<string>();
  return block.evidence.flatMap((evidence, index) => {
    const refused = (why: string): ChainError =>
      refuse(block, "BAD_EVIDENCE", `carries as evidence ${index} what is none: ${why}`);
    if (evidence.kind !== "duplicate_vote") throw refused("an attack on light clients stays out of blocks");
    const height = evidenceHeight(evidence);
    const then = past(height);
    if (then === null) throw refused(`its height ${height} is not one that was decided`);
    const address = toHexUpper(evidence.voteA.validatorAddress);
    if (accused.has(address)) throw refused(`validator ${address} is accused twice`);
    accused.add(address);
    try {
      return judgeDuplicateVote(state, evidence, then);
    } catch (error) {
      if (error instanceof ChainError) throw refused(error.message);
      throw error;
    }
  });
}

function lastCommitChecks(state: ChainState, block: Block): readonly SignatureCheck[] {
  if (state.lastBlockId === null || state.lastValidators === null) return [];
  try {
    return commitChecks(
      state.chainId,
      state.lastValidators,
      state.lastBlockId,
      state.lastHeight,
      block.lastCommit,
      "all",
    );
  } catch (cause) {
    if (!(cause instanceof ChainError)) throw cause;
    throw refuse(block, "BAD_LAST_COMMIT", `carries a bad last commit: ${cause.message}`);
  }
}

function checkExecution(state: ChainState, block: Block): void {
  const [first, ...transactions] = block.txs;
  if (first === undefined)
    throw refuse(block, "ENVELOPE_MISSING", "has no execution envelope as transaction 0");
  const envelope = decodeEnvelope(first);
  if (state.execution === "none") {
    if (envelope.version !== 0) {
      throw refuse(
        block,
        "ENVELOPE_VERSION",
        "carries an execution payload on a chain without execution client",
      );
    }
    return;
  }
  if (envelope.version !== envelopeVersionAt(state.params, payloadTimestamp(state, block.header.time))) {
    throw refuse(block, "ENVELOPE_VERSION", `has execution envelope version ${envelope.version}`);
  }
  checkPayload(state, block, envelope);
  for (const transaction of transactions) checkTransaction(block, transaction);
}

function checkPayload(state: ChainState, block: Block, envelope: EnvelopeV1): void {
  const { header } = block;
  if (!bytesEqual(envelope.parentHash, state.el.blockHash)) {
    throw refuse(block, "ENVELOPE_PARENT", "has a payload whose parent is not the last block's payload");
  }
  if (envelope.blockNumber !== header.height) {
    throw refuse(block, "ENVELOPE_NUMBER", `has a payload with block number ${envelope.blockNumber}`);
  }
  const timestamp = payloadTimestamp(state, header.time);
  if (
    envelope.timestamp !== timestamp ||
    timestamp - floorSeconds(header.time) > state.params.maxElTimeDriftS
  ) {
    throw refuse(
      block,
      "ENVELOPE_TIMESTAMP",
      `has a payload of timestamp ${envelope.timestamp} instead of ${timestamp}`,
    );
  }
  if (!bytesEqual(envelope.prevRandao, prevRandao(state))) {
    throw refuse(
      block,
      "ENVELOPE_PREV_RANDAO",
      "has a payload with another prevRandao than follows from its parent",
    );
  }
  if (!bytesEqual(envelope.feeRecipient, feeRecipient(state, header.proposerAddress))) {
    throw refuse(
      block,
      "ENVELOPE_FEE_RECIPIENT",
      "has a payload whose fee recipient is not its proposer's owner",
    );
  }
  checkGas(state, block, envelope);
  if (!sameWithdrawals(state, envelope)) {
    throw refuse(block, "ENVELOPE_WITHDRAWALS", "has a payload with withdrawals that nobody is owed");
  }
  if (envelope.blobGasUsed !== 0n) throw refuse(block, "ENVELOPE_BLOBS", "has a payload that uses blob gas");
}

/** The gas limit lies between the parent's and the param's: the EL steps it toward the param. */
function checkGas(state: ChainState, block: Block, envelope: EnvelopeV1): void {
  const parent = state.el.gasLimit;
  const target = BigInt(state.params.gasLimit);
  const [low, high] = parent < target ? [parent, target] : [target, parent];
  if (envelope.gasLimit < low || envelope.gasLimit > high) {
    throw refuse(
      block,
      "ENVELOPE_GAS_LIMIT",
      `has a payload with gas limit ${envelope.gasLimit}, allowed are ${low} to ${high}`,
    );
  }
  if (envelope.gasUsed > envelope.gasLimit) {
    throw refuse(block, "ENVELOPE_GAS_USED", "has a payload that uses more gas than its limit");
  }
}

function sameWithdrawals(state: ChainState, envelope: EnvelopeV1): boolean {
  const owed = nextWithdrawals(state);
  return (
    owed.length === envelope.withdrawals.length &&
    owed.every((due, i) => {
      const paid = envelope.withdrawals[i];
      return (
        paid !== undefined &&
        paid.index === due.index &&
        paid.validatorIndex === due.validatorIndex &&
        paid.amountGwei === due.amountGwei &&
        bytesEqual(paid.address, due.address)
      );
    })
  );
}

function checkTransaction(block: Block, transaction: Uint8Array): void {
  const type = transaction[0];
  if (type === undefined) throw refuse(block, "BAD_TRANSACTION", "carries an empty transaction");
  if (type === BLOB_TX_TYPE) throw refuse(block, "ENVELOPE_BLOBS", "carries a blob transaction");
}

function refuse(block: Block, code: string, what: string): ChainError {
  return new ChainError(code, `block ${block.header.height} ${what}`, { height: block.header.height });
}
