import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  ed25519PublicKey,
  ed25519Sign,
  fromHex,
  nativeBackend,
  nobleBackend,
  type SignatureCheck,
  toHex,
  utf8Encode,
  type VerifierBackend,
} from "../src/index.ts";
import { readGzipLines, readVectors, vectorsAbsent } from "./vectors.ts";

interface Expected {
  speccheck12: { i: number; zip215: boolean }[];
  wycheproof_differences_from_published_result: { tcId: number; zip215: boolean }[];
}
interface Speccheck {
  message: string;
  pub_key: string;
  signature: string;
}
interface Wycheproof {
  testGroups: {
    publicKey: { pk: string };
    tests: { tcId: number; msg: string; sig: string; result: string }[];
  }[];
}

function assertVerdicts(
  backend: VerifierBackend,
  checks: readonly SignatureCheck[],
  expected: readonly boolean[],
): void {
  assert.deepEqual(checks.map(backend.verify), expected);
  assert.deepEqual(backend.verifyBatch(checks), expected);
}

for (const backend of [nativeBackend, nobleBackend]) {
  describe(`the ${backend.name} backend has ZIP-215's verdict`, { skip: vectorsAbsent }, () => {
    test("on the 196 pairs of small-order and non-canonical encodings", () => {
      const cases =
        readVectors<{ vk_bytes: string; sig_bytes: string; valid_zip215: boolean }[]>("zip215-196.json");
      assert.equal(cases.length, 196);
      const checks = cases.map((c) => ({
        publicKey: fromHex(c.vk_bytes),
        message: utf8Encode("Zcash"),
        signature: fromHex(c.sig_bytes),
      }));
      assertVerdicts(
        backend,
        checks,
        cases.map((c) => c.valid_zip215),
      );
    });

    for (const file of ["speccheck-12.json", "noble-edge-cases.json"]) {
      test(`on the twelve cases of ${file}`, () => {
        const expected = readVectors<Expected>("expected-zip215.json").speccheck12;
        const cases = readVectors<Speccheck[]>(file);
        assert.equal(cases.length, 12);
        const checks = cases.map((c) => ({
          publicKey: fromHex(c.pub_key),
          message: fromHex(c.message),
          signature: fromHex(c.signature),
        }));
        assertVerdicts(
          backend,
          checks,
          expected.map((e) => e.zip215),
        );
      });
    }

    test("on Wycheproof's 151 cases", () => {
      const differences =
        readVectors<Expected>("expected-zip215.json").wycheproof_differences_from_published_result;
      const cases = readVectors<Wycheproof>("wycheproof-ed25519_v1-151.json").testGroups.flatMap((group) =>
        group.tests.map((t) => ({
          check: {
            publicKey: fromHex(group.publicKey.pk),
            message: fromHex(t.msg),
            signature: fromHex(t.sig),
          },
          expected: differences.find((d) => d.tcId === t.tcId)?.zip215 ?? t.result === "valid",
        })),
      );
      assert.equal(cases.length, 151);
      assertVerdicts(
        backend,
        cases.map((c) => c.check),
        cases.map((c) => c.expected),
      );
    });

    test("on RFC 8032's test cases and on 1024 signatures of sign.input", () => {
      const rfc = readVectors<{ pub: string; msg: string; sig: string }[]>("rfc8032.json").map((c) => ({
        publicKey: fromHex(c.pub),
        message: fromHex(c.msg),
        signature: fromHex(c.sig),
      }));
      const input = readGzipLines("sign.input-1024.txt.gz").map((line) => {
        const [, publicKey, message, signed] = line.split(":");
        return {
          publicKey: fromHex(publicKey!),
          message: fromHex(message!),
          signature: fromHex(signed!.slice(0, 128)),
        };
      });
      assert.equal(input.length, 1024);
      const all = [...rfc, ...input];
      assert.deepEqual(
        backend.verifyBatch(all),
        all.map(() => true),
      );
    });
  });
}

test("signing gives RFC 8032's signatures and those of sign.input", { skip: vectorsAbsent }, () => {
  for (const c of readVectors<{ priv: string; pub: string; msg: string; sig: string }[]>("rfc8032.json")) {
    assert.equal(toHex(ed25519PublicKey(fromHex(c.priv))), c.pub);
    assert.equal(toHex(ed25519Sign(fromHex(c.priv), fromHex(c.msg))), c.sig);
  }
  for (const line of readGzipLines("sign.input-1024.txt.gz")) {
    const [secret, , message, signed] = line.split(":");
    const signature = ed25519Sign(fromHex(secret!.slice(0, 64)), fromHex(message!));
    assert.equal(toHex(signature), signed!.slice(0, 128));
  }
});
