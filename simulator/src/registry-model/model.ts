/**
 * The validator registry, told again as naively as can be: plain maps and lists that are changed in place, keys as hex,
 * no sharing, no early answers. It knows the rules of docs/protocol.md §3 and nothing of the code that it is compared with.
 * Params and upgrades are none of its business: no key has their names.
 */
import { depositsIn, leavesIn, type ModelDeposit, type ModelLeave } from "./requests.ts";

export interface ModelEntry {
  owner: string;
  power: bigint;
  /** 0 active, 1 leaving, 2 tombstoned. */
  status: 0 | 1 | 2;
  stake: bigint;
  unlockHeight: number;
}

export interface ModelChange {
  readonly key: string;
  readonly owner: string;
  /** 0 power, 1 deposit, 2 withdrawal, 3 leaving. */
  readonly kind: 0 | 1 | 2 | 3;
  value: bigint;
  readonly height: number;
}

export interface ModelPayout {
  readonly key: string;
  readonly address: string;
  gwei: bigint;
  /** 0: the next block fixes both. */
  unlockHeight: number;
  unlockTimeMs: number;
}

export interface ModelWithdrawal {
  readonly index: bigint;
  readonly address: string;
  readonly gwei: bigint;
}

/** A decided block, as far as the registry is concerned. */
export interface ModelBlock {
  readonly height: number;
  /** Header times of its parent and of itself, ms. */
  readonly parentTimeMs: number;
  readonly timeMs: number;
  readonly maxAgeBlocks: number;
  readonly maxAgeMs: number;
  /** Keys that its evidence convicts, in order. */
  readonly offenders: readonly string[];
  /** Hex of each request, type byte first. */
  readonly requests: readonly string[];
}

/**
 * Rules that struck, for counting: a change met a full set; a rise was cut to what a set may have in all; an amount was
 * above what anybody may have; a new key asked for nothing or for too little; the last validator stayed; a key without
 * proof; a tombstoned key asked again.
 */
export type ModelRule = "full" | "cut" | "too-much" | "dust" | "last" | "unproven" | "tombstoned";

const MAX_TOTAL = (2n ** 63n - 1n) / 8n;
const MAX_VALIDATORS = 512;
const MAX_DEPOSITS = 1024;
const MAX_CHANGES = 4096;
const MAX_PAYOUTS = 8192;
const MAX_TURNS = 512;
const MAX_PAID = 16;
const GWEI = 10n ** 9n;
const LEAST_STAKE = 32n * GWEI;
const MOST_STAKE = 9n * 10n ** 18n;
const LAST_INDEX = 2n ** 64n - 1n;

export class RegistryModel {
  readonly entries: Map<string, ModelEntry> = new Map();
  readonly changes: ModelChange[] = [];
  readonly payouts: ModelPayout[] = [];
  nextDeposit = 0n;
  nextWithdrawal = 0n;
  /** How often each rule struck. */
  readonly struck: Map<ModelRule, number> = new Map();
  readonly #stakeMode: boolean;
  readonly #proves: (key: string, owner: string, proof: string) => boolean;

  /** `proves`: whether a signature shows that the key's holder means this owner, all in hex. */
  constructor(
    stakeMode: boolean,
    validators: readonly { readonly key: string; readonly owner: string; readonly power: bigint }[],
    proves: (key: string, owner: string, proof: string) => boolean,
  ) {
    this.#stakeMode = stakeMode;
    this.#proves = proves;
    for (const { key, owner, power } of validators) {
      const stake = stakeMode ? power * GWEI : 0n;
      this.entries.set(key, { owner, power, status: 0, stake, unlockHeight: 0 });
    }
  }

  get total(): bigint {
    let total = 0n;
    for (const { power } of this.entries.values()) total += power;
    return total;
  }

  /** Who has power. */
  get powerful(): readonly string[] {
    return [...this.entries].filter(([, { power }]) => power > 0n).map(([key]) => key);
  }

  /** One block; answers the withdrawals that its payload must carry. */
  block(block: ModelBlock): readonly ModelWithdrawal[] {
    const total = this.total;
    const paid = this.#pay(block);
    this.#fix(block);
    for (const key of block.offenders) this.#punish(key);
    const deposits = depositsIn(block.requests);
    for (const [place, deposit] of deposits.entries()) this.#deposit(deposit, place, block.height);
    for (const leave of leavesIn(block.requests)) this.#withdraw(leave, block.height);
    this.#turns(total / 3n > 1n ? total / 3n : 1n);
    this.#dropTombstoned();
    return paid;
  }

  #pay({ height, parentTimeMs }: ModelBlock): ModelWithdrawal[] {
    const paid: ModelWithdrawal[] = [];
    const gone = new Set<string>();
    while (this.payouts.length > 0 && paid.length < MAX_PAID) {
      const [{ key, address, gwei, unlockHeight, unlockTimeMs }] = this.payouts as [ModelPayout];
      if (unlockHeight === 0 || height < unlockHeight || parentTimeMs < unlockTimeMs) break;
      this.payouts.shift();
      gone.add(key);
      if (gwei > 0n) paid.push({ index: this.nextWithdrawal++, address, gwei });
    }
    for (const key of gone) {
      const entry = this.entries.get(key);
      const more = this.payouts.some((payout) => payout.key === key);
      if (entry?.status === 1 && entry.power === 0n && !more) this.entries.delete(key);
    }
    return paid;
  }

  #fix({ height, timeMs, maxAgeBlocks, maxAgeMs }: ModelBlock): void {
    for (const payout of this.payouts) {
      if (payout.unlockHeight > 0) continue;
      payout.unlockHeight = height + maxAgeBlocks + 2;
      payout.unlockTimeMs = timeMs + maxAgeMs + 1;
      const entry = this.entries.get(payout.key);
      if (entry?.power === 0n) entry.unlockHeight = payout.unlockHeight;
    }
  }

  #punish(key: string): void {
    const entry = this.entries.get(key);
    if (entry === undefined || entry.status === 2) return;
    const burnt = (gwei: bigint): bigint => (gwei * 19n) / 20n;
    for (const payout of this.payouts) if (payout.key === key) payout.gwei = burnt(payout.gwei);
    const rest = burnt(entry.stake);
    entry.status = 2;
    entry.stake = 0n;
    if (rest > 0n) this.#owe(key, entry.owner, rest);
    this.#dropTombstoned();
  }

  #dropTombstoned(): void {
    for (const key of [...this.entries.keys()].sort()) {
      const entry = this.entries.get(key)!;
      if (entry.status === 2 && entry.power > 0n && this.powerful.length > 1) entry.power = 0n;
    }
  }

  #deposit(deposit: ModelDeposit, place: number, height: number): void {
    if (deposit.index !== this.nextDeposit || deposit.index === LAST_INDEX) return;
    this.nextDeposit++;
    const { key, amount } = deposit;
    if (place >= MAX_DEPOSITS || key === null || this.#isBusy()) return;
    const known = this.entries.get(key)?.owner ?? this.changes.find((change) => change.key === key)?.owner;
    const refused = this.#refusal(deposit, key, known !== undefined);
    const owner = known ?? deposit.owner;
    if (refused !== null) this.#strike(refused);
    else if (owner !== null)
      this.changes.push({ key, owner, kind: this.#stakeMode ? 1 : 0, value: amount, height });
  }

  #refusal({ amount, owner, proof }: ModelDeposit, key: string, known: boolean): ModelRule | null {
    if (amount > (this.#stakeMode ? MOST_STAKE : MAX_TOTAL)) return "too-much";
    if (this.entries.get(key)?.status === 2) return "tombstoned";
    if (known) return null;
    if (amount < (this.#stakeMode ? LEAST_STAKE : 1n)) return "dust";
    return owner !== null && proof !== null && this.#proves(key, owner, proof) ? null : "unproven";
  }

  #withdraw({ source, key, amount }: ModelLeave, height: number): void {
    const entry = key === null ? undefined : this.entries.get(key);
    if (key === null || entry === undefined || entry.status !== 0 || entry.owner !== source) return;
    if (this.#isBusy()) return;
    if (amount === 0n) {
      entry.status = 1;
      this.changes.push({ key, owner: source, kind: 3, value: 0n, height });
    } else if (this.#stakeMode) this.changes.push({ key, owner: source, kind: 2, value: amount, height });
  }

  #isBusy(): boolean {
    return this.changes.length >= MAX_CHANGES || this.payouts.length >= MAX_PAYOUTS;
  }

  #turns(bound: bigint): void {
    let left = bound;
    for (let turn = 0; turn < MAX_TURNS && this.changes.length > 0; turn++) {
      const change = this.changes[0]!;
      const before = this.entries.get(change.key)?.power ?? 0n;
      const whole = this.#stakeMode ? this.#stakeTurn(change, left) : this.#powerTurn(change, left);
      const after = this.entries.get(change.key)?.power ?? 0n;
      left -= after > before ? after - before : before - after;
      if (!whole) return;
      this.changes.shift();
    }
  }

  /** Answers whether nothing is left of the change. */
  #powerTurn(change: ModelChange, left: bigint): boolean {
    const { key } = change;
    const entry = this.entries.get(key);
    if (entry?.status === 2) return true;
    const current = entry?.power ?? 0n;
    let wanted = change.kind === 0 ? change.value : 0n;
    if (wanted === 0n && this.#isLast(current)) return this.#stay(entry);
    if (current === 0n && wanted > 0n && this.#isFull()) return true;
    const tooMuch = this.total - current + wanted - MAX_TOTAL;
    if (wanted > current && tooMuch > 0n) {
      wanted -= tooMuch;
      this.#strike("cut");
    }
    if (wanted === current) return true;
    const distance = wanted > current ? wanted - current : current - wanted;
    const moved = distance < left ? distance : left;
    if (moved === 0n) return false;
    const next = entry ?? this.#enter(change);
    next.unlockHeight = 0;
    if (wanted > current) {
      next.power += moved;
      next.status = 0;
    } else {
      next.power -= moved;
      if (next.power === 0n) {
        next.status = 1;
        this.#owe(key, next.owner, 0n);
      }
    }
    return moved === distance;
  }

  #stakeTurn(change: ModelChange, left: bigint): boolean {
    const { key, kind } = change;
    const entry = this.entries.get(key);
    if (kind === 1) return this.#depositTurn(change, left);
    if (entry === undefined || entry.status === 2) return true;
    if (kind === 3) {
      if (this.#isLast(entry.power)) return this.#stay(entry);
      if (entry.power > left) return this.#take(key, entry, left * GWEI, false);
      entry.status = 1;
      this.#owe(key, entry.owner, entry.stake);
      entry.stake = 0n;
      entry.power = 0n;
      return true;
    }
    const free = entry.stake - LEAST_STAKE;
    if (entry.status !== 0 || free <= 0n) return true;
    const gwei = change.value < free ? change.value : free;
    if (entry.power - (entry.stake - gwei) / GWEI <= left) return this.#take(key, entry, gwei, true);
    change.value = gwei - left * GWEI;
    return this.#take(key, entry, left * GWEI, false);
  }

  #depositTurn(change: ModelChange, left: bigint): boolean {
    const entry = this.entries.get(change.key);
    const power = entry?.power ?? 0n;
    const whole = (entry?.stake ?? 0n) + change.value;
    const full = power === 0n && this.#isFull();
    if (full || (entry !== undefined && entry.status !== 0) || whole > MOST_STAKE) {
      this.#owe(change.key, entry?.owner ?? change.owner, change.value);
      return true;
    }
    const fits = whole / GWEI - power <= left;
    if (!fits && left === 0n) return false;
    const gwei = fits ? change.value : left * GWEI;
    const next = entry ?? this.#enter(change);
    next.stake += gwei;
    next.power = next.stake / GWEI;
    next.unlockHeight = 0;
    change.value -= gwei;
    return fits;
  }

  #take(key: string, entry: ModelEntry, gwei: bigint, whole: boolean): boolean {
    if (gwei === 0n) return whole;
    entry.stake -= gwei;
    entry.power = entry.stake / GWEI;
    this.#owe(key, entry.owner, gwei);
    return whole;
  }

  #enter({ key, owner }: ModelChange): ModelEntry {
    const entry: ModelEntry = { owner, power: 0n, status: 0, stake: 0n, unlockHeight: 0 };
    this.entries.set(key, entry);
    return entry;
  }

  #isLast(power: bigint): boolean {
    return power > 0n && this.powerful.length === 1;
  }

  #stay(entry: ModelEntry | undefined): boolean {
    if (entry?.status === 1) entry.status = 0;
    this.#strike("last");
    return true;
  }

  #isFull(): boolean {
    const full = this.powerful.length >= MAX_VALIDATORS;
    if (full) this.#strike("full");
    return full;
  }

  #owe(key: string, address: string, gwei: bigint): void {
    this.payouts.push({ key, address, gwei, unlockHeight: 0, unlockTimeMs: 0 });
  }

  #strike(rule: ModelRule): void {
    this.struck.set(rule, (this.struck.get(rule) ?? 0) + 1);
  }
}
