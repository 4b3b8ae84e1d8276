/** The methods of the server: names, parameters, and what each answers. */
import type { Evidence, Height, ValidatorSet } from "@quorate/chain";
import {
  blockIdJson,
  blockJson,
  ChainError,
  consensusParamsJson,
  evidenceFromJson,
  evidenceHeight,
  evidenceId,
  evidenceJson,
  headerJson,
  signedHeaderJson,
  toBase64,
  validatorJson,
} from "@quorate/chain";
import { sha256, toHexUpper, utf8Encode } from "@quorate/crypto";
import type { Arguments } from "./arguments.ts";
import { BlockReader } from "./blocks.ts";
import { CallError, RpcCode } from "./errors.ts";
import { DEFAULT_PER_PAGE, GENESIS_CHUNK_BYTES, MAX_BLOCK_METAS, MAX_PER_PAGE } from "./limits.ts";
import { registryResult } from "./registry.ts";
import { abciInfo, netInfo, peerStates, roundState, roundStateSimple, status } from "./results.ts";
import type { RpcLog, RpcMempool, RpcView } from "./types.ts";

export interface Method {
  /** Parameters in order, for params given as an array and for the list on the status page. */
  readonly parameters: readonly string[];
  answer(args: Arguments): Promise<unknown>;
}

/** Methods of CometBFT that this server refuses, and where to turn instead. */
const REFUSED: Readonly<Record<string, string>> = {
  subscribe: "there is no WebSocket here yet; poll /status or /block",
  unsubscribe: "there is no WebSocket here yet",
  unsubscribe_all: "there is no WebSocket here yet",
  block_results: "results of transactions live in the execution client: eth_getTransactionReceipt",
  tx: "transactions are looked up in the execution client: eth_getTransactionByHash",
  tx_search: "search in the execution client: eth_getLogs",
  block_search: "search in the execution client: eth_getLogs",
  check_tx: "transactions are checked by the execution client: eth_call, eth_estimateGas",
  abci_query: "state is read from the execution client: eth_call, eth_getProof",
  broadcast_tx_commit: "send with broadcast_tx_sync or eth_sendRawTransaction and wait for the receipt",
  dial_seeds: "peers are set in config.toml",
  dial_peers: "peers are set in config.toml",
  unsafe_flush_mempool: "unsafe methods do not exist here",
};

/** Why a method does not exist, and what to call instead. */
export function methodNotFound(name: string, methods: ReadonlyMap<string, Method>): CallError {
  const hint = Object.hasOwn(REFUSED, name) ? REFUSED[name] : undefined;
  if (hint !== undefined) return new CallError(RpcCode.methodNotFound, `${name} is not served: ${hint}`);
  const nearest = nearestName(name, [...methods.keys()]);
  const shown = JSON.stringify(name.slice(0, 64));
  return new CallError(
    RpcCode.methodNotFound,
    nearest === null
      ? `${shown} is no method; / lists them all`
      : `${shown} is no method; did you mean ${nearest}?`,
  );
}

/** All methods over one view of the node. */
export function createMethods(view: RpcView, log: RpcLog): ReadonlyMap<string, Method> {
  const blocks = new BlockReader(view);
  const genesisBytes = utf8Encode(JSON.stringify(view.genesisDocument));
  const { mempool } = view;
  const methods: readonly (readonly [
    name: string,
    parameters: readonly string[],
    answer: Method["answer"],
  ])[] = [
    ["health", [], async () => ({})],
    ["status", [], () => status(view, blocks)],
    ["net_info", [], async () => netInfo(view)],
    ["genesis", [], async () => genesis(view, genesisBytes)],
    ["genesis_chunked", ["chunk"], async (args) => genesisChunk(genesisBytes, args)],
    ["blockchain", ["minHeight", "maxHeight"], (args) => blockchain(view, blocks, args)],
    ["block", ["height"], (args) => block(blocks, blocks.resolve(args.integer("height"), view.height))],
    ["block_by_hash", ["hash"], (args) => blockByHash(view, blocks, args)],
    ["header", ["height"], (args) => header(blocks, blocks.resolve(args.integer("height"), view.height))],
    ["header_by_hash", ["hash"], (args) => headerByHash(view, blocks, args)],
    ["commit", ["height"], (args) => commit(blocks, blocks.resolve(args.integer("height"), view.height))],
    ["validators", ["height", "page", "per_page"], (args) => validators(view, blocks, args)],
    ["registry", [], async () => registryResult(view.state())],
    ["consensus_params", ["height"], async (args) => consensusParams(view, blocks, args)],
    [
      "consensus_state",
      [],
      async () => ({ round_state: roundStateSimple(view.consensus(), view.state().validators) }),
    ],
    ["dump_consensus_state", [], async () => dumpConsensusState(view)],
    ["abci_info", [], async () => abciInfo(view)],
    ["broadcast_evidence", ["evidence"], (args) => broadcastEvidence(view, args.json("evidence"))],
    ["evidence", [], () => evidenceHeld(view)],
    ...(mempool === undefined ? [] : mempoolMethods(mempool, log)),
  ];
  return new Map(methods.map(([name, parameters, answer]) => [name, { parameters, answer }]));
}

function mempoolMethods(
  mempool: RpcMempool,
  log: RpcLog,
): readonly (readonly [name: string, parameters: readonly string[], answer: Method["answer"]])[] {
  return [
    ["broadcast_tx_sync", ["tx"], (args) => broadcastSync(mempool, args.bytes("tx"))],
    ["broadcast_tx_async", ["tx"], (args) => broadcastAsync(mempool, log, args.bytes("tx"))],
    ["unconfirmed_txs", ["limit"], async (args) => unconfirmed(mempool, perPage(args.integer("limit")))],
    ["num_unconfirmed_txs", [], async () => ({ ...unconfirmed(mempool, 0), txs: null })],
  ];
}

function genesis(view: RpcView, bytes: Uint8Array): unknown {
  if (bytes.length > GENESIS_CHUNK_BYTES) {
    throw new CallError(
      RpcCode.internal,
      "genesis response is large, please use the genesis_chunked API instead",
    );
  }
  return { genesis: view.genesisDocument };
}

function genesisChunk(bytes: Uint8Array, args: Arguments): unknown {
  const total = Math.max(1, Math.ceil(bytes.length / GENESIS_CHUNK_BYTES));
  const chunk = args.integer("chunk") ?? 0;
  if (chunk < 0 || chunk >= total) {
    throw new CallError(RpcCode.internal, `there are ${total} chunks, numbered from 0; ${chunk} is invalid`);
  }
  const from = chunk * GENESIS_CHUNK_BYTES;
  return {
    chunk: String(chunk),
    total: String(total),
    data: toBase64(bytes.subarray(from, from + GENESIS_CHUNK_BYTES)),
  };
}

async function blockchain(view: RpcView, blocks: BlockReader, args: Arguments): Promise<unknown> {
  const asked = { min: args.integer("minHeight") ?? 0, max: args.integer("maxHeight") ?? 0 };
  if (asked.min < 0 || asked.max < 0) throw new CallError(RpcCode.internal, "heights must be non-negative");
  const max = Math.min(view.height, asked.max === 0 ? view.height : asked.max);
  const min = Math.max(view.base, asked.min === 0 ? 1 : asked.min, max - MAX_BLOCK_METAS + 1);
  if (min > max) {
    throw new CallError(RpcCode.internal, `min height ${min} can't be greater than max height ${max}`);
  }
  const metas: unknown[] = [];
  for (let height = max; height >= min; height--) metas.push((await blocks.meta(height)).json);
  return { last_height: String(view.height), block_metas: metas };
}

async function block(blocks: BlockReader, height: Height): Promise<unknown> {
  const stored = await blocks.block(height);
  return { block_id: blockIdJson(stored.blockId), block: blockJson(stored.block) };
}

async function blockByHash(view: RpcView, blocks: BlockReader, args: Arguments): Promise<unknown> {
  const height = await view.heightOf(args.hash("hash"));
  return height === null ? { block_id: blockIdJson(null), block: null } : block(blocks, height);
}

async function header(blocks: BlockReader, height: Height): Promise<unknown> {
  return { header: headerJson((await blocks.meta(height)).header) };
}

async function headerByHash(view: RpcView, blocks: BlockReader, args: Arguments): Promise<unknown> {
  const height = await view.heightOf(args.hash("hash"));
  return height === null ? { header: null } : header(blocks, height);
}

async function commit(blocks: BlockReader, height: Height): Promise<unknown> {
  const { header: signed } = await blocks.meta(height);
  const stored = await blocks.commit(height);
  return {
    signed_header: signedHeaderJson({ header: signed, commit: stored.commit }),
    canonical: stored.canonical,
  };
}

/** The newest height whose set and params are known: that of the next block. */
function latestUncommitted(view: RpcView): Height {
  return view.nodeInfo().catchingUp && view.height > 0 ? view.height : view.state().lastHeight + 1;
}

async function validators(view: RpcView, blocks: BlockReader, args: Arguments): Promise<unknown> {
  const height = blocks.resolve(args.integer("height"), latestUncommitted(view));
  const set = await view.validators(height);
  if (set === null) {
    throw new CallError(RpcCode.internal, `height ${height} is not available, lowest height is ${view.base}`);
  }
  return validatorPage(set, height, args.integer("page"), perPage(args.integer("per_page")));
}

function validatorPage(set: ValidatorSet, height: Height, asked: number | null, size: number): unknown {
  const total = set.validators.length;
  const pages = Math.max(1, Math.ceil(total / size));
  const page = asked ?? 1;
  if (page < 1 || page > pages) {
    throw new CallError(RpcCode.internal, `page should be within [1, ${pages}] range, given ${page}`);
  }
  const shown = set.validators.slice((page - 1) * size, page * size);
  return {
    block_height: String(height),
    validators: shown.map(validatorJson),
    count: String(shown.length),
    total: String(total),
  };
}

function perPage(asked: number | null): number {
  return asked === null || asked < 1 ? DEFAULT_PER_PAGE : Math.min(asked, MAX_PER_PAGE);
}

async function consensusParams(view: RpcView, blocks: BlockReader, args: Arguments): Promise<unknown> {
  const height = blocks.resolve(args.integer("height"), latestUncommitted(view));
  const rules = await view.rules(height);
  if (rules === null) {
    throw new CallError(RpcCode.internal, `height ${height} is not available, lowest height is ${view.base}`);
  }
  return {
    block_height: String(height),
    consensus_params: consensusParamsJson(rules.params, rules.appVersion),
  };
}

function dumpConsensusState(view: RpcView): unknown {
  return {
    round_state: roundState(view.consensus(), view.state().validators),
    peers: peerStates(view.peers()),
  };
}

/** Answers with the evidence's hash when it was taken or is known; as in CometBFT, anything else is an error. */
async function broadcastEvidence(view: RpcView, json: unknown): Promise<{ readonly hash: string }> {
  if (json === null) throw new CallError(RpcCode.invalidParams, "no evidence was provided");
  let evidence: Evidence;
  try {
    evidence = evidenceFromJson(json);
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
    throw new CallError(RpcCode.invalidParams, error.message);
  }
  const refusal = await view.evidence.submit(evidence);
  if (refusal !== null) throw new CallError(RpcCode.internal, `failed to add evidence: ${refusal}`);
  return { hash: toHexUpper(evidenceId(evidence)) };
}

/** What waits for a block here, and what blocks carry, the newest first. */
async function evidenceHeld(view: RpcView): Promise<unknown> {
  const shown = (evidence: Evidence): object => ({
    hash: toHexUpper(evidenceId(evidence)),
    height: String(evidenceHeight(evidence)),
    evidence: evidenceJson(evidence),
  });
  const committed = await view.evidence.committed();
  return {
    pending: view.evidence.pending().map(shown),
    committed: committed.map(({ height, evidence }) => ({
      block_height: String(height),
      ...shown(evidence),
    })),
  };
}

interface BroadcastResult {
  readonly code: number;
  readonly data: string;
  readonly log: string;
  readonly codespace: string;
  readonly hash: string;
}

function broadcastResult(tx: Uint8Array, refusal: string | null): BroadcastResult {
  return {
    code: refusal === null ? 0 : 1,
    data: "",
    log: refusal ?? "",
    codespace: refusal === null ? "" : "quorate",
    hash: toHexUpper(sha256(tx)),
  };
}

async function broadcastSync(mempool: RpcMempool, tx: Uint8Array): Promise<BroadcastResult> {
  const verdict = await mempool.submit(tx);
  return broadcastResult(tx, verdict.accepted ? null : (verdict.reason ?? "refused"));
}

/** Answers at once; as in CometBFT, the caller is not told what becomes of the transaction. */
async function broadcastAsync(mempool: RpcMempool, log: RpcLog, tx: Uint8Array): Promise<BroadcastResult> {
  mempool.submit(tx).catch((cause: unknown) => {
    log.warn("a transaction of broadcast_tx_async could not be submitted", { cause: String(cause) });
  });
  return broadcastResult(tx, null);
}

function unconfirmed(
  mempool: RpcMempool,
  limit: number,
): {
  readonly n_txs: string;
  readonly total: string;
  readonly total_bytes: string;
  readonly txs: readonly string[];
} {
  const txs = limit === 0 ? [] : mempool.pending(limit);
  return {
    n_txs: String(limit === 0 ? mempool.count : txs.length),
    total: String(mempool.count),
    total_bytes: String(mempool.bytes),
    txs: txs.map(toBase64),
  };
}

/** The known name that differs least, if it differs by at most a third. */
function nearestName(name: string, known: readonly string[]): string | null {
  if (name.length > 64) return null;
  let best: string | null = null;
  let bestDistance = Math.floor(name.length / 3) + 1;
  for (const candidate of known) {
    const distance = editDistance(name, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
