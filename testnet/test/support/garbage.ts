/** What strangers send: bytes without sense, without end, without haste, or none at all. */
import { randomBytes } from "node:crypto";
import { createConnection, type Socket } from "node:net";

const CHUNK = randomBytes(65_536);

export interface Attack {
  readonly what: string;
  readonly port: number;
  /** Resolves when the other side has closed every connection; `close` ends what it left open. */
  readonly dropped: Promise<void>;
  close(): void;
}

type Attacker = (socket: Socket) => void;

function attack(what: string, port: number, connections: number, attacker: Attacker): Attack {
  const sockets = Array.from({ length: connections }, () => {
    const socket = createConnection({ port, host: "127.0.0.1", allowHalfOpen: false });
    socket.on("error", () => undefined);
    socket.resume();
    socket.once("connect", () => attacker(socket));
    return socket;
  });
  return {
    what,
    port,
    dropped: Promise.all(
      sockets.map((socket) => new Promise<void>((resolve) => socket.once("close", () => resolve()))),
    ).then(() => undefined),
    close: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Writes as fast as the other side reads, up to `bytes`. */
function flood(socket: Socket, head: Uint8Array, bytes: number): void {
  let left = bytes;
  const more = (): void => {
    while (left > 0 && !socket.destroyed) {
      left -= CHUNK.length;
      if (!socket.write(CHUNK)) {
        socket.once("drain", more);
        return;
      }
    }
  };
  socket.write(head);
  more();
}

/** One byte at a time for ever. */
function drip(socket: Socket, bytes: Uint8Array): void {
  let at = 0;
  const timer = setInterval(() => {
    if (socket.destroyed) clearInterval(timer);
    else socket.write(bytes.subarray(at % bytes.length, (at++ % bytes.length) + 1));
  }, 200);
  socket.once("close", () => clearInterval(timer));
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const NOTHING = new Uint8Array();
/** Length in front of a multistream line: the protocol that libp2p starts with. */
const MULTISTREAM = text("\x13/multistream/1.0.0\n");
const NOISE = text("\x07/noise\n");
const HUGE = 64 * 1_048_576;

/** On a port that speaks libp2p. */
export function strangersOnP2p(port: number): Attack[] {
  return [
    attack("random bytes", port, 4, (socket) => socket.write(CHUNK)),
    attack("a flood", port, 2, (socket) => flood(socket, NOTHING, HUGE)),
    attack("a multistream line without end", port, 2, (socket) =>
      flood(socket, Uint8Array.of(0xff, 0xff, 0xff, 0x7f), HUGE),
    ),
    attack("garbage behind a good beginning of Noise", port, 4, (socket) =>
      flood(socket, Buffer.concat([MULTISTREAM, NOISE]), 1_048_576),
    ),
    attack("a slow sender", port, 4, (socket) => drip(socket, MULTISTREAM)),
    attack("silence", port, 20, () => undefined),
  ];
}

/** On a port that speaks HTTP. */
export function strangersOnHttp(port: number): Attack[] {
  const head = "POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n";
  return [
    attack("random bytes", port, 4, (socket) => socket.write(CHUNK)),
    attack("a header without end", port, 2, (socket) =>
      flood(socket, text("GET / HTTP/1.1\r\nx: "), 4 * 1_048_576),
    ),
    attack("a body without end", port, 2, (socket) =>
      flood(socket, text(`${head}content-length: ${HUGE}\r\n\r\n`), HUGE),
    ),
    attack("chunks without end", port, 2, (socket) =>
      flood(
        socket,
        text(`${head}transfer-encoding: chunked\r\n\r\n${CHUNK.length.toString(16)}\r\n`),
        CHUNK.length,
      ),
    ),
    attack("a slow sender of headers", port, 4, (socket) => drip(socket, text("GET / HTTP/1.1\r\nx: y"))),
    attack("a slow sender of a body", port, 4, (socket) => {
      socket.write(`${head}content-length: 100000\r\n\r\n`);
      drip(socket, text("[1,"));
    }),
    attack("silence", port, 20, () => undefined),
  ];
}
