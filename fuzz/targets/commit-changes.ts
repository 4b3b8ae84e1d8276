/** Every field of a commit and of a certificate, one changed: none of what these make may be accepted. */
import {
  ABSENT_SIG,
  type Certificate,
  type Commit,
  CommitFlag,
  type CommitSig,
  VoteType,
} from "@quorate/chain";
import { littleEndian, toLittleEndian } from "../../conformance/ed25519/zip215.ts";
import type { Random } from "../random.ts";
import { L } from "./ed25519.ts";

const flip = (bytes: Uint8Array, random: Random): Uint8Array => {
  const copy = bytes.slice();
  copy[random.below(copy.length)]! ^= 1 << random.below(8);
  return copy;
};

/** Every field of a commit, one changed; none of these may be accepted. */
export const COMMIT_CHANGES: readonly ((commit: Commit, random: Random, signed: number) => Commit)[] = [
  (commit) => ({ ...commit, height: commit.height === 1 ? 2 : commit.height - 1 }),
  (commit) => ({ ...commit, round: commit.round === 0 ? 1 : commit.round - 1 }),
  (commit, random) => ({
    ...commit,
    blockId: { ...commit.blockId, hash: flip(commit.blockId.hash, random) },
  }),
  (commit, random) => ({
    ...commit,
    blockId: {
      ...commit.blockId,
      parts: { ...commit.blockId.parts, hash: flip(commit.blockId.parts.hash, random) },
    },
  }),
  (commit) => ({
    ...commit,
    blockId: {
      ...commit.blockId,
      parts: {
        ...commit.blockId.parts,
        total: (commit.blockId.parts.total % 0xffff) + 1 + (commit.blockId.parts.total === 1 ? 1 : 0),
      },
    },
  }),
  ...(["validatorAddress", "signature"] as const).map(
    (field) =>
      (commit: Commit, random: Random, at: number): Commit =>
        withSig(commit, at, (sig) => ({ ...sig, [field]: flip(sig[field], random) })),
  ),
  (commit, _random, at) =>
    withSig(commit, at, (sig) => ({ ...sig, timestamp: sig.timestamp + (sig.timestamp > 0n ? -1n : 1n) })),
  (commit, _random, at) =>
    withSig(commit, at, (sig) => ({
      ...sig,
      flag: sig.flag === CommitFlag.nil ? CommitFlag.commit : CommitFlag.nil,
    })),
  (commit, random, at) =>
    withSig(commit, at, (sig) => ({ ...sig, signature: sig.signature.slice(0, random.below(64)) })),
  (commit, _random, at) =>
    withSig(commit, at, (sig) => ({ ...sig, signature: new Uint8Array([...sig.signature, 0]) })),
  (commit, random, at) =>
    withSig(commit, at, (sig) => {
      // S + L: the same number, another signature.
      const S = littleEndian(sig.signature.subarray(32)) + L * BigInt(1 + random.below(2));
      return { ...sig, signature: new Uint8Array([...sig.signature.subarray(0, 32), ...toLittleEndian(S)]) };
    }),
  (commit, _random, at) => ({ ...commit, signatures: commit.signatures.toSpliced(at, 1) }),
  (commit, _random, at) => ({
    ...commit,
    signatures: commit.signatures.toSpliced(at, 0, commit.signatures[at]!),
  }),
  (commit) => ({ ...commit, signatures: [...commit.signatures, ABSENT_SIG] }),
  // Another validator's entry in this one's place; an absent one there would only be one signature less.
  (commit, _random, at) => {
    const other = commit.signatures.find(({ flag }, index) => index !== at && flag !== CommitFlag.absent);
    return { ...commit, signatures: other === undefined ? [] : commit.signatures.with(at, other) };
  },
];

const withSig = (commit: Commit, at: number, change: (sig: CommitSig) => CommitSig): Commit => ({
  ...commit,
  signatures: commit.signatures.with(at, change(commit.signatures[at]!)),
});

/** Every field of a certificate, one changed. */
export const CERTIFICATE_CHANGES: readonly ((of: Certificate, random: Random) => Certificate)[] = [
  (of) => ({ ...of, type: of.type === VoteType.prevote ? VoteType.precommit : VoteType.prevote }),
  (of) => ({ ...of, height: of.height === 1 ? 2 : of.height - 1 }),
  (of) => ({ ...of, round: of.round === 0 ? 1 : of.round - 1 }),
  (of) => ({ ...of, blockId: null }),
  (of, random) => ({ ...of, blockId: { ...of.blockId!, hash: flip(of.blockId!.hash, random) } }),
  (of, random) => changedSig(of, random, (sig) => ({ ...sig, signature: flip(sig.signature, random) })),
  (of, random) =>
    changedSig(of, random, (sig) => ({ ...sig, timestamp: sig.timestamp + (sig.timestamp > 0n ? -1n : 1n) })),
  (of, random) => changedSig(of, random, (sig) => ({ ...sig, validatorIndex: sig.validatorIndex + 100 })),
  (of, random) => {
    const at = random.below(of.signatures.length);
    return { ...of, signatures: of.signatures.toSpliced(at, 0, of.signatures[at]!) };
  },
  (of) => ({ ...of, signatures: of.signatures.slice(0, Math.floor(of.signatures.length / 2)) }),
  (of) =>
    of.signatures.length < 2 ? { ...of, signatures: [] } : { ...of, signatures: of.signatures.toReversed() },
];

function changedSig(
  of: Certificate,
  random: Random,
  change: (sig: Certificate["signatures"][number]) => Certificate["signatures"][number],
): Certificate {
  const at = random.below(of.signatures.length);
  return { ...of, signatures: of.signatures.with(at, change(of.signatures[at]!)) };
}
