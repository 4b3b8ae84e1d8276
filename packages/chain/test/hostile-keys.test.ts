/** Keys and powers that a genesis must not name: who could sign for them, or count twice. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ChainError, genesisToJson, MAX_TOTAL_POWER, parseGenesis } from "@quorate/chain";
import { ed25519PublicKey, isCanonicalNonSmallOrderKey, nobleBackend, toHex } from "@quorate/crypto";
import { makeFixture } from "./state-fixture.ts";

const P = 2n ** 255n - 19n;
const SIGN = 1n << 255n;

function encoded(value: bigint): Uint8Array {
  return new Uint8Array(Buffer.from(value.toString(16).padStart(64, "0"), "hex").reverse());
}

/** One of the two y of the points of order 8: a root of d y^4 + 2 y^2 - 1, which their doubling to order 4 asks for. */
const Y_ORDER_8 = 2707385501144840649318225287225658788936804267575313519463743609750303402022n;
/** y of the points of order 1, 2, 4 and 8. */
const SMALL_Y = [1n, P - 1n, 0n, Y_ORDER_8, P - Y_ORDER_8];

/** All encodings of small-order points: both signs, and y + p where it fits. */
const SMALL_ORDER = SMALL_Y.flatMap((y) => (y + P < SIGN ? [y, y + P] : [y]))
  .flatMap((y) => [y, y | SIGN])
  .map(encoded);

/** Points of large order whose y is written as y + p: the same point, another key. */
const NON_CANONICAL = Array.from({ length: 19 }, (_, i) => BigInt(i))
  .filter((y) => !SMALL_Y.includes(y))
  .flatMap((y) => [y + P, (y + P) | SIGN])
  .map(encoded);

type Document = {
  validators: { address: string; pub_key: { type: string; value: string }; power: string }[];
  app_state: { owners: Record<string, string> };
};

function genesisWith(change: (document: Document) => void): string {
  const document = JSON.parse(genesisToJson(makeFixture("none").genesis)) as Document;
  document.app_state.owners = {};
  for (const validator of document.validators) validator.address = "";
  change(document);
  return JSON.stringify(document);
}

function refused(text: string, words: RegExp): void {
  assert.throws(
    () => parseGenesis(text),
    (error: unknown) => error instanceof ChainError && error.code === "GENESIS" && words.test(error.message),
  );
}

const withKey = (key: Uint8Array): string =>
  genesisWith((document) => {
    document.validators[0]!.pub_key.value = Buffer.from(key).toString("base64");
  });

describe("a genesis refuses", () => {
  it("each of the 14 encodings of small-order points: nobody's signature verifies under them, for any message", () => {
    assert.equal(SMALL_ORDER.length, 14);
    const signature = new Uint8Array(64);
    signature[0] = 1;
    for (const key of SMALL_ORDER) {
      assert.equal(
        nobleBackend.verify({ publicKey: key, message: Uint8Array.of(1), signature }),
        true,
        toHex(key),
      );
      assert.equal(isCanonicalNonSmallOrderKey(key), false, toHex(key));
      refused(withKey(key), /small-order or non-canonical/);
    }
  });

  it("every non-canonical encoding", () => {
    assert.equal(NON_CANONICAL.length, 34);
    for (const key of NON_CANONICAL) refused(withKey(key), /small-order or non-canonical/);
  });

  it("bytes that are no point", () => {
    let none = 0;
    for (let y = 2n; y < 60n; y++) {
      const key = encoded(y);
      if (isCanonicalNonSmallOrderKey(key)) continue;
      none++;
      refused(withKey(key), /small-order or non-canonical/);
    }
    assert.ok(none > 20);
  });

  it("a key that is there twice", () => {
    refused(
      genesisWith((document) => document.validators.push(document.validators[0]!)),
      /repeats the validator/,
    );
  });

  for (const power of [
    "0",
    "-1",
    String(MAX_TOTAL_POWER + 1n),
    String(2n ** 63n),
    String(2n ** 64n),
    "1e3",
    "1.5",
    "",
  ]) {
    it(`power ${JSON.stringify(power)}`, () => {
      refused(
        genesisWith((document) => {
          document.validators[0]!.power = power;
        }),
        /power/,
      );
    });
  }

  it("powers whose sum is above the limit, though each is below it", () => {
    refused(
      genesisWith((document) => {
        for (const validator of document.validators) validator.power = String(MAX_TOTAL_POWER / 2n + 1n);
      }),
      /total/,
    );
  });

  it("an address that is another key's", () => {
    const other = toHex(ed25519PublicKey(new Uint8Array(32).fill(99)))
      .slice(0, 40)
      .toUpperCase();
    refused(
      genesisWith((document) => {
        document.validators[0]!.address = other;
      }),
      /does not belong to pub_key/,
    );
  });
});

describe("a genesis takes", () => {
  it("ordinary keys with the largest total", () => {
    const text = genesisWith((document) => {
      document.validators = document.validators.slice(0, 1);
      document.validators[0]!.power = String(MAX_TOTAL_POWER);
    });
    assert.equal(parseGenesis(text).validators[0]?.power, MAX_TOTAL_POWER);
  });
});
