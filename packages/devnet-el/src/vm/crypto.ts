import { hash } from "node:crypto";
import { createRequire } from "node:module";
import type { CustomCrypto } from "@ethereumjs/common";
import {
  type EVMBLSInterface,
  type EVMBN254Interface,
  MCLBLS,
  NobleBLS,
  NobleBN254,
  RustBN254,
} from "@ethereumjs/evm";
import { createKzg } from "./kzg.ts";

/** Cryptography of the precompiles and of transaction signatures, and which implementation each is. */
export interface CryptoBackends {
  readonly custom: CustomCrypto;
  readonly bls: EVMBLSInterface;
  readonly bn254: EVMBN254Interface;
  readonly names: { readonly secp256k1: string; readonly bls12381: string; readonly bn254: string };
}

/** The part of the `secp256k1` package that is used. */
interface NativeSecp256k1 {
  ecdsaRecover(signature: Uint8Array, recovery: number, hash: Uint8Array, compressed: boolean): Uint8Array;
}

const require = createRequire(import.meta.url);

function nativeSecp256k1(): NativeSecp256k1 | undefined {
  try {
    return require("secp256k1/bindings.js") as NativeSecp256k1;
  } catch {
    return undefined;
  }
}

/** 0 or 1 from the `v` of a typed transaction, of EIP-155 or of the precompile; anything else throws. */
function recoveryBit(v: bigint, chainId: bigint | undefined): number {
  const bit = v === 0n || v === 1n ? v : chainId === undefined ? v - 27n : v - (chainId * 2n + 35n);
  if (bit !== 0n && bit !== 1n) throw new Error("invalid signature v value");
  return Number(bit);
}

function recoverWith(secp: NativeSecp256k1): NonNullable<CustomCrypto["ecrecover"]> {
  return (message, v, r, s, chainId) => {
    const bit = recoveryBit(v, chainId);
    const signature = new Uint8Array(64);
    signature.set(r, 32 - r.length);
    signature.set(s, 64 - s.length);
    return secp.ecdsaRecover(signature, bit, message, false).subarray(1);
  };
}

async function wasmBls(): Promise<EVMBLSInterface | undefined> {
  try {
    const mcl = require("mcl-wasm") as typeof import("mcl-wasm");
    await mcl.init(mcl.BLS12_381);
    return new MCLBLS(mcl);
  } catch {
    return undefined;
  }
}

async function wasmBn254(): Promise<EVMBN254Interface | undefined> {
  try {
    const { initRustBN } = require("rustbn-wasm") as {
      initRustBN(): Promise<ConstructorParameters<typeof RustBN254>[0]>;
    };
    return new RustBN254(await initRustBN());
  } catch {
    return undefined;
  }
}

/**
 * Loads the fastest implementation that works here: native secp256k1, WebAssembly curves; each falls back to the
 * pure JavaScript of @noble, which gives the same answers up to fifty times slower.
 */
export async function loadCrypto(): Promise<CryptoBackends> {
  const secp = nativeSecp256k1();
  const [bls, bn254] = await Promise.all([wasmBls(), wasmBn254()]);
  return {
    custom: {
      kzg: createKzg(),
      sha256: (message) => new Uint8Array(hash("sha256", message, "buffer")),
      ...(secp === undefined ? {} : { ecrecover: recoverWith(secp) }),
    },
    bls: bls ?? new NobleBLS(),
    bn254: bn254 ?? new NobleBN254(),
    names: {
      secp256k1: secp === undefined ? "noble" : "native",
      bls12381: bls === undefined ? "noble" : "wasm",
      bn254: bn254 === undefined ? "noble" : "wasm",
    },
  };
}
