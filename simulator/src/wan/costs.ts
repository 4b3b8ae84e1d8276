/**
 * What work costs a node, in virtual ms, from the figures that `npm run bench:costs` measured of the product's own code and
 * wrote to bench/results/costs.json. Of processes of several threads the main thread is charged; what a worker does is
 * its own time.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CryptoCosts } from "../crypto/ports.ts";

/** Where the benchmark leaves its figures. */
export const COSTS_FILE: string = join(
  import.meta.dirname,
  "..",
  "..",
  "..",
  "bench",
  "results",
  "costs.json",
);

/** A file of figures that is not the benchmark's, or lacks one of them. */
export class CostsError extends Error {
  override readonly name = "CostsError";
  readonly code = "COSTS";
}

const NAMES = [
  "sign",
  "verify",
  "pool_batch",
  "pool_signature",
  "pool_round_trip",
  "unpack_vote",
  "core_input_4",
  "core_input_100",
  "block_4",
  "block_100",
  "block_mib",
  "parts_mib",
  "wal_sync",
  "wal_sync_wall",
  "store_commit_4",
  "store_commit_100",
  "topic_send",
  "topic_send_peer",
  "topic_receive",
  "topic_send_peer_kib",
  "topic_receive_kib",
  "stream_send_peer",
  "stream_receive",
  "stream_send_peer_kib",
  "stream_receive_kib",
] as const;
type Name = (typeof NAMES)[number];

export interface NodeCosts {
  /** The machine that the figures are of. */
  readonly machine: string;
  readonly crypto: CryptoCosts;
  /** One message of a topic or write to a stream, to one peer. */
  send(topic: boolean, bytes: number): number;
  /** What a published message costs whatever the number of peers. */
  readonly publishMs: number;
  receive(topic: boolean, bytes: number): number;
  /** One input of the core, its record in the log included. */
  inputMs(validators: number): number;
  /** A complete body: decoded, hashed, judged. */
  bodyMs(validators: number, bytes: number): number;
  /** Storing a decided block. */
  commitMs(validators: number): number;
  /** A synced write of the log, wall. */
  readonly syncMs: number;
}

const MIB = 2 ** 20;

/** @throws CostsError naming what is missing */
export function parseCosts(text: string): NodeCosts {
  const document: {
    readonly machine?: { readonly cpu?: unknown; readonly node?: unknown };
    readonly costs?: Readonly<Record<string, { readonly us?: unknown }>>;
  } = JSON.parse(text);
  const us = new Map<Name, number>();
  for (const name of NAMES) {
    const value = document.costs?.[name]?.us;
    if (typeof value !== "number" || !(value >= 0)) {
      throw new CostsError(`the measured costs lack "${name}": run npm run bench:costs again`);
    }
    us.set(name, value);
  }
  const ms = (name: Name): number => (us.get(name) ?? 0) / 1000;
  /** Between the two sizes that were measured, and beyond them, a straight line. */
  const bySize = (few: Name, many: Name, validators: number): number =>
    Math.max(0, ms(few) + ((ms(many) - ms(few)) * (validators - 4)) / 96);
  return {
    machine: `${String(document.machine?.cpu)}, Node ${String(document.machine?.node)}`,
    crypto: {
      signMs: ms("sign"),
      verifyMs: ms("verify"),
      batchMs: ms("pool_signature"),
      workerMs: ms("pool_round_trip"),
    },
    publishMs: ms("topic_send"),
    send: (topic, bytes) =>
      topic
        ? ms("topic_send_peer") + (ms("topic_send_peer_kib") * bytes) / 1024
        : ms("stream_send_peer") + (ms("stream_send_peer_kib") * bytes) / 1024,
    receive: (topic, bytes) =>
      topic
        ? ms("topic_receive") + (ms("topic_receive_kib") * bytes) / 1024
        : ms("stream_receive") + (ms("stream_receive_kib") * bytes) / 1024,
    inputMs: (validators) => bySize("core_input_4", "core_input_100", validators) + ms("wal_sync") / 4,
    bodyMs: (validators, bytes) =>
      bySize("block_4", "block_100", validators) + ((ms("block_mib") + ms("parts_mib")) * bytes) / MIB,
    commitMs: (validators) => bySize("store_commit_4", "store_commit_100", validators),
    syncMs: ms("wal_sync_wall"),
  };
}

/** @throws CostsError when the benchmark has not been run, or lacks a figure */
export function readCosts(file: string = COSTS_FILE): NodeCosts {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new CostsError(
      `no measured costs in ${file} (${error instanceof Error ? error.message : String(error)}): run npm run bench:costs`,
    );
  }
  return parseCosts(text);
}
