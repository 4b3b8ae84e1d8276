/** The hashes of CometBFT v0.38 that a header carries, and its own. */
import { bytesEqual, concatBytes, merkleRoot, sha256 } from "@quorate/crypto";
import { encodeBlockId } from "../encoding/block-id.ts";
import { encodeCommitSig } from "../encoding/commit.ts";
import { encodeBareEvidence } from "../encoding/evidence.ts";
import { writeVersion } from "../encoding/header.ts";
import { ProtoWriter } from "../encoding/proto.ts";
import { writeTimestampFields } from "../encoding/timestamp.ts";
import { encodeSimpleValidator } from "../encoding/validator.ts";
import { ChainError } from "../errors.ts";
import { remembered } from "../memo.ts";
import type { Block, Commit, Evidence, Hash, Header, ValidatorSet } from "../types.ts";

function wrapped(bytes: Uint8Array): Uint8Array {
  return new ProtoWriter(48).bytes(1, bytes).finish();
}

/** The 14 leaves of a header's hash in order (types/block.go Header.Hash); empty values are empty leaves. */
export function headerLeaves(header: Header): Uint8Array[] {
  const version = new ProtoWriter(32);
  writeVersion(version, header.version);
  const time = new ProtoWriter(32);
  writeTimestampFields(time, header.time);
  return [
    version.finish(),
    new ProtoWriter(64).string(1, header.chainId).finish(),
    new ProtoWriter(16).int(1, header.height).finish(),
    time.finish(),
    encodeBlockId(header.lastBlockId),
    wrapped(header.lastCommitHash),
    wrapped(header.dataHash),
    wrapped(header.validatorsHash),
    wrapped(header.nextValidatorsHash),
    wrapped(header.consensusHash),
    wrapped(header.appHash),
    wrapped(header.lastResultsHash),
    wrapped(header.evidenceHash),
    wrapped(header.proposerAddress),
  ];
}

/**
 * Hash of a header: the root over its 14 leaves.
 * @throws ChainError `INVALID` when the validators hash is empty: CometBFT gives such a header no hash.
 */
export function headerHash(header: Header): Hash {
  if (header.validatorsHash.length === 0) {
    throw new ChainError("INVALID", "a header without validators hash has no hash", {
      height: header.height,
    });
  }
  return merkleRoot(headerLeaves(header));
}

/** LastCommitHash: root over the entries' protobuf; height, round and block id are not in it. */
export function commitHash(commit: Commit): Hash {
  return merkleRoot(commit.signatures.map(encodeCommitSig));
}

/**
 * SHA-256 of each transaction, computed once for a list that lives on: a block's are needed for its hash, and again when
 * its transactions leave the pool. Neither the list nor what is in it may change.
 */
export const txHashes: (txs: readonly Uint8Array[]) => readonly Hash[] = remembered((txs) =>
  txs.map((tx) => sha256(tx)),
);

/** DataHash: root over the transactions' hashes, so that a proof needs a transaction's hash only. */
export const dataHash: (txs: readonly Uint8Array[]) => Hash = remembered((txs) => merkleRoot(txHashes(txs)));

/** ValidatorsHash: root over keys and powers in set order. */
export function validatorsHash(set: Pick<ValidatorSet, "validators">): Hash {
  return merkleRoot(set.validators.map(encodeSimpleValidator));
}

/** ConsensusHash: plain SHA-256 of protobuf HashedParams. */
export function consensusParamsHash(params: {
  readonly maxBytes: number | bigint;
  readonly maxGas: number | bigint;
}): Hash {
  return sha256(
    new ProtoWriter(32).int64(1, BigInt(params.maxBytes)).int64(2, BigInt(params.maxGas)).finish(),
  );
}

/** EvidenceHash: root over the items without their oneof. */
export function evidenceHash(list: readonly Evidence[]): Hash {
  return merkleRoot(list.map(encodeBareEvidence));
}

/**
 * Identity of one item of evidence (types/evidence.go Hash): SHA-256 of its bytes for a duplicate vote; for an attack
 * on light clients of the first 31 bytes of the block's hash, a zero byte and the common height as zig-zag varint, a
 * slip of the original that all nodes share.
 */
export function evidenceId(evidence: Evidence): Hash {
  if (evidence.kind === "duplicate_vote") return sha256(encodeBareEvidence(evidence));
  const hash = headerHash(evidence.conflictingBlock.signedHeader.header);
  const height: number[] = [];
  let rest = BigInt(evidence.commonHeight) * 2n;
  while (rest >= 128n) {
    height.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  height.push(Number(rest));
  return sha256(concatBytes(hash.subarray(0, 31), Uint8Array.of(0), Uint8Array.from(height)));
}

/**
 * Compares the header's hashes of last commit, data and evidence with the block's content.
 * @throws ChainError `INVALID` with the name of the first that differs in `facts.field`.
 */
export function checkBlockHashes(block: Block): void {
  const { header } = block;
  const fields = [
    ["lastCommitHash", header.lastCommitHash, commitHash(block.lastCommit)],
    ["dataHash", header.dataHash, dataHash(block.txs)],
    ["evidenceHash", header.evidenceHash, evidenceHash(block.evidence)],
  ] as const;
  for (const [field, stated, actual] of fields) {
    if (!bytesEqual(stated, actual)) {
      throw new ChainError(
        "INVALID",
        `block ${header.height}: ${field} of the header is not that of its content`,
        {
          field,
          height: header.height,
        },
      );
    }
  }
}
