import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  addressOf,
  CryptoError,
  createNativeBackend,
  ed25519Keygen,
  ed25519PublicKey,
  ed25519Sign,
  ed25519Signer,
  fromHex,
  inlineVerifier,
  isCanonicalNonSmallOrderKey,
  nativeBackend,
  nobleBackend,
  toHex,
} from "../src/index.ts";

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const identityKey = fromHex(`01${"00".repeat(31)}`);

test("the public key of a seed is the same by OpenSSL as by noble, and a key of its own memory", () => {
  for (let i = 0; i < 20; i++) {
    const { seed, publicKey } = ed25519Keygen();
    const found = ed25519PublicKey(seed);
    assert.deepEqual(found, publicKey);
    assert.deepEqual([found.buffer.byteLength, found.constructor], [32, Uint8Array]);
  }
});

describe("backends", () => {
  test("agree on mutated signatures, messages and keys", () => {
    fc.assert(
      fc.property(
        bytes32,
        fc.uint8Array({ maxLength: 200 }),
        fc.integer({ min: 0, max: 32 * 8 + 64 * 8 - 1 }),
        (seed, message, bit) => {
          const publicKey = ed25519PublicKey(seed);
          const signature = ed25519Sign(seed, message);
          const target = bit < 256 ? publicKey : signature;
          const at = bit < 256 ? bit : bit - 256;
          assert.equal(nativeBackend.verify({ publicKey, message, signature }), true);
          target[at >> 3]! ^= 1 << (at & 7);
          const mutated = { publicKey, message, signature };
          assert.equal(nativeBackend.verify(mutated), nobleBackend.verify(mutated));
        },
      ),
      { numRuns: 40 },
    );
  });

  for (const backend of [nativeBackend, nobleBackend]) {
    test(`${backend.name} answers false to keys and signatures of a wrong length`, () => {
      const seed = new Uint8Array(32).fill(7);
      const message = Uint8Array.of(1);
      const publicKey = ed25519PublicKey(seed);
      const signature = ed25519Sign(seed, message);
      assert.equal(backend.verify({ publicKey, message, signature }), true);
      assert.equal(backend.verify({ publicKey: publicKey.subarray(1), message, signature }), false);
      assert.equal(backend.verify({ publicKey, message, signature: signature.subarray(0, 63) }), false);
      assert.equal(
        backend.verify({ publicKey, message, signature: new Uint8Array([...signature, 0]) }),
        false,
      );
      assert.equal(
        backend.verify({ publicKey: new Uint8Array(0), message, signature: new Uint8Array(0) }),
        false,
      );
    });
  }

  test("a batch names every culprit in order", () => {
    const message = Uint8Array.of(1, 2, 3);
    const checks = Array.from({ length: 6 }, (_, i) => {
      const seed = new Uint8Array(32).fill(i + 1);
      const signature = ed25519Sign(seed, i === 1 || i === 4 ? Uint8Array.of(9) : message);
      return { publicKey: ed25519PublicKey(seed), message, signature };
    });
    assert.deepEqual(nativeBackend.verifyBatch(checks), [true, false, true, true, false, true]);
    assert.deepEqual(nativeBackend.verifyBatch([]), []);
  });

  test("the native backend stays right when its key cache overflows", () => {
    const backend = createNativeBackend({ cachedKeys: 2 });
    const message = Uint8Array.of(5);
    const checks = Array.from({ length: 5 }, (_, i) => {
      const seed = new Uint8Array(32).fill(i + 1);
      return { publicKey: ed25519PublicKey(seed), message, signature: ed25519Sign(seed, message) };
    });
    for (let pass = 0; pass < 2; pass++)
      assert.deepEqual(backend.verifyBatch(checks), [1, 1, 1, 1, 1].map(Boolean));
  });
});

describe("keys", () => {
  test("a signer signs as ed25519Sign does and both verify", () => {
    const { seed, publicKey } = ed25519Keygen();
    const signer = ed25519Signer(seed);
    const message = Uint8Array.of(1, 2, 3);
    assert.deepEqual(signer.publicKey, publicKey);
    assert.deepEqual(signer.sign(message), ed25519Sign(seed, message));
    assert.equal(nobleBackend.verify({ publicKey, message, signature: signer.sign(message) }), true);
  });

  test("a seed of another length is refused", () => {
    assert.throws(() => ed25519Sign(new Uint8Array(31), new Uint8Array(0)), CryptoError);
    assert.throws(() => ed25519Signer(new Uint8Array(64)), CryptoError);
  });

  test("ordinary keys are canonical and of large order", () => {
    assert.equal(isCanonicalNonSmallOrderKey(ed25519Keygen().publicKey), true);
  });

  for (const [what, key] of [
    ["the identity", `01${"00".repeat(31)}`],
    ["a point of order 8", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"],
    ["y = p, a non-canonical zero", `ed${"ff".repeat(30)}7f`],
    ["the identity with the sign bit of x = 0", `01${"00".repeat(30)}80`],
    ["bytes that are no point", `02${"00".repeat(31)}`],
    ["31 bytes", "00".repeat(31)],
  ] as const) {
    test(`${what} is refused as a validator key`, () => {
      assert.equal(isCanonicalNonSmallOrderKey(fromHex(key)), false);
    });
  }

  test("under a small-order key S = 0 verifies for any message: why such keys are refused", () => {
    const signature = new Uint8Array(64);
    signature[0] = 1;
    const check = { publicKey: identityKey, message: Uint8Array.of(42), signature };
    assert.equal(nativeBackend.verify(check), true);
  });

  test("the address is the first 20 bytes of SHA-256 of the key", () => {
    const key = fromHex("556a436f1218d30942efe798420f51dc9b6a311b929c578257457d05c5fcf230");
    assert.equal(toHex(addressOf(key)), "dc52d5cf8dfd1793d71038b342a29b01ad8a5d63");
  });
});

describe("the inline verifier", () => {
  const seed = new Uint8Array(32).fill(3);
  const message = Uint8Array.of(8);
  const good = { publicKey: ed25519PublicKey(seed), message, signature: ed25519Sign(seed, message) };
  const bad = { ...good, message: Uint8Array.of(9) };

  test("answers per check, now and for groups", async () => {
    const verifier = inlineVerifier();
    assert.equal(verifier.verifyNow(good), true);
    assert.deepEqual(await verifier.verify([good, bad]), [true, false]);
    assert.equal(verifier.canAccept(1000), true);
  });

  test("rejects when aborted or closed", async () => {
    const verifier = inlineVerifier(nobleBackend);
    await assert.rejects(verifier.verify([good], { signal: AbortSignal.abort() }));
    await verifier.close();
    assert.equal(verifier.canAccept(1), false);
    await assert.rejects(verifier.verify([good]), CryptoError);
  });
});
