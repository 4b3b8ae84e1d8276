/** One transaction of a registry command: signed, sent, and in a block. */
import { setTimeout as delay } from "node:timers/promises";
import {
  BaseError,
  createPublicClient,
  createWalletClient,
  defineChain,
  type Hex,
  http,
  type TransactionReceipt,
  TransactionReceiptNotFoundError,
} from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import { CliError, ExitCode, reasonOf } from "../errors.ts";
import { noClient, requireSameChain } from "./chain.ts";
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
 * @throws CliError unreachable; config when the client is of another chain than the node; unmet when it fails or is in no block in time.
 */
export async function send(
  target: Target,
  account: PrivateKeyAccount,
  call: Call,
  timeoutMs: number,
): Promise<Sent> {
  await requireSameChain(target);
  const { eth } = target;
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
    const receipt = await receiptOf(reader, transaction, timeoutMs);
    if (receipt.status === "success") return { transaction, height: Number(receipt.blockNumber) };
    throw new Error(`the transaction ${transaction} failed in block ${receipt.blockNumber}`);
  } catch (error) {
    throw new CliError(
      ExitCode.unmet,
      `${call.what}: ${whyOf(error)}`,
      "see that the account may do this and can pay for it",
    );
  }
}

type Reader = ReturnType<typeof createPublicClient>;

/** Geth's answer to whoever asks for a transaction that it has not indexed yet, its first seconds long. */
const INDEXING = /indexing is in progress/;

/** @throws Error when none comes in `timeoutMs`. */
async function receiptOf(reader: Reader, hash: Hex, timeoutMs: number): Promise<TransactionReceipt> {
  const untilMs = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await reader.getTransactionReceipt({ hash });
    } catch (error) {
      const early = error instanceof TransactionReceiptNotFoundError || INDEXING.test(reasonOf(error));
      if (!early) throw error;
    }
    if (performance.now() >= untilMs) throw new Error(`the transaction ${hash} is in no block yet`);
    await delay(POLL_MS);
  }
}

/** What viem calls it, and what the client said. */
function whyOf(error: unknown): string {
  const [first = ""] = reasonOf(error).split("\n");
  const details = error instanceof BaseError && error.details ? ` (${error.details})` : "";
  return `${first}${details}`;
}
