import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  add as addPoints,
  BASE,
  decodePoint,
  encodePoint,
  littleEndian,
  multiply as multiplyPoint,
  toLittleEndian,
} from "../../../conformance/ed25519/zip215.ts";
import { instantiateEd25519 } from "../src/wasm/module.ts";

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const wasm = instantiateEd25519();
const bytes = new Uint8Array(wasm.memory.buffer);
const words = new DataView(wasm.memory.buffer);

/** A place in the module's memory for the n-th argument, 160 bytes each. */
const place = (n: number): number => wasm.ARGUMENTS.value + 160 * n;

type Limbs = readonly number[];
/** Weight of limb i. */
const weight = (i: number): bigint => 2n ** BigInt(Math.ceil(25.5 * i));
const value = (limbs: Limbs): bigint => limbs.reduce((sum, each, i) => sum + BigInt(each) * weight(i), 0n);
const mod = (of: bigint): bigint => ((of % P) + P) % P;

const write = (n: number, lanes: readonly Limbs[]): void => {
  for (const [lane, limbs] of lanes.entries()) {
    for (const [i, each] of limbs.entries()) words.setUint32(place(n) + 16 * i + 4 * lane, each, true);
  }
};
const read = (n: number): number[][] =>
  [0, 1, 2, 3].map((lane) =>
    Array.from({ length: 10 }, (_, i) => words.getUint32(place(n) + 16 * i + 4 * lane, true)),
  );

/** The largest limb that an element of so many units may have (assembly/field.ts). */
const bound = (i: number, units: number): number =>
  Math.min(2 ** 32, units * (i % 2 === 0 ? 2 ** 26 : 2 ** 25 + 2 ** 18)) - 1;
const isTight = (limbs: Limbs): boolean => limbs.every((each, i) => each <= bound(i, 1));

/** Limbs of an element of at most so many units: anything, often all as large or as small as they may be. */
const element = (units: number): fc.Arbitrary<Limbs> =>
  fc.oneof(
    { weight: 1, arbitrary: fc.constant(Array.from({ length: 10 }, (_, i) => bound(i, units))) },
    { weight: 1, arbitrary: fc.constantFrom(0n, 1n, P - 1n, P, P + 1n, 2n ** 255n - 1n).map(limbsOf) },
    {
      weight: 6,
      arbitrary: fc.tuple(
        ...Array.from({ length: 10 }, (_, i) =>
          fc.oneof(
            fc.integer({ min: 0, max: bound(i, units) }),
            fc.constantFrom(0, 1, bound(i, units) - 1, bound(i, units)),
          ),
        ),
      ),
    },
  );
const lanes = (units: number): fc.Arbitrary<Limbs[]> =>
  fc.array(element(units), { minLength: 4, maxLength: 4 });

function limbsOf(of: bigint): number[] {
  return Array.from({ length: 10 }, (_, i) => Number((of / weight(i)) % (weight(i + 1) / weight(i))));
}

describe("field arithmetic of the module, four lanes at a time", () => {
  // Every pair of bounds that assembly/field.ts allows, and those that point.ts uses.
  for (const [a, b] of [
    [1, 1],
    [3, 3],
    [9, 3],
    [28, 1],
    [14, 2],
  ] as const) {
    it(`multiplies elements of ${a} and ${b} units as integers do, and the product is tight`, () => {
      fc.assert(
        fc.property(lanes(a), lanes(b), (left, right) => {
          write(0, left);
          write(1, right);
          wasm.multiply(place(2), place(0), place(1));
          for (const [lane, product] of read(2).entries()) {
            assert.equal(mod(value(product)), mod(value(left[lane]!) * value(right[lane]!)));
            assert.ok(isTight(product), `limbs ${product}`);
          }
        }),
        { numRuns: 300 },
      );
    });
  }

  it("squares elements of 3 units as integers do, and the square is tight", () => {
    fc.assert(
      fc.property(lanes(3), (of) => {
        write(0, of);
        wasm.square(place(1), place(0));
        for (const [lane, square] of read(1).entries()) {
          assert.equal(mod(value(square)), mod(value(of[lane]!) ** 2n));
          assert.ok(isTight(square), `limbs ${square}`);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("may write a product over either factor", () => {
    fc.assert(
      fc.property(lanes(1), lanes(1), (left, right) => {
        const products = [0, 1].map((over) => {
          write(0, left);
          write(1, right);
          wasm.multiply(place(over), place(0), place(1));
          return read(over);
        });
        assert.deepEqual(products[0], products[1]);
        write(0, left);
        write(1, left);
        wasm.square(place(0), place(0));
        wasm.multiply(place(1), place(1), place(1));
        assert.deepEqual(
          read(0).map((limbs) => mod(value(limbs))),
          read(1).map((limbs) => mod(value(limbs))),
        );
      }),
    );
  });

  it("adds, and subtracts a tight element, without a limb ever going below zero", () => {
    fc.assert(
      fc.property(lanes(3), lanes(1), (left, right) => {
        write(0, left);
        write(1, right);
        wasm.add(place(2), place(0), place(1));
        wasm.subtract(place(3), place(0), place(1));
        for (const [lane, sum] of read(2).entries()) {
          assert.equal(value(sum), value(left[lane]!) + value(right[lane]!));
        }
        for (const [lane, difference] of read(3).entries()) {
          assert.equal(value(difference), value(left[lane]!) + 2n * P - value(right[lane]!));
          assert.ok(
            difference.every((each, i) => each <= bound(i, 5)),
            `limbs ${difference}`,
          );
        }
      }),
    );
  });

  it("carries elements of 32 units to what may be subtracted again, of the same value", () => {
    fc.assert(
      fc.property(lanes(32), (of) => {
        write(0, of);
        wasm.carry(place(0));
        for (const [lane, carried] of read(0).entries()) {
          assert.equal(mod(value(carried)), mod(value(of[lane]!)));
          // What the text of carry() promises: above the width of a limb by 19·2^7 at most.
          assert.ok(
            carried.every((each, i) => each < (i % 2 === 0 ? 2 ** 26 + 19 * 2 ** 7 : 2 ** 25 + 2 ** 7)),
          );
        }
      }),
      { numRuns: 300 },
    );
  });

  it("finds the one representation below p", () => {
    fc.assert(
      fc.property(lanes(31), (of) => {
        write(0, of);
        wasm.canonical(place(0));
        for (const [lane, found] of read(0).entries()) {
          assert.deepEqual(found, limbsOf(mod(value(of[lane]!))));
        }
      }),
      { numRuns: 500 },
    );
    for (const number of [P - 1n, P, P + 1n, P + 18n, 2n ** 255n - 1n, 2n * P, 0n]) {
      // 2p does not fit ten limbs of their width: its limbs are those of p, doubled.
      const limbs = number === 2n * P ? limbsOf(P).map((each) => 2 * each) : limbsOf(number);
      write(0, [limbs, limbs, limbs, limbs]);
      wasm.canonical(place(0));
      assert.deepEqual(read(0)[3], limbsOf(number % P), `of ${number}`);
    }
  });
});

describe("scalars of the module", () => {
  const sum = place(4);
  const setNumber = (at: number, of: bigint, length: number): void => {
    for (let i = 0; i < length; i++) bytes[at + i] = Number((of >> BigInt(8 * i)) & 255n);
  };
  const number = (at: number, length: number): bigint => littleEndian(bytes.slice(at, at + length));
  const edges = fc.constantFrom(0n, 1n, L - 1n, L, L + 1n, 2n ** 252n, 2n ** 253n - 1n, 2n ** 256n - 1n);

  it("sums of products are exact, up to the largest batch of the largest factors", () => {
    const z = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n });
    const digest = fc.bigInt({ min: 0n, max: 2n ** 512n - 1n });
    fc.assert(
      fc.property(fc.array(fc.tuple(z, digest), { maxLength: 8 }), (products) => {
        bytes.fill(0, sum, sum + 96);
        for (const [factor, of] of products) {
          setNumber(place(0), factor, 16);
          setNumber(place(1), of, 64);
          wasm.addProduct(sum, place(0), place(1), 16);
        }
        assert.equal(
          number(sum, 96),
          products.reduce((all, [factor, of]) => all + factor * of, 0n),
        );
      }),
    );
    bytes.fill(0, sum, sum + 96);
    setNumber(place(0), 2n ** 128n - 1n, 16);
    setNumber(place(1), 2n ** 512n - 1n, 64);
    for (let i = 0; i < wasm.MAX_ITEMS.value; i++) wasm.addProduct(sum, place(0), place(1), 16);
    assert.equal(number(sum, 96), 256n * (2n ** 128n - 1n) * (2n ** 512n - 1n));
  });

  it("a sum is reduced modulo L", () => {
    const wide = fc.oneof(
      edges,
      fc.bigInt({ min: 0n, max: 2n ** 672n - 1n }),
      fc.bigInt({ min: 0n, max: 2n ** 300n }).map((k) => k * L),
      fc.tuple(fc.bigInt({ min: 1n, max: 2n ** 300n }), fc.constantFrom(-1n, 1n)).map(([k, d]) => k * L + d),
      fc.constant(2n ** 672n - 1n),
    );
    fc.assert(
      fc.property(wide, (of) => {
        setNumber(sum, of, 96);
        wasm.reduce(place(2), sum);
        assert.equal(number(place(2), 32), of % L);
      }),
      { numRuns: 1000 },
    );
  });

  it("is below L or not, and is negated modulo L", () => {
    fc.assert(
      fc.property(fc.oneof(edges, fc.bigInt({ min: 0n, max: 2n ** 256n - 1n })), (of) => {
        setNumber(place(2), of, 32);
        assert.equal(wasm.isBelowOrder(place(2)) !== 0, of < L);
        setNumber(place(2), of % L, 32);
        wasm.negate(place(2));
        assert.equal(number(place(2), 32), L - (of % L));
      }),
      { numRuns: 500 },
    );
  });
});

describe("points of the module", () => {
  const ORDER_EIGHT = decodePoint(
    new Uint8Array(Buffer.from("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "hex")),
    true,
  )!;
  /** Points of every kind: large order, torsion, and sums of both. */
  const point = fc
    .tuple(fc.oneof(fc.constantFrom(0n, 1n, L - 1n), fc.bigInt({ min: 0n, max: L - 1n })), fc.nat(7))
    .map(([scalar, torsion]) =>
      addPoints(multiplyPoint(scalar, BASE), multiplyPoint(BigInt(torsion), ORDER_EIGHT)),
    );
  /** Decodes one point into place n. */
  const load = (n: number, encoding: Uint8Array): boolean => {
    for (let i = 0; i < 4; i++) bytes.set(encoding, place(20) + 32 * i);
    const found = wasm.decodePoints(place(12), place(20), 32);
    assert.ok(found === 0 || found === 15, "four equal encodings, one verdict");
    bytes.copyWithin(place(n), place(12), place(13));
    return found === 15;
  };
  /** Affine coordinates of the point at place n, whose four coordinates must be consistent. */
  const affine = (n: number): readonly [bigint, bigint] => {
    const [X, Y, Z, T] = read(n).map((limbs) => mod(value(limbs))) as [bigint, bigint, bigint, bigint];
    assert.notEqual(Z, 0n);
    assert.equal(mod(T * Z), mod(X * Y));
    for (const limbs of read(n)) assert.ok(isTight(limbs), `limbs ${limbs}`);
    const encoded = encodePoint({ X, Y, Z, T });
    const { X: x, Y: y } = decodePoint(encoded, true)!;
    return [x, y];
  };
  const expected = (of: Parameters<typeof encodePoint>[0]): readonly [bigint, bigint] => {
    const { X, Y } = decodePoint(encodePoint(of), true)!;
    return [X, Y];
  };

  it("add, subtract and double as the formulas do, whatever their order and however equal", () => {
    fc.assert(
      fc.property(point, point, fc.nat(3), (p, drawn, relation) => {
        // Equal and opposite points are where incomplete formulas fail.
        const q = relation === 0 ? p : drawn;
        const minus = { ...q, X: mod(-q.X), T: mod(-q.T) };
        assert.ok(load(0, encodePoint(p)) && load(1, encodePoint(relation === 1 ? minus : q)));
        const other = relation === 1 ? minus : q;
        const opposite = relation === 1 ? q : minus;
        wasm.toCached(place(2), place(1));
        wasm.addPoint(place(3), place(0), place(2));
        assert.deepEqual(affine(3), expected(addPoints(p, other)));
        wasm.subtractPoint(place(3), place(0), place(2));
        assert.deepEqual(affine(3), expected(addPoints(p, opposite)));
        wasm.double(place(3), place(0));
        assert.deepEqual(affine(3), expected(addPoints(p, p)));
      }),
      { numRuns: 60 },
    );
  });

  it("have tables of their odd multiples", () => {
    assert.ok(load(0, encodePoint(addPoints(BASE, ORDER_EIGHT))));
    wasm.oddMultiples(place(4), place(0), 8);
    for (let i = 0; i < 8; i++) {
      assert.ok(load(1, encodePoint(multiplyPoint(0n, BASE))));
      wasm.addPoint(place(2), place(1), place(4 + i));
      assert.deepEqual(
        affine(2),
        expected(multiplyPoint(BigInt(2 * i + 1), addPoints(BASE, ORDER_EIGHT))),
        `${2 * i + 1}`,
      );
    }
  });

  it("are of small order when eight times them is the identity", () => {
    fc.assert(
      fc.property(point, (p) => {
        assert.ok(load(0, encodePoint(p)));
        const eight = multiplyPoint(8n, p);
        assert.equal(wasm.isSmallOrder(place(0)) !== 0, mod(eight.X) === 0n && mod(eight.Y - eight.Z) === 0n);
      }),
      { numRuns: 60 },
    );
    // (0, -1), of order 2, is not the identity; twice it is.
    assert.ok(load(0, toLittleEndian(P - 1n)));
    assert.notEqual(wasm.isSmallOrder(place(0)), 0);
  });

  it("are decoded by ZIP-215: every y below 2^255, either sign of zero", () => {
    const encoding = fc.oneof(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      point.map(encodePoint),
      fc
        .tuple(fc.bigInt({ min: 0n, max: 40n }), fc.boolean())
        .map(([d, sign]) => toLittleEndian((P - 20n + d) | (sign ? 2n ** 255n : 0n))),
      fc
        .tuple(fc.constantFrom(0n, 1n, P - 1n, P, P + 1n), fc.boolean())
        .map(([y, sign]) => toLittleEndian(y | (sign ? 2n ** 255n : 0n))),
    );
    fc.assert(
      fc.property(encoding, (of) => {
        const reference = decodePoint(of, false);
        assert.equal(load(0, of), reference !== null);
        if (reference === null) return;
        const found = read(0).map((limbs) => mod(value(limbs)));
        assert.deepEqual(found, [reference.X, reference.Y, 1n, reference.T]);
      }),
      { numRuns: 150 },
    );
  });

  it("are decoded each for itself, four different ones at once", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { minLength: 4, maxLength: 4 }),
        (four) => {
          for (const [i, of] of four.entries()) bytes.set(of, place(20) + 64 * i);
          const found = wasm.decodePoints(place(12), place(20), 64);
          for (const [i, of] of four.entries()) {
            const reference = decodePoint(of, false);
            assert.equal(((found >> i) & 1) !== 0, reference !== null);
            if (reference === null) continue;
            const coordinates = read(12 + i).map((limbs) => mod(value(limbs)));
            assert.deepEqual(coordinates, [reference.X, reference.Y, 1n, reference.T]);
          }
        },
      ),
      { numRuns: 15 },
    );
  });
});
