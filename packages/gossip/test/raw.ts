/** Clients that speak libp2p and nothing of ours, or only TCP: what strangers on the network are. */
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { identify } from "@libp2p/identify";
import type { Connection, Libp2p } from "@libp2p/interface";
import { ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { privateKeyOf } from "../src/host/node-key.ts";
import { nodeKeyOf } from "./support.ts";

/** A guard against hanging only. */
const PATIENCE_MS = 120_000;
const REDIAL_MS = 50;

export async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  await closed.promise;
  return port;
}

export interface RawClient {
  readonly node: Libp2p;
  readonly connection: Connection;
  /** What came back on the streams that {@link write} opened. */
  readonly heard: readonly Uint8Array[];
  /** Opens a stream, writes, and leaves it open. */
  write(protocol: string, ...chunks: Uint8Array[]): Promise<void>;
  /** Resolves when the other side has ended the connection. */
  disconnected(): Promise<void>;
  stop(): Promise<void>;
}

/** Again while the address is shut for what other clients did. */
async function dialPatiently(node: Libp2p, address: string): Promise<Connection> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await node.dial(multiaddr(address));
    } catch (error) {
      if (performance.now() > until) throw error;
      await delay(REDIAL_MS);
    }
  }
}

export async function rawClient(
  name: string,
  address: string,
  protocols: readonly string[] = [],
): Promise<RawClient> {
  const node = await createLibp2p({
    privateKey: privateKeyOf(nodeKeyOf(name)),
    addresses: { listen: [] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: { reconnectRetries: 0 },
    // Who is stopped for a while would end its connection for the ping that it did not answer itself.
    connectionMonitor: { enabled: false },
    services: { identify: identify(), ping: ping() },
  });
  for (const protocol of protocols) await node.handle(protocol, () => undefined);
  const heard: Uint8Array[] = [];
  const gone = Promise.withResolvers<void>();
  node.addEventListener("connection:close", () => gone.resolve());
  const connection = await dialPatiently(node, address);
  return {
    node,
    connection,
    heard,
    async write(protocol, ...chunks) {
      const stream = await connection.newStream(protocol);
      stream.addEventListener("message", ({ data }) => heard.push(data.subarray()));
      for (const chunk of chunks) stream.send(chunk);
    },
    disconnected: () => gone.promise,
    stop: async () => {
      await node.stop();
    },
  };
}
