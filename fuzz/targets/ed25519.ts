/** Ed25519 signatures of every kind, on every backend. */
import { createHash } from "node:crypto";
import {
  createNativeBackend,
  ed25519Signer,
  nativeBackend,
  nobleBackend,
  type SignatureCheck,
} from "@quorate/crypto";
import { createWasmBackend } from "@quorate/crypto/wasm";
import { openssl } from "../../conformance/ed25519/reference.ts";
import {
  add,
  BASE,
  decodePoint,
  encodePoint,
  littleEndian,
  multiply,
  toLittleEndian,
} from "../../conformance/ed25519/zip215.ts";
import type { Random } from "../random.ts";
import { type Target, Violation } from "../target.ts";
import { hex, lazily, seeded } from "./seeded.ts";

const P = 2n ** 255n - 19n;
/** The bit that carries the sign of x. */
const SIGN = 2n ** 255n;
/** Order of the base point. */
export const L = 2n ** 252n + 27742317777372353535851937790883648493n;

/** A point of order 8, from which the whole torsion group comes. */
const ORDER_EIGHT = decodePoint(
  new Uint8Array(Buffer.from("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "hex")),
  true,
)!;
const TORSION = Array.from({ length: 8 }, (_, i) => multiply(BigInt(i), ORDER_EIGHT));

/** Encodings of small-order points, the non-canonical ones with them: y + p where it fits, both signs of x = 0. */
const SMALL_ORDER: readonly Uint8Array[] = TORSION.flatMap((point) => {
  const y = littleEndian(encodePoint(point)) & (SIGN - 1n);
  const ys = y + P < SIGN ? [y, y + P] : [y];
  return ys.flatMap((each) => [each, each | SIGN]).map(toLittleEndian);
});

interface Scalar {
  readonly scalar: bigint;
  /** Encodings of scalar·B plus each torsion point. */
  readonly encodings: readonly Uint8Array[];
}

function pool(count: number, domain: string): Scalar[] {
  return Array.from({ length: count }, (_, i) => {
    const scalar = littleEndian(createHash("sha512").update(`${domain} ${i}`).digest()) % L;
    const point = multiply(scalar, BASE);
    return { scalar, encodings: TORSION.map((torsion) => encodePoint(add(point, torsion))) };
  });
}

const POOLS = lazily(() => ({ keys: pool(24, "key"), nonces: pool(40, "nonce") }));

export interface Drawn {
  readonly check: SignatureCheck;
  /** ZIP-215's verdict where the construction fixes it. */
  readonly verdict: boolean | null;
}

/** (A, R, S, m): sound, with torsion on either point, with encodings of every kind, with S out of its range. */
export function draw(random: Random): Drawn {
  const { keys, nonces } = POOLS();
  const message = random.bytes(random.pick([0, 1, 32, 110, 200]));
  const [key, nonce] = [random.pick(keys), random.pick(nonces)];
  const torsion = (): number => (random.oneIn(2) ? 0 : random.below(8));
  const odd = (usual: Uint8Array): Uint8Array => {
    switch (random.below(8)) {
      case 0:
        return random.pick(SMALL_ORDER);
      case 1:
        return random.bytes(32);
      default:
        return usual;
    }
  };
  const publicKey = odd(key.encodings[torsion()]!);
  const R = odd(nonce.encodings[torsion()]!);
  const challenge = (of: Uint8Array): bigint =>
    littleEndian(createHash("sha512").update(R).update(publicKey).update(of).digest()) % L;
  // A key of small order contributes nothing to the equation times eight, and no more does such an R.
  const a = SMALL_ORDER.includes(publicKey) ? 0n : key.scalar;
  const r = SMALL_ORDER.includes(R) ? 0n : nonce.scalar;
  const constructed =
    [key.encodings, SMALL_ORDER].some((list) => list.includes(publicKey)) &&
    [nonce.encodings, SMALL_ORDER].some((list) => list.includes(R));
  const sound = (of: Uint8Array): bigint => (r + challenge(of) * a) % L;
  const S = ((): bigint => {
    switch (random.below(8)) {
      case 0:
        return sound(message) + L;
      case 1:
        return (sound(message) + 1n) % L;
      case 2:
        return littleEndian(random.bytes(32));
      case 3:
        return random.pick([0n, L - 1n, L, L + 1n, 2n ** 253n, 2n ** 256n - 1n]);
      default:
        return sound(message);
    }
  })();
  const signature = new Uint8Array(64);
  signature.set(R);
  signature.set(toLittleEndian(S), 32);
  const given = random.oneIn(10) ? new Uint8Array([...message, 0]) : message;
  // sound() is below L, so this also says that S is.
  const verdict = constructed ? S === sound(given) : null;
  return { check: { publicKey, message: given, signature }, verdict };
}

const COMPANY = lazily((): readonly [SignatureCheck, SignatureCheck] => {
  const signer = ed25519Signer(new Uint8Array(32).fill(77));
  const message = Uint8Array.of(1, 2, 3);
  const good = { publicKey: signer.publicKey, message, signature: signer.sign(message) };
  return [good, { ...good, message: Uint8Array.of(1, 2, 4) }];
});

const cramped = createNativeBackend({ cachedKeys: 2 });
const wasm = lazily(createWasmBackend);

/** R25: all backends say the same, singly and in batches; what OpenSSL accepts is accepted; constructions are right. */
export const ed25519: Target = seeded("ed25519", "Ed25519 signatures on every backend", (random) => {
  const { check, verdict } = draw(random);
  const expected = nobleBackend.verify(check);
  const differs = (path: string, answer: boolean | undefined): void => {
    if (answer !== expected)
      throw new Violation(`${path} says ${answer}, noble ${expected}: ${shown(check)}`);
  };
  differs("native", nativeBackend.verify(check));
  differs("wasm", wasm().verify(check));
  if (verdict !== null) differs("the construction", verdict);
  if (openssl(check) && !expected) throw new Violation(`OpenSSL accepts what noble refuses: ${shown(check)}`);
  if (random.oneIn(12)) {
    const [good, bad] = COMPANY();
    for (const backend of [nativeBackend, nobleBackend, cramped, wasm()]) {
      const answers = backend.verifyBatch([good, check, bad]);
      if (answers.join() !== [true, expected, false].join()) {
        throw new Violation(
          `a batch of ${backend.name} says ${answers.join()}, singly ${expected}: ${shown(check)}`,
        );
      }
    }
  }
  return expected ? "accepted" : "refused";
});

export const shown = ({ publicKey, message, signature }: SignatureCheck): string =>
  [publicKey, message, signature].map(hex).join(" ");
