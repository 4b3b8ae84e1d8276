/**
 * P7: a chain is executed by a Geth that has nothing. Ours: a node feeds what its store holds. Beside it: the same payloads,
 * held ready in memory, called one after the other. The head of the Geth itself tells when it was where.
 */
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { homePaths } from "@quorate/node";
import { pause } from "../vs-cometbft/rpc.ts";
import { type Block, readBlocks, rpc } from "./engine.ts";
import { type GethEndpoint, type GethsOptions, startGeths } from "./geths.ts";
import { endpointOf, startAlone, startTestnet } from "./ours.ts";
import { replay } from "./stub.ts";

/** Measured from here on, when the client has warmed up. */
const FROM = 50;
const LOAD = 200;
const LOOK_MS = 10;

export interface Chain {
  /** Of the one validator that made it, at rest. */
  readonly home: string;
  readonly chainId: number;
  /** File of the execution genesis. */
  readonly genesis: string;
  readonly blocks: readonly Block[];
}

/** As fast as one validator makes blocks, with a few transfers each. */
export async function makeChain(options: {
  readonly home: string;
  readonly geth: string;
  readonly gasLimit: number;
  /** To be measured. */
  readonly blocks: number;
  readonly limitMs: number;
}): Promise<Chain> {
  const { home, geth, gasLimit, limitMs } = options;
  const last = FROM + options.blocks;
  const testnet = await startTestnet({ home, geth, validators: 1, gasLimit, intervalMs: 1, load: LOAD });
  try {
    const [node] = testnet.ready.nodes;
    if (node === undefined) throw new Error("the network has no node");
    await testnet.until(() => testnet.commits.length > last, limitMs, "the chain to replay");
    const blocks = await readBlocks(await endpointOf(node), 1, last);
    const genesis = homePaths(node.home).elGenesis;
    return { home: node.home, chainId: testnet.ready.evm_chain_id, genesis, blocks };
  } finally {
    await testnet.stop();
  }
}

export type Feed = (client: GethEndpoint) => Promise<{ stop(): Promise<void> }>;

export const ofOurs =
  (chain: Chain): Feed =>
  (client) =>
    startAlone(chain.home, client);

export const ofStub =
  (chain: Chain): Feed =>
  (client) => {
    const ended = replay(client, chain.blocks);
    ended.catch(() => undefined);
    return Promise.resolve({ stop: () => ended });
  };

/** Of a new Geth, fed one way or the other. */
export async function replayed(
  feed: Feed,
  chain: Chain,
  options: Omit<GethsOptions, "count" | "chainId" | "genesis">,
  limitMs: number,
): Promise<Readonly<Record<string, number>>> {
  const dir = await mkdtemp(join(options.dir, "replay-"));
  const { chainId, genesis } = chain;
  const geths = await startGeths({ ...options, dir, chainId, genesis, count: 1 });
  try {
    const [client] = geths.endpoints;
    if (client === undefined) throw new Error("no Geth to feed");
    const feeding = await feed(client);
    try {
      const end = performance.now() + limitMs;
      const from = await headAt(client, FROM, end);
      const to = await headAt(client, chain.blocks.length, end);
      const seconds = (to.atMs - from.atMs) / 1000;
      return { blocks_per_s: (to.head - from.head) / seconds, seconds };
    } finally {
      await feeding.stop();
    }
  } finally {
    await geths.stop();
  }
}

async function headAt(
  { eth }: GethEndpoint,
  least: number,
  endMs: number,
): Promise<{ readonly head: number; readonly atMs: number }> {
  for (;;) {
    const head = Number(await rpc<string>(eth, "eth_blockNumber", []));
    const atMs = performance.now();
    if (head >= least) return { head, atMs };
    if (atMs > endMs) throw new Error(`the client is at block ${head}, not at ${least}, and time is over`);
    await pause(LOOK_MS);
  }
}
