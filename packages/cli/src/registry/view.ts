/** The registry as a node's RPC shows it. */
import { CliError, ExitCode } from "../errors.ts";
import { at, nodeGet, numberAt, textAt } from "../rpc-client.ts";

export type Policy = "permissioned" | "stake";

export interface RegistryRow {
  readonly address: string;
  /** Base64. */
  readonly pubKey: string;
  readonly owner: string;
  readonly power: bigint;
  readonly status: string;
  readonly stakeGwei: bigint;
}

/** A change that waits for its turn. */
export interface QueuedRow {
  readonly pubKey: string;
  readonly kind: string;
  /** Height of the block that asked for it. */
  readonly height: number;
}

/** What is owed to an owner, and held until both have passed; 0 = fixed by the next block. */
export interface PayoutRow {
  readonly address: string;
  readonly owner: string;
  readonly gwei: bigint;
  readonly unlockHeight: number;
  readonly unlockTimeMs: number;
}

/** After the block of `height`; its powers are those of the set of `height` + 2. */
export interface RegistryView {
  readonly height: number;
  readonly policy: Policy;
  readonly rows: readonly RegistryRow[];
  readonly queued: readonly QueuedRow[];
  readonly payouts: readonly PayoutRow[];
}

/** @throws CliError unreachable when nothing answers as a node does. */
export async function readRegistry(node: string): Promise<RegistryView> {
  return registryView(await nodeGet(node, "registry"));
}

export function registryView(document: unknown): RegistryView {
  return {
    height: numberAt(document, "block_height"),
    policy: textAt(document, "policy") === "stake" ? "stake" : "permissioned",
    rows: rowsAt(document, "validators").map((row) => ({
      address: textAt(row, "address"),
      pubKey: textAt(row, "pub_key", "value"),
      owner: textAt(row, "owner"),
      power: amountAt(row, "voting_power"),
      status: textAt(row, "status"),
      stakeGwei: amountAt(row, "stake_gwei"),
    })),
    queued: rowsAt(document, "queued").map((row) => ({
      pubKey: textAt(row, "pub_key", "value"),
      kind: textAt(row, "kind"),
      height: numberAt(row, "height"),
    })),
    payouts: rowsAt(document, "payouts").map((row) => ({
      address: textAt(row, "address"),
      owner: textAt(row, "owner"),
      gwei: amountAt(row, "gwei"),
      unlockHeight: numberAt(row, "unlock_height"),
      unlockTimeMs: numberAt(row, "unlock_time_ms"),
    })),
  };
}

export function rowOf(view: RegistryView, pubKey: Uint8Array): RegistryRow | undefined {
  const key = base64(pubKey);
  return view.rows.find((row) => row.pubKey === key);
}

export function rowsAt(document: unknown, key: string): readonly unknown[] {
  const found = at(document, key);
  return Array.isArray(found) ? found : [];
}

/** What is owed, and when it is paid, as a line for people. */
export function payoutText({ address, owner, gwei, unlockHeight, unlockTimeMs }: PayoutRow): string {
  const when =
    unlockHeight === 0 ? "when the next block fixes" : `at height ${unlockHeight}, ${timeText(unlockTimeMs)}`;
  return `${etherText(gwei)} ether of ${address} to ${owner}, not before ${when}`;
}

function timeText(ms: number): string {
  // Beyond what a Date can hold nothing is ever paid.
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`;
}

/** Gwei as ether, exact. */
export function etherText(gwei: bigint): string {
  const digits = gwei.toString().padStart(10, "0");
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`.replace(/\.?0+$/, "");
}

/** @throws CliError usage unless it is a decimal number of ether, a whole number of gwei, above 0. */
export function parseEther(text: string, flag: string): bigint {
  const [, whole = "", part = ""] = /^(\d{1,10})(?:\.(\d{1,9}))?$/.exec(text) ?? [];
  const gwei = BigInt(`${whole}${part.padEnd(9, "0")}`);
  if (whole !== "" && gwei > 0n) return gwei;
  throw new CliError(
    ExitCode.usage,
    `--${flag} ${JSON.stringify(text)} is no amount of ether`,
    "write a number such as 32 or 0.5, with at most 9 digits behind the point",
  );
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function amountAt(row: unknown, key: string): bigint {
  const text = textAt(row, key);
  return /^\d+$/.test(text) ? BigInt(text) : 0n;
}
