/** Plain Ethereum JSON-RPC, for comparisons that need no client library. */
import { eventually } from "../support.ts";

export interface EthBlock {
  readonly number: `0x${string}`;
  readonly hash: `0x${string}`;
  readonly stateRoot: `0x${string}`;
  readonly timestamp: `0x${string}`;
  readonly transactions: readonly `0x${string}`[];
}

export async function ethCall<T>(url: string, method: string, params: readonly unknown[]): Promise<T> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    signal: AbortSignal.timeout(20_000),
  });
  const answer = (await response.json()) as { readonly result?: T; readonly error?: { message: string } };
  if (answer.error !== undefined) throw new Error(`${method}: ${answer.error.message}`);
  return answer.result as T;
}

export function ethBlock(url: string, height: number): Promise<EthBlock | null> {
  return ethCall(url, "eth_getBlockByNumber", [`0x${height.toString(16)}`, false]);
}

/** The block of this height, which a node may have committed before its client has it: a client follows. */
export async function ethBlockAt(url: string, height: number): Promise<EthBlock> {
  let found: EthBlock | null = null;
  const look = async (): Promise<boolean> => {
    found = await ethBlock(url, height);
    return found !== null;
  };
  await eventually(`block ${height} of ${url}`, look);
  if (found === null) throw new Error(`block ${height} of ${url} is gone`);
  return found;
}

/** `hash/stateRoot` of every height from 1 to `height`, once the client has that. */
export async function ethChain(url: string, height: number): Promise<string[]> {
  if (height > 0) await ethBlockAt(url, height);
  const chain: string[] = [];
  for (let at = 1; at <= height; at++) {
    const block = await ethBlock(url, at);
    chain.push(block === null ? "absent" : `${block.hash}/${block.stateRoot}`);
  }
  return chain;
}
