/** CometBFT's JSON (libs/json of v0.38). Empty byte strings of votes and commits are null, as Go's nil slices are. */
import {
  type BlockId,
  base64,
  type Commit,
  formatTime,
  type Header,
  type LightBlock,
  type Proposal,
  type Timestamp,
  upper,
  type Validator,
  type ValidatorSet,
  type Vote,
} from "./values.ts";

const time = (value: Timestamp): string => formatTime(value);
const orNull = (value: Uint8Array): string | null => (value.length === 0 ? null : base64(value));

export const blockId = (id: BlockId): object => ({
  hash: upper(id.hash),
  parts: { total: Number(id.total), hash: upper(id.partsHash) },
});

export const vote = (value: Vote): object => ({
  type: value.type,
  height: String(value.height),
  round: Number(value.round),
  block_id: blockId(value.blockId),
  timestamp: time(value.timestamp),
  validator_address: upper(value.address),
  validator_index: Number(value.index),
  signature: orNull(value.signature),
  extension: orNull(value.extension),
  extension_signature: orNull(value.extensionSignature),
});

export const proposal = (value: Proposal): object => ({
  Type: 32,
  height: String(value.height),
  round: Number(value.round),
  pol_round: Number(value.polRound),
  block_id: blockId(value.blockId),
  timestamp: time(value.timestamp),
  signature: orNull(value.signature),
});

export const header = (value: Header): object => ({
  version: {
    ...(value.versionBlock === 0n ? {} : { block: String(value.versionBlock) }),
    ...(value.versionApp === 0n ? {} : { app: String(value.versionApp) }),
  },
  chain_id: value.chainId,
  height: String(value.height),
  time: time(value.time),
  last_block_id: blockId(value.lastBlockId),
  last_commit_hash: upper(value.lastCommitHash),
  data_hash: upper(value.dataHash),
  validators_hash: upper(value.validatorsHash),
  next_validators_hash: upper(value.nextValidatorsHash),
  consensus_hash: upper(value.consensusHash),
  app_hash: upper(value.appHash),
  last_results_hash: upper(value.lastResultsHash),
  evidence_hash: upper(value.evidenceHash),
  proposer_address: upper(value.proposerAddress),
});

export const commit = (value: Commit): object => ({
  height: String(value.height),
  round: Number(value.round),
  block_id: blockId(value.blockId),
  signatures: value.signatures.map((sig) => ({
    block_id_flag: sig.flag,
    validator_address: upper(sig.address),
    timestamp: time(sig.timestamp),
    signature: orNull(sig.signature),
  })),
});

export const publicKey = (key: Uint8Array): object => ({
  type: "tendermint/PubKeyEd25519",
  value: base64(key),
});

export const validator = (value: Validator): object => ({
  address: upper(value.address),
  pub_key: publicKey(value.pubKey),
  voting_power: String(value.power),
  proposer_priority: String(value.priority),
});

export const validatorSet = (set: ValidatorSet): object => ({
  validators: set.validators.map(validator),
  proposer: validator(set.proposer),
});

export const lightBlock = (value: LightBlock): object => ({
  signed_header: { header: header(value.header), commit: commit(value.commit) },
  validator_set: validatorSet(value.set),
});

/** Byte strings that Go writes as "" or as null, by how the value was made. */
const BYTES: ReadonlySet<string> = new Set(["signature", "extension", "extension_signature"]);

/** Go's nil slice and empty slice are `null` and `[]` (or ""): which one a value has depends on how it was made. */
export function withoutNil(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? null : value.map(withoutNil);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      inner === "" && BYTES.has(name) ? null : withoutNil(inner),
    ]),
  );
}
