import {
  blockIdEquals,
  type ChainState,
  type Commit,
  CommitFlag,
  commitChecks,
  EMPTY_COMMIT,
  type Vote,
  VoteType,
  voteSignBytes,
} from "@quorate/chain";
import { bytesEqual, type SignatureCheck } from "@quorate/crypto";
import type { BlockStore } from "@quorate/store";

/** The commit of the last height: grows by late precommits until the next block carries it. */
export class LastCommit {
  readonly commit: Commit;
  /** What was verified of it: a block that repeats these signatures costs no second check. */
  private readonly verified: ReadonlyMap<string, SignatureCheck>;

  private constructor(commit: Commit, verified: ReadonlyMap<string, SignatureCheck>) {
    this.commit = commit;
    this.verified = verified;
  }

  /** At the first height: no signatures. */
  static empty(commit: Commit): LastCommit {
    return new LastCommit(commit, new Map());
  }

  /** `state`: after `commit.height`; every signature of `commit` was verified. */
  static of(state: ChainState, commit: Commit): LastCommit {
    const set = state.lastValidators;
    if (set === null) return LastCommit.empty(commit);
    const checks = commitChecks(state.chainId, set, commit.blockId, commit.height, commit, "all");
    return new LastCommit(commit, new Map(checks.map((check) => [keyOf(check), check])));
  }

  /** A late precommit of the same round, verified; `null` when it adds nothing. `state`: after the commit's height. */
  extend(state: ChainState, vote: Vote): LastCommit | null {
    const { commit } = this;
    const validator = state.lastValidators?.validators[vote.validatorIndex];
    if (vote.type !== VoteType.precommit || vote.height !== commit.height || vote.round !== commit.round)
      return null;
    if (validator === undefined || !bytesEqual(validator.address, vote.validatorAddress)) return null;
    if (commit.signatures[vote.validatorIndex]?.flag !== CommitFlag.absent) return null;
    // A signature covers the whole id: the same hash with other parts is another block's.
    if (vote.blockId !== null && !blockIdEquals(vote.blockId, commit.blockId)) return null;
    const signature = {
      flag: vote.blockId === null ? CommitFlag.nil : CommitFlag.commit,
      validatorAddress: vote.validatorAddress,
      timestamp: vote.timestamp,
      signature: vote.signature,
    };
    const check: SignatureCheck = {
      publicKey: validator.pubKey,
      message: voteSignBytes(state.chainId, vote),
      signature: vote.signature,
    };
    return new LastCommit(
      { ...commit, signatures: commit.signatures.with(vote.validatorIndex, signature) },
      new Map([...this.verified, [keyOf(check), check]]),
    );
  }

  /** The checks that were not made before. */
  unverified(checks: readonly SignatureCheck[]): readonly SignatureCheck[] {
    return checks.filter((check) => {
      const known = this.verified.get(keyOf(check));
      return (
        known === undefined ||
        !bytesEqual(known.message, check.message) ||
        !bytesEqual(known.publicKey, check.publicKey)
      );
    });
  }
}

/** The commit of the tip as stored; no signatures before the first block. */
export async function initialLastCommit(
  store: Pick<BlockStore, "seenCommit">,
  state: ChainState,
): Promise<LastCommit> {
  const commit = state.lastBlockId === null ? null : await store.seenCommit(state.lastHeight);
  return commit === null ? LastCommit.empty(EMPTY_COMMIT) : LastCommit.of(state, commit);
}

const keyOf = (check: SignatureCheck): string => Buffer.from(check.signature).toString("latin1");
