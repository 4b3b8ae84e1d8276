/** CometBFT v0.38's commit verification and the light client's rules, by the reasons of their refusals. */
import { reference as zip215 } from "../ed25519/reference.ts";
import type { Ed25519Check } from "../ed25519/zip215.ts";
import { headerHash, same, signedHeader, validatorsHash } from "./basic.ts";
import {
  addressOf,
  type BlockId,
  type Commit,
  type CommitSig,
  type LightBlock,
  NIL_BLOCK_ID,
  nanoseconds,
  type Timestamp,
  toHex,
  type Validator,
} from "./values.ts";
import * as wire from "./wire.ts";

const MAX_INT64 = 2n ** 63n - 1n;
const COMMIT = 2;
const ABSENT = 1;

export interface Refusal {
  readonly reason: string;
  readonly got?: string;
  readonly needed?: string;
}
export type Outcome = Refusal | null;

const refusal = (reason: string): Refusal => ({ reason });
export const totalPower = (validators: readonly Validator[]): bigint =>
  validators.reduce((sum, each) => sum + each.power, 0n);

function checkOf(chainId: string, commit: Commit, sig: CommitSig, pubKey: Uint8Array): Ed25519Check {
  const message = wire.voteSignBytes(chainId, {
    type: 2,
    height: commit.height,
    round: commit.round,
    blockId: sig.flag === COMMIT ? commit.blockId : NIL_BLOCK_ID,
    timestamp: sig.timestamp,
    address: sig.address,
    index: 0n,
    signature: sig.signature,
    extension: new Uint8Array(0),
    extensionSignature: new Uint8Array(0),
  });
  return { publicKey: pubKey, message, signature: sig.signature };
}

interface Rules {
  readonly ignore: (sig: CommitSig) => boolean;
  readonly counts: (sig: CommitSig) => boolean;
  readonly all: boolean;
  /** Looked up by place, else by address. */
  readonly byIndex: boolean;
  readonly needed: bigint;
}

/**
 * The batch form of the library, which it uses from two entries on: places, addresses and lengths first, then power, then
 * signatures. With one entry it asks for the signature before the power and names every malformed entry alike.
 */
function walk(chainId: string, validators: readonly Validator[], commit: Commit, rules: Rules): Outcome {
  const byAddress = new Map(validators.map((each, i) => [toHex(each.address), i]));
  const single = commit.signatures.length < 2;
  const seen = new Set<number>();
  const checks: Ed25519Check[] = [];
  let power = 0n;
  for (const [place, sig] of commit.signatures.entries()) {
    if (rules.ignore(sig)) continue;
    const index = rules.byIndex ? place : byAddress.get(toHex(sig.address));
    if (index === undefined) continue;
    const validator = validators[index];
    if (validator === undefined) return refusal("wrong_signature_count");
    if (rules.byIndex && !same(validator.address, sig.address)) return refusal("address_mismatch");
    if (!rules.byIndex && seen.has(index)) return refusal("double_vote");
    seen.add(index);
    if (sig.signature.length !== 64) return refusal(single ? "wrong_signature" : "signature_length");
    const check = checkOf(chainId, commit, sig, validator.pubKey);
    if (single && !zip215(check)) return refusal("wrong_signature");
    checks.push(check);
    if (rules.counts(sig)) power += validator.power;
    if (!rules.all && power > rules.needed) break;
  }
  if (power <= rules.needed) {
    return { reason: "not_enough_power", got: String(power), needed: String(rules.needed) };
  }
  return checks.every(zip215) ? null : refusal("wrong_signature");
}

export type CommitMode = "all" | "light" | "light_all";

const idEquals = (a: BlockId, b: BlockId): boolean =>
  a.total === b.total && same(a.hash, b.hash) && same(a.partsHash, b.partsHash);

export function verifyCommit(
  chainId: string,
  validators: readonly Validator[],
  blockId: BlockId,
  height: bigint,
  commit: Commit | null,
  mode: CommitMode,
): Outcome {
  if (commit === null) return refusal("nil_commit");
  if (validators.length !== commit.signatures.length) return refusal("wrong_signature_count");
  if (height !== commit.height) return refusal("wrong_height");
  if (!idEquals(blockId, commit.blockId)) return refusal("wrong_block_id");
  return walk(chainId, validators, commit, {
    ignore: mode === "all" ? (sig) => sig.flag === ABSENT : (sig) => sig.flag !== COMMIT,
    counts: mode === "all" ? (sig) => sig.flag === COMMIT : () => true,
    all: mode !== "light",
    byIndex: true,
    needed: (totalPower(validators) * 2n) / 3n,
  });
}

export interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

export function verifyTrusting(
  chainId: string,
  validators: readonly Validator[],
  commit: Commit | null,
  level: Fraction,
  all: boolean,
): Outcome {
  if (level.denominator === 0n) return refusal("zero_denominator");
  if (commit === null) return refusal("nil_commit");
  const product = totalPower(validators) * level.numerator;
  if (product > MAX_INT64 || product < -MAX_INT64) return refusal("trust_level_overflow");
  return walk(chainId, validators, commit, {
    ignore: (sig) => sig.flag !== COMMIT,
    counts: () => true,
    all,
    byIndex: false,
    needed: product / level.denominator,
  });
}

export interface LightRefusal {
  readonly class: string;
  readonly reason: string;
}

export interface LightRules {
  readonly trustingPeriod: bigint;
  readonly maxClockDrift: bigint;
  readonly now: Timestamp;
  readonly trustLevel: Fraction;
}

const light = (kind: string, reason: string): LightRefusal => ({ class: kind, reason });
const expired = (trusted: LightBlock, rules: LightRules): boolean =>
  nanoseconds(trusted.header.time) + rules.trustingPeriod <= nanoseconds(rules.now);

function newHeaderFault(trusted: LightBlock, block: LightBlock, rules: LightRules): string | null {
  const fault = signedHeader(block, trusted.header.chainId);
  if (fault !== null) return fault;
  if (block.header.height <= trusted.header.height) return "height_not_greater";
  if (nanoseconds(block.header.time) <= nanoseconds(trusted.header.time)) return "time_not_after";
  if (nanoseconds(block.header.time) >= nanoseconds(rules.now) + rules.maxClockDrift)
    return "time_from_future";
  return same(block.header.validatorsHash, validatorsHash(block.set.validators))
    ? null
    : "validators_hash_mismatch";
}

const lightCommit = (trusted: LightBlock, block: LightBlock): Outcome =>
  verifyCommit(
    trusted.header.chainId,
    block.set.validators,
    block.commit.blockId,
    block.header.height,
    block.commit,
    "light",
  );

export function verifyAdjacent(
  trusted: LightBlock,
  block: LightBlock,
  rules: LightRules,
): LightRefusal | null {
  if (block.header.height !== trusted.header.height + 1n) return light("other", "not_adjacent");
  if (expired(trusted, rules)) return light("old_header_expired", "expired");
  const fault = newHeaderFault(trusted, block, rules);
  if (fault !== null) return light("invalid_header", fault);
  if (!same(block.header.validatorsHash, trusted.header.nextValidatorsHash)) {
    return light("other", "next_validators_mismatch");
  }
  const outcome = lightCommit(trusted, block);
  return outcome === null ? null : light("invalid_header", outcome.reason);
}

export function verifyNonAdjacent(
  trusted: LightBlock,
  block: LightBlock,
  rules: LightRules,
): LightRefusal | null {
  if (block.header.height === trusted.header.height + 1n) return light("other", "adjacent");
  if (expired(trusted, rules)) return light("old_header_expired", "expired");
  const fault = newHeaderFault(trusted, block, rules);
  if (fault !== null) return light("invalid_header", fault);
  const trust = verifyTrusting(
    trusted.header.chainId,
    trusted.set.validators,
    block.commit,
    rules.trustLevel,
    false,
  );
  if (trust !== null) {
    const enough = trust.reason !== "not_enough_power";
    return light(enough ? "other" : "new_validators_cannot_be_trusted", trust.reason);
  }
  const outcome = lightCommit(trusted, block);
  return outcome === null ? null : light("invalid_header", outcome.reason);
}

export interface LightClientAttack {
  readonly conflicting: LightBlock;
  readonly commonHeight: bigint;
  readonly byzantine: readonly Validator[];
  readonly totalPower: bigint;
  readonly timestamp: Timestamp;
}

export function attackBasic(evidence: LightClientAttack): string | null {
  if (evidence.totalPower <= 0n) return "non_positive_total_power";
  if (evidence.commonHeight <= 0n) return "non_positive_common_height";
  const { conflicting } = evidence;
  if (evidence.commonHeight > conflicting.header.height) return "common_height_ahead";
  const fault = signedHeader(conflicting, conflicting.header.chainId);
  if (fault !== null) return fault;
  return same(conflicting.header.validatorsHash, validatorsHash(conflicting.set.validators))
    ? null
    : "validators_hash_mismatch";
}

type Trusted = Pick<LightBlock, "header" | "commit">;

function derivedWrongly(trusted: Trusted, conflicting: LightBlock): boolean {
  const fields = [
    "validatorsHash",
    "nextValidatorsHash",
    "consensusHash",
    "appHash",
    "lastResultsHash",
  ] as const;
  return fields.some((field) => !same(trusted.header[field], conflicting.header[field]));
}

const inOrder = (validators: readonly Validator[]): Validator[] =>
  [...validators].sort((a, b) =>
    a.power === b.power ? Buffer.compare(a.address, b.address) : a.power > b.power ? -1 : 1,
  );

/** Who is to blame; null where the kind of attack names nobody (amnesia). */
function byzantineOf(evidence: LightClientAttack, common: LightBlock, trusted: Trusted): Validator[] | null {
  const { conflicting } = evidence;
  const signers = conflicting.commit.signatures.filter(({ flag }) => flag === COMMIT);
  const find = (set: readonly Validator[], address: Uint8Array): Validator | undefined =>
    set.find((each) => same(each.address, address));
  if (derivedWrongly(trusted, conflicting)) {
    const found = signers.map(({ address }) => find(common.set.validators, address));
    return inOrder(found.filter((each) => each !== undefined));
  }
  if (trusted.commit.round !== conflicting.commit.round) return null;
  const found = conflicting.commit.signatures.map((sig, i) => {
    const both = sig.flag === COMMIT && trusted.commit.signatures[i]?.flag === COMMIT;
    return both ? find(conflicting.set.validators, sig.address) : undefined;
  });
  return inOrder(found.filter((each) => each !== undefined));
}

/** VerifyLightClientAttack. */
export function attackReason(
  evidence: LightClientAttack,
  common: LightBlock,
  trusted: Trusted,
): string | null {
  const { conflicting } = evidence;
  const chainId = trusted.header.chainId;
  if (common.header.height !== conflicting.header.height) {
    const trust = verifyTrusting(
      chainId,
      common.set.validators,
      conflicting.commit,
      { numerator: 1n, denominator: 3n },
      true,
    );
    if (trust !== null) return trust.reason;
  } else if (derivedWrongly(trusted, conflicting)) return "not_derived";
  const outcome = verifyCommit(
    chainId,
    conflicting.set.validators,
    conflicting.commit.blockId,
    conflicting.header.height,
    conflicting.commit,
    "light_all",
  );
  if (outcome !== null) return outcome.reason;
  if (evidence.totalPower !== totalPower(common.set.validators)) return "total_power_mismatch";
  const forward =
    conflicting.header.height > trusted.header.height &&
    nanoseconds(conflicting.header.time) > nanoseconds(trusted.header.time);
  if (forward) return "time_not_violated";
  const hashes = [headerHash(trusted.header), headerHash(conflicting.header)];
  if (same(hashes[0] ?? new Uint8Array(0), hashes[1] ?? new Uint8Array(0))) return "same_header";
  const blamed = byzantineOf(evidence, common, trusted) ?? [];
  if (blamed.length !== evidence.byzantine.length) return "byzantine_count";
  for (const [i, expected] of blamed.entries()) {
    const accused = evidence.byzantine[i]!;
    if (!same(accused.address, expected.address) || accused.power !== expected.power) {
      return "byzantine_validator_mismatch";
    }
    if (!same(accused.address, addressOf(accused.pubKey))) return "address_not_from_pubkey";
  }
  return null;
}
