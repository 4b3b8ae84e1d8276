/** Light blocks from CometBFT's JSON. */
import type { BlockId, Commit, CommitFlag, CommitSig, Header, LightBlock, Validator } from "../types.ts";
import { validatorSetFromList } from "../validators/set.ts";
import { publicKeyFromJson } from "./keys.ts";
import {
  malformed,
  readBase64,
  readHex,
  readInteger,
  readList,
  readObject,
  readSmall,
  readText,
  readTime,
} from "./read.ts";

function someBlockId(value: unknown): BlockId {
  const id = readObject(value, "a block id");
  const parts = readObject(id["parts"] ?? {}, "a part-set header");
  return {
    hash: readHex(id["hash"], "a block hash"),
    parts: {
      total: readSmall(parts["total"], "a part count"),
      hash: readHex(parts["hash"], "a part-set hash"),
    },
  };
}

/** Go writes nil as an empty block id. */
export function blockId(value: unknown): BlockId | null {
  const id = someBlockId(value ?? {});
  return id.hash.length === 0 && id.parts.total === 0 && id.parts.hash.length === 0 ? null : id;
}

export function validator(value: unknown): Validator {
  const json = readObject(value, "a validator");
  const pubKey = publicKeyFromJson(json["pub_key"]);
  if (pubKey === null) throw malformed("a validator has no Ed25519 key");
  return {
    address: readHex(json["address"], "an address"),
    pubKey,
    power: readInteger(json["voting_power"], "a power"),
    priority: readInteger(json["proposer_priority"], "a priority"),
  };
}

/** @throws ChainError `DECODE`. */
export function headerFromJson(value: unknown): Header {
  const json = readObject(value, "a header");
  const version = readObject(json["version"] ?? {}, "a version");
  const hash = (name: string): Uint8Array => readHex(json[name], name);
  return {
    version: {
      block: readInteger(version["block"], "a version"),
      app: readInteger(version["app"], "a version"),
    },
    chainId: readText(json["chain_id"], "a chain id"),
    height: readSmall(json["height"], "a height"),
    time: readTime(json["time"], "a header's time"),
    lastBlockId: blockId(json["last_block_id"]),
    lastCommitHash: hash("last_commit_hash"),
    dataHash: hash("data_hash"),
    validatorsHash: hash("validators_hash"),
    nextValidatorsHash: hash("next_validators_hash"),
    consensusHash: hash("consensus_hash"),
    appHash: hash("app_hash"),
    lastResultsHash: hash("last_results_hash"),
    evidenceHash: hash("evidence_hash"),
    proposerAddress: hash("proposer_address"),
  };
}

function commitSig(value: unknown): CommitSig {
  const json = readObject(value, "a commit signature");
  return {
    flag: readSmall(json["block_id_flag"], "a flag") as CommitFlag,
    validatorAddress: readHex(json["validator_address"], "an address"),
    timestamp: readTime(json["timestamp"], "a signature's time"),
    signature: readBase64(json["signature"], "a signature"),
  };
}

function commit(value: unknown): Commit {
  const json = readObject(value, "a commit");
  return {
    height: readSmall(json["height"], "a height"),
    round: readSmall(json["round"], "a round"),
    blockId: someBlockId(json["block_id"]),
    signatures: readList(json["signatures"], "a commit's signatures").map(commitSig),
  };
}

/**
 * `{signed_header, validator_set}` as `/commit` and `/validators` answer them; whether the one belongs to the other is
 * verified elsewhere.
 * @throws ChainError `DECODE`, or that of {@link validatorSetFromList}.
 */
export function lightBlockFromJson(value: unknown): LightBlock {
  const json = readObject(value, "a light block");
  const signed = readObject(json["signed_header"], "a signed header");
  const set = readObject(json["validator_set"], "a validator set");
  const validators = validatorSetFromList(readList(set["validators"], "validators").map(validator));
  const named = set["proposer"] === undefined || set["proposer"] === null ? null : validator(set["proposer"]);
  return {
    signedHeader: { header: headerFromJson(signed["header"]), commit: commit(signed["commit"]) },
    validators: named === null ? validators : { ...validators, proposer: named },
  };
}
