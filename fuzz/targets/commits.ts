/** Proofs made of signatures: commits and certificates of which one field was changed. */
import {
  type Certificate,
  ChainError,
  type Commit,
  CommitFlag,
  certificateChecks,
  certificateFromCommit,
  requireChecks,
  verifyCommit,
} from "@quorate/chain";
import { nativeBackend } from "@quorate/crypto";
import type * as modelValues from "../../conformance/model/values.ts";
import * as model from "../../conformance/model/verify.ts";
import type { Random } from "../random.ts";
import { type Target, Violation } from "../target.ts";
import { CERTIFICATE_CHANGES, COMMIT_CHANGES } from "./commit-changes.ts";
import { CHAIN, COMMITTEES, type Committee, soundCommit } from "./committee.ts";
import { seeded } from "./seeded.ts";

const taken = (run: () => void): boolean => {
  try {
    run();
    return true;
  } catch (error) {
    if (error instanceof ChainError) return false;
    throw error;
  }
};

const modelCommit = (commit: Commit): modelValues.Commit => ({
  height: BigInt(commit.height),
  round: BigInt(commit.round),
  blockId: {
    hash: commit.blockId.hash,
    total: BigInt(commit.blockId.parts.total),
    partsHash: commit.blockId.parts.hash,
  },
  signatures: commit.signatures.map((sig) => {
    const nanos = sig.timestamp % 1_000_000_000n;
    const below = nanos < 0n;
    return {
      flag: sig.flag,
      address: sig.validatorAddress,
      timestamp: {
        seconds: sig.timestamp / 1_000_000_000n - (below ? 1n : 0n),
        nanos: Number(nanos) + (below ? 1_000_000_000 : 0),
      },
      signature: sig.signature,
    };
  }),
});

/** R38: two verifiers that share no code agree on sound commits and on every commit with one field changed. */
export const commits: Target = seeded("commits", "commits and certificates, one field changed", (random) => {
  const committee = random.pick(COMMITTEES());
  const { set } = committee;
  const sound = soundCommit(random, committee);
  const changed = random.oneIn(12) ? null : random.below(COMMIT_CHANGES.length);
  const signed = sound.signatures.flatMap(({ flag }, i) => (flag === CommitFlag.absent ? [] : [i]));
  const commit = changed === null ? sound : COMMIT_CHANGES[changed]!(sound, random, random.pick(signed));
  const ours = taken(() => verifyCommit(CHAIN, set, sound.blockId, sound.height, commit, nativeBackend));
  const { blockId, height } = modelCommit(sound);
  const theirs = model.verifyCommit(CHAIN, set.validators, blockId, height, modelCommit(commit), "all");
  if (ours !== (theirs === null)) {
    throw new Violation(
      `change ${changed}: the product ${ours ? "accepts" : "refuses"}, the model ${theirs?.reason ?? "accepts"}`,
    );
  }
  if (ours !== (changed === null))
    throw new Violation(`change ${changed} is ${ours ? "accepted" : "refused"}`);
  judgeCertificate(random, committee, sound);
  return ours ? "accepted" : "refused";
});

function judgeCertificate(random: Random, { set }: Committee, commit: Commit): void {
  const sound = certificateFromCommit(set, commit);
  const holds = (of: Certificate): boolean =>
    taken(() => requireChecks(certificateChecks(CHAIN, set, of), nativeBackend));
  if (!holds(sound)) throw new Violation("the certificate of a sound commit is refused");
  const at = random.below(CERTIFICATE_CHANGES.length);
  if (holds(CERTIFICATE_CHANGES[at]!(sound, random)))
    throw new Violation(`change ${at} of a certificate is accepted`);
}
