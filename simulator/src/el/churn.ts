/**
 * Requests that change the set, as a registry contract and the withdrawal contract would cause them: at every height, of
 * every kind, sound or not, with powers up to more than a set may have. What a height asks for depends on the seed and the
 * height alone, so all clients build the same.
 */
import {
  type Genesis,
  GWEI_PER_POWER,
  MAX_STAKE_GWEI,
  MAX_TOTAL_POWER,
  MIN_STAKE_GWEI,
  possessionBytes,
  STANDARD_DEPOSIT_CONTRACT,
} from "@quorate/chain";
import { bytesEqual, ed25519Sign } from "@quorate/crypto";
import type { Person } from "../cluster/people.ts";
import { Random } from "../core/random.ts";

/** Requests of the block of a height, 0x-hex with the type byte first; `index` is that of the next deposit. */
export type RequestsOf = (height: number, index: bigint) => readonly string[];

/**
 * How much is asked for. Of little a queue is worked off within heights. What is large stands at the head of it for as
 * long as the run lasts. At the limit validators have all that a set may have from the beginning. A crowd fills the set.
 */
export type Appetite = "small" | "large" | "limit" | "crowd";

const DEPOSIT_DIGITS = 2 * 192;
const U64 = 2n ** 64n - 1n;

/** What a registry's owner asks for: absolute powers. */
const POWERS: Readonly<Record<Appetite, readonly bigint[]>> = {
  small: [0n, 0n, 1n, 3n, 10n, 10n, 25n, 100n, MAX_TOTAL_POWER + 1n, U64],
  large: [0n, 0n, 1n, 3n, 10n, 10n, 100n, 2n ** 40n, MAX_TOTAL_POWER - 1n, MAX_TOTAL_POWER, U64],
  limit: [
    ...[0n, 0n, 1n, MAX_TOTAL_POWER / 8n, MAX_TOTAL_POWER / 4n, MAX_TOTAL_POWER / 3n],
    ...[MAX_TOTAL_POWER / 2n, MAX_TOTAL_POWER - 1n, MAX_TOTAL_POWER, MAX_TOTAL_POWER + 1n, U64],
  ],
  crowd: [0n, 0n, 1n, 10_000n, 50_000n, 100_000n, MAX_TOTAL_POWER + 1n, U64],
};

const ether = (...amounts: readonly bigint[]): bigint[] => amounts.map((each) => each * GWEI_PER_POWER);
/** Nothing, too little for a new key, and too much for anybody. */
const ODD_STAKES: readonly bigint[] = [0n, 1n, MIN_STAKE_GWEI - 1n, MAX_STAKE_GWEI + 1n, U64];

/** What is deposited, gwei. */
const STAKES: Readonly<Record<Appetite, readonly bigint[]>> = {
  small: [...ether(1n, 5n, 32n, 32n, 33n, 64n, 200n), ...ODD_STAKES],
  large: [...ether(1n, 5n, 32n, 33n, 64n, 500n, 2n ** 33n), MAX_STAKE_GWEI, ...ODD_STAKES],
  limit: [
    ...[MAX_STAKE_GWEI / 8n, MAX_STAKE_GWEI / 4n, MAX_STAKE_GWEI / 2n, MAX_STAKE_GWEI - 1n],
    ...[MAX_STAKE_GWEI, ...ether(33n), ...ODD_STAKES],
  ],
  crowd: [...ether(1n, 32n, 10_000n, 50_000n), ...ODD_STAKES],
};

/** For those of a crowd that nobody runs, and for its anchor: never less than it has. */
const CROWD = {
  powers: [0n, 1n, 1n, 1n, 2n, 3n, MAX_TOTAL_POWER + 1n],
  stakes: [...ether(1n, 32n, 32n, 33n, 64n), GWEI_PER_POWER - 1n, MIN_STAKE_GWEI - 1n, MAX_STAKE_GWEI + 1n],
} as const;
const ANCHOR_POWERS: readonly bigint[] = [200_000n, 250_000n, MAX_TOTAL_POWER + 1n, U64];

/** Who was forgotten, or was never in genesis, comes with a proof of possession. */
export function churn(
  seed: number,
  genesis: Genesis,
  people: readonly Person[],
  appetite: Appetite,
): RequestsOf {
  const stake = bytesEqual(genesis.depositContractAddress, STANDARD_DEPOSIT_CONTRACT);
  const proofOf = possessionOf(genesis);
  const nodes = people.filter(({ part }) => part !== "crowd");
  const present = people.filter(({ part, inGenesis }) => part === "crowd" && inGenesis);
  const joining = people.filter(({ part, inGenesis }) => part === "crowd" && !inGenesis);
  const amountsOf = ({ part }: Person): readonly bigint[] => {
    if (part === "crowd") return stake ? CROWD.stakes : CROWD.powers;
    if (part === "anchor" && !stake) return ANCHOR_POWERS;
    return stake ? STAKES[appetite] : POWERS[appetite];
  };
  return (height, index) => {
    const random = new Random(`churn ${seed}/${height}`);
    const deposits: string[] = [];
    const withdrawals: string[] = [];
    const somebody = (): Person => {
      if (joining.length === 0 || random.chance(0.25)) return random.pick(nodes);
      return random.pick(random.chance(0.85) ? joining : present);
    };
    for (let i = random.below(appetite === "crowd" ? 7 : 4); i > 0; i--) {
      const person = somebody();
      const key = digits(person.pubKey);
      const owner = digits(person.owner);
      const next = index + BigInt(deposits.length);
      const deposit = (field: string, amount: bigint, at: bigint, proof = proofOf(person)): void =>
        void deposits.push(depositItem({ key: field, owner, amount, proof, index: at }));
      const kind = random.below(11);
      const leaves = kind >= 5 && kind < 8 && person.part !== "anchor";
      if (leaves) withdrawals.push(withdrawalItem(owner, key, kind < 7 ? 0n : 3n * GWEI_PER_POWER));
      else if (kind < 8) deposit(key, random.pick(amountsOf(person)), next);
      else if (kind === 8) withdrawals.push(withdrawalItem(digits(random.pick(nodes).owner), key, 7n));
      else if (kind === 9) deposit(key, random.pick(amountsOf(person)), next, proofOf(random.pick(people)));
      else {
        const nobody = person.part === "anchor" || random.chance(0.5);
        deposit(nobody ? "ff".repeat(48) : key, 5n, random.chance(0.5) ? next : next + 3n);
      }
    }
    return requestsWith(deposits, withdrawals);
  };
}

/** One deposit as its contract logs it; everything in hex, key and proof without the zeros behind them. */
export function depositItem(fields: {
  readonly key: string;
  readonly owner: string;
  readonly amount: bigint;
  readonly proof: string;
  readonly index: bigint;
}): string {
  const { key, owner, amount, proof, index } = fields;
  const credentials = `01${"00".repeat(11)}${owner}`;
  return `${key.padEnd(96, "0")}${credentials}${little(amount)}${proof.padEnd(192, "0")}${little(index)}`;
}

/** One call of the withdrawal contract; amount 0 leaves. */
export function withdrawalItem(owner: string, key: string, amount: bigint): string {
  return `${owner}${key.padEnd(96, "0")}${little(amount)}`;
}

/** The requests of a block: a list of deposits, a list of withdrawals, neither where there is none. */
export function requestsWith(deposits: readonly string[], withdrawals: readonly string[]): readonly string[] {
  return [
    ...(deposits.length > 0 ? [`0x00${deposits.join("")}`] : []),
    ...(withdrawals.length > 0 ? [`0x01${withdrawals.join("")}`] : []),
  ];
}

/** The proof of possession of a key for its owner, hex. */
export function possessionOf({
  chainId,
  elGenesisHash,
}: Pick<Genesis, "chainId" | "elGenesisHash">): (person: Person) => string {
  const known = new Map<Person, string>();
  return (person) => {
    let proof = known.get(person);
    if (proof === undefined) {
      const { seed, pubKey, owner } = person;
      proof = digits(ed25519Sign(seed, possessionBytes({ chainId, elGenesisHash, pubKey, owner })));
      known.set(person, proof);
    }
    return proof;
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
