import { randomBytes } from "node:crypto";
import { RPC, RpcError } from "../errors.ts";
import {
  addressParam,
  arrayParam,
  fromHex,
  type Hex,
  hashParam,
  objectParam,
  quantityParam,
  toHex,
} from "../hex.ts";
import type { Methods } from "../server/jsonrpc.ts";
import { mayContain } from "./bloom.ts";
import type { EthContext } from "./context.ts";
import { receiptsJson } from "./format.ts";

const MAX_LOGS = 20_000;
const MAX_ADDRESSES = 1000;
const MAX_TOPICS = 4;
const MAX_ALTERNATIVES = 1000;
const MAX_FILTERS = 1000;
const MAX_PENDING_HASHES = 10_000;
/** A filter that nobody polls is dropped after this, as in Geth. */
const FILTER_LIFETIME_MS = 5 * 60_000;

type LogJson = Readonly<Record<string, unknown>> & { readonly address: Hex; readonly topics: readonly Hex[] };

/** Which logs are asked for. */
interface LogQuery {
  readonly addresses: readonly Hex[];
  /** per position the accepted topics; empty accepts any */
  readonly topics: readonly (readonly Hex[])[];
  readonly from: unknown;
  readonly to: unknown;
  readonly blockHash: Hex | undefined;
}

function queryParam(value: unknown): LogQuery {
  const raw = objectParam(value, "filter");
  const address = raw["address"];
  const addresses =
    address === undefined || address === null
      ? []
      : Array.isArray(address)
        ? arrayParam(address, "address", MAX_ADDRESSES).map((one) => addressParam(one, "address"))
        : [addressParam(address, "address")];
  const topics = arrayParam(raw["topics"] ?? [], "topics", MAX_TOPICS).map((position) => {
    if (position === null || position === undefined) return [];
    if (!Array.isArray(position)) return [hashParam(position, "topic")];
    const alternatives = arrayParam(position, "topics", MAX_ALTERNATIVES);
    return alternatives.includes(null) ? [] : alternatives.map((topic) => hashParam(topic, "topic"));
  });
  const blockHash = raw["blockHash"];
  if (blockHash !== undefined && (raw["fromBlock"] !== undefined || raw["toBlock"] !== undefined)) {
    throw new RpcError(
      RPC.INVALID_PARAMS,
      "cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other",
    );
  }
  return {
    addresses,
    topics,
    from: raw["fromBlock"],
    to: raw["toBlock"],
    blockHash: blockHash === undefined ? undefined : hashParam(blockHash, "blockHash"),
  };
}

function matches(query: LogQuery, log: LogJson): boolean {
  if (query.addresses.length > 0 && !query.addresses.includes(log.address)) return false;
  return query.topics.every((accepted, position) => {
    const topic = log.topics[position];
    return topic !== undefined && (accepted.length === 0 || accepted.includes(topic));
  });
}

function bloomMatches(query: LogQuery, bloom: Uint8Array): boolean {
  const any = (accepted: readonly Hex[]): boolean =>
    accepted.length === 0 || accepted.some((entry) => mayContain(bloom, fromHex(entry)));
  return any(query.addresses) && query.topics.every(any);
}

type Filter =
  | { readonly kind: "logs"; readonly query: LogQuery; next: number; polledAt: number }
  | { readonly kind: "blocks"; next: number; polledAt: number }
  | { readonly kind: "pending"; hashes: Hex[]; readonly stop: () => void; polledAt: number };

/** eth_getLogs and the polled filters. */
export function logMethods(context: EthContext): Methods {
  const { chain } = context;
  const filters = new Map<Hex, Filter>();

  const logsOfBlock = (number: number, query: LogQuery): LogJson[] => {
    const block = chain.canonicalBlock(number);
    if (block === undefined) return [];
    return receiptsJson(block, context.receipts(block)).flatMap((receipt) =>
      (receipt["logs"] as LogJson[]).filter((log) => matches(query, log)),
    );
  };

  const collect = async (
    query: LogQuery,
    from: number,
    to: number,
    signal: AbortSignal,
  ): Promise<LogJson[]> => {
    const logs: LogJson[] = [];
    for await (const { number, bloom } of chain.blooms(from, Math.min(to, chain.headNumber))) {
      if (signal.aborted) throw new RpcError(RPC.SERVER, "request canceled");
      if (!bloomMatches(query, bloom)) continue;
      logs.push(...logsOfBlock(number, query));
      if (logs.length > MAX_LOGS) {
        throw new RpcError(-32005, `query returned more than ${MAX_LOGS} results; ask for a smaller range`);
      }
    }
    return logs;
  };

  /** The range of a query. Throws -32602 as Geth does. */
  const rangeOf = (query: LogQuery): { from: number; to: number } => {
    const numberOf = (tag: unknown): number => {
      if (tag === undefined || tag === null) return chain.headNumber;
      if (typeof tag === "string" && /^0x/.test(tag)) return Number(quantityParam(tag, "block number", 53));
      return Number(context.block(tag).header.number);
    };
    const from = numberOf(query.from);
    const to = numberOf(query.to);
    if (from > to) throw new RpcError(RPC.INVALID_PARAMS, "invalid block range params");
    return { from, to };
  };

  const getLogs = async (query: LogQuery, signal: AbortSignal): Promise<LogJson[]> => {
    if (query.blockHash !== undefined) {
      const block = chain.block(query.blockHash);
      if (block === undefined) throw new RpcError(RPC.SERVER, "unknown block");
      return receiptsJson(block, context.receipts(block)).flatMap((receipt) =>
        (receipt["logs"] as LogJson[]).filter((log) => matches(query, log)),
      );
    }
    const { from, to } = rangeOf(query);
    if (to > chain.headNumber) {
      throw new RpcError(RPC.INVALID_PARAMS, "block range extends beyond current head block");
    }
    return collect(query, from, to, signal);
  };

  const sweep = (): void => {
    const oldest = Date.now() - FILTER_LIFETIME_MS;
    for (const [id, filter] of filters) if (filter.polledAt < oldest) drop(id);
    if (filters.size >= MAX_FILTERS) throw new RpcError(-32005, `at most ${MAX_FILTERS} filters at a time`);
  };
  const drop = (id: Hex): boolean => {
    const filter = filters.get(id);
    if (filter?.kind === "pending") filter.stop();
    return filters.delete(id);
  };
  const install = (filter: Filter): Hex => {
    const id = toHex(randomBytes(16));
    filters.set(id, filter);
    return id;
  };
  const idOf = (params: readonly unknown[]): Hex => {
    const id = params[0];
    if (typeof id !== "string") throw new RpcError(RPC.INVALID_PARAMS, "invalid filter id");
    return id.toLowerCase() as Hex;
  };
  const filterOf = (params: readonly unknown[]): Filter => {
    const filter = filters.get(idOf(params));
    if (filter === undefined) throw new RpcError(RPC.SERVER, "filter not found");
    filter.polledAt = Date.now();
    return filter;
  };

  return {
    eth_getLogs: (params, signal) => getLogs(queryParam(params[0]), signal),
    eth_newFilter: (params) => {
      sweep();
      return install({
        kind: "logs",
        query: queryParam(params[0] ?? {}),
        next: chain.headNumber + 1,
        polledAt: Date.now(),
      });
    },
    eth_newBlockFilter: () => {
      sweep();
      return install({ kind: "blocks", next: chain.headNumber + 1, polledAt: Date.now() });
    },
    eth_newPendingTransactionFilter: () => {
      sweep();
      const hashes: Hex[] = [];
      const stop = context.pool.subscribe((entry) => {
        hashes.push(entry.hash);
        if (hashes.length > MAX_PENDING_HASHES) hashes.shift();
      });
      return install({ kind: "pending", hashes, stop, polledAt: Date.now() });
    },
    eth_getFilterChanges: async (params, signal) => {
      const filter = filterOf(params);
      if (filter.kind === "pending") return filter.hashes.splice(0);
      const from = Math.min(filter.next, chain.headNumber + 1);
      const to = chain.headNumber;
      filter.next = to + 1;
      if (filter.kind === "logs") return collect(filter.query, from, to, signal);
      const hashes: Hex[] = [];
      for (let number = from; number <= to; number++) {
        const hash = chain.canonicalHash(number);
        if (hash !== undefined) hashes.push(hash);
      }
      return hashes;
    },
    eth_getFilterLogs: (params, signal) => {
      const filter = filterOf(params);
      if (filter.kind !== "logs") throw new RpcError(RPC.SERVER, "filter not found");
      return getLogs(filter.query, signal);
    },
    eth_uninstallFilter: (params) => drop(idOf(params)),
  };
}
