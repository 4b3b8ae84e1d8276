/** Signed transfers, made before anything is measured and the same for both sides; and how they are fed. */
import { privateKeyToAccount } from "viem/accounts";
import { pause } from "../vs-cometbft/rpc.ts";
import { batch, rpc } from "./engine.ts";

const GWEI = 1_000_000_000n;
const TRANSFER_GAS = 21_000n;
const BATCH = 100;
const LOOK_MS = 100;

/** Per account, nonces from 0 on. */
export async function signTransfers(
  keys: readonly `0x${string}`[],
  chainId: number,
  perAccount: number,
): Promise<readonly (readonly string[])[]> {
  const accounts = keys.map((key) => privateKeyToAccount(key));
  return await Promise.all(
    accounts.map(async (account, index) => {
      const to = accounts[(index + 1) % accounts.length]?.address ?? account.address;
      const raws: string[] = [];
      for (let nonce = 0; nonce < perAccount; nonce++) {
        raws.push(
          await account.signTransaction({
            ...{ type: "eip1559", chainId, nonce, to, value: 1n, gas: TRANSFER_GAS },
            ...{ maxFeePerGas: 1000n * GWEI, maxPriorityFeePerGas: GWEI },
          }),
        );
      }
      return raws;
    }),
  );
}

/**
 * Feeds each client the transfers of its accounts (account i to client i mod n), keeping about `level` of them pending
 * there. Resolves when all were sent or `signal` aborts.
 */
export async function feed(
  urls: readonly string[],
  transfers: readonly (readonly string[])[],
  level: number,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    urls.map(async (url, client) => {
      const mine = transfers.filter((_, account) => account % urls.length === client);
      // Nonces of an account stay in order, accounts in turn.
      const queue = Array.from({ length: mine[0]?.length ?? 0 }, (_, nonce) =>
        mine.map((raws) => raws[nonce] ?? ""),
      ).flat();
      let local = 0;
      for (let at = 0; at < queue.length && !signal.aborted; ) {
        if (local >= level) {
          await pause(LOOK_MS);
          local = await pendingOf(url, local);
          continue;
        }
        const raws = queue.slice(at, at + BATCH);
        const answers = await batch(
          url,
          raws.map((raw) => ["eth_sendRawTransaction", [raw]] as const),
        );
        const refused = answers.find(
          ({ error }) => error !== undefined && !/already known/.test(error.message),
        );
        if (refused !== undefined) throw new Error(`a transfer was refused: ${refused.error?.message ?? ""}`);
        at += raws.length;
        local += raws.length;
      }
    }),
  );
}

/**
 * One transfer after the other, `perSecond` of all accounts in turn, each to the client that {@link feed} would take, until
 * `signal` aborts or there are no more.
 */
export async function trickle(
  urls: readonly string[],
  transfers: readonly (readonly string[])[],
  perSecond: number,
  signal: AbortSignal,
): Promise<void> {
  const sent = transfers.map(() => 0);
  const total = transfers.reduce((sum, raws) => sum + raws.length, 0);
  const from = performance.now();
  for (let count = 0; count < total && !signal.aborted; count++) {
    const account = count % transfers.length;
    const raw = transfers[account]?.[sent[account] ?? 0];
    const url = urls[account % urls.length];
    if (raw === undefined || url === undefined) break;
    await rpc(url, "eth_sendRawTransaction", [raw]);
    sent[account] = (sent[account] ?? 0) + 1;
    await pause(Math.max(0, from + ((count + 1) * 1000) / perSecond - performance.now()));
  }
}

async function pendingOf(url: string, before: number): Promise<number> {
  try {
    return Number((await rpc<{ pending: string }>(url, "txpool_status", [])).pending);
  } catch {
    // Busy: it is asked again.
    return before;
  }
}
