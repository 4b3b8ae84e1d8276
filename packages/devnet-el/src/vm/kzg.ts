import type { KZG } from "@ethereumjs/util";
import { bls12_381 as bls } from "@noble/curves/bls12-381.js";

/** [tau]G2 of the Ethereum KZG ceremony: all that verifying one proof needs of the trusted setup. */
const TAU_G2 =
  "b5bfd7dd8cdeb128843bc287230af38926187075cbfbefa81009a2ce615ac53d2914e5870cb452d2afaaab24f3499f72185cbfee53492714734429b7b38608e23926c911cceceac9a36851477ba4c60b087041de621000edc98edada20c1def2";
const SCALAR_ORDER = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n;

/** The name by which the point evaluation precompile knows malformed input. */
const BAD_ARGUMENTS = "C_KZG_BADARGS";

type G1 = InstanceType<typeof bls.G1.Point>;
type G2 = InstanceType<typeof bls.G2.Point>;

function g1(hex: string): G1 {
  const point = bls.G1.Point.fromHex(hex.slice(2));
  point.assertValidity();
  return point;
}

function scalar(hex: string): bigint {
  const value = BigInt(hex);
  if (value >= SCALAR_ORDER) throw new Error("not a field element");
  return value;
}

function unsupported(): never {
  throw new Error("blob transactions are not supported by the embedded execution client");
}

/** Verifier for the point evaluation precompile (0x0a of EIP-4844); everything about blobs is refused. */
export function createKzg(): KZG {
  let tau: G2 | undefined;

  /** e(C - yG1, -G2) * e(P, [tau - z]G2) == 1 */
  const holds = (commitment: G1, z: bigint, y: bigint, proof: G1): boolean => {
    tau ??= bls.G2.Point.fromHex(TAU_G2);
    const a = y === 0n ? commitment : commitment.subtract(bls.G1.Point.BASE.multiply(y));
    const b = z === 0n ? tau : tau.subtract(bls.G2.Point.BASE.multiply(z));
    const pairs: { g1: G1; g2: G2 }[] = [];
    if (!a.is0()) pairs.push({ g1: a, g2: bls.G2.Point.BASE.negate() });
    if (!proof.is0() && !b.is0()) pairs.push({ g1: proof, g2: b });
    return pairs.length === 0 || bls.fields.Fp12.eql(bls.pairingBatch(pairs), bls.fields.Fp12.ONE);
  };

  return {
    verifyProof(commitment: string, z: string, y: string, proof: string): boolean {
      let arguments_: [G1, bigint, bigint, G1];
      try {
        arguments_ = [g1(commitment), scalar(z), scalar(y), g1(proof)];
      } catch {
        throw new Error(BAD_ARGUMENTS);
      }
      return holds(...arguments_);
    },
    computeBlobProof: unsupported,
    blobToKzgCommitment: unsupported,
    verifyBlobProofBatch: unsupported,
    computeCells: unsupported,
    computeCellsAndProofs: unsupported,
    recoverCellsAndProofs: unsupported,
    verifyCellKzgProofBatch: unsupported,
  };
}
