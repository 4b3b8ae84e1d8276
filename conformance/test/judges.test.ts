import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { ed25519PublicKey, ed25519Sign } from "@quorate/crypto";
import type { Case, Json } from "../case.ts";
import { plain } from "../driver/trace.ts";
import { modelSet } from "../driver/validators.ts";
import { openssl } from "../ed25519/reference.ts";
import { add, BASE, decodePoint, encodePoint, multiply, strictVerdicts, zip215 } from "../ed25519/zip215.ts";
import { filesBelow, look } from "../find.ts";
import { formatTime, parseTime } from "../model/values.ts";
import { judgeCase } from "../run.ts";
import { VECTORS, vectorsAbsent } from "../testing.ts";

/** Another value of the same form. */
function changed(value: Json): Json {
  if (typeof value === "boolean") return !value;
  if (typeof value === "number") return value + 1;
  if (typeof value !== "string") return "00";
  if (value === "") return "00";
  if (/^-?\d+$/.test(value)) return String(BigInt(value) + 1n);
  return value.slice(0, -1) + (value.endsWith("0") ? "1" : "0");
}

/** Every field of an expectation, with a copy of the whole in which only it differs. */
function* mutants(value: Json, path = ""): Generator<{ readonly path: string; readonly value: Json }> {
  if (typeof value !== "object" || value === null) {
    yield { path, value: changed(value) };
    return;
  }
  for (const [name, inner] of Object.entries(value).slice(0, Array.isArray(value) ? 2 : undefined)) {
    for (const mutant of mutants(inner, `${path}.${name}`)) {
      const copy = Array.isArray(value) ? [...value] : { ...value };
      copy[name as never] = mutant.value as never;
      yield { path: mutant.path, value: copy };
    }
  }
}

/**
 * Fields that no judge compares: the library's own words; words for reasons that only one side has; and of malformed bytes
 * what the library makes of them, where a strict decoder's refusal says all.
 */
const UNCOMPARED = /go_error|reason$|^decode\.(domain\.ok|reencoded)$/;

const MAX_CASE = 40_000;

describe("the judges", { skip: vectorsAbsent }, () => {
  test("notice when any expected field of a vector is wrong", async () => {
    const seen = new Set<string>();
    const unnoticed: string[] = [];
    let tried = 0;
    for (const file of await filesBelow(VECTORS)) {
      const found = await look(file);
      if (found.kind !== "cases") continue;
      for (const vector of found.cases) {
        const decoding = vector.expect?.decodes !== undefined;
        const form = `${vector.kind} ${decoding} ${Object.keys(vector.expect ?? {}).sort()}`;
        if (seen.has(form) || JSON.stringify(vector).length > MAX_CASE) continue;
        seen.add(form);
        for (const { path, value } of mutants(vector.expect)) {
          if (UNCOMPARED.test(decoding ? `decode${path}` : path)) continue;
          const mutant: Case = { ...vector, expect: value };
          const { outcome } = await judgeCase(mutant);
          tried++;
          if (outcome === "passed") unnoticed.push(`${vector.kind}${path} of "${vector.name}"`);
        }
      }
    }
    assert.deepEqual(unnoticed, []);
    assert.ok(tried > 300, `${tried} mutants`);
  });
});

describe("the Ed25519 formulas", () => {
  test("accept what the platform signs and refuse it changed", () => {
    const seed = createHash("sha256").update("formulas").digest();
    const message = new Uint8Array(readFileSync(new URL(import.meta.url)));
    const check = {
      publicKey: ed25519PublicKey(seed),
      message,
      signature: ed25519Sign(seed, message),
    };
    assert.deepEqual([openssl(check), zip215(check)], [true, true]);
    assert.deepEqual(strictVerdicts(check), { cofactored: true, cofactorless: true });
    const signature = check.signature.map((byte, i) => (i === 40 ? byte ^ 1 : byte));
    assert.deepEqual([openssl({ ...check, signature }), zip215({ ...check, signature })], [false, false]);
  });

  test("encode a point as it was decoded; the base point has the group's order", () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const bytes = encodePoint(multiply(12345n, BASE));
    assert.deepEqual(encodePoint(decodePoint(bytes, true)!), bytes);
    assert.equal(Buffer.from(encodePoint(multiply(order, BASE))).toString("hex"), `01${"00".repeat(31)}`);
    assert.deepEqual(encodePoint(add(multiply(2n, BASE), BASE)), encodePoint(multiply(3n, BASE)));
  });
});

describe("the model's calendar", () => {
  test("agrees with JavaScript's on the first day of every month of 9999 years", () => {
    for (let year = 1; year <= 9999; year += 7) {
      for (let month = 0; month < 12; month++) {
        const date = new Date(0);
        date.setUTCFullYear(year, month, 1);
        const text = date.toISOString().replace(".000Z", "Z").padStart(20, "0");
        const time = parseTime(text);
        assert.equal(time.seconds, BigInt(date.getTime()) / 1000n);
        assert.equal(formatTime(time), text);
      }
    }
  });
});

describe("driver traces", () => {
  test("with unequal powers still have the model's proposers", () => {
    for (const powers of [
      [1, 1, 1, 1],
      [1, 2, 1, 1],
      [2, 1, 1],
      [3, 2, 2, 2],
      [1, 1, 1, 1, 1, 1, 1],
    ]) {
      const valset = Object.fromEntries(powers.map((power, i) => [`v${i + 1}`, power]));
      const { names, set, indexOf } = modelSet(valset, 3);
      assert.equal(names.length, powers.length);
      assert.equal(set.validators[indexOf("v2")], set.proposer);
    }
  });

  test("may carry the tags of the ITF format", () => {
    assert.deepEqual(plain({ "#map": [["v1", { "#bigint": "3" }]] }), { v1: 3 });
    assert.deepEqual(plain({ tag: "VoteDInput", value: { round: { "#bigint": "-1" } } }), {
      VoteDInput: { round: -1 },
    });
    assert.deepEqual(plain({ tag: "NoDInput", value: { "#tup": [] } }), "NoDInput");
  });
});
