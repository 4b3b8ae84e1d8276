/** Which chain a node and an execution client belong to: what is sent to one must be seen by the other. */
import { ChainError, type Genesis, parseGenesis } from "@quorate/chain";
import { createPublicClient, http } from "viem";
import { CliError, ExitCode, reasonOf } from "../errors.ts";
import { nodeGet, numberAt, textAt } from "../rpc-client.ts";
import type { Target } from "./target.ts";

/** Far above what a genesis of 512 validators needs. */
const MAX_CHUNKS = 16;

/** The genesis of a node's chain. @throws CliError unreachable. */
export async function readGenesis(node: string): Promise<Genesis> {
  const parts: Buffer[] = [];
  let total = 1;
  for (let chunk = 0; chunk < total && chunk < MAX_CHUNKS; chunk++) {
    const answer = await nodeGet(node, `genesis_chunked?chunk=${chunk}`);
    total = numberAt(answer, "total");
    parts.push(Buffer.from(textAt(answer, "data"), "base64"));
  }
  try {
    return parseGenesis(Buffer.concat(parts).toString("utf8"));
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
    throw new CliError(
      ExitCode.unreachable,
      `the node at ${node} shows no genesis of a chain (${error.message})`,
      "name the RPC address of a node with --node",
    );
  }
}

/**
 * Refuses an execution client of another chain than the node's. The deposit contract stands where Ethereum's does: what
 * went there by mistake would be lost.
 * @throws CliError config; unreachable.
 */
export async function requireSameChain({ node, eth }: Target): Promise<void> {
  const { chainId, evmChainId, elGenesisHash } = await readGenesis(node);
  const client = createPublicClient({ transport: http(eth) });
  let found: { readonly id: number; readonly hash: string };
  try {
    const [id, block] = await Promise.all([client.getChainId(), client.getBlock({ blockNumber: 0n })]);
    found = { id, hash: block.hash };
  } catch (error) {
    throw noClient(eth, error);
  }
  const hash = `0x${Buffer.from(elGenesisHash).toString("hex")}`;
  if (found.id === evmChainId && found.hash === hash) return;
  throw new CliError(
    ExitCode.config,
    `the execution client at ${eth} has chain id ${found.id} and genesis ${found.hash}; ${chainId} has ${evmChainId} and ${hash}`,
    "nothing was sent: name an execution client of this chain with --eth",
  );
}

export function noClient(eth: string, error: unknown): CliError {
  return new CliError(
    ExitCode.unreachable,
    `the execution client at ${eth} does not answer (${reasonOf(error).split("\n")[0]})`,
    "start it, or name its JSON-RPC with --eth",
  );
}
