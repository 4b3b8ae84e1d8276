/** CometBFT v0.38's ValidateBasic of each value, in its order: the word for the first fault, or null. */
import * as merkle from "./merkle.ts";
import {
  addressOf,
  type BlockId,
  type Commit,
  type CommitSig,
  type Header,
  isComplete,
  isNil,
  isZeroTime,
  type LightBlock,
  type Proof,
  type Proposal,
  type Timestamp,
  type Validator,
  type ValidatorSet,
  type Vote,
} from "./values.ts";
import * as wire from "./wire.ts";

const MAX_SIGNATURE = 3309;
const BLOCK_PROTOCOL = 11n;
const MAX_CHAIN_ID = 50;
const PART_SIZE = 65_536;
const PRECOMMIT = 2;

export const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const hashFits = (hash: Uint8Array): boolean => hash.length === 0 || hash.length === 32;
export const key = (id: BlockId): string =>
  Buffer.from(wire.join(id.hash, wire.partSetHeader(id))).toString("hex");

export function blockId(id: BlockId): string | null {
  if (!hashFits(id.hash)) return "block_hash_length";
  return hashFits(id.partsHash) ? null : "part_set_hash_length";
}

function signature(bytes: Uint8Array): string | null {
  if (bytes.length === 0) return "missing_signature";
  return bytes.length > MAX_SIGNATURE ? "signature_too_big" : null;
}

export function vote(value: Vote): string | null {
  if (value.type !== 1 && value.type !== PRECOMMIT) return "invalid_type";
  if (value.height <= 0n) return "non_positive_height";
  if (value.round < 0n) return "negative_round";
  const id = blockId(value.blockId);
  if (id !== null) return id;
  if (!isNil(value.blockId) && !isComplete(value.blockId)) return "incomplete_block_id";
  if (value.address.length !== 20) return "address_length";
  if (value.index < 0n) return "negative_validator_index";
  const signed = signature(value.signature);
  if (signed !== null) return signed;
  if (value.type !== PRECOMMIT || isNil(value.blockId)) {
    return value.extension.length > 0 || value.extensionSignature.length > 0 ? "unexpected_extension" : null;
  }
  if (value.extensionSignature.length > MAX_SIGNATURE) return "extension_signature_too_big";
  return value.extensionSignature.length === 0 && value.extension.length > 0
    ? "missing_extension_signature"
    : null;
}

export function proposal(value: Proposal): string | null {
  if (value.type !== 32) return "invalid_type";
  if (value.height < 0n) return "negative_height";
  if (value.round < 0n) return "negative_round";
  if (value.polRound < -1n) return "pol_round";
  const id = blockId(value.blockId);
  if (id !== null) return id;
  if (!isComplete(value.blockId)) return "incomplete_block_id";
  return signature(value.signature);
}

export function header(value: Header): string | null {
  if (value.versionBlock !== BLOCK_PROTOCOL) return "block_version";
  if (Buffer.byteLength(value.chainId) > MAX_CHAIN_ID) return "chain_id_too_long";
  if (value.height < 0n) return "negative_height";
  if (value.height === 0n) return "zero_height";
  if (blockId(value.lastBlockId) !== null) return "last_block_id";
  if (![value.lastCommitHash, value.dataHash, value.evidenceHash].every(hashFits)) return "hash_length";
  if (value.proposerAddress.length !== 20) return "address_length";
  const hashes = [value.validatorsHash, value.nextValidatorsHash, value.consensusHash, value.lastResultsHash];
  return hashes.every(hashFits) ? null : "hash_length";
}

function commitSig(sig: CommitSig): string | null {
  if (sig.flag !== 1 && sig.flag !== 2 && sig.flag !== 3) return "unknown_flag";
  if (sig.flag === 1) {
    if (sig.address.length > 0) return "absent_with_address";
    if (!isZeroTime(sig.timestamp)) return "absent_with_time";
    return sig.signature.length > 0 ? "absent_with_signature" : null;
  }
  if (sig.address.length !== 20) return "address_length";
  return signature(sig.signature);
}

export function commit(value: Commit): string | null {
  if (value.height < 0n) return "negative_height";
  if (value.round < 0n) return "negative_round";
  if (value.height < 1n) return null;
  if (isNil(value.blockId)) return "nil_block_id";
  if (value.signatures.length === 0) return "no_signatures";
  for (const sig of value.signatures) {
    const fault = commitSig(sig);
    if (fault !== null) return fault;
  }
  return null;
}

export const headerHash = (value: Header): Uint8Array | null =>
  value.validatorsHash.length === 0 ? null : merkle.root(wire.headerLeaves(value));
export const commitHash = (value: Commit): Uint8Array => merkle.root(value.signatures.map(wire.commitSig));
export const validatorsHash = (validators: readonly Validator[]): Uint8Array =>
  merkle.root(validators.map(wire.simpleValidator));

const hashOrEmpty = (value: Header): Uint8Array => headerHash(value) ?? new Uint8Array(0);

/** SignedHeader.ValidateBasic. */
export function signedHeader(value: Pick<LightBlock, "header" | "commit">, chainId: string): string | null {
  const fault = header(value.header) ?? commit(value.commit);
  if (fault !== null) return fault;
  if (value.header.chainId !== chainId) return "wrong_chain";
  if (value.commit.height !== value.header.height) return "commit_height_mismatch";
  return same(hashOrEmpty(value.header), value.commit.blockId.hash) ? null : "commit_signs_other_block";
}

function validator(value: Validator): string | null {
  if (value.power < 0n) return "negative_power";
  return same(value.address, addressOf(value.pubKey)) ? null : "address_not_from_pubkey";
}

export function validatorSet(set: ValidatorSet): string | null {
  if (set.validators.length === 0) return "empty_set";
  for (const each of [...set.validators, set.proposer]) {
    const fault = validator(each);
    if (fault !== null) return fault;
  }
  return set.validators.some((each) => same(each.address, set.proposer.address))
    ? null
    : "proposer_not_in_set";
}

/** LightBlock.ValidateBasic. */
export function lightBlock(value: LightBlock, chainId: string): string | null {
  const fault = signedHeader(value, chainId) ?? validatorSet(value.set);
  if (fault !== null) return fault;
  return same(value.header.validatorsHash, validatorsHash(value.set.validators))
    ? null
    : "validators_hash_mismatch";
}

/** Part.ValidateBasic. */
export function part(index: bigint, length: number, proof: Proof): string | null {
  if (length > PART_SIZE) return "part_too_big";
  if (index < proof.total - 1n && length !== PART_SIZE) return "inner_part_size";
  if (index !== proof.index) return "part_index_mismatch";
  return merkle.basicReason(proof) === null ? null : "part_proof";
}

const FIRST_SECOND = -62_135_596_800n;
const LAST_SECOND = 253_402_300_799n;

/** Whether google.protobuf.Timestamp can carry it. */
export const timeReason = ({ seconds, nanos }: Timestamp): string | null =>
  seconds >= FIRST_SECOND && seconds <= LAST_SECOND && nanos >= 0 && nanos < 1_000_000_000
    ? null
    : "time_out_of_range";
