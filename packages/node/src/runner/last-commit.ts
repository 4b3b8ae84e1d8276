import {
  type ChainState,
  type Commit,
  CommitFlag,
  commitChecks,
  EMPTY_COMMIT,
  type Vote,
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

  /** A late precommit of the same round, verified; `null` when it adds nothing. */
  extend(state: ChainState, vote: Vote): LastCommit | null {
    const present = this.commit.signatures[vote.validatorIndex];
    if (vote.height !== this.commit.height || vote.round !== this.commit.round) return null;
    if (present === undefined || present.flag !== CommitFlag.absent) return null;
    const forBlock = vote.blockId !== null && bytesEqual(vote.blockId.hash, this.commit.blockId.hash);
    if (vote.blockId !== null && !forBlock) return null;
    const signature = {
      flag: forBlock ? CommitFlag.commit : CommitFlag.nil,
      validatorAddress: vote.validatorAddress,
      timestamp: vote.timestamp,
      signature: vote.signature,
    };
    const signatures = this.commit.signatures.map((old, index) =>
      index === vote.validatorIndex ? signature : old,
    );
    return LastCommit.of(state, { ...this.commit, signatures });
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
