/** Readers of the CometBFT vectors made with the Go library (../shared/vectors/comet). */
import { existsSync, readFileSync } from "node:fs";
import { addressOf, fromHex, sha256 } from "@quorate/crypto";
import {
  type BlockId,
  ChainError,
  type Commit,
  type CommitFlag,
  decodeEvidence,
  type Evidence,
  type Header,
  type MerkleProof,
  type Time,
  type Validator,
  type Vote,
  type VoteType,
} from "../src/index.ts";

const DIRECTORY = new URL("../../../../shared/vectors/", import.meta.url);

/** Why the vector tests are skipped, or false when the vectors are there. */
export const vectorsAbsent: string | false = existsSync(DIRECTORY)
  ? false
  : "skipped: no ../shared/vectors beside this repository";

export interface Verdict {
  ok: boolean;
  reason?: string;
}
export interface Case<I, E> {
  name: string;
  kind: string;
  input: I;
  expect: E;
}
export interface TimeJson {
  rfc3339: string;
  seconds: string;
  nanos: number;
}
export interface BlockIdJson {
  hash: string;
  total: number;
  parts_hash: string;
}
export interface VoteJson {
  type: number;
  height: string;
  round: number;
  block_id: BlockIdJson;
  timestamp: TimeJson;
  validator_address: string;
  validator_index: number;
  signature: string;
  extension: string;
  extension_signature: string;
}
export interface CommitJson {
  height: string;
  round: number;
  block_id: BlockIdJson;
  signatures: { flag: number; validator_address: string; timestamp: TimeJson; signature: string }[];
}
export interface HeaderJson {
  version_block: string;
  version_app: string;
  chain_id: string;
  height: string;
  time: TimeJson;
  last_block_id: BlockIdJson;
  last_commit_hash: string;
  data_hash: string;
  validators_hash: string;
  next_validators_hash: string;
  consensus_hash: string;
  app_hash: string;
  last_results_hash: string;
  evidence_hash: string;
  proposer_address: string;
}
export interface ProofJson {
  total: string;
  index: string;
  leaf_hash: string;
  aunts: string[];
}
export type BytesJson = string | { stream?: string; offset?: number; length: number };

/** Cases of one kind; at least one, so that a renamed kind is noticed. */
export function cases<I, E>(topic: string, kind: string): Case<I, E>[] {
  const text = readFileSync(new URL(`comet/${topic}.json`, DIRECTORY), "utf8");
  const all = (JSON.parse(text) as { cases: Case<I, E>[] }).cases.filter((c) => c.kind === kind);
  if (all.length === 0) throw new Error(`no cases of kind ${kind} in ${topic}`);
  return all;
}

export function handCollected<T>(): T {
  return JSON.parse(readFileSync(new URL("cometbft.json", DIRECTORY), "utf8")) as T;
}

export function time(json: TimeJson): Time {
  return BigInt(json.seconds) * 1_000_000_000n + BigInt(json.nanos);
}

/** Null for the nil block id; an incomplete one stays as it is. */
export function blockId(json: BlockIdJson): BlockId | null {
  if (json.hash === "" && json.total === 0 && json.parts_hash === "") return null;
  return { hash: fromHex(json.hash), parts: { total: json.total, hash: fromHex(json.parts_hash) } };
}

export function someBlockId(json: BlockIdJson): BlockId {
  return { hash: fromHex(json.hash), parts: { total: json.total, hash: fromHex(json.parts_hash) } };
}

/** Whether a decimal int64 is a number that this implementation takes as a height. */
export function representable(height: string): boolean {
  const value = BigInt(height);
  return value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER);
}

export function vote(json: VoteJson): Vote {
  return {
    type: json.type as VoteType,
    height: Number(json.height),
    round: json.round,
    blockId: blockId(json.block_id),
    timestamp: time(json.timestamp),
    validatorAddress: fromHex(json.validator_address),
    validatorIndex: json.validator_index,
    signature: fromHex(json.signature),
  };
}

export function commit(json: CommitJson): Commit {
  return {
    height: Number(json.height),
    round: json.round,
    blockId: someBlockId(json.block_id),
    signatures: json.signatures.map((sig) => ({
      flag: sig.flag as CommitFlag,
      validatorAddress: fromHex(sig.validator_address),
      timestamp: time(sig.timestamp),
      signature: fromHex(sig.signature),
    })),
  };
}

export function header(json: HeaderJson): Header {
  return {
    version: { block: BigInt(json.version_block), app: BigInt(json.version_app) },
    chainId: json.chain_id,
    height: Number(json.height),
    time: time(json.time),
    lastBlockId: blockId(json.last_block_id),
    lastCommitHash: fromHex(json.last_commit_hash),
    dataHash: fromHex(json.data_hash),
    validatorsHash: fromHex(json.validators_hash),
    nextValidatorsHash: fromHex(json.next_validators_hash),
    consensusHash: fromHex(json.consensus_hash),
    appHash: fromHex(json.app_hash),
    lastResultsHash: fromHex(json.last_results_hash),
    evidenceHash: fromHex(json.evidence_hash),
    proposerAddress: fromHex(json.proposer_address),
  };
}

export function proof(json: ProofJson): MerkleProof {
  return {
    total: Number(json.total),
    index: Number(json.index),
    leafHash: fromHex(json.leaf_hash),
    aunts: json.aunts.map((aunt) => fromHex(aunt)),
  };
}

export function validator(json: { pub_key: string; power: string; priority?: string }): Validator {
  const pubKey = fromHex(json.pub_key);
  return {
    address: addressOf(pubKey),
    pubKey,
    power: BigInt(json.power),
    priority: BigInt(json.priority ?? "0"),
  };
}

/** Literal hex, or a piece of SHA-256(seed ‖ be32(0)) ‖ SHA-256(seed ‖ be32(1)) ‖ … */
export function bytes(json: BytesJson): Uint8Array {
  if (typeof json === "string") return fromHex(json);
  const from = json.offset ?? 0;
  const seed = fromHex(json.stream ?? "");
  const first = Math.floor(from / 32);
  const last = Math.ceil((from + json.length) / 32);
  const blocks: Uint8Array[] = [];
  for (let i = first; i < last; i++) {
    const counter = new Uint8Array(4);
    new DataView(counter.buffer).setUint32(0, i);
    blocks.push(sha256(seed, counter));
  }
  const joined = new Uint8Array(32 * blocks.length);
  for (const [i, block] of blocks.entries()) joined.set(block, 32 * i);
  return joined.slice(from - 32 * first, from - 32 * first + json.length);
}

/** The items of evidence, or null when one names a height that this implementation does not take. */
export function evidenceList(encoded: readonly string[]): Evidence[] | null {
  try {
    return encoded.map((item) => decodeEvidence(fromHex(item)));
  } catch (error) {
    if (error instanceof ChainError && error.message.includes("number is above 9007199254740991"))
      return null;
    throw error;
  }
}
