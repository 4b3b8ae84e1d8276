import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  add,
  BASE,
  decodePoint,
  encodePoint,
  littleEndian,
  multiply,
  toLittleEndian,
} from "../../../conformance/ed25519/zip215.ts";
import { ed25519Signer, nobleBackend, type SignatureCheck } from "../src/index.ts";
import { createWasmBackend } from "../src/wasm/index.ts";
import { KeyNumbers } from "../src/wasm/keys.ts";
import { instantiateEd25519 } from "../src/wasm/module.ts";

const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const backend = createWasmBackend();
const signers = Array.from({ length: 24 }, (_, i) => ed25519Signer(new Uint8Array(32).fill(i + 1)));

function signed(signer: number, message: Uint8Array): SignatureCheck {
  const { publicKey, sign } = signers[signer % signers.length]!;
  return { publicKey, message, signature: sign(message) };
}
const good = (i: number, length = 110): SignatureCheck =>
  signed(
    i,
    new Uint8Array(length).map((_, at) => i + at),
  );
/** Holds no more: another message than was signed. */
const spoilt = (check: SignatureCheck): SignatureCheck => ({
  ...check,
  message: new Uint8Array([...check.message, 1]),
});
/** The same signature with S of another value. */
function withS(check: SignatureCheck, change: (S: bigint) => bigint): SignatureCheck {
  const S = littleEndian(check.signature.slice(32));
  return {
    ...check,
    signature: new Uint8Array([...check.signature.slice(0, 32), ...toLittleEndian(change(S))]),
  };
}

describe("the wasm backend", () => {
  it("accepts batches of every size up to several of the module's own, and names nobody", () => {
    for (const size of [0, 1, 2, 3, 4, 5, 8, 63, 64, 255, 256, 257, 520]) {
      const checks = Array.from({ length: size }, (_, i) => good(i));
      assert.deepEqual(backend.verifyBatch(checks), Array(size).fill(true), `${size}`);
    }
  });

  it("names every culprit of a batch and nobody else, however many and wherever they are", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 70 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        fc.nat(2),
        (size, where, kind) => {
          const bad = new Set(where.map((each) => each % size));
          const change = [
            spoilt,
            (check: SignatureCheck): SignatureCheck => withS(check, (S) => (S + 1n) % L),
            (check: SignatureCheck): SignatureCheck => ({ ...check, publicKey: new Uint8Array(32).fill(2) }),
          ][kind]!;
          const checks = Array.from({ length: size }, (_, i) => (bad.has(i) ? change(good(i)) : good(i)));
          assert.deepEqual(
            backend.verifyBatch(checks),
            checks.map((_, i) => !bad.has(i)),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  it("answers false for a batch of nothing but culprits, each for itself", () => {
    const checks = Array.from({ length: 100 }, (_, i) => spoilt(good(i)));
    assert.deepEqual(backend.verifyBatch(checks), Array(100).fill(false));
  });

  it("answers false to keys and signatures of a wrong length, beside others that hold", () => {
    const check = good(1);
    const wrong = [
      { ...check, publicKey: check.publicKey.subarray(1) },
      { ...check, publicKey: new Uint8Array(33) },
      { ...check, signature: check.signature.subarray(1) },
      { ...check, signature: new Uint8Array(65) },
      { publicKey: new Uint8Array(0), message: new Uint8Array(0), signature: new Uint8Array(0) },
    ];
    assert.deepEqual(
      backend.verifyBatch(wrong.flatMap((each) => [check, each])),
      wrong.flatMap(() => [true, false]),
    );
    for (const each of wrong) assert.equal(backend.verify(each), false);
  });

  it("hashes messages of every length, those that end at a block of SHA-512 and those it gives to the platform", () => {
    const lengths = [...Array.from({ length: 260 }, (_, i) => i), 4095, 4096, 4097, 70_000];
    const checks = lengths.map((length) => good(length, length));
    assert.ok(backend.verifyBatch(checks).every(Boolean));
    assert.deepEqual(backend.verifyBatch(checks.map(spoilt)), Array(lengths.length).fill(false));
  });

  it("refuses S of L and above though the equation would hold, and takes S just below", () => {
    const check = good(3);
    assert.equal(backend.verify(withS(check, (S) => S + L)), false);
    // Under a key of small order every R = S·B holds.
    const key = encodePoint({ X: 0n, Y: 1n, Z: 1n, T: 0n });
    for (const [S, expected] of [
      [0n, true],
      [L - 1n, true],
      [L, false],
      [L + 1n, false],
      [2n ** 253n - 1n, false],
      [2n ** 256n - 1n, false],
    ] as const) {
      const R = encodePoint(multiply(S % L, BASE));
      const signature = new Uint8Array([...R, ...toLittleEndian(S)]);
      const at = { publicKey: key, message: Uint8Array.of(1), signature };
      assert.equal(backend.verify(at), expected, `S = ${S}`);
      assert.deepEqual(backend.verifyBatch([check, at, check]), [true, expected, true], `S = ${S}`);
    }
  });

  it("has noble's verdict on keys and R of mixed order, alone and in company", () => {
    const torsion = decodePoint(
      new Uint8Array(Buffer.from("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "hex")),
      true,
    )!;
    for (let i = 0; i < 24; i++) {
      const [a, r] = [BigInt(1000 + i), BigInt(9000 + i)];
      const A = encodePoint(add(multiply(a, BASE), multiply(BigInt(i % 8), torsion)));
      const R = encodePoint(add(multiply(r, BASE), multiply(BigInt((3 * i) % 8), torsion)));
      const message = Uint8Array.of(i);
      const k = littleEndian(createHash("sha512").update(R).update(A).update(message).digest());
      const S = toLittleEndian((r + k * a) % L);
      const check = { publicKey: A, message, signature: new Uint8Array([...R, ...S]) };
      assert.equal(nobleBackend.verify(check), true);
      assert.equal(backend.verify(check), true);
      assert.deepEqual(backend.verifyBatch([check, good(i), spoilt(check)]), [true, true, false]);
    }
  });

  it("keeps verdicts right while more keys pass than it has room for", () => {
    const many = Array.from({ length: 600 }, (_, i) => {
      const seed = new Uint8Array(32);
      new DataView(seed.buffer).setUint32(0, i + 1);
      const { publicKey, sign } = ed25519Signer(seed);
      const message = Uint8Array.of(i & 255);
      return { publicKey, message, signature: sign(message) };
    });
    for (let pass = 0; pass < 2; pass++) {
      const checks = many.map((check, i) => (i % 97 === pass ? spoilt(check) : check));
      assert.deepEqual(
        backend.verifyBatch(checks),
        checks.map((_, i) => i % 97 !== pass),
      );
    }
  });
});

describe("errors that cancel each other", () => {
  // S of one signature too large by one and of the other too small: their sum is right.
  const pair = [withS(good(1), (S) => (S + 1n) % L), withS(good(2), (S) => (S + L - 1n) % L)];

  it("would pass an equation whose coefficients are all one", () => {
    const wasm = instantiateEd25519();
    const bytes = new Uint8Array(wasm.memory.buffer);
    for (const [item, { publicKey, signature, message }] of pair.entries()) {
      bytes.set(publicKey, wasm.KEYS.value + 32 * item);
      assert.notEqual(wasm.setKey(item), 0);
      new DataView(bytes.buffer).setUint32(wasm.KEY_OF.value + 4 * item, item, true);
      bytes.set(signature, wasm.SIGNATURES.value + 64 * item);
      bytes.set(message, wasm.MESSAGE.value);
      wasm.digest(item, message.length);
      bytes.fill(0, wasm.COEFFICIENTS.value + 16 * item, wasm.COEFFICIENTS.value + 16 * (item + 1));
      bytes[wasm.COEFFICIENTS.value + 16 * item] = 1;
    }
    wasm.prepare(2);
    assert.notEqual(wasm.holds(0, 2), 0);
    // With any other ratio of the two they do not.
    bytes[wasm.COEFFICIENTS.value] = 2;
    assert.equal(wasm.holds(0, 2), 0);
  });

  it("are both named by the backend, in any company", () => {
    assert.deepEqual(backend.verifyBatch(pair), [false, false]);
    const company = Array.from({ length: 40 }, (_, i) => good(i));
    assert.deepEqual(backend.verifyBatch([...company, ...pair]), [...company.map(() => true), false, false]);
    assert.deepEqual(backend.verifyBatch([pair[0]!, ...company, pair[1]!]), [
      false,
      ...company.map(() => true),
      false,
    ]);
  });
});

describe("numbers of keys", () => {
  const key = (i: number): Uint8Array => new Uint8Array(32).fill(i);

  it("stay the same for the last keys asked for, and are made anew for one that was pushed out", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(7), { minLength: 40, maxLength: 60 }), (asked) => {
        const made = new Map<number, number>();
        let times = 0;
        const numbers = new KeyNumbers(4, (number, publicKey) => {
          times++;
          made.set(number, publicKey[0]!);
          // Keys above 5 are no points.
          return publicKey[0]! <= 5;
        });
        const recent: number[] = [];
        for (const each of asked) {
          const before = times;
          const number = numbers.of(key(each));
          assert.equal(number === null, each > 5);
          if (number === null) continue;
          assert.ok(number >= 0 && number < 4);
          assert.equal(made.get(number), each, "the tables under a number are those of its key");
          const fresh = recent.slice(-3).includes(each);
          if (fresh && !asked.some((other) => other > 5)) assert.equal(times, before);
          if (recent.includes(each)) recent.splice(recent.indexOf(each), 1);
          recent.push(each);
        }
      }),
    );
  });
});
