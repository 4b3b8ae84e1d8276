/** Accounts that sign: key files of ours, and keystores as the Web3 Secret Storage Definition and a wallet's library make them. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { encryptKeystoreJson } from "ethers";
import { privateKeyToAccount } from "viem/accounts";
import { readAccount } from "../src/registry/account.ts";

const SECRET = "0x7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";
const ADDRESS = privateKeyToAccount(SECRET).address;

const PBKDF2 = {
  crypto: {
    cipher: "aes-128-ctr",
    cipherparams: { iv: "6087dab2f9fdbbfaddc31a909735c1e6" },
    ciphertext: "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
    kdf: "pbkdf2",
    kdfparams: {
      c: 262144,
      dklen: 32,
      prf: "hmac-sha256",
      salt: "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
    },
    mac: "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
  },
  id: "3198bc9c-6672-5ab3-d995-4942343ae5b6",
  version: 3,
};

/** With fewer rounds than a wallet takes. */
const OF_ETHERS = JSON.parse(
  await encryptKeystoreJson({ address: ADDRESS, privateKey: SECRET }, "testpassword", {
    scrypt: { N: 16_384, r: 8, p: 1 },
  }),
) as {
  readonly version: number;
  readonly Crypto: Record<string, unknown> & { readonly kdfparams: Record<string, unknown> };
};
const SCRYPT = { version: OF_ETHERS.version, crypto: OF_ETHERS.Crypto };

function files(context: TestContext, key: unknown, password?: string): [string, string | undefined] {
  const directory = mkdtempSync(join(tmpdir(), "quorate-keystore-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, "key.json"), JSON.stringify(key));
  if (password === undefined) return [join(directory, "key.json"), undefined];
  writeFileSync(join(directory, "password"), password);
  return [join(directory, "key.json"), join(directory, "password")];
}

for (const [kdf, keystore] of [
  ["pbkdf2", PBKDF2],
  ["scrypt", SCRYPT],
] as const) {
  test(`a version 3 keystore with ${kdf} opens with its password, with or without a line end`, async (context) => {
    for (const password of ["testpassword", "testpassword\n", "testpassword\r\n"]) {
      assert.equal((await readAccount(...files(context, keystore, password))).address, ADDRESS);
    }
  });

  test(`a version 3 keystore with ${kdf} does not open with another password: exit 3`, async (context) => {
    await assert.rejects(readAccount(...files(context, keystore, "testpasswort")), {
      exitCode: 3,
      what: /does not open with this password$/,
    });
  });
}

test("a keystore whose crypto member is in upper case opens, as ethers writes it", async (context) => {
  assert.equal((await readAccount(...files(context, OF_ETHERS, "testpassword"))).address, ADDRESS);
});

test("a key file of a home needs no password, a keystore does: exit 2", async (context) => {
  assert.equal((await readAccount(...files(context, { private_key: SECRET }))).address, ADDRESS);
  await assert.rejects(readAccount(...files(context, PBKDF2)), { exitCode: 2 });
});

test("what is no keystore, or asks for more work than a wallet's, is refused before any is done: exit 3", async (context) => {
  const pbkdf2 = (kdfparams: object): unknown => ({
    ...PBKDF2,
    crypto: { ...PBKDF2.crypto, kdfparams: { ...PBKDF2.crypto.kdfparams, ...kdfparams } },
  });
  const scrypt = (kdfparams: object): unknown => ({
    ...SCRYPT,
    crypto: { ...SCRYPT.crypto, kdfparams: { ...SCRYPT.crypto.kdfparams, ...kdfparams } },
  });
  const refused: readonly unknown[] = [
    {},
    [],
    { ...PBKDF2, version: 1 },
    { ...PBKDF2, crypto: { ...PBKDF2.crypto, kdf: "md5" } },
    { ...PBKDF2, crypto: { ...PBKDF2.crypto, cipher: "aes-256-gcm" } },
    pbkdf2({ c: 0 }),
    pbkdf2({ c: 2 ** 31 - 1 }),
    pbkdf2({ prf: "hmac-md5" }),
    pbkdf2({ dklen: 16 }),
    scrypt({ n: 2 ** 30 }),
    scrypt({ n: 3 }),
    scrypt({ n: 0 }),
    scrypt({ p: 1000 }),
    scrypt({ r: "x" }),
  ];
  for (const keystore of refused) {
    await assert.rejects(
      readAccount(...files(context, keystore, "testpassword")),
      { exitCode: 3 },
      JSON.stringify(keystore),
    );
  }
});
