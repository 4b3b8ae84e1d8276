/** One transaction of a registry command, from "this is what goes out" to "the validators have it". */
import { setTimeout as delay } from "node:timers/promises";
import { createPublicClient, createWalletClient, defineChain, type Hex, http } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import type { Io } from "../command.ts";
import { CliError, ExitCode, reasonOf } from "../errors.ts";
import { at, nodeGet, numberAt, textAt } from "../rpc-client.ts";
import type { Target } from "./target.ts";

const POLL_MS = 200;

/** What is sent, for people and for a wallet that sends it instead. */
export interface Call {
  readonly what: string;
  readonly to: Hex;
  readonly data: Hex;
  readonly value: bigint;
}

export interface Sent {
  readonly transaction: Hex;
  /** Height of the block that holds it: final. */
  readonly height: number;
}

/** A validator as `/registry` shows it. */
export interface RegistryRow {
  readonly address: string;
  readonly pubKey: string;
  readonly owner: string;
  readonly power: bigint;
  readonly status: string;
}

export async function registryRows(node: string): Promise<readonly RegistryRow[]> {
  const validators = at(await nodeGet(node, "registry"), "validators");
  if (!Array.isArray(validators)) return [];
  return validators.map((row: unknown) => ({
    address: textAt(row, "address"),
    pubKey: textAt(row, "pub_key", "value"),
    owner: textAt(row, "owner"),
    power: BigInt(textAt(row, "voting_power") || "0"),
    status: textAt(row, "status"),
  }));
}

/** @throws CliError unreachable when the execution client does not answer. */
export async function readContract(eth: string, to: Hex, data: Hex): Promise<Hex> {
  try {
    const { data: answer } = await createPublicClient({ transport: http(eth) }).call({ to, data });
    return answer ?? "0x";
  } catch (error) {
    throw noClient(eth, error);
  }
}

/**
 * Signs, sends and waits for the block.
 * @throws CliError unreachable; unmet when it fails or is in no block in time.
 */
export async function send(
  eth: string,
  account: PrivateKeyAccount,
  call: Call,
  timeoutMs: number,
): Promise<Sent> {
  const reader = createPublicClient({ transport: http(eth) });
  let id: number;
  try {
    id = await reader.getChainId();
  } catch (error) {
    throw noClient(eth, error);
  }
  const chain = defineChain({
    id,
    name: "quorate",
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: [eth] } },
  });
  const wallet = createWalletClient({ account, chain, transport: http(eth) });
  try {
    const transaction = await wallet.sendTransaction({ to: call.to, data: call.data, value: call.value });
    const receipt = await reader.waitForTransactionReceipt({
      hash: transaction,
      timeout: timeoutMs,
      pollingInterval: POLL_MS,
    });
    if (receipt.status === "success") return { transaction, height: Number(receipt.blockNumber) };
    throw new Error(`the transaction ${transaction} failed in block ${receipt.blockNumber}`);
  } catch (error) {
    throw new CliError(
      ExitCode.unmet,
      `${call.what}: ${reasonOf(error).split("\n")[0]}`,
      "see that the account may do this and can pay for it",
    );
  }
}

/**
 * Waits until the set of some height has the key with exactly this power; 0 = has it no more. Tells progress on stderr.
 * @throws CliError unmet when not in time.
 */
export async function waitForPower(
  target: Target,
  sent: Sent,
  pubKey: string,
  power: bigint,
  timeoutMs: number,
  io: Io,
): Promise<number> {
  const deadline = performance.now() + timeoutMs;
  let said = "";
  while (performance.now() < deadline) {
    const status = await nodeGet(target.node, "status");
    const next = numberAt(status, "sync_info", "latest_block_height") + 1;
    const row = (await registryRows(target.node)).find((candidate) => candidate.pubKey === pubKey);
    const found = row?.power ?? 0n;
    // The registry's powers after block H are those of the set of H+2.
    if (found === power && next >= sent.height + 2) return next;
    const state = `height ${next - 1}: power ${found} of ${power}`;
    if (state !== said) io.err(`${state}\n`);
    said = state;
    await delay(POLL_MS);
  }
  throw new CliError(
    ExitCode.unmet,
    `the set does not have the key with power ${power} yet (${said || "nothing seen"})`,
    "see `validator validators`: requests against a rule of the chain are ignored (docs/protocol.md §3)",
  );
}

function noClient(eth: string, error: unknown): CliError {
  return new CliError(
    ExitCode.unreachable,
    `the execution client at ${eth} does not answer (${reasonOf(error).split("\n")[0]})`,
    "start it, or name its JSON-RPC with --eth",
  );
}
