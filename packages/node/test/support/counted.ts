/** Four nodes on real sockets and disks in this process, with everything counted that a height costs. */
import { channel } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { GCProfiler } from "node:v8";
import type { NodeConfig, NodeModules, QuorateNode } from "@quorate/node";
import type { PrivVal } from "@quorate/privval";
import type { BlockStore } from "@quorate/store";
import type { WalDisk } from "@quorate/wal";
import { composeNode } from "../../src/compose-node.ts";
import { systemPorts } from "../../src/system-ports.ts";

/** Totals since the counter was made, all nodes together. */
export interface Counts {
  readonly signatures_made: number;
  readonly signatures_verified: number;
  /** Writes and syncs of the log, the sign states and the bodies. */
  readonly disk_writes: number;
  readonly disk_syncs: number;
  readonly disk_bytes: number;
  /** Synced batches of the index. */
  readonly index_commits: number;
  /** Messages of topics, and frames of votes and proposals on the links themselves, that reached a node. */
  readonly topic_messages: number;
  /** Bytes on the wire, encryption and framing included. */
  readonly wire_bytes: number;
}

export class Counter {
  readonly #counts = {
    signatures_made: 0,
    signatures_verified: 0,
    disk_writes: 0,
    disk_syncs: 0,
    disk_bytes: 0,
    index_commits: 0,
    topic_messages: 0,
  };
  /** The dialling end of each connection sees what goes both ways. */
  readonly #sockets = new Set<Socket>();
  readonly #onSocket = (message: unknown): void => {
    this.#sockets.add((message as { readonly socket: Socket }).socket);
  };

  constructor() {
    channel("net.client.socket").subscribe(this.#onSocket);
  }

  read(): Counts {
    let wire = 0;
    for (const socket of this.#sockets) wire += socket.bytesRead + socket.bytesWritten;
    return { ...this.#counts, wire_bytes: wire };
  }

  close(): void {
    channel("net.client.socket").unsubscribe(this.#onSocket);
  }

  /** A node as `createNode` makes it, its ports counted. */
  start(config: NodeConfig, modules: NodeModules): Promise<QuorateNode> {
    const ports = systemPorts(config, modules);
    const counts = this.#counts;
    return composeNode(config, modules, {
      ...ports,
      openDisk: () => this.#disk(ports.openDisk()),
      openStore: async (...args) => this.#store(await ports.openStore(...args)),
      openPrivVal: async (disk) => {
        const privval = await ports.openPrivVal(disk);
        return privval === null ? null : this.#privval(privval);
      },
      createVerifier: (...given) => {
        const verifier = ports.createVerifier(...given);
        const { verifyTogether } = verifier;
        return {
          suitsNow: (count) => verifier.suitsNow(count),
          ...(verifyTogether === undefined
            ? {}
            : {
                verifyTogether: (checks) => {
                  counts.signatures_verified += checks.length;
                  return verifyTogether.call(verifier, checks);
                },
              }),
          verifyNow: (check) => {
            counts.signatures_verified++;
            return verifier.verifyNow(check);
          },
          verify: (checks, options) => {
            counts.signatures_verified += checks.length;
            return verifier.verify(checks, options);
          },
          canAccept: (count) => verifier.canAccept(count),
          close: () => verifier.close(),
        };
      },
      createGossip: (gossip) => {
        const { metrics } = gossip;
        if (metrics === null) return ports.createGossip(gossip);
        return ports.createGossip({
          ...gossip,
          metrics: {
            ...metrics,
            message: (topic, verdict) => {
              counts.topic_messages++;
              metrics.message(topic, verdict);
            },
          },
        });
      },
    });
  }

  #disk(disk: WalDisk): WalDisk {
    const counts = this.#counts;
    return {
      list: (dir) => disk.list(dir),
      read: (file) => disk.read(file),
      create: (file, size) => disk.create(file, size),
      truncate: (file, size) => disk.truncate(file, size),
      rename: (from, to) => disk.rename(from, to),
      remove: (file) => disk.remove(file),
      close: () => disk.close(),
      write: (file, offset, bytes) => {
        counts.disk_writes++;
        counts.disk_bytes += bytes.length;
        return disk.write(file, offset, bytes);
      },
      fdatasync: (file) => {
        counts.disk_syncs++;
        return disk.fdatasync(file);
      },
    };
  }

  #store(store: BlockStore): BlockStore {
    const counts = this.#counts;
    return new Proxy(store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (name === "commit") counts.index_commits++;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  #privval(privval: PrivVal): PrivVal {
    const counts = this.#counts;
    return new Proxy(privval, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (name === "signVote" || name === "signProposal") counts.signatures_made++;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }
}

/** Bytes that this thread allocates on V8's heap while `work` runs: what was there, plus what collections took away. */
export async function allocatedBytes(work: () => Promise<void>): Promise<number> {
  const profiler = new GCProfiler();
  const before = process.memoryUsage().heapUsed;
  profiler.start();
  await work();
  const after = process.memoryUsage().heapUsed;
  const { statistics } = profiler.stop();
  const freed = statistics.reduce(
    (sum, { beforeGC, afterGC }) =>
      sum + beforeGC.heapStatistics.usedHeapSize - afterGC.heapStatistics.usedHeapSize,
    0,
  );
  return after - before + freed;
}
