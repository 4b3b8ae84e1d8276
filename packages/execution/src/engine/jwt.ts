import { createHmac } from "node:crypto";
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { ExecutionError } from "../errors.ts";

const HEADER = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString("base64url");

/**
 * Bearer token of the Engine API (execution-apis authentication.md): HS256 over `{"iat": seconds}`. Made for the
 * second of each call: the EL accepts ± 60 s.
 */
export function signToken(secret: Uint8Array, iatSeconds: number): string {
  const claims = Buffer.from(JSON.stringify({ iat: iatSeconds })).toString("base64url");
  const signature = createHmac("sha256", secret).update(`${HEADER}.${claims}`).digest("base64url");
  return `${HEADER}.${claims}.${signature}`;
}

/**
 * Reads the shared secret: 64 hex digits, optional 0x, surrounding white space ignored.
 * @throws ExecutionError JWT_FILE when it is missing, readable by group or others, or malformed. The message names the
 * file and its mode, never its content.
 */
export function readJwtSecret(file: string): Uint8Array {
  return parseJwtSecret(readPrivate(file), file);
}

/** The secret in the text of its file. Throws as {@link readJwtSecret}. */
export function parseJwtSecret(content: string, file: string): Uint8Array {
  const text = content.trim();
  const hex = text.startsWith("0x") ? text.slice(2) : text;
  if (!/^[0-9a-fA-F]{64}$/.test(hex)) {
    throw new ExecutionError(
      "JWT_FILE",
      `the JWT secret ${file} is not 32 bytes of hex: make one with "openssl rand -hex 32" and give it to both sides`,
      { file },
    );
  }
  return Buffer.from(hex, "hex");
}

function readPrivate(file: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    throw new ExecutionError(
      "JWT_FILE",
      `the JWT secret ${file} cannot be read (${code}): point execution.jwt_file at the execution client's secret`,
      { file, code },
    );
  }
  try {
    const mode = fstatSync(descriptor).mode & 0o777;
    if ((mode & 0o077) !== 0) {
      const shown = mode.toString(8).padStart(4, "0");
      throw new ExecutionError(
        "JWT_FILE",
        `the JWT secret ${file} has mode ${shown}, others can read it: run "chmod 600 ${file}"`,
        { file, mode: shown },
      );
    }
    return readFileSync(descriptor, "utf8");
  } finally {
    closeSync(descriptor);
  }
}
