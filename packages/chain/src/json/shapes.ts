/**
 * The chain's values in CometBFT's JSON (libs/json of v0.38): 64-bit integers as decimal strings, hashes and addresses
 * in upper-case hex, other bytes in base64, times in RFC 3339.
 */
import { toHexUpper } from "@quorate/crypto";
import { formatTime } from "../time.ts";
import type {
  Block,
  BlockId,
  Commit,
  CommitSig,
  Evidence,
  Header,
  PartSetHeader,
  Proposal,
  SignedHeader,
  Validator,
  ValidatorSet,
  Vote,
} from "../types.ts";
import { toBase64 } from "./base64.ts";
import { type PublicKeyJson, publicKeyJson } from "./keys.ts";

export interface PartSetHeaderJson {
  readonly total: number;
  readonly hash: string;
}

export interface BlockIdJson {
  readonly hash: string;
  readonly parts: PartSetHeaderJson;
}

export interface HeaderJson {
  readonly version: { readonly block: string; readonly app?: string };
  readonly chain_id: string;
  readonly height: string;
  readonly time: string;
  readonly last_block_id: BlockIdJson;
  readonly last_commit_hash: string;
  readonly data_hash: string;
  readonly validators_hash: string;
  readonly next_validators_hash: string;
  readonly consensus_hash: string;
  readonly app_hash: string;
  readonly last_results_hash: string;
  readonly evidence_hash: string;
  readonly proposer_address: string;
}

export interface CommitSigJson {
  readonly block_id_flag: number;
  readonly validator_address: string;
  readonly timestamp: string;
  readonly signature: string | null;
}

export interface CommitJson {
  readonly height: string;
  readonly round: number;
  readonly block_id: BlockIdJson;
  readonly signatures: readonly CommitSigJson[];
}

export interface VoteJson {
  readonly type: number;
  readonly height: string;
  readonly round: number;
  readonly block_id: BlockIdJson;
  readonly timestamp: string;
  readonly validator_address: string;
  readonly validator_index: number;
  readonly signature: string | null;
  readonly extension: null;
  readonly extension_signature: null;
}

export interface ProposalJson {
  readonly Type: 32;
  readonly height: string;
  readonly round: number;
  readonly pol_round: number;
  readonly block_id: BlockIdJson;
  readonly timestamp: string;
  readonly signature: string | null;
}

export interface ValidatorJson {
  readonly address: string;
  readonly pub_key: PublicKeyJson;
  readonly voting_power: string;
  readonly proposer_priority: string;
}

export interface SignedHeaderJson {
  readonly header: HeaderJson;
  readonly commit: CommitJson;
}

export interface BlockJson {
  readonly header: HeaderJson;
  readonly data: { readonly txs: readonly string[] };
  readonly evidence: { readonly evidence: readonly unknown[] };
  readonly last_commit: CommitJson;
}

export interface BlockMetaJson {
  readonly block_id: BlockIdJson;
  readonly block_size: string;
  readonly header: HeaderJson;
  readonly num_txs: string;
}

const NIL_BLOCK_ID: BlockIdJson = { hash: "", parts: { total: 0, hash: "" } };

export function partSetHeaderJson(parts: PartSetHeader): PartSetHeaderJson {
  return { total: parts.total, hash: toHexUpper(parts.hash) };
}

/** `null` (nil) becomes CometBFT's zero block id. */
export function blockIdJson(id: BlockId | null): BlockIdJson {
  return id === null ? NIL_BLOCK_ID : { hash: toHexUpper(id.hash), parts: partSetHeaderJson(id.parts) };
}

export function headerJson(header: Header): HeaderJson {
  return {
    version: {
      block: String(header.version.block),
      ...(header.version.app === 0n ? {} : { app: String(header.version.app) }),
    },
    chain_id: header.chainId,
    height: String(header.height),
    time: formatTime(header.time),
    last_block_id: blockIdJson(header.lastBlockId),
    last_commit_hash: toHexUpper(header.lastCommitHash),
    data_hash: toHexUpper(header.dataHash),
    validators_hash: toHexUpper(header.validatorsHash),
    next_validators_hash: toHexUpper(header.nextValidatorsHash),
    consensus_hash: toHexUpper(header.consensusHash),
    app_hash: toHexUpper(header.appHash),
    last_results_hash: toHexUpper(header.lastResultsHash),
    evidence_hash: toHexUpper(header.evidenceHash),
    proposer_address: toHexUpper(header.proposerAddress),
  };
}

export function commitSigJson(signature: CommitSig): CommitSigJson {
  return {
    block_id_flag: signature.flag,
    validator_address: toHexUpper(signature.validatorAddress),
    timestamp: formatTime(signature.timestamp),
    signature: bytesJson(signature.signature),
  };
}

export function commitJson(commit: Commit): CommitJson {
  return {
    height: String(commit.height),
    round: commit.round,
    block_id: blockIdJson(commit.blockId),
    signatures: commit.signatures.map(commitSigJson),
  };
}

export function signedHeaderJson(signed: SignedHeader): SignedHeaderJson {
  return { header: headerJson(signed.header), commit: commitJson(signed.commit) };
}

export function voteJson(vote: Vote): VoteJson {
  return {
    type: vote.type,
    height: String(vote.height),
    round: vote.round,
    block_id: blockIdJson(vote.blockId),
    timestamp: formatTime(vote.timestamp),
    validator_address: toHexUpper(vote.validatorAddress),
    validator_index: vote.validatorIndex,
    signature: bytesJson(vote.signature),
    extension: null,
    extension_signature: null,
  };
}

export function proposalJson(proposal: Proposal): ProposalJson {
  return {
    Type: 32,
    height: String(proposal.height),
    round: proposal.round,
    pol_round: proposal.polRound,
    block_id: blockIdJson(proposal.blockId),
    timestamp: formatTime(proposal.timestamp),
    signature: bytesJson(proposal.signature),
  };
}

export function validatorJson(validator: Validator): ValidatorJson {
  return {
    address: toHexUpper(validator.address),
    pub_key: publicKeyJson(validator.pubKey),
    voting_power: String(validator.power),
    proposer_priority: String(validator.priority),
  };
}

/** A set as light-client evidence shows it: validators and proposer. */
export function validatorSetJson(set: ValidatorSet): {
  readonly validators: readonly ValidatorJson[];
  readonly proposer: ValidatorJson;
} {
  return { validators: set.validators.map(validatorJson), proposer: validatorJson(set.proposer) };
}

export function evidenceJson(evidence: Evidence): { readonly type: string; readonly value: unknown } {
  switch (evidence.kind) {
    case "duplicate_vote":
      return {
        type: "tendermint/DuplicateVoteEvidence",
        value: {
          vote_a: voteJson(evidence.voteA),
          vote_b: voteJson(evidence.voteB),
          TotalVotingPower: String(evidence.totalVotingPower),
          ValidatorPower: String(evidence.validatorPower),
          Timestamp: formatTime(evidence.timestamp),
        },
      };
    case "light_client_attack":
      return {
        type: "tendermint/LightClientAttackEvidence",
        value: {
          ConflictingBlock: {
            signed_header: signedHeaderJson(evidence.conflictingBlock.signedHeader),
            validator_set: validatorSetJson(evidence.conflictingBlock.validators),
          },
          CommonHeight: String(evidence.commonHeight),
          ByzantineValidators: evidence.byzantineValidators.map(validatorJson),
          TotalVotingPower: String(evidence.totalVotingPower),
          Timestamp: formatTime(evidence.timestamp),
        },
      };
  }
}

export function blockJson(block: Block): BlockJson {
  return {
    header: headerJson(block.header),
    data: { txs: block.txs.map(toBase64) },
    evidence: { evidence: block.evidence.map(evidenceJson) },
    last_commit: commitJson(block.lastCommit),
  };
}

/** `bytes`: length of the encoded block. The execution envelope is not counted as a transaction. */
export function blockMetaJson(block: Block, blockId: BlockId, bytes: number): BlockMetaJson {
  return {
    block_id: blockIdJson(blockId),
    block_size: String(bytes),
    header: headerJson(block.header),
    num_txs: String(Math.max(0, block.txs.length - 1)),
  };
}

/** Go writes a nil byte slice as null; signatures are nil when absent. */
function bytesJson(bytes: Uint8Array): string | null {
  return bytes.length === 0 ? null : toBase64(bytes);
}
