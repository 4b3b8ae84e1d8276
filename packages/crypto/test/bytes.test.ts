import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import {
  allocate,
  bytesEqual,
  CryptoError,
  compareBytes,
  concatBytes,
  fromHex,
  toHex,
  toHexUpper,
  trimmed,
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

test("regression: hex that is kept as a key takes the memory of its digits, not that of every step to it", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const heap = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const count = 20_000;
  const keys = new Map<string, number>();
  const value = new Uint8Array(32);
  const before = heap();
  for (let i = 0; i < count; i++) {
    new DataView(value.buffer).setUint32(0, i);
    keys.set(toHex(value), i);
  }
  const each = (heap() - before) / count;
  assert.equal(keys.size, count);
  assert.ok(each < 300, `${each} bytes for a key of 64 characters`);
});

test("hex of any length is that of its bytes", () => {
  for (const length of [0, 1, 4095, 4096, 4097, 100_000]) {
    const value = Uint8Array.from({ length }, (_, i) => i * 7);
    assert.equal(toHex(value), Buffer.from(value).toString("hex"));
  }
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

test("what is cut short keeps its bytes, and of a large array no memory beyond them", () => {
  for (const size of [0, 1, 100, 2047, 2048, 100_000]) {
    const bytes = allocate(size);
    assert.equal(bytes.length, size);
    for (let i = 0; i < size; i++) bytes[i] = i % 251;
    const short = trimmed(bytes, Math.floor(size / 3));
    assert.deepEqual(
      short,
      Uint8Array.from({ length: Math.floor(size / 3) }, (_, i) => i % 251),
    );
    if (size >= 2048) assert.equal(short.buffer.byteLength, short.length);
    else
      assert.equal(short.buffer, bytes.buffer, "a small one is a view: copying it costs more than it saves");
  }
});
