import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { noise } from "@chainsafe/libp2p-noise";
import type { Libp2p, MessageStream } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { multiaddrConnectionPair } from "@libp2p/utils";
import { createLibp2p } from "libp2p";
import { safeYamux } from "../src/host/muxer.ts";
import { lightNoise } from "../src/host/noise.ts";
import { SealedStream } from "../src/host/sealed-stream.ts";

type Encrypter = ReturnType<typeof noise>;

function host(encrypter: Encrypter, listen: readonly string[]): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen: [...listen] },
    transports: [tcp()],
    connectionEncrypters: [encrypter],
    streamMuxers: [safeYamux({}, () => performance.now())],
    connectionMonitor: { enabled: false },
  });
}

const ENCRYPTERS: readonly (readonly [string, () => Encrypter])[] = [
  ["ours", lightNoise],
  ["the package's", () => noise()],
];

for (const [dials, dialler] of ENCRYPTERS) {
  for (const [listens, listener] of ENCRYPTERS) {
    test(`bytes of any length come back the same when ${dials} Noise dials ${listens}`, async () => {
      const [server, client] = await Promise.all([
        host(listener(), ["/ip4/127.0.0.1/tcp/0"]),
        host(dialler(), []),
      ]);
      try {
        await server.handle("/echo/1", (stream) => {
          stream.addEventListener("message", ({ data }) => void stream.send(data));
        });
        const connection = await client.dial(server.getMultiaddrs());
        for (const length of [1, 1199, 65_519, 65_520, 300_000]) {
          const sent = randomBytes(length);
          const stream = await connection.newStream("/echo/1");
          const back: Uint8Array[] = [];
          const whole = new Promise<void>((resolve) => {
            let heard = 0;
            stream.addEventListener("message", ({ data }) => {
              back.push(data.subarray().slice());
              heard += data.byteLength;
              if (heard === length) resolve();
            });
          });
          stream.send(sent);
          await whole;
          assert.deepEqual(Buffer.concat(back), sent);
          await stream.close();
        }
      } finally {
        await Promise.all([server.stop(), client.stop()]);
      }
    });
  }
}

/** Two ends over a pair of connections; `tampered` changes what goes from the first to the second. */
function ends(tampered: (bytes: Uint8Array) => Uint8Array): readonly [SealedStream, SealedStream] {
  const [near, far] = multiaddrConnectionPair();
  const [a, b] = [randomBytes(32), randomBytes(32)];
  const send: MessageStream["send"] = near.send.bind(near);
  near.send = (data) => send(tampered(data.subarray()));
  return [new SealedStream(near, { send: a, receive: b }), new SealedStream(far, { send: b, receive: a })];
}

const said = new TextEncoder().encode("what was said");

for (const [what, tampered] of [
  ["with a bit changed", (bytes) => bytes.with(5, (bytes[5] ?? 0) ^ 1)],
  ["said twice", (bytes) => Buffer.concat([bytes, bytes])],
  ["shorter than its tag", () => Uint8Array.of(0, 3, 1, 2, 3)],
] as const satisfies readonly (readonly [string, (bytes: Uint8Array) => Uint8Array])[]) {
  test(`a message ${what} ends the connection`, async () => {
    const [near, far] = ends(tampered);
    const heard: string[] = [];
    far.addEventListener("message", ({ data }) => heard.push(Buffer.from(data.subarray()).toString()));
    const ended = new Promise((resolve) => far.addEventListener("close", resolve));
    near.send(said);
    await ended;
    assert.equal(far.status, "aborted");
    assert.ok(heard.length <= 1 && heard.every((text) => text === "what was said"), heard.join());
  });
}

test("what comes while nobody listens, or while it is paused, is heard in order afterwards", async () => {
  const [near, far] = ends((bytes) => bytes);
  const heard: number[] = [];
  near.send(Uint8Array.of(1));
  while (far.readBufferLength === 0) await turn();
  far.addEventListener("message", ({ data }) => void heard.push(...data.subarray()));
  while (heard.length === 0) await turn();
  far.pause();
  near.send(Uint8Array.of(2));
  near.send(Uint8Array.of(3));
  for (let turns = 0; turns < 20; turns++) await turn();
  assert.deepEqual(heard, [1]);
  far.resume();
  near.send(Uint8Array.of(4));
  while (heard.length < 4) await turn();
  assert.deepEqual(heard, [1, 2, 3, 4]);
});

/** Two ends; what the first one sends is kept, to be let through as one read of a socket brings it. */
function withheld(): {
  readonly sender: SealedStream;
  readonly receiver: SealedStream;
  readonly sealed: Uint8Array[];
  readonly below: MessageStream;
  readonly pass: MessageStream["send"];
} {
  const [near, far] = multiaddrConnectionPair();
  const [a, b] = [randomBytes(32), randomBytes(32)];
  const sealed: Uint8Array[] = [];
  const pass: MessageStream["send"] = near.send.bind(near);
  near.send = (data) => {
    sealed.push(data.subarray().slice());
    return true;
  };
  const sender = new SealedStream(near, { send: a, receive: b });
  return { sender, receiver: new SealedStream(far, { send: b, receive: a }), sealed, below: near, pass };
}

test("regression: a flood of short messages takes no more than its share of a turn of the event loop", async () => {
  const MOST = 32;
  const { sender, receiver, sealed, pass } = withheld();
  const heard: number[] = [];
  receiver.addEventListener("message", ({ data }) => void heard.push(...data.subarray()));
  const bytes = Array.from({ length: 1000 }, (_, i) => i % 251);
  for (const byte of bytes) sender.send(Uint8Array.of(byte));
  pass(Buffer.concat(sealed.slice(0, 900)));
  pass(Buffer.concat(sealed.slice(900)));
  for (let before = 0; heard.length < bytes.length; before = heard.length) {
    await turn();
    assert.ok(heard.length - before <= 2 * MOST, `${heard.length - before} in a turn`);
  }
  assert.deepEqual(heard, bytes);
});

test("what was read is heard before the end, also what waits for the next turn", async () => {
  const { sender, receiver, sealed, below, pass } = withheld();
  const heard: number[] = [];
  receiver.addEventListener("message", ({ data }) => void heard.push(...data.subarray()));
  const ended = new Promise((resolve) => receiver.addEventListener("close", resolve));
  for (let i = 0; i < 100; i++) sender.send(Uint8Array.of(i));
  pass(Buffer.concat(sealed));
  await below.close();
  await ended;
  assert.equal(heard.length, 100);
});

test("regression: nothing is opened any more once this side closes the connection", async () => {
  const { sender, receiver, sealed, pass } = withheld();
  const heard: number[] = [];
  receiver.addEventListener("message", ({ data }) => {
    heard.push(...data.subarray());
    receiver.close().catch(assert.ifError);
  });
  for (let i = 0; i < 100; i++) sender.send(Uint8Array.of(i));
  pass(Buffer.concat(sealed));
  for (let turns = 0; turns < 20; turns++) await turn();
  assert.ok(heard.length >= 1 && heard.length <= 32, `${heard.length} were opened`);
});
