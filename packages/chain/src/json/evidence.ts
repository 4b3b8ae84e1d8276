/** Evidence from CometBFT's JSON, as its light client hands it to `broadcast_evidence`. */
import { fromHex } from "@quorate/crypto";
import { decodeEvidence, encodeEvidence } from "../encoding/evidence.ts";
import { ChainError } from "../errors.ts";
import { MAX_EVIDENCE, MAX_VALIDATORS } from "../limits.ts";
import { parseTime } from "../time.ts";
import type {
  BlockId,
  Commit,
  CommitFlag,
  CommitSig,
  Evidence,
  Header,
  LightBlock,
  Time,
  Validator,
  Vote,
  VoteType,
} from "../types.ts";
import { validatorSetFromList } from "../validators/set.ts";
import { fromBase64 } from "./base64.ts";
import { publicKeyFromJson } from "./keys.ts";

type Json = Readonly<Record<string, unknown>>;

function malformed(what: string): ChainError {
  return new ChainError("DECODE", `evidence in JSON: ${what}`, {});
}

function object(value: unknown, what: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw malformed(`${what} is no object`);
  return value as Json;
}

function list(value: unknown, what: string): readonly unknown[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value) || value.length > Math.max(MAX_VALIDATORS, MAX_EVIDENCE)) {
    throw malformed(`${what} is no list, or too long`);
  }
  return value;
}

/** A 64-bit integer: a decimal string, or a small JSON number; absent means 0, as Go leaves it out. */
function integer(value: unknown, what: string): bigint {
  if (value === undefined || value === null) return 0n;
  if (typeof value === "string" && /^-?[0-9]{1,19}$/.test(value)) return BigInt(value);
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
  throw malformed(`${what} is no whole number`);
}

function small(value: unknown, what: string): number {
  const number = Number(integer(value, what));
  if (!Number.isSafeInteger(number)) throw malformed(`${what} is out of range`);
  return number;
}

function hex(value: unknown, what: string): Uint8Array {
  if (value === undefined || value === null) return new Uint8Array(0);
  if (typeof value !== "string" || !/^([0-9a-fA-F]{2}){0,1024}$/.test(value))
    throw malformed(`${what} is no hex`);
  return fromHex(value.toLowerCase());
}

function base64(value: unknown, what: string): Uint8Array {
  if (value === undefined || value === null) return new Uint8Array(0);
  const bytes = typeof value === "string" && value.length <= 8192 ? fromBase64(value) : null;
  if (bytes === null) throw malformed(`${what} is no base64`);
  return bytes;
}

function time(value: unknown, what: string): Time {
  if (typeof value !== "string") throw malformed(`${what} is no time`);
  return parseTime(value);
}

function text(value: unknown, what: string): string {
  if (typeof value !== "string") throw malformed(`${what} is no text`);
  return value;
}

function someBlockId(value: unknown): BlockId {
  const id = object(value, "a block id");
  const parts = object(id["parts"] ?? {}, "a part-set header");
  return {
    hash: hex(id["hash"], "a block hash"),
    parts: { total: small(parts["total"], "a part count"), hash: hex(parts["hash"], "a part-set hash") },
  };
}

/** Go writes nil as an empty block id. */
function blockId(value: unknown): BlockId | null {
  const id = someBlockId(value ?? {});
  return id.hash.length === 0 && id.parts.total === 0 && id.parts.hash.length === 0 ? null : id;
}

function vote(value: unknown): Vote {
  const json = object(value, "a vote");
  return {
    type: small(json["type"], "a vote type") as VoteType,
    height: small(json["height"], "a height"),
    round: small(json["round"], "a round"),
    blockId: blockId(json["block_id"]),
    timestamp: time(json["timestamp"], "a vote's time"),
    validatorAddress: hex(json["validator_address"], "an address"),
    validatorIndex: small(json["validator_index"], "a validator index"),
    signature: base64(json["signature"], "a signature"),
  };
}

function validator(value: unknown): Validator {
  const json = object(value, "a validator");
  const pubKey = publicKeyFromJson(json["pub_key"]);
  if (pubKey === null) throw malformed("a validator has no Ed25519 key");
  return {
    address: hex(json["address"], "an address"),
    pubKey,
    power: integer(json["voting_power"], "a power"),
    priority: integer(json["proposer_priority"], "a priority"),
  };
}

function header(value: unknown): Header {
  const json = object(value, "a header");
  const version = object(json["version"] ?? {}, "a version");
  const hash = (name: string): Uint8Array => hex(json[name], name);
  return {
    version: { block: integer(version["block"], "a version"), app: integer(version["app"], "a version") },
    chainId: text(json["chain_id"], "a chain id"),
    height: small(json["height"], "a height"),
    time: time(json["time"], "a header's time"),
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
  const json = object(value, "a commit signature");
  return {
    flag: small(json["block_id_flag"], "a flag") as CommitFlag,
    validatorAddress: hex(json["validator_address"], "an address"),
    timestamp: time(json["timestamp"], "a signature's time"),
    signature: base64(json["signature"], "a signature"),
  };
}

function commit(value: unknown): Commit {
  const json = object(value, "a commit");
  return {
    height: small(json["height"], "a height"),
    round: small(json["round"], "a round"),
    blockId: someBlockId(json["block_id"]),
    signatures: list(json["signatures"], "a commit's signatures").map(commitSig),
  };
}

function lightBlock(value: unknown): LightBlock {
  const json = object(value, "a light block");
  const signed = object(json["signed_header"], "a signed header");
  const set = object(json["validator_set"], "a validator set");
  const validators = validatorSetFromList(list(set["validators"], "validators").map(validator));
  const named = set["proposer"] === undefined || set["proposer"] === null ? null : validator(set["proposer"]);
  return {
    signedHeader: { header: header(signed["header"]), commit: commit(signed["commit"]) },
    validators: named === null ? validators : { ...validators, proposer: named },
  };
}

function read(value: unknown): Evidence {
  const { type, value: inner } = object(value, "it") as { readonly type?: unknown; readonly value?: unknown };
  const json = object(inner, "its value");
  const timestamp = time(json["Timestamp"], "its time");
  const totalVotingPower = integer(json["TotalVotingPower"], "the total power");
  switch (type) {
    case "tendermint/DuplicateVoteEvidence":
      return {
        kind: "duplicate_vote",
        voteA: vote(json["vote_a"]),
        voteB: vote(json["vote_b"]),
        totalVotingPower,
        validatorPower: integer(json["ValidatorPower"], "the validator's power"),
        timestamp,
      };
    case "tendermint/LightClientAttackEvidence":
      return {
        kind: "light_client_attack",
        conflictingBlock: lightBlock(json["ConflictingBlock"]),
        commonHeight: small(json["CommonHeight"], "the common height"),
        byzantineValidators: list(json["ByzantineValidators"], "the validators").map(validator),
        totalVotingPower,
        timestamp,
      };
    default:
      throw malformed(`"${String(type).slice(0, 64)}" is no kind of evidence`);
  }
}

/**
 * Evidence from its JSON; what it claims is verified elsewhere.
 * @throws ChainError `DECODE` unless it is evidence that also has canonical bytes.
 */
export function evidenceFromJson(value: unknown): Evidence {
  try {
    return decodeEvidence(encodeEvidence(read(value)));
  } catch (error) {
    if (error instanceof ChainError && error.code !== "DECODE") throw malformed(error.message);
    throw error;
  }
}
