/** From a running chain to arguments for the contract: header of a node, timestamp of an execution client. */
import { type Header, headerFromJson, headerHash } from "@quorate/chain";
import type { Hex, PublicClient } from "viem";
import { ProofError } from "./errors.ts";
import { type HeaderFacts, headerFacts, hex } from "./header.ts";

const REQUEST_TIMEOUT_MS = 10_000;
/** A commit of the largest set is far smaller. */
const MAX_RESPONSE_BYTES = 8 * 1_048_576;

/** A header that contracts can be shown. */
export interface ProvableHeader {
  /** Of the execution client's block that carries the header's hash: first argument of the contract's functions. */
  readonly timestamp: bigint;
  readonly header: Header;
  readonly hash: Hex;
  /** Second argument of `requireFacts`. */
  readonly facts: HeaderFacts;
}

/**
 * The header of a height, with what `requireFacts` wants to be told of it. Nobody need be trusted for it: what the node says
 * wrongly, the contract refuses.
 * @param node RPC of a node, such as http://127.0.0.1:26657.
 * @param client viem client of the chain's execution client.
 * @param height at most one below the execution client's head, and not more than 8191 below.
 * @throws ProofError `NODE`, `NOT_YET`, `MISMATCH`; viem's errors when the execution client does not answer.
 */
export async function proveHeader(
  node: string,
  client: Pick<PublicClient, "getBlock" | "getBlockNumber">,
  height: number,
): Promise<ProvableHeader> {
  const header = await fetchHeader(node, height);
  const carrier = BigInt(height) + 1n;
  const head = await client.getBlockNumber();
  if (head < carrier) {
    throw new ProofError("NOT_YET", `block ${carrier}, which carries the header of ${height}, is not there`, {
      height,
      head,
    });
  }
  const { timestamp, parentBeaconBlockRoot } = await client.getBlock({ blockNumber: carrier });
  const hash = hex(headerHash(header));
  if (parentBeaconBlockRoot !== hash) {
    throw new ProofError(
      "MISMATCH",
      `block ${carrier} carries ${parentBeaconBlockRoot}, the node's header of ${height} is ${hash}: not the same chain`,
      { height, hash, parentBeaconBlockRoot },
    );
  }
  return { timestamp, header, hash, facts: headerFacts(header) };
}

/** The header of a height as a node's `/commit` shows it. @throws ProofError `NODE`. */
export async function fetchHeader(node: string, height: number): Promise<Header> {
  const refused = (why: string): ProofError =>
    new ProofError("NODE", `the node at ${node} shows no header of ${height} (${why})`, { node, height });
  let document: unknown;
  try {
    const response = await fetch(`${node.replace(/\/$/, "")}/commit?height=${height}`, {
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    document = JSON.parse(await boundedText(response));
  } catch (error) {
    throw refused(error instanceof Error ? error.message : String(error));
  }
  const json = at(at(at(document, "result"), "signed_header"), "header");
  if (json === undefined) throw refused(String(at(at(document, "error"), "message") ?? "no such member"));
  let header: Header;
  try {
    header = headerFromJson(json);
  } catch (error) {
    throw refused(error instanceof Error ? error.message : String(error));
  }
  if (header.height !== height) throw refused(`it is that of ${header.height}`);
  return header;
}

function at(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_RESPONSE_BYTES) throw new Error(`more than ${MAX_RESPONSE_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
