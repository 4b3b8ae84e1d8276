import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  bytesEqual,
  CryptoError,
  compareBytes,
  concatBytes,
  fromHex,
  toHex,
  toHexUpper,
  utf8Decode,
  utf8Encode,
} from "../src/index.ts";

const bytes = fc.uint8Array({ maxLength: 64 });

test("hex returns to the same bytes in either case and with a prefix", () => {
  fc.assert(
    fc.property(bytes, (value) => {
      assert.equal(toHex(value), Buffer.from(value).toString("hex"));
      assert.deepEqual(fromHex(toHex(value)), value);
      assert.deepEqual(fromHex(`0x${toHexUpper(value)}`), value);
    }),
  );
});

test("hex with an odd number of digits or another character is refused", () => {
  for (const text of ["0", "0x1", "zz", "0g", "1 ", "-1", "0x0x", "é0"]) {
    assert.throws(
      () => fromHex(text),
      (error: unknown) => error instanceof CryptoError && error.code === "HEX",
    );
  }
});

test("the order of bytes is Buffer's, and equality is its zero", () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      assert.equal(Math.sign(compareBytes(a, b)), Buffer.compare(a, b));
      assert.equal(bytesEqual(a, b), compareBytes(a, b) === 0);
      assert.equal(bytesEqual(a, Uint8Array.from(a)), true);
    }),
  );
});

test("concatenation keeps order and length", () => {
  fc.assert(
    fc.property(fc.array(bytes), (chunks) => {
      assert.deepEqual(concatBytes(...chunks), Uint8Array.from(Buffer.concat(chunks)));
    }),
  );
});

test("UTF-8 returns to the same string, a byte order mark included; what is not UTF-8 is refused", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.equal(utf8Decode(utf8Encode(text)), text);
    }),
  );
  assert.equal(utf8Decode(utf8Encode("\ufeffx")), "\ufeffx");
  assert.throws(() => utf8Decode(Uint8Array.of(0xff)), CryptoError);
  assert.throws(() => utf8Decode(Uint8Array.of(0xc0, 0x80)), CryptoError);
  assert.throws(() => utf8Encode("\ud800"), CryptoError);
});
