import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { noise } from "@chainsafe/libp2p-noise";
import type { Libp2p } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { createLibp2p } from "libp2p";
import { BODY_PROTOCOL } from "../src/bodies/exchange.ts";
import { BodySender } from "../src/bodies/sender.ts";
import { safeYamux } from "../src/host/muxer.ts";
import { makeBody } from "./support.ts";

function host(listen: readonly string[], streamOptions: object = {}): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen: [...listen] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [safeYamux({ streamOptions }, () => performance.now())],
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

// Gathered for the end of the turn, it would come too late: the connection under the muxer ends before the turn does.
test("what was said right before the end of a connection arrives", async () => {
  const [server, client] = await Promise.all([host(["/ip4/127.0.0.1/tcp/0"]), host([])]);
  try {
    await server.handle("/last/1", (stream, connection) => {
      stream.addEventListener("message", () => {
        stream.send(new TextEncoder().encode("last words"));
        connection.close().catch((error: unknown) => assert.fail(String(error)));
      });
    });
    for (let time = 0; time < 4; time++) {
      const connection = await client.dial(server.getMultiaddrs());
      const stream = await connection.newStream("/last/1");
      const heard: Uint8Array[] = [];
      const ended = new Promise((resolve) => stream.addEventListener("close", resolve));
      stream.addEventListener("message", ({ data }) => heard.push(data.subarray()));
      stream.send(Uint8Array.of(1));
      await ended;
      assert.equal(Buffer.concat(heard).toString(), "last words");
      await connection.close();
    }
  } finally {
    await Promise.all([server.stop(), client.stop()]);
  }
});

// The second wait for room was none: libp2p had kept the first one's promise.
test("regression: a body of many windows waits for a slow reader, and arrives", async () => {
  const BODY = 3 * 2 ** 20;
  const options = { maxWriteBufferLength: 2 ** 19, maxStreamWindowSize: 2 ** 18 };
  const [server, client] = await Promise.all([host(["/ip4/127.0.0.1/tcp/0"], options), host([], options)]);
  try {
    const heard: Uint8Array[] = [];
    let heardBytes = 0;
    const whole = Promise.withResolvers<void>();
    await server.handle(BODY_PROTOCOL, (stream) => {
      stream.addEventListener("message", ({ data }) => {
        const part = data.subarray();
        heard.push(part);
        heardBytes += part.length;
        if (heardBytes > BODY) whole.resolve();
        stream.pause();
        setTimeout(() => stream.resume(), 2);
      });
    });
    const connection = await client.dial(server.getMultiaddrs());
    const { blockId, bytes: body } = makeBody("large", BODY);
    const sender = new BodySender({
      open: () => connection.newStream(BODY_PROTOCOL),
      sent: () => undefined,
      failed: whole.reject,
    });
    sender.send({ height: 1, blockId, proposal: null, bytes: body });
    await whole.promise;
    assert.deepEqual(Buffer.concat(heard).subarray(-BODY), Buffer.from(body));
    sender.close();
  } finally {
    await Promise.all([server.stop(), client.stop()]);
  }
});
