import { readFileSync } from "node:fs";

/** What is used of the platform's WebAssembly, which the types of Node leave out. */
interface WasmModule {
  readonly WebAssembly: never;
}
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (module: WasmModule, imports: object) => { readonly exports: object };
};

/** A constant of the module. */
interface Address {
  readonly value: number;
}

/** Functions and addresses of the module, as assembly/index.ts explains them. Addresses and lengths are in bytes. */
export interface Ed25519Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  initialise(): void;
  setKey(key: number): number;
  digest(item: number, length: number): void;
  prepare(count: number): void;
  holds(from: number, to: number): number;

  readonly ARGUMENTS: Address;
  readonly COEFFICIENTS: Address;
  readonly DIGESTS: Address;
  readonly KEYS: Address;
  readonly KEY_OF: Address;
  readonly MAX_ITEMS: Address;
  readonly MAX_KEYS: Address;
  readonly MAX_MESSAGE: Address;
  readonly MESSAGE: Address;
  readonly SIGNATURES: Address;
  readonly WELL_FORMED: Address;

  add(out: number, a: number, b: number): void;
  canonical(a: number): void;
  carry(a: number): void;
  multiply(out: number, a: number, b: number): void;
  square(out: number, a: number): void;
  subtract(out: number, a: number, b: number): void;
  addPoint(out: number, p: number, q: number): void;
  decodePoints(out: number, bytes: number, stride: number): number;
  double(out: number, p: number): void;
  isSmallOrder(p: number): number;
  oddMultiples(out: number, p: number, count: number): void;
  subtractPoint(out: number, p: number, q: number): void;
  toCached(out: number, p: number): void;
  addProduct(sum: number, z: number, x: number, limbs: number): void;
  isBelowOrder(bytes: number): number;
  negate(r: number): void;
  reduce(out: number, sum: number): void;
}

let compiled: WasmModule | null = null;

/** A new instance of the module with a memory of its own (5.6 MiB, of which the pages in use take room). */
export function instantiateEd25519(): Ed25519Exports {
  // The folder lies as deep below src as below lib. Compiled once for each thread.
  compiled ??= new WebAssembly.Module(readFileSync(new URL("../../wasm/ed25519.wasm", import.meta.url)));
  const exports = new WebAssembly.Instance(compiled, {}).exports as Ed25519Exports;
  exports.initialise();
  return exports;
}
