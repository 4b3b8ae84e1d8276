import { createHash, randomFillSync } from "node:crypto";
import type { SignatureCheck, VerifierBackend } from "../types.ts";
import { KeyNumbers } from "./keys.ts";
import { instantiateEd25519 } from "./module.ts";

/** A failing group of at most so many is taken apart one by one: halving it further costs as much. */
const SINGLY = 4;

/**
 * True batches by random linear combination, ZIP-215 exactly, in WebAssembly (packages/crypto/assembly). What a batch
 * refuses is halved until every culprit is named, and each of them by its own equation: a refusal is exact, an acceptance
 * wrong with a chance of 2^-128 for a sender who does not know the coefficients, which come from the platform's CSPRNG
 * after the batch is fixed. Node only. One instance holds tables of up to 512 keys (10 KiB each).
 */
export function createWasmBackend(): VerifierBackend {
  const backend = new WasmBackend();
  return {
    name: "wasm",
    verify: (check) => backend.verifyBatch([check])[0]!,
    verifyBatch: (checks) => backend.verifyBatch(checks),
  };
}

class WasmBackend {
  readonly #module = instantiateEd25519();
  readonly #bytes = new Uint8Array(this.#module.memory.buffer);
  readonly #signatures = this.#module.SIGNATURES.value;
  readonly #digests = this.#module.DIGESTS.value;
  readonly #coefficients = this.#module.COEFFICIENTS.value;
  readonly #message = this.#module.MESSAGE.value;
  readonly #wellFormed = this.#module.WELL_FORMED.value;
  readonly #maxItems = this.#module.MAX_ITEMS.value;
  readonly #maxMessage = this.#module.MAX_MESSAGE.value;
  readonly #keyOf = new Uint32Array(this.#module.memory.buffer, this.#module.KEY_OF.value, this.#maxItems);
  // More numbers than items of a batch: a batch never takes a number from one of its own keys.
  readonly #keys = new KeyNumbers(this.#module.MAX_KEYS.value, (number, publicKey) => {
    this.#bytes.set(publicKey, this.#module.KEYS.value + 32 * number);
    return this.#module.setKey(number) !== 0;
  });

  verifyBatch(checks: readonly SignatureCheck[]): boolean[] {
    const verdicts = new Array<boolean>(checks.length).fill(false);
    /** Place of each item among the checks. */
    const places: number[] = [];
    const settle = (): void => {
      this.#module.prepare(places.length);
      this.#settle(0, places.length, (item) => {
        verdicts[places[item]!] = true;
      });
      places.length = 0;
    };
    for (let place = 0; place < checks.length; place++) {
      if (!this.#load(checks[place]!, places.length)) continue;
      if (places.push(place) === this.#maxItems) settle();
    }
    if (places.length > 0) settle();
    return verdicts;
  }

  /** Writes a check as item `item`; false when its lengths or its key already decide that it does not hold. */
  #load({ publicKey, message, signature }: SignatureCheck, item: number): boolean {
    if (publicKey.length !== 32 || signature.length !== 64) return false;
    const key = this.#keys.of(publicKey);
    if (key === null) return false;
    this.#keyOf[item] = key;
    this.#bytes.set(signature, this.#signatures + 64 * item);
    if (message.length <= this.#maxMessage) {
      this.#bytes.set(message, this.#message);
      this.#module.digest(item, message.length);
    } else {
      const hash = createHash("sha512").update(signature.subarray(0, 32)).update(publicKey).update(message);
      this.#bytes.set(hash.digest(), this.#digests + 64 * item);
    }
    return true;
  }

  /** Tells every item from `from` up to `to` that holds. */
  #settle(from: number, to: number, valid: (item: number) => void): void {
    if (this.#holds(from, to)) {
      for (let item = from; item < to; item++) if (this.#bytes[this.#wellFormed + item] === 1) valid(item);
      return;
    }
    if (to - from === 1) return;
    if (to - from <= SINGLY) {
      for (let item = from; item < to; item++) this.#settle(item, item + 1, valid);
      return;
    }
    const middle = (from + to) >> 1;
    this.#settle(from, middle, valid);
    this.#settle(middle, to, valid);
  }

  #holds(from: number, to: number): boolean {
    const at = this.#coefficients + 16 * from;
    if (to - from === 1) {
      // The signature's own equation: z = 1.
      this.#bytes.fill(0, at, at + 16);
      this.#bytes[at] = 1;
    } else {
      randomFillSync(this.#bytes, at, 16 * (to - from));
    }
    return this.#module.holds(from, to) !== 0;
  }
}
