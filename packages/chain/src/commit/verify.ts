/** Commit verification with the verdicts of CometBFT v0.38 types/validation.go. */
import { bytesEqual, type SignatureCheck, toHexUpper, type VerifierBackend } from "@quorate/crypto";
import { blockIdEquals } from "../block-id.ts";
import { voteSignBytes } from "../encoding/sign-bytes.ts";
import { ChainError } from "../errors.ts";
import { SIGNATURE_SIZE } from "../limits.ts";
import type { BlockId, Commit, CommitSig, Height, Power, Validator, ValidatorSet } from "../types.ts";
import { CommitFlag, VoteType } from "../types.ts";

/**
 * Which signatures of a commit are asked for: `all` every non-absent one, nil votes included, though only those for the
 * block count (VerifyCommit); `light` those for the block until they are more than 2/3 (VerifyCommitLight); `light-all`
 * all of those (VerifyCommitLightAllSignatures).
 */
export type CommitMode = "all" | "light" | "light-all";

/** A fraction of the power of a trusted set, such as 1/3. */
export interface TrustLevel {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

const MAX_INT64 = 2n ** 63n - 1n;

function refuse(reason: string, message: string, facts: Record<string, unknown> = {}): ChainError {
  return new ChainError("COMMIT", `commit: ${message}`, { reason, ...facts });
}

function checkFlag(sig: CommitSig, index: number): void {
  if (sig.flag !== CommitFlag.commit && sig.flag !== CommitFlag.nil) {
    throw refuse("unknown_flag", `entry ${index} has the unknown flag ${String(sig.flag)}`, { index });
  }
}

function notEnoughPower(got: Power, needed: Power): ChainError {
  return refuse("not_enough_power", `signed by power ${got}, more than ${needed} is needed`, { got, needed });
}

function checkOf(
  chainId: string,
  commit: Commit,
  sig: CommitSig,
  index: number,
  validator: Validator,
): SignatureCheck {
  if (sig.signature.length !== SIGNATURE_SIZE) {
    throw refuse("signature_length", `signature ${index} has not 64 bytes`, { index });
  }
  return {
    publicKey: validator.pubKey,
    message: voteSignBytes(chainId, {
      type: VoteType.precommit,
      height: commit.height,
      round: commit.round,
      blockId: sig.flag === CommitFlag.commit ? commit.blockId : null,
      timestamp: sig.timestamp,
    }),
    signature: sig.signature,
  };
}

/** What was asked of a commit last, and the checks that this gave. */
interface Asked {
  readonly chainId: string;
  readonly set: ValidatorSet;
  readonly blockId: BlockId;
  readonly height: Height;
  readonly mode: CommitMode;
  readonly checks: readonly SignatureCheck[];
}

/**
 * Whoever follows a chain asks the same of each commit twice: as what decides a height, and as what the next block
 * carries. Nothing of that ever changes, so all that is asked is told by identity.
 */
const askedLast = new WeakMap<Commit, Asked>();

/**
 * The signature checks that decide whether `commit` proves that `set` decided `blockId` at `height`. The commit is
 * valid if and only if nothing is thrown and every check holds.
 * @throws ChainError `COMMIT` when number of entries, height, block id, an entry's form or address, or the power for
 * the block does not fit; `facts.reason` says which.
 */
export function commitChecks(
  chainId: string,
  set: ValidatorSet,
  blockId: BlockId,
  height: Height,
  commit: Commit,
  mode: CommitMode,
): readonly SignatureCheck[] {
  const last = askedLast.get(commit);
  const isSame =
    last !== undefined &&
    last.set === set &&
    last.blockId === blockId &&
    last.height === height &&
    last.mode === mode &&
    last.chainId === chainId;
  if (isSame) return last.checks;
  const checks = checksOf(chainId, set, blockId, height, commit, mode);
  askedLast.set(commit, { chainId, set, blockId, height, mode, checks });
  return checks;
}

function checksOf(
  chainId: string,
  set: ValidatorSet,
  blockId: BlockId,
  height: Height,
  commit: Commit,
  mode: CommitMode,
): readonly SignatureCheck[] {
  const { signatures } = commit;
  if (signatures.length !== set.validators.length) {
    throw refuse(
      "wrong_signature_count",
      `${signatures.length} entries for a set of ${set.validators.length} validators`,
    );
  }
  if (commit.height !== height) throw refuse("wrong_height", `height ${commit.height}, not ${height}`);
  if (!blockIdEquals(commit.blockId, blockId)) throw refuse("wrong_block_id", "it is for another block");
  const needed = (set.totalPower * 2n) / 3n;
  const checks: SignatureCheck[] = [];
  let power = 0n;
  for (let index = 0; index < signatures.length; index++) {
    const sig = signatures[index]!;
    if (sig.flag === CommitFlag.absent || (mode !== "all" && sig.flag !== CommitFlag.commit)) continue;
    checkFlag(sig, index);
    const validator = set.validators[index]!;
    if (!bytesEqual(sig.validatorAddress, validator.address)) {
      throw refuse("address_mismatch", `entry ${index} names another validator than the set`, { index });
    }
    checks.push(checkOf(chainId, commit, sig, index, validator));
    if (sig.flag === CommitFlag.commit) power += validator.power;
    if (mode === "light" && power > needed) break;
  }
  if (power <= needed) throw notEnoughPower(power, needed);
  return checks;
}

/**
 * The checks that decide whether signers of `commit` hold more than `trustLevel` of the power of a set trusted earlier,
 * looked up by address (VerifyCommitLightTrusting). Height, block id and number of entries are not compared here.
 * @throws ChainError `COMMIT` on a validator that is there twice, too little power, or an impossible trust level.
 */
export function trustingCommitChecks(
  chainId: string,
  trusted: ValidatorSet,
  commit: Commit,
  trustLevel: TrustLevel,
  options: { readonly allSignatures?: boolean } = {},
): SignatureCheck[] {
  if (trustLevel.denominator === 0n) throw refuse("zero_denominator", "a trust level divides by zero");
  if (trustLevel.denominator < 0n || trustLevel.numerator < 0n) {
    throw refuse("trust_level", `${trustLevel.numerator}/${trustLevel.denominator} is no trust level`);
  }
  const product = trusted.totalPower * trustLevel.numerator;
  if (product > MAX_INT64)
    throw refuse("trust_level_overflow", "total power times the trust level exceeds 63 bits");
  const needed = product / trustLevel.denominator;
  const places = new Map(trusted.validators.map((validator) => [toHexUpper(validator.address), validator]));
  const seen = new Map<Validator, number>();
  const checks: SignatureCheck[] = [];
  let power = 0n;
  for (const [index, sig] of commit.signatures.entries()) {
    if (sig.flag !== CommitFlag.commit) continue;
    const validator = places.get(toHexUpper(sig.validatorAddress));
    if (validator === undefined) continue;
    const first = seen.get(validator);
    if (first !== undefined) {
      const who = toHexUpper(validator.address);
      throw refuse("double_vote", `validator ${who} signed as entries ${first} and ${index}`, { index });
    }
    seen.set(validator, index);
    checks.push(checkOf(chainId, commit, sig, index, validator));
    power += validator.power;
    if (options.allSignatures !== true && power > needed) break;
  }
  if (power <= needed) throw notEnoughPower(power, needed);
  return checks;
}

/**
 * Asks the backend for every check.
 * @throws ChainError `COMMIT` with the first failing one in `facts.check`.
 */
export function requireChecks(checks: readonly SignatureCheck[], backend: VerifierBackend): void {
  const check = backend.verifyBatch(checks).indexOf(false);
  if (check >= 0) throw refuse("wrong_signature", `signature check ${check} fails`, { check });
}

/**
 * VerifyCommit: `commit` proves that `set` decided `blockId` at `height`, and every signature in it holds.
 * @throws ChainError `COMMIT` otherwise.
 */
export function verifyCommit(
  chainId: string,
  set: ValidatorSet,
  blockId: BlockId,
  height: Height,
  commit: Commit,
  backend: VerifierBackend,
): void {
  requireChecks(commitChecks(chainId, set, blockId, height, commit, "all"), backend);
}
