import { createHmac, timingSafeEqual } from "node:crypto";

/** Seconds by which `iat` may differ from the clock. */
const MAX_DRIFT_S = 60;

function json(part: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Why an Authorization header does not authenticate an Engine API call, or undefined when it does. The token must be
 * HS256 with the shared secret, its `iat` within 60 s of `nowMs` (execution-apis, authentication.md).
 */
export function jwtFault(header: string | undefined, secret: Uint8Array, nowMs: number): string | undefined {
  const match = /^Bearer +(\S+)$/i.exec(header ?? "");
  const token = match?.[1];
  if (token === undefined) return "missing token";
  const [head, claims, signature, ...rest] = token.split(".");
  if (head === undefined || claims === undefined || signature === undefined || rest.length > 0) {
    return "token is malformed";
  }
  const algorithm = json(head)?.["alg"];
  if (algorithm !== "HS256") {
    return `signing method ${typeof algorithm === "string" ? algorithm.slice(0, 32) : "of no name"} is invalid`;
  }
  const expected = createHmac("sha256", secret).update(`${head}.${claims}`).digest();
  const given = Buffer.from(signature, "base64url");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return "signature is invalid";
  const payload = json(claims);
  const issuedAt = payload?.["iat"];
  if (typeof issuedAt !== "number" || !Number.isFinite(issuedAt)) return "missing issued-at";
  const now = nowMs / 1000;
  const expires = payload?.["exp"];
  if (typeof expires === "number" && expires < now) return "token is expired";
  if (issuedAt < now - MAX_DRIFT_S) return "stale token";
  if (issuedAt > now + MAX_DRIFT_S) return "future token";
  return undefined;
}
