/** The account that signs a transaction: from a key file of ours, or a wallet's keystore with its password. */
import { createDecipheriv, scrypt } from "node:crypto";
import { readFile } from "node:fs/promises";
import { keccak256 } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { CliError, ExitCode, errorCode } from "../errors.ts";
import { at, numberAt, textAt } from "../rpc-client.ts";

/** What scrypt of a keystore may take: that of the usual n = 262144, r = 8. */
const MAX_SCRYPT_BYTES = 384 * 1_048_576;

/**
 * The account of `file`: JSON with `private_key`, as `validator init` writes it, or a version 3 keystore (scrypt), whose
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
  if (at(document, "crypto") === undefined) throw refused(file, "holds neither private_key nor a keystore");
  if (passwordFile === undefined) {
    throw new CliError(
      ExitCode.usage,
      `${file} is a keystore`,
      "name the file with its password: --password-file F",
    );
  }
  const password = (await readText(passwordFile)).replace(/\r?\n$/, "");
  return privateKeyToAccount(await decryptKeystore(document, password, file));
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch {
    throw refused(file, "cannot be read");
  }
}

async function decryptKeystore(document: unknown, password: string, file: string): Promise<`0x${string}`> {
  const kdf = (name: string): number => numberAt(document, "crypto", "kdfparams", name);
  const hex = (...path: string[]): Buffer => Buffer.from(textAt(document, "crypto", ...path), "hex");
  const supported =
    numberAt(document, "version") === 3 &&
    textAt(document, "crypto", "kdf") === "scrypt" &&
    textAt(document, "crypto", "cipher") === "aes-128-ctr" &&
    kdf("dklen") === 32 &&
    128 * kdf("n") * kdf("r") <= MAX_SCRYPT_BYTES;
  if (!supported) throw refused(file, "is no version 3 keystore with scrypt and aes-128-ctr");
  const derived = await new Promise<Buffer>((resolve, reject) => {
    const options = { N: kdf("n"), r: kdf("r"), p: kdf("p"), maxmem: 2 * MAX_SCRYPT_BYTES };
    scrypt(password, hex("kdfparams", "salt"), 32, options, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
  const ciphertext = hex("ciphertext");
  const mac = keccak256(new Uint8Array(Buffer.concat([derived.subarray(16), ciphertext])));
  if (mac.slice(2) !== textAt(document, "crypto", "mac").toLowerCase()) {
    throw refused(file, "does not open with this password");
  }
  const cipher = createDecipheriv("aes-128-ctr", derived.subarray(0, 16), hex("cipherparams", "iv"));
  const key = Buffer.concat([cipher.update(ciphertext), cipher.final()]);
  if (key.length !== 32) throw refused(file, "holds no 32-byte key");
  return `0x${key.toString("hex")}`;
}

function refused(file: string, why: string): CliError {
  return new CliError(
    ExitCode.config,
    `${file} ${why}`,
    "name the account's key file or keystore with --key",
  );
}
