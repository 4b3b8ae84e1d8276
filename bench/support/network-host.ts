/**
 * One end of a libp2p network of real processes, told by its parent what to send: `npm run bench:costs` measures with it
 * what a message costs its sender and each receiver. Nothing of the product above the network runs here.
 */

import { createNodeKey } from "@quorate/gossip";
import type { ByteStream } from "@quorate/gossip/core";
import { createLibp2pNetwork } from "../../packages/gossip/src/host/libp2p.ts";
import { privateKeyOf } from "../../packages/gossip/src/host/node-key.ts";

const TOPIC = "costs";
const PROTOCOL = "/costs/1";

export type Order =
  | { readonly kind: "dial"; readonly addresses: readonly string[] }
  /**
   * Three messages of this size every `everyMs`, flooded over the topic or written to a stream of each peer; "nothing" only
   * lets the time pass.
   */
  | {
      readonly kind: "send";
      readonly how: "topic" | "stream" | "nothing";
      readonly bytes: number;
      readonly count: number;
      readonly everyMs: number;
    }
  | { readonly kind: "usage" }
  | { readonly kind: "end" };

export type Answer =
  | { readonly kind: "listening"; readonly addresses: readonly string[] }
  | { readonly kind: "done" }
  /** CPU µs of the process so far, and messages received. */
  | { readonly kind: "usage"; readonly cpuUs: number; readonly received: number };

const network = await createLibp2pNetwork(
  { privateKey: privateKeyOf(createNodeKey()), listen: ["/ip4/127.0.0.1/tcp/0"], announce: [] },
  {
    maxConnections: 64,
    topics: [TOPIC],
    gate: {
      denyDial: () => false,
      enter: () => () => undefined,
      offended: () => {},
      denyAuthenticated: () => false,
      denyOpened: () => false,
    },
    score: () => 0,
    now: () => performance.now(),
    fault: () => {},
  },
);
let received = 0;
const peers: string[] = [];
const streams: ByteStream[] = [];
network.topics.consume(TOPIC, () => {
  received++;
  return "ignore";
});
await network.handle(
  PROTOCOL,
  (stream) => {
    stream.addEventListener("message", () => {
      received++;
    });
  },
  { maxInboundStreams: 8, maxOutboundStreams: 8 },
);
await network.start();
network.topics.subscribe(TOPIC);

const tell = (answer: Answer): void => {
  process.send?.(answer);
};

async function obey(order: Order): Promise<void> {
  if (order.kind === "dial") {
    for (const address of order.addresses) {
      const peer = address.slice(address.lastIndexOf("/") + 1);
      await network.dial({ peer, address }, AbortSignal.timeout(10_000));
      peers.push(peer);
      const [connection] = network.connectionsTo(peer);
      if (connection !== undefined) streams.push(await connection.newStream(PROTOCOL));
    }
    tell({ kind: "done" });
  } else if (order.kind === "send") {
    await send(order);
    tell({ kind: "done" });
  } else if (order.kind === "usage") {
    const { user, system } = process.cpuUsage();
    tell({ kind: "usage", cpuUs: user + system, received });
  } else {
    await network.stop();
    process.disconnect();
  }
}

/** Messages of one timer's tick, each in a turn of its own, so that none shares a packet with the next. */
const BURST = 3;

function send(order: Extract<Order, { kind: "send" }>): Promise<void> {
  return new Promise((resolve, reject) => {
    let sent = 0;
    const one = (left: number): void => {
      const data = new Uint8Array(order.bytes);
      // No two alike: gossipsub drops what it has seen.
      new DataView(data.buffer).setFloat64(0, performance.now() + sent / 1e6);
      if (order.how === "stream") for (const stream of streams) stream.send(data);
      else if (order.how === "topic") network.topics.publish(TOPIC, data).catch(reject);
      sent++;
      if (sent === order.count) resolve();
      else if (left > 1) setImmediate(one, left - 1);
    };
    const timer = setInterval(() => {
      if (sent < order.count) one(BURST);
      else clearInterval(timer);
    }, order.everyMs);
  });
}

process.on("message", (order: Order) => {
  obey(order).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  });
});
process.once("disconnect", () => process.exit(0));
tell({ kind: "listening", addresses: network.addresses });
