/** Plain Ethereum JSON-RPC, for comparisons that need no client library. */
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

/** `hash/stateRoot` of every height from 1 to `height`. */
export async function ethChain(url: string, height: number): Promise<string[]> {
  const chain: string[] = [];
  for (let at = 1; at <= height; at++) {
    const block = await ethBlock(url, at);
    chain.push(block === null ? "absent" : `${block.hash}/${block.stateRoot}`);
  }
  return chain;
}
