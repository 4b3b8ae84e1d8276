/** Execution requests as a registry contract and the withdrawal contract would cause them. */
import {
  applyRegistry,
  DEFAULT_PARAMS,
  possessionBytes,
  type Registry,
  type RegistryEntry,
  type RegistryInput,
} from "@quorate/chain";
import { concatBytes, ed25519PublicKey, ed25519Sign, sha256, utf8Encode } from "@quorate/crypto";

export const CHAIN = { chainId: "registry-fixture", elGenesisHash: new Uint8Array(32).fill(0x9e) } as const;

export interface Person {
  readonly seed: Uint8Array;
  readonly pubKey: Uint8Array;
  readonly owner: Uint8Array;
}

/** The same key and owner for the same number, everywhere. */
export function person(n: number): Person {
  const seed = sha256(utf8Encode(`registry fixture ${n}`));
  return { seed, pubKey: ed25519PublicKey(seed), owner: new Uint8Array(20).fill(n + 1) };
}

export function proof(
  who: Person,
  chain: { chainId: string; elGenesisHash: Uint8Array } = CHAIN,
): Uint8Array {
  return ed25519Sign(who.seed, possessionBytes({ ...chain, pubKey: who.pubKey, owner: who.owner }));
}

export interface DepositFields {
  readonly keyField: Uint8Array;
  readonly credentials: Uint8Array;
  readonly amount: bigint;
  readonly signature: Uint8Array;
  readonly index: bigint;
}

export function padTo(bytes: Uint8Array, length: number): Uint8Array {
  const padded = new Uint8Array(length);
  padded.set(bytes);
  return padded;
}

export function credentialsOf(owner: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(1), new Uint8Array(11), owner);
}

export function littleEndian(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}

/** What the contract logs when `who` is given `power`. */
export function registration(who: Person, power: bigint, index: bigint): DepositFields {
  return {
    keyField: padTo(who.pubKey, 48),
    credentials: credentialsOf(who.owner),
    amount: power,
    signature: padTo(proof(who), 96),
    index,
  };
}

export function depositRequest(...deposits: readonly DepositFields[]): Uint8Array {
  return concatBytes(
    Uint8Array.of(0),
    ...deposits.flatMap((d) => [
      d.keyField,
      d.credentials,
      littleEndian(d.amount),
      d.signature,
      littleEndian(d.index),
    ]),
  );
}

export function withdrawalRequest(
  ...requests: readonly { source: Uint8Array; pubKey: Uint8Array; amount: bigint }[]
): Uint8Array {
  return concatBytes(
    Uint8Array.of(1),
    ...requests.flatMap((r) => [r.source, padTo(r.pubKey, 48), littleEndian(r.amount)]),
  );
}

/** A registry of active validators 0 … with these powers. */
export function registryOf(powers: readonly bigint[]): Registry {
  const entries = powers.map((power, n): RegistryEntry => {
    const { pubKey, owner } = person(n);
    return { pubKey, owner, power, status: 0, stakeGwei: 0n, unlockHeight: 0 };
  });
  return {
    policy: 0,
    nextDepositIndex: 0n,
    nextWithdrawalIndex: 0n,
    entries: entries.sort((a, b) => Buffer.compare(a.pubKey, b.pubKey)),
    changes: [],
    payouts: [],
    scheduled: [],
  };
}

export function totalPower(registry: Registry): bigint {
  return registry.entries.reduce((total, entry) => total + entry.power, 0n);
}

export const SECOND = 1000;

/** The registry after the block of `height` with these requests; a block per second. */
export function applyAt(
  registry: Registry,
  height: number,
  requests: readonly Uint8Array[],
  changes: Partial<RegistryInput> = {},
): Registry {
  return applyRegistry(registry, {
    ...CHAIN,
    height,
    lastTimeMs: (height - 1) * SECOND,
    timeMs: height * SECOND,
    params: DEFAULT_PARAMS,
    appVersion: 1n,
    upgrades: [],
    totalPower: totalPower(registry),
    offenders: [],
    requests,
    ...changes,
  });
}
