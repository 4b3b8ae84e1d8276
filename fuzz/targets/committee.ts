/** Validator sets with their keys, and what they commit. */
import {
  ABSENT_SIG,
  type Commit,
  CommitFlag,
  type CommitSig,
  makeValidatorSet,
  type ValidatorSet,
  VoteType,
  voteSignBytes,
} from "@quorate/chain";
import { type Ed25519Signer, ed25519Signer } from "@quorate/crypto";
import type { Random } from "../random.ts";
import * as values from "../values.ts";
import { hex, lazily } from "./seeded.ts";

export interface Committee {
  readonly set: ValidatorSet;
  readonly signers: readonly Ed25519Signer[];
}

export const COMMITTEES: () => readonly Committee[] = lazily((): readonly Committee[] =>
  [1, 3, 4, 7].map((size) => {
    const signers = Array.from({ length: size }, (_, i) =>
      ed25519Signer(new Uint8Array(32).fill(10 * size + i)),
    );
    const set = makeValidatorSet(
      signers.map(({ publicKey }, i) => ({ pubKey: publicKey, power: 10n + BigInt(i) })),
    );
    const byKey = new Map(signers.map((signer) => [hex(signer.publicKey), signer]));
    return { set, signers: set.validators.map(({ pubKey }) => byKey.get(hex(pubKey))!) };
  }),
);

export const CHAIN = "quorate-1";

/** A commit of a committee: all for the block but, sometimes, one nil and one absent, where the quorum bears it. */
export function soundCommit(random: Random, { set, signers }: Committee): Commit {
  const at = { height: values.height(random), round: values.round(random), blockId: values.blockId(random) };
  const spare = set.validators.length >= 7;
  const signatures = signers.map((signer, index): CommitSig => {
    if (spare && index === 5 && random.oneIn(2)) return ABSENT_SIG;
    const nil = spare && index === 6 && random.oneIn(2);
    const timestamp = values.time(random);
    const blockId = nil ? null : at.blockId;
    const message = voteSignBytes(CHAIN, { type: VoteType.precommit, ...at, blockId, timestamp });
    return {
      flag: nil ? CommitFlag.nil : CommitFlag.commit,
      validatorAddress: set.validators[index]!.address,
      timestamp,
      signature: signer.sign(message),
    };
  });
  return { ...at, signatures };
}
