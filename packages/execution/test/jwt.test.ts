import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readJwtSecret, signToken } from "../src/engine/jwt.ts";
import { ExecutionError } from "../src/errors.ts";

function fileWith(t: TestContext, text: string, mode: number = 0o600): string {
  const folder = mkdtempSync(join(tmpdir(), "quorate-jwt-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "jwt.hex");
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

const HEX = "0123456789abcdef".repeat(4);

test("the secret is 64 hex digits, with or without 0x and a line break", (t) => {
  const expected = Buffer.from(HEX, "hex");
  for (const text of [HEX, `0x${HEX}\n`, `  ${HEX.toUpperCase()}\r\n`]) {
    assert.deepEqual(Buffer.from(readJwtSecret(fileWith(t, text))), expected);
  }
});

test("a secret that others can read is refused with its name, its mode and the remedy", (t) => {
  for (const mode of [0o640, 0o604, 0o660, 0o644]) {
    const file = fileWith(t, HEX, mode);
    assert.throws(
      () => readJwtSecret(file),
      (error: unknown) =>
        error instanceof ExecutionError &&
        error.code === "JWT_FILE" &&
        error.message.includes(file) &&
        error.message.includes(`0${mode.toString(8)}`) &&
        error.message.includes("chmod 600"),
    );
  }
});

test("a secret of another shape is refused without showing it", (t) => {
  for (const text of ["", "zz", HEX.slice(1), `${HEX}00`]) {
    assert.throws(
      () => readJwtSecret(fileWith(t, text)),
      (error: unknown) => error instanceof ExecutionError && !error.message.includes(HEX.slice(1, 20)),
    );
  }
});

test("a missing secret is refused with its name", () => {
  assert.throws(() => readJwtSecret("/nonexistent/jwt.hex"), { code: "JWT_FILE", message: /ENOENT/ });
});

test("a token is HS256 over iat, as RFC 7515 has it", () => {
  // Signature computed with openssl dgst -sha256 -mac HMAC.
  const token = signToken(Buffer.from(HEX, "hex"), 1_700_000_000);
  const [header, claims, signature] = token.split(".");
  assert.deepEqual(JSON.parse(Buffer.from(header!, "base64url").toString()), { alg: "HS256", typ: "JWT" });
  assert.deepEqual(JSON.parse(Buffer.from(claims!, "base64url").toString()), { iat: 1_700_000_000 });
  assert.equal(signature, "StBuGfPc4Se3JizmZ-bbnY8rYegaFGtW-o0Qv80wlBs");
});
