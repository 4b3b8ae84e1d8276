import assert from "node:assert/strict";
import { test } from "node:test";
import { giveBack } from "../src/wire/give-back.ts";

const KIB64 = 65_536;

test("memory is given back by whoever has read all of it, from where its own part begins", () => {
  const whole = new Uint8Array(KIB64);
  giveBack(whole, 0);
  assert.equal(whole.buffer.byteLength, 0);
  const behindHeader = new Uint8Array(new ArrayBuffer(KIB64), 12);
  giveBack(behindHeader, 12);
  assert.equal(behindHeader.buffer.byteLength, 0);
});

test("memory that somebody else may still read stays: with more before or behind, shared by threads, or from a pool", () => {
  const kept = [
    { bytes: new Uint8Array(new ArrayBuffer(KIB64), 12), from: 0 },
    { bytes: new Uint8Array(KIB64), from: 12 },
    { bytes: new Uint8Array(new ArrayBuffer(KIB64), 0, KIB64 - 1), from: 0 },
    { bytes: new Uint8Array(new SharedArrayBuffer(KIB64)), from: 0 },
    { bytes: new Uint8Array(8192), from: 0 },
  ];
  for (const { bytes, from } of kept) {
    const { byteLength } = bytes.buffer;
    giveBack(bytes, from);
    assert.equal(bytes.buffer.byteLength, byteLength);
  }
});
