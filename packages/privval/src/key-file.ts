import { link, mkdir, open, readFile, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { addressOf, bytesEqual, ed25519PublicKey, toHexUpper } from "@quorate/crypto";
import { errnoOf, PrivvalError } from "./errors.ts";
import { syncDirectory } from "./slot-disk.ts";

const PUBLIC_TYPE = "tendermint/PubKeyEd25519";
const PRIVATE_TYPE = "tendermint/PrivKeyEd25519";

export interface KeyPair {
  /** 32 bytes, secret. */
  readonly seed: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly address: Uint8Array;
}

/** Public half of a key file. */
export interface PublicKeyInfo {
  readonly publicKey: Uint8Array;
  readonly address: Uint8Array;
}

/** CometBFT's `priv_validator_key.json`. */
export function keyFileText(seed: Uint8Array): string {
  const publicKey = ed25519PublicKey(seed);
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  const document = {
    address: toHexUpper(addressOf(publicKey)),
    pub_key: { type: PUBLIC_TYPE, value: base64(publicKey) },
    priv_key: { type: PRIVATE_TYPE, value: base64(Buffer.concat([seed, publicKey])) },
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}

function typedBytes(document: unknown, name: string, type: string, length: number): Uint8Array | string {
  const entry = field(document, name);
  if (field(entry, "type") !== type) return `"${name}.type" is not "${type}"`;
  const value = field(entry, "value");
  if (typeof value !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) {
    return `"${name}.value" is not base64`;
  }
  const bytes = new Uint8Array(Buffer.from(value, "base64"));
  return bytes.length === length ? bytes : `"${name}.value" has ${bytes.length} bytes, not ${length}`;
}

/** The key pair in the text of a key file, or what is wrong with it. Never quotes the text: it is secret. */
export function parseKeyFile(text: string): KeyPair | string {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return "it is not JSON";
  }
  const secret = typedBytes(document, "priv_key", PRIVATE_TYPE, 64);
  if (typeof secret === "string") return secret;
  const stated = typedBytes(document, "pub_key", PUBLIC_TYPE, 32);
  if (typeof stated === "string") return stated;
  const seed = secret.slice(0, 32);
  const publicKey = ed25519PublicKey(seed);
  if (!bytesEqual(publicKey, secret.subarray(32)) || !bytesEqual(publicKey, stated)) {
    return "its public key does not belong to its private key";
  }
  const address = addressOf(publicKey);
  if (field(document, "address") !== toHexUpper(address)) return '"address" is not that of the key';
  return { seed, publicKey, address };
}

/**
 * Reads a key file that only its owner can read.
 * @throws PrivvalError `KEY_MISSING`, `KEY_MODE`, `KEY_INVALID`.
 */
export async function readKeyFile(file: string): Promise<KeyPair> {
  let text: string;
  try {
    const { mode } = await stat(file);
    if ((mode & 0o077) !== 0) {
      const shown = (mode & 0o777).toString(8).padStart(4, "0");
      throw new PrivvalError(
        "KEY_MODE",
        `the key file ${file} has mode ${shown}, others can read it: run chmod 600 ${file}`,
        { file, mode: shown },
      );
    }
    text = await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof PrivvalError) throw error;
    const missing = errnoOf(error) === "ENOENT";
    throw new PrivvalError(
      missing ? "KEY_MISSING" : "KEY_INVALID",
      missing ? `there is no key file ${file}` : `cannot read the key file ${file}`,
      { file, errno: errnoOf(error) },
      error,
    );
  }
  const key = parseKeyFile(text);
  if (typeof key === "string") {
    throw new PrivvalError("KEY_INVALID", `the key file ${file} is invalid: ${key}`, { file });
  }
  return key;
}

/** Public half only, for commands that show it. Throws as {@link readKeyFile}. */
export async function readPublicKey(file: string): Promise<PublicKeyInfo> {
  const { publicKey, address } = await readKeyFile(file);
  return { publicKey, address };
}

/**
 * Writes a new key file, mode 0600, whole or not at all.
 * @throws PrivvalError `KEY_EXISTS` when there is one already.
 */
export async function writeKeyFile(file: string, seed: Uint8Array): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.new`;
  const handle = await open(temporary, "wx", 0o600);
  try {
    await handle.writeFile(keyFileText(seed));
    await handle.sync();
    await handle.close();
    // A link fails where a rename would silently replace a key.
    await link(temporary, file);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
    throw new PrivvalError("KEY_EXISTS", `there is already a key file ${file}: it is never overwritten`, {
      file,
    });
  } finally {
    await handle.close();
    await unlink(temporary);
  }
  await syncDirectory(dirname(file));
}
