import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  consensusParamsJson,
  DEFAULT_PARAMS,
  fromBase64,
  publicKeyFromJson,
  publicKeyJson,
  toBase64,
} from "@quorate/chain";
import fc from "fast-check";

describe("consensus params", () => {
  it("are written as CometBFT writes its defaults, gas left to the execution client", () => {
    assert.deepEqual(consensusParamsJson({ ...DEFAULT_PARAMS, maxBlockBytes: 22_020_096 }, 0n), {
      block: { max_bytes: "22020096", max_gas: "-1" },
      evidence: {
        max_age_num_blocks: "100000",
        max_age_duration: "172800000000000",
        max_bytes: "1048576",
      },
      validator: { pub_key_types: ["ed25519"] },
      version: { app: "0" },
      abci: { vote_extensions_enable_height: "0" },
    });
  });
});

describe("base64", () => {
  it("is what Node's Buffer writes, and reads back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const text = toBase64(bytes);
        assert.equal(text, Buffer.from(bytes).toString("base64"));
        assert.deepEqual(fromBase64(text), bytes);
      }),
    );
  });

  it("is the same for long texts, which Node itself reads and writes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 250, maxLength: 600 }), (bytes) => {
        const text = toBase64(bytes);
        assert.equal(text, Buffer.from(bytes).toString("base64"));
        assert.deepEqual(fromBase64(text), bytes);
      }),
    );
  });

  it("refuses a long text for one character that does not belong there", () => {
    const text = toBase64(new Uint8Array(1000).fill(0xff));
    fc.assert(
      fc.property(
        fc.nat(text.length - 3),
        fc.constantFrom("-", "_", " ", "\n", "=", "é", "你", "\0"),
        (at, odd) => {
          assert.equal(fromBase64(text.slice(0, at) + odd + text.slice(at + 1)), null);
        },
      ),
    );
    for (const end of ["/x==", "//8", "//8==", "//9=", "===="]) {
      assert.equal(fromBase64(text.slice(0, -4) + end), null, end);
    }
  });

  it("takes canonical text only", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), (text) => {
        const bytes = fromBase64(text);
        if (bytes !== null) assert.equal(toBase64(bytes), text);
      }),
    );
    for (const text of ["A", "AA", "AAA", "AB==", "A===", "AA=A", "====", "AA A", "AA==AAAA", "AA-_"]) {
      assert.equal(fromBase64(text), null, text);
    }
  });
});

describe("public keys", () => {
  it("round-trip, and other types, lengths and shapes are no key", () => {
    const key = new Uint8Array(32).fill(7);
    assert.deepEqual(publicKeyFromJson(publicKeyJson(key)), key);
    const odd = [null, "", {}, { ...publicKeyJson(key), type: "x" }, publicKeyJson(new Uint8Array(31))];
    for (const value of odd) assert.equal(publicKeyFromJson(value), null);
  });
});
