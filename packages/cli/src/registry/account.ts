/** The account that signs a transaction: from a key file of ours, or a wallet's keystore with its password. */
import { createDecipheriv, pbkdf2, scrypt } from "node:crypto";
import { readFile } from "node:fs/promises";
import { keccak256 } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { CliError, ExitCode, errorCode, reasonOf } from "../errors.ts";
import { at, numberAt, textAt } from "../rpc-client.ts";

/** What scrypt of a keystore may take: that of the usual n = 262144, r = 8. */
const MAX_SCRYPT_BYTES = 384 * 1_048_576;
/** What p of scrypt may multiply that work by. */
const MAX_SCRYPT_PARALLEL = 16;
/** Rounds of PBKDF2: wallets use 262144. */
const MAX_PBKDF2_ROUNDS = 16_777_216;

/**
 * The account of `file`: JSON with `private_key`, as `validator init` writes it, or a version 3 keystore (scrypt or PBKDF2), whose
 * password stands in `passwordFile`.
 * @throws CliError config.
 */
export async function readAccount(
  file: string,
  passwordFile: string | undefined,
): Promise<PrivateKeyAccount> {
  let document: unknown;
  try {
    document = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw refused(file, errorCode(error) === "ENOENT" ? "does not exist" : "cannot be read as JSON");
  }
  const plain = textAt(document, "private_key");
  if (/^0x[0-9a-fA-F]{64}$/.test(plain)) return privateKeyToAccount(plain as `0x${string}`);
  // Some wallets write the member in upper case.
  const crypto = at(document, "crypto") ?? at(document, "Crypto");
  if (crypto === undefined) throw refused(file, "holds neither private_key nor a keystore");
  if (passwordFile === undefined) {
    throw new CliError(
      ExitCode.usage,
      `${file} is a keystore`,
      "name the file with its password: --password-file F",
    );
  }
  const password = (await readText(passwordFile)).replace(/\r?\n$/, "");
  return privateKeyToAccount(await decryptKeystore(numberAt(document, "version"), crypto, password, file));
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch {
    throw refused(file, "cannot be read");
  }
}

async function decryptKeystore(
  version: number,
  crypto: unknown,
  password: string,
  file: string,
): Promise<`0x${string}`> {
  const hex = (...path: string[]): Buffer => Buffer.from(textAt(crypto, ...path), "hex");
  const derive = version === 3 && textAt(crypto, "cipher") === "aes-128-ctr" ? derivation(crypto) : null;
  if (derive === null) {
    throw refused(file, "is no version 3 keystore with scrypt or PBKDF2 (hmac-sha256), and aes-128-ctr");
  }
  let derived: Buffer;
  try {
    derived = await derive(password, hex("kdfparams", "salt"));
  } catch (error) {
    throw refused(file, `has parameters that its kdf does not take (${reasonOf(error)})`);
  }
  const ciphertext = hex("ciphertext");
  const mac = keccak256(new Uint8Array(Buffer.concat([derived.subarray(16), ciphertext])));
  if (mac.slice(2) !== textAt(crypto, "mac").toLowerCase()) {
    throw refused(file, "does not open with this password");
  }
  const cipher = createDecipheriv("aes-128-ctr", derived.subarray(0, 16), hex("cipherparams", "iv"));
  const key = Buffer.concat([cipher.update(ciphertext), cipher.final()]);
  if (key.length !== 32) throw refused(file, "holds no 32-byte key");
  return `0x${key.toString("hex")}`;
}

type Derivation = (password: string, salt: Buffer) => Promise<Buffer>;

/** How a keystore makes 32 bytes of its password; `null` = in no way that is known and bounded. */
function derivation(crypto: unknown): Derivation | null {
  const parameter = (name: string): number => numberAt(crypto, "kdfparams", name);
  if (parameter("dklen") !== 32) return null;
  switch (textAt(crypto, "kdf")) {
    case "scrypt": {
      const [N, r, p] = [parameter("n"), parameter("r"), parameter("p")];
      const bounded =
        N > 1 && r >= 1 && 128 * N * r <= MAX_SCRYPT_BYTES && p >= 1 && p <= MAX_SCRYPT_PARALLEL;
      if (!bounded) return null;
      return async (password, salt) =>
        await called((done) => scrypt(password, salt, 32, { N, r, p, maxmem: 2 * MAX_SCRYPT_BYTES }, done));
    }
    case "pbkdf2": {
      const rounds = parameter("c");
      const known = textAt(crypto, "kdfparams", "prf") === "hmac-sha256";
      if (!known || !(rounds >= 1 && rounds <= MAX_PBKDF2_ROUNDS)) return null;
      return async (password, salt) =>
        await called((done) => pbkdf2(password, salt, rounds, 32, "sha256", done));
    }
    default:
      return null;
  }
}

async function called(run: (done: (error: Error | null, key: Buffer) => void) => void): Promise<Buffer> {
  return await new Promise((resolve, reject) => {
    run((error, key) => (error === null ? resolve(key) : reject(error)));
  });
}

function refused(file: string, why: string): CliError {
  return new CliError(
    ExitCode.config,
    `${file} ${why}`,
    "name the account's key file or keystore with --key",
  );
}
