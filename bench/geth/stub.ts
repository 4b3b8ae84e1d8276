/** What Geth does by itself: a driver of the Engine API with no consensus, no network and no disk of its own. */
import { pause } from "../vs-cometbft/rpc.ts";
import { adopt, type Block, type Endpoint, getPayload, newPayload, rpc } from "./engine.ts";

const FEE_RECIPIENT = `0x${"11".repeat(20)}`;
/** Adopting each head on the way would double the time of empty blocks. */
const ADOPT_EVERY = 50;

export interface Slot {
  readonly txs: number;
  /** ms, when every client had adopted the block. */
  readonly atMs: number;
}

/**
 * Makes a block per interval, the clients building in turn, each while the interval lasts; every client executes and
 * adopts it. `again`: asked after each slot.
 */
export async function drive(
  clients: readonly Endpoint[],
  intervalMs: number,
  again: (slot: Slot) => boolean,
): Promise<void> {
  const [first] = clients;
  if (first === undefined) throw new Error("no client to drive");
  let { hash: head } = await rpc<{ hash: string }>(first.eth, "eth_getBlockByNumber", ["0x0", false]);
  const genesis = await rpc<{ timestamp: string }>(first.eth, "eth_getBlockByNumber", ["0x0", false]);
  let timestamp = Number(genesis.timestamp);
  for (let turn = 0, due = performance.now(); ; turn++) {
    const builder = clients[turn % clients.length] ?? first;
    timestamp = Math.max(timestamp + 1, Math.floor(Date.now() / 1000));
    const attributes = {
      timestamp: `0x${timestamp.toString(16)}`,
      prevRandao: head,
      suggestedFeeRecipient: FEE_RECIPIENT,
      withdrawals: [],
      parentBeaconBlockRoot: head,
    };
    const id = await adopt(builder, head, attributes);
    due = Math.max(due + intervalMs, performance.now());
    await pause(Math.max(0, due - performance.now()));
    const block = await getPayload(builder, id, head);
    await Promise.all(clients.map((client) => newPayload(client, block)));
    head = block.payload.blockHash;
    await Promise.all(clients.map((client) => adopt(client, head)));
    if (!again({ txs: block.payload.transactions.length, atMs: performance.now() })) return;
  }
}

/** Executes a chain from its first block on. */
export async function replay(client: Endpoint, blocks: readonly Block[]): Promise<void> {
  for (const [index, block] of blocks.entries()) {
    await newPayload(client, block);
    if ((index + 1) % ADOPT_EVERY === 0 || index === blocks.length - 1)
      await adopt(client, block.payload.blockHash);
  }
}
