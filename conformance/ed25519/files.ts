/** The forms in which Ed25519 vectors come, told apart by their fields. */
import { createHash } from "node:crypto";
import type { Json } from "../case.ts";
import { hex, list } from "../model/values.ts";
import type { Ed25519Check } from "./zip215.ts";

/** One Ed25519 vector, whatever its form. */
export interface SignatureCase {
  readonly name: string;
  readonly check: Ed25519Check;
  /** ZIP-215's verdict as the vector states it, or null when it states none. */
  readonly zip215: boolean | null;
  /** The verdict of a strict RFC 8032 verifier, where the vector publishes that. */
  readonly strict: boolean | null;
  /** Private seed of a signing vector: key and signature must come out of it. */
  readonly seed: Uint8Array | null;
  /** Place among the twelve cases of "Taming the many EdDSAs", or null. */
  readonly speccheck: number | null;
  /** Number and comment of a test of Wycheproof. */
  readonly test: string | null;
}

/** Verdicts by place, as a file of expectations gives them. */
export interface ExpectedVerdicts {
  readonly speccheck: ReadonlyMap<number, boolean>;
  /** By number and comment: other files number other tests alike. */
  readonly wycheproof: ReadonlyMap<string, boolean>;
  readonly openssl: ReadonlyMap<number, boolean>;
}

export const NO_EXPECTATIONS: ExpectedVerdicts = {
  speccheck: new Map(),
  wycheproof: new Map(),
  openssl: new Map(),
};

const isObject = (value: Json): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const has = (value: Json, ...fields: readonly string[]): boolean =>
  isObject(value) && fields.every((field) => Object.hasOwn(value, field));

const blank = { zip215: null, strict: null, seed: null, speccheck: null, test: null } as const;

const ZCASH = new TextEncoder().encode("Zcash");

const isBoolean = (value: Json): value is boolean => typeof value === "boolean";

/** A stated ZIP-215 verdict under any of the names that are in use. */
function stated(json: Json): boolean | null {
  for (const field of ["valid_zip215", "zip215", "valid", "expected"]) {
    if (isBoolean(json[field])) return json[field];
  }
  return null;
}

/** SHA-256(key ‖ signature ‖ message)[0:8] of the twelve cases: they carry no number. */
const SPECCHECK: readonly string[] = [
  "37fe84840b9b28f6",
  "6193db651ef76fe2",
  "c1142dbe0ea6a978",
  "4eb2aba922efa05d",
  "8d13e50ff38f3152",
  "f5eed0c2775d7b94",
  "78b6545fee8e58e1",
  "3b7a679ef62b822e",
  "ab538ab211a53151",
  "c2ae73ea3cfdb89e",
  "f73e4df101183f87",
  "61ecff31df897f99",
];

function identity({ publicKey, signature, message }: Ed25519Check): string {
  return createHash("sha256").update(publicKey).update(signature).update(message).digest("hex").slice(0, 16);
}

const field = (json: Json, ...names: readonly string[]): Json => {
  for (const name of names) if (json[name] !== undefined) return json[name];
  return undefined;
};

/** Whether an entry of a list is a vector of one of the plain forms. */
export function isSignatureEntry(entry: Json): boolean {
  return (
    has(entry, "vk_bytes", "sig_bytes") ||
    has(entry, "message", "pub_key", "signature") ||
    has(entry, "msg", "pub", "sig")
  );
}

/** One entry of a plain form. */
export function signatureEntry(entry: Json, name: string): SignatureCase {
  if (has(entry, "vk_bytes", "sig_bytes")) {
    const message = field(entry, "msg_bytes", "message", "msg");
    return {
      ...blank,
      name,
      check: {
        publicKey: hex(entry.vk_bytes),
        message: message === undefined ? ZCASH : hex(message),
        signature: hex(entry.sig_bytes),
      },
      zip215: stated(entry),
    };
  }
  if (has(entry, "message", "pub_key", "signature")) {
    const check = {
      publicKey: hex(entry.pub_key),
      message: hex(entry.message),
      signature: hex(entry.signature),
    };
    const place = SPECCHECK.indexOf(identity(check));
    return { ...blank, name, check, zip215: stated(entry), speccheck: place < 0 ? null : place };
  }
  const priv = field(entry, "priv", "seed", "secret", "sk");
  const check = { publicKey: hex(entry.pub), message: hex(entry.msg), signature: hex(entry.sig) };
  return {
    ...blank,
    name,
    check,
    zip215: stated(entry) ?? (priv === undefined ? null : true),
    seed: priv === undefined ? null : hex(priv).slice(0, 32),
  };
}

/** Wycheproof's groups of Ed25519 verification. */
export function isWycheproof(value: Json): boolean {
  if (!has(value, "testGroups") || !Array.isArray(value.testGroups)) return false;
  return value.testGroups.some((group: Json) => isEd25519Group(group));
}

function isEd25519Group(group: Json): boolean {
  const key = field(group ?? {}, "publicKey", "key");
  if (!isObject(key) || typeof key.pk !== "string" || key.pk.length !== 64) return false;
  const curve = String(key.curve ?? "edwards25519").toLowerCase();
  return curve === "edwards25519" && Array.isArray(group.tests);
}

export function wycheproofCases(value: Json): SignatureCase[] {
  const cases: SignatureCase[] = [];
  for (const group of list(value.testGroups).filter(isEd25519Group)) {
    const publicKey = hex(field(group, "publicKey", "key").pk);
    for (const test of list(group.tests)) {
      const { result } = test;
      if (result !== "valid" && result !== "invalid" && result !== "acceptable") {
        throw new TypeError(`tcId ${test.tcId}: result ${String(result)}`);
      }
      cases.push({
        ...blank,
        name: `tcId ${test.tcId}`,
        check: { publicKey, message: hex(test.msg), signature: hex(test.sig) },
        // What a strict verifier takes ZIP-215 takes too; what it refuses is for the equation to say.
        zip215: result === "valid" ? true : null,
        strict: result === "acceptable" ? null : result === "valid",
        test: testId(test),
      });
    }
  }
  return cases;
}

const testId = (json: Json): string => `${json.tcId} ${json.comment ?? ""}`;

/** A file that only states verdicts for cases of other files. */
export function isExpectations(value: Json): boolean {
  return (
    has(value, "speccheck12") ||
    (has(value, "wycheproof_differences_from_published_result") && !has(value, "testGroups"))
  );
}

export function expectations(value: Json): ExpectedVerdicts {
  const rows = <T>(json: Json, id: string, key: (row: Json) => T, verdict: string): Map<T, boolean> => {
    const found = new Map<T, boolean>();
    for (const row of list(json)) {
      if (!Number.isSafeInteger(row?.[id])) throw new TypeError(`an expected verdict without its ${id}`);
      if (isBoolean(row[verdict])) found.set(key(row), row[verdict]);
    }
    return found;
  };
  const place = (row: Json): number => row.i;
  return {
    speccheck: rows(value.speccheck12, "i", place, "zip215"),
    openssl: rows(value.speccheck12, "i", place, "openssl"),
    wycheproof: rows(value.wycheproof_differences_from_published_result, "tcId", testId, "zip215"),
  };
}

const SIGN_INPUT = /^([0-9a-f]{128}):([0-9a-f]{64}):((?:[0-9a-f]{2})*):([0-9a-f]{128}(?:[0-9a-f]{2})*):?$/i;

/** Lines `sk ‖ pk : pk : message : signature ‖ message :` of sign.input. */
export const isSignInputLine = (line: string): boolean => SIGN_INPUT.test(line);

export function signInputCase(line: string, name: string): SignatureCase {
  const match = SIGN_INPUT.exec(line);
  if (match === null) throw new TypeError("malformed line: not sk‖pk:pk:message:signature‖message");
  const [, secret, publicKey, message, signed] = match as unknown as [string, string, string, string, string];
  if (secret.slice(64).toLowerCase() !== publicKey.toLowerCase())
    throw new TypeError("the secret ends with another key");
  if (signed.slice(128).toLowerCase() !== message.toLowerCase()) {
    throw new TypeError("another message is signed than stated");
  }
  return {
    ...blank,
    name,
    check: { publicKey: hex(publicKey), message: hex(message), signature: hex(signed.slice(0, 128)) },
    zip215: true,
    seed: hex(secret.slice(0, 64)),
  };
}
