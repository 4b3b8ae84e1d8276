import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  ByteReader,
  ByteWriter,
  ChainError,
  formatTime,
  parseTime,
  timeFromMs,
  timeToMs,
  ZERO_TIME,
} from "../src/index.ts";
import * as arbitrary from "./arbitraries.ts";

const hasCode =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof ChainError && error.code === code;

describe("big-endian bytes", () => {
  test("are read as they were written", () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 255 }),
        fc.nat({ max: 65_535 }),
        fc.nat({ max: 0xffff_ffff }),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.maxSafeNat(),
        fc.string({ unit: "binary", maxLength: 300 }),
        fc.uint8Array({ maxLength: 600 }),
        (a, b, c, d, e, f, text, bytes) => {
          const written = new ByteWriter(1).u8(a).u16(b).u32(c).u64(d).i64(e).u64(f).str(text).bytes32(bytes);
          const reader = new ByteReader(written.finish());
          assert.equal(reader.u8(), a);
          assert.equal(reader.u16(), b);
          assert.equal(reader.u32(), c);
          assert.equal(reader.u64(), d);
          assert.equal(reader.i64(), e);
          assert.equal(reader.safeU64(), f);
          assert.equal(reader.str(), text);
          assert.deepEqual(reader.bytes32(600), bytes);
          assert.equal(reader.remaining, 0);
          reader.end();
        },
      ),
    );
  });

  test("a value out of range is refused, never cut", () => {
    const writer = new ByteWriter();
    for (const write of [
      () => writer.u8(256),
      () => writer.u8(-1),
      () => writer.u16(65_536),
      () => writer.u32(2 ** 32),
      () => writer.u32(0.5),
      () => writer.u64(2n ** 64n),
      () => writer.u64(-1),
      () => writer.u64(2 ** 53),
      () => writer.i64(2n ** 63n),
    ]) {
      assert.throws(write, hasCode("ENCODE"));
    }
    assert.equal(writer.finish().length, 0);
  });

  test("missing bytes, leftovers, lengths above the limit and broken UTF-8 are refused", () => {
    assert.throws(() => new ByteReader(new Uint8Array(7)).u64(), hasCode("DECODE"));
    assert.throws(() => new ByteReader(new Uint8Array(1)).end(), hasCode("DECODE"));
    assert.throws(() => new ByteReader(Uint8Array.of(255, 255, 255, 255)).bytes32(10), hasCode("DECODE"));
    assert.throws(() => new ByteReader(Uint8Array.of(0, 1, 0xff)).str(), hasCode("DECODE"));
    assert.throws(
      () => new ByteReader(Uint8Array.of(0, 0x20, 0, 0, 0, 0, 0, 0)).safeU64(),
      hasCode("DECODE"),
    );
  });

  test("a reader answers copies", () => {
    const source = Buffer.from([1, 2, 3]);
    const read = new ByteReader(source).bytes(3);
    source.fill(9);
    assert.deepEqual(read, Uint8Array.of(1, 2, 3));
  });
});

describe("time", () => {
  test("is read as it was printed", () => {
    fc.assert(
      fc.property(arbitrary.time, (time) => {
        assert.equal(parseTime(formatTime(time)), time);
      }),
    );
  });

  test("whole milliseconds go both ways, others are rounded down", () => {
    assert.equal(timeToMs(timeFromMs(1_234)), 1_234);
    assert.equal(timeToMs(timeFromMs(-1_234)), -1_234);
    assert.equal(timeToMs(1_999_999n), 1);
    assert.equal(timeToMs(-1n), -1);
    assert.throws(() => timeFromMs(0.5), hasCode("TIME"));
  });

  test("an offset is taken into account", () => {
    assert.equal(parseTime("2026-01-31T12:00:00+02:30"), parseTime("2026-01-31T09:30:00Z"));
    assert.equal(parseTime("2026-01-31T12:00:00.5-01:00"), parseTime("2026-01-31T13:00:00.5Z"));
    assert.equal(formatTime(ZERO_TIME), "0001-01-01T00:00:00Z");
  });

  for (const text of [
    "",
    "2026-01-31",
    "2026-01-31 12:00:00Z",
    "2026-02-30T12:00:00Z",
    "2026-01-31T24:00:00Z",
    "2026-01-31T12:00:60Z",
    "2026-01-31T12:00:00",
    "2026-01-31T12:00:00.Z",
    "2026-01-31T12:00:00.0000000001Z",
    "2026-01-31T12:00:00+24:00",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-01:00",
  ]) {
    test(`"${text}" is refused`, () => {
      assert.throws(() => parseTime(text), hasCode("TIME"));
    });
  }
});
