/** Evidence of an attack on light clients (CometBFT evidence/verify.go and types/evidence.go v0.38). */
import { addressOf, bytesEqual, type SignatureCheck, type VerifierBackend } from "@quorate/crypto";
import { commitChecks, requireChecks, trustingCommitChecks } from "../commit/verify.ts";
import { ChainError } from "../errors.ts";
import { headerHash, validatorsHash } from "../hash/hashes.ts";
import {
  CommitFlag,
  type Header,
  type LightBlock,
  type LightClientAttackEvidence,
  type SignedHeader,
  type Validator,
  type ValidatorSet,
} from "../types.ts";
import { compareValidators, validatorByAddress } from "../validators/set.ts";

const ONE_THIRD = { numerator: 1n, denominator: 3n };

/** What the chain itself says about the heights that the evidence names. */
export interface AttackedChain {
  readonly chainId: string;
  /** Header of the common height. */
  readonly common: Header;
  /** Set of the common height. */
  readonly commonValidators: ValidatorSet;
  /** Header and commit of the conflicting height; of the newest height where the chain is not there yet. */
  readonly trusted: SignedHeader;
}

function refuse(reason: string, message: string): ChainError {
  return new ChainError("EVIDENCE", `light-client attack: ${message}`, { reason });
}

/**
 * Who can be named: all signers of a block that does not follow from the chain (lunatic) who were validators of the
 * common height; who signed both blocks of one round (equivocation); nobody where the rounds differ (amnesia), for no
 * single signature is false there. In set order.
 */
export function byzantineValidators(
  evidence: LightClientAttackEvidence,
  chain: Pick<AttackedChain, "commonValidators" | "trusted">,
): readonly Validator[] {
  const { conflictingBlock } = evidence;
  const { commit } = conflictingBlock.signedHeader;
  const { trusted } = chain;
  if (headerIsInvented(conflictingBlock.signedHeader.header, trusted.header)) {
    return commit.signatures
      .filter((sig) => sig.flag === CommitFlag.commit)
      .flatMap((sig) => {
        const found = validatorByAddress(chain.commonValidators, sig.validatorAddress);
        return found === null ? [] : [found.validator];
      })
      .sort(compareValidators);
  }
  if (trusted.commit.round !== commit.round) return [];
  return commit.signatures
    .flatMap((sig, index) => {
      const other = trusted.commit.signatures[index];
      if (sig.flag !== CommitFlag.commit || other?.flag !== CommitFlag.commit) return [];
      const found = validatorByAddress(conflictingBlock.validators, sig.validatorAddress);
      return found === null ? [] : [found.validator];
    })
    .sort(compareValidators);
}

/** A header whose fields do not all follow from the state: no correct execution of the chain gives it. */
function headerIsInvented(conflicting: Header, trusted: Header): boolean {
  return (
    !bytesEqual(trusted.validatorsHash, conflicting.validatorsHash) ||
    !bytesEqual(trusted.nextValidatorsHash, conflicting.nextValidatorsHash) ||
    !bytesEqual(trusted.consensusHash, conflicting.consensusHash) ||
    !bytesEqual(trusted.appHash, conflicting.appHash) ||
    !bytesEqual(trusted.lastResultsHash, conflicting.lastResultsHash)
  );
}

function checkLightBlock(chainId: string, { signedHeader, validators }: LightBlock): void {
  const { header, commit } = signedHeader;
  if (header.chainId !== chainId) throw refuse("wrong_chain", "the block is of another chain");
  if (commit.height !== header.height)
    throw refuse("commit_height_mismatch", "the commit is of another height");
  if (!bytesEqual(commit.blockId.hash, headerHash(header))) {
    throw refuse("commit_signs_other_block", "the commit is for another header");
  }
  if (!bytesEqual(header.validatorsHash, validatorsHash(validators))) {
    throw refuse("validators_hash_mismatch", "the validators are not those of the header");
  }
}

/**
 * The signature checks that decide whether evidence proves an attack; age is for the caller to compare.
 * @throws ChainError `EVIDENCE` when it does not contradict the chain or names others than it proves, `COMMIT` when
 * too little power signed; `facts.reason` says which.
 */
export function lightClientAttackChecks(
  evidence: LightClientAttackEvidence,
  chain: AttackedChain,
): readonly SignatureCheck[] {
  const { conflictingBlock, commonHeight } = evidence;
  const { header, commit } = conflictingBlock.signedHeader;
  const { chainId, common, commonValidators, trusted } = chain;
  checkLightBlock(chainId, conflictingBlock);
  if (common.height !== commonHeight) throw refuse("wrong_height", "the common height is another");
  const checks: SignatureCheck[] = [];
  if (commonHeight !== header.height) {
    checks.push(
      ...trustingCommitChecks(chainId, commonValidators, commit, ONE_THIRD, { allSignatures: true }),
    );
  } else if (headerIsInvented(header, trusted.header)) {
    throw refuse("not_derived", "the block is of the common height but does not follow from the chain");
  }
  const set = conflictingBlock.validators;
  checks.push(...commitChecks(chainId, set, commit.blockId, header.height, commit, "light-all"));
  if (evidence.totalVotingPower !== commonValidators.totalPower) {
    throw refuse(
      "total_power_mismatch",
      `total ${evidence.totalVotingPower}, in the set ${commonValidators.totalPower}`,
    );
  }
  if (evidence.timestamp !== common.time) {
    throw refuse("time_mismatch", "the time is not that of the block of the common height");
  }
  if (header.height > trusted.header.height && header.time > trusted.header.time) {
    throw refuse("time_not_violated", "the block is above the chain and later than its newest block");
  }
  if (bytesEqual(headerHash(trusted.header), headerHash(header))) {
    throw refuse("same_header", "the block is the one that the chain decided");
  }
  checkAccused(evidence, byzantineValidators(evidence, chain));
  return checks;
}

function checkAccused(evidence: LightClientAttackEvidence, proven: readonly Validator[]): void {
  const named = evidence.byzantineValidators;
  if (named.length !== proven.length) {
    throw refuse("byzantine_count", `${named.length} validators are named, proven are ${proven.length}`);
  }
  for (const [index, validator] of proven.entries()) {
    const accused = named[index]!;
    if (!bytesEqual(accused.address, validator.address) || accused.power !== validator.power) {
      throw refuse("byzantine_validator_mismatch", `the validator named as ${index} is not the one proven`);
    }
    if (!bytesEqual(accused.address, addressOf(accused.pubKey))) {
      throw refuse("address_not_from_pubkey", `the key named as ${index} is not that of its address`);
    }
  }
}

/**
 * Verifies evidence of an attack on light clients, signatures included.
 * @throws ChainError `EVIDENCE` or `COMMIT` when it proves nothing.
 */
export function verifyLightClientAttack(
  evidence: LightClientAttackEvidence,
  chain: AttackedChain,
  backend: VerifierBackend,
): void {
  requireChecks(lightClientAttackChecks(evidence, chain), backend);
}
