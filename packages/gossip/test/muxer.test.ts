import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { noise } from "@chainsafe/libp2p-noise";
import type { Libp2p } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { createLibp2p } from "libp2p";
import { safeYamux } from "../src/host/muxer.ts";

function host(listen: readonly string[]): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen: [...listen] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [safeYamux({})],
    connectionMonitor: { enabled: false },
  });
}

// It has ended the process with an uncaught "Cannot write to a stream that is closed".
test("a listener may end the connection whose end it is told of", async () => {
  const [server, client] = await Promise.all([host(["/ip4/127.0.0.1/tcp/0"]), host([])]);
  try {
    await server.handle("/late/1", () => undefined);
    const connection = await client.dial(server.getMultiaddrs());
    const stream = await connection.newStream("/late/1");
    stream.addEventListener("close", () => connection.abort(new Error("ended from within")));
    assert.doesNotThrow(() => connection.abort(new Error("ended from outside")));
    await turn();
    assert.equal(client.getConnections().length, 0);
  } finally {
    await Promise.all([server.stop(), client.stop()]);
  }
});
