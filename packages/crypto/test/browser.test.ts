import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

describe("without Node's crypto, as in a browser", () => {
  const { getBuiltinModule } = process;
  let crypto: typeof import("../src/index.ts");

  before(async () => {
    Object.defineProperty(process, "getBuiltinModule", { value: undefined, configurable: true });
    crypto = await import("../src/index.ts");
  });

  after(() => {
    Object.defineProperty(process, "getBuiltinModule", { value: getBuiltinModule, configurable: true });
  });

  test("hashing gives the published digests", () => {
    assert.equal(
      crypto.toHex(crypto.sha256(crypto.utf8Encode("a"), crypto.utf8Encode("bc"))),
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
  });

  test("keys sign and both backends verify, with noble's verdict", () => {
    const { seed, publicKey } = crypto.ed25519Keygen();
    const message = Uint8Array.of(1, 2, 3);
    const signature = crypto.ed25519Sign(seed, message);
    assert.deepEqual(crypto.ed25519Signer(seed).sign(message), signature);
    for (const backend of [crypto.nativeBackend, crypto.nobleBackend]) {
      const checks = [
        { publicKey, message, signature },
        { publicKey, message: Uint8Array.of(4), signature },
      ];
      assert.deepEqual(backend.verifyBatch(checks), [true, false]);
    }
  });
});
