import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  crc32c,
  merkleProofs,
  merkleRoot,
  sha256,
  sha256Key,
  sha256Noble,
  toHex,
  utf8Encode,
  verifyMerkleProof,
} from "../src/index.ts";

const bytes = fc.uint8Array({ maxLength: 300 });

describe("sha256", () => {
  test("of nothing is the published constant", () => {
    const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert.equal(toHex(sha256()), empty);
    assert.equal(toHex(sha256Noble()), empty);
  });

  test("does not depend on how the input is cut, and noble agrees", () => {
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 5 }), (chunks) => {
        const whole = Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
        assert.deepEqual(sha256(...chunks), sha256(whole));
        assert.deepEqual(sha256Noble(...chunks), sha256(whole));
        assert.equal(sha256Key(whole), String.fromCharCode(...sha256(whole)));
      }),
    );
  });

  test("streams large inputs to the same digest", () => {
    const chunk = new Uint8Array(70_000).fill(1);
    assert.deepEqual(sha256(Uint8Array.of(0), chunk), sha256Noble(Uint8Array.of(0), chunk));
  });

  test("answers a plain Uint8Array", () => {
    assert.equal(Object.getPrototypeOf(sha256()), Uint8Array.prototype);
  });
});

describe("crc32c", () => {
  test("gives the check value of the catalogue and those of RFC 3720", () => {
    assert.equal(crc32c(utf8Encode("123456789")), 0xe3069283);
    assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
    assert.equal(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43);
    assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
    assert.equal(crc32c(new Uint8Array(0)), 0);
  });

  test("continues from the checksum of what stands before", () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        assert.equal(crc32c(b, crc32c(a)), crc32c(Uint8Array.from([...a, ...b])));
      }),
    );
  });

  test("is what the bits alone give, wherever in its memory the input begins", () => {
    const bitwise = (input: Uint8Array): number => {
      let crc = ~0;
      for (const byte of input) {
        crc ^= byte;
        for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
      }
      return ~crc >>> 0;
    };
    fc.assert(
      fc.property(bytes, fc.nat({ max: 7 }), (input, offset) => {
        const part = input.subarray(offset);
        assert.equal(crc32c(part), bitwise(part));
      }),
    );
  });
});

describe("merkle", () => {
  test("gives RFC 6962 roots", () => {
    const root = (...leaves: number[][]): string =>
      toHex(merkleRoot(leaves.map((leaf) => Uint8Array.from(leaf))));
    assert.equal(root(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert.equal(root([]), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    assert.equal(
      root([1, 2, 3], [4, 5, 6]),
      "82e6cfce00453804379b53962939eaa7906b39904be0813fcadd31b100773c4b",
    );
    assert.equal(
      root([1, 2], [3, 4], [5, 6], [7, 8], [9, 10]),
      "f326493eceab4f2d9ffbc78c59432a0a005d6ea98392045c74df5d14a113be18",
    );
  });

  test("every leaf's proof verifies, under the root and for the leaf it was made for only", () => {
    fc.assert(
      fc.property(fc.array(bytes, { minLength: 1, maxLength: 40 }), fc.nat(), fc.nat(), (leaves, i, j) => {
        const { root, proofs } = merkleProofs(leaves);
        assert.deepEqual(root, merkleRoot(leaves));
        const index = i % leaves.length;
        const proof = proofs[index]!;
        const leaf = leaves[index]!;
        assert.equal(verifyMerkleProof(root, proof, leaf), true);
        assert.equal(verifyMerkleProof(root, proof, Uint8Array.from([...leaf, 1])), false);
        const other = Uint8Array.from(root);
        other[j % 32]! ^= 1;
        assert.equal(verifyMerkleProof(other, proof, leaf), false);
        assert.equal(verifyMerkleProof(root, { ...proof, aunts: [...proof.aunts, root] }, leaf), false);
        assert.equal(verifyMerkleProof(root, { ...proof, index: leaves.length }, leaf), false);
      }),
    );
  });

  test("a proof for an index outside the tree or of absurd depth is refused", () => {
    const leaf = Uint8Array.of(1);
    const { root, proofs } = merkleProofs([leaf]);
    const proof = proofs[0]!;
    for (const broken of [
      { ...proof, index: -1 },
      { ...proof, total: 0 },
      { ...proof, total: Number.MAX_SAFE_INTEGER + 1 },
      { ...proof, index: 0.5 },
      { ...proof, aunts: Array.from({ length: 101 }, () => root) },
    ]) {
      assert.equal(verifyMerkleProof(root, broken, leaf), false);
    }
  });
});
