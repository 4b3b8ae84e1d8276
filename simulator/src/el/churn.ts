/**
 * Requests that change the set, as a registry contract and the withdrawal contract would cause them: at every height, of
 * every kind, sound or not, with powers up to more than a set may have. What a height asks for depends on the seed and the
 * height alone, so all clients build the same.
 */
import {
  type Genesis,
  GWEI_PER_POWER,
  MAX_TOTAL_POWER,
  possessionBytes,
  STANDARD_DEPOSIT_CONTRACT,
} from "@quorate/chain";
import { bytesEqual, ed25519Sign } from "@quorate/crypto";
import { Random } from "../core/random.ts";

/** Requests of the block of a height, 0x-hex with the type byte first; `index` is that of the next deposit. */
export type RequestsOf = (height: number, index: bigint) => readonly string[];

const DEPOSIT_DIGITS = 2 * 192;
const POWERS: readonly bigint[] = [
  0n,
  0n,
  1n,
  3n,
  10n,
  10n,
  100n,
  2n ** 40n,
  MAX_TOTAL_POWER - 1n,
  MAX_TOTAL_POWER,
  MAX_TOTAL_POWER + 1n,
  2n ** 64n - 1n,
];

const STAKES: readonly bigint[] = [1n, 5n, 32n, 33n, 64n, 500n, 2n ** 33n].map(
  (ether) => ether * GWEI_PER_POWER,
);

/** `seeds`: of the validators' keys, in the order of genesis; who was forgotten comes back with a proof of possession. */
export function churn(seed: number, genesis: Genesis, seeds: readonly Uint8Array[]): RequestsOf {
  const { chainId, elGenesisHash } = genesis;
  const stake = bytesEqual(genesis.depositContractAddress, STANDARD_DEPOSIT_CONTRACT);
  const amounts = stake ? STAKES : POWERS;
  const keys = genesis.validators.map(({ pubKey, owner }, i) => ({
    key: digits(pubKey).padEnd(96, "0"),
    owner: digits(owner),
    proof: digits(ed25519Sign(seeds[i]!, possessionBytes({ chainId, elGenesisHash, pubKey, owner }))),
  }));
  return (height, index) => {
    const random = new Random(`churn ${seed}/${height}`);
    const deposits: string[] = [];
    const withdrawals: string[] = [];
    for (let i = random.below(4); i > 0; i--) {
      const { key, owner, proof } = random.pick(keys);
      const next = index + BigInt(deposits.length);
      const deposit = (field: string, amount: bigint, at: bigint): void => {
        const credentials = `01${"00".repeat(11)}${owner}`;
        deposits.push(`${field}${credentials}${little(amount)}${proof.padEnd(192, "0")}${little(at)}`);
      };
      const kind = random.below(10);
      if (kind < 5) deposit(key, random.pick(amounts), next);
      else if (kind < 7) withdrawals.push(`${owner}${key}${little(0n)}`);
      else if (kind === 7) withdrawals.push(`${owner}${key}${little(3n * GWEI_PER_POWER)}`);
      else if (kind === 8) withdrawals.push(`${random.pick(keys).owner}${key}${little(7n)}`);
      else deposit(random.chance(0.5) ? "ff".repeat(48) : key, 5n, random.chance(0.5) ? next : next + 3n);
    }
    return [
      ...(deposits.length > 0 ? [`0x00${deposits.join("")}`] : []),
      ...(withdrawals.length > 0 ? [`0x01${withdrawals.join("")}`] : []),
    ];
  };
}

/** Deposits of one block that count, given the next index: as many as stand in order. */
export function depositsOf(requests: readonly string[], index: bigint): bigint {
  const data = requests.find((request) => request.startsWith("0x00"))?.slice(4) ?? "";
  let next = index;
  for (let at = 0; at + DEPOSIT_DIGITS <= data.length; at += DEPOSIT_DIGITS) {
    if (data.slice(at + DEPOSIT_DIGITS - 16, at + DEPOSIT_DIGITS) === little(next)) next++;
  }
  return next;
}

function digits(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function little(value: bigint): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes.toString("hex");
}
