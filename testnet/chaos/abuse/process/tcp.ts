/** Connections that come to nothing: silent, stalled in the handshake, one byte every ten seconds. */
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Stranger } from "../../../../packages/gossip/test/stranger.ts";
import type { Field } from "./field.ts";

const CONNECTIONS = 1000;
const DRIP_MS = 10_000;
const LOOK_MS = 50;

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
/** Multistream's first line and the choice of Noise, with their lengths; then nothing. */
const NOISE = Buffer.concat([text("\x13/multistream/1.0.0\n"), text("\x07/noise\n")]);

function portOf(address: string): number {
  return Number(address.split("/")[4]);
}

/** `begin` is done with each connection as it opens; its own end is the other side's work. */
function connecting(begin: (socket: Socket) => void) {
  return async (field: Field): Promise<void> => {
    const open = new Map<Socket, number>();
    const { thrownOutMs } = field.order;
    // At the end of the attack some have only just begun: each has the time that any has.
    const isWaiting = (): boolean => {
      const now = performance.now();
      return [...open.values()].some((fromMs) => now - fromMs <= (thrownOutMs ?? 0));
    };
    let opened = 0;
    for (let i = 0; i < CONNECTIONS && !field.over; i++) {
      const socket = connect(portOf(field.target(i)), "127.0.0.1");
      let fromMs = 0;
      socket.on("error", () => undefined);
      socket.resume();
      socket.once("connect", () => {
        fromMs = performance.now();
        opened++;
        field.begin();
        open.set(socket, fromMs);
        field.tell("connections at a time", open.size);
        begin(socket);
      });
      socket.once("close", () => {
        open.delete(socket);
        if (fromMs > 0) field.thrownOut(performance.now() - fromMs);
      });
      // Not all in one turn: each is to be heard.
      if (i % 20 === 19) await delay(5);
    }
    while ((!field.over && (open.size > 0 || opened === 0)) || isWaiting()) await delay(LOOK_MS);
    field.sent("connections", opened);
    field.stayed(open.size);
    for (const socket of open.keys()) socket.destroy();
  };
}

const silentConnections = connecting(() => undefined);
const stalledHandshakes = connecting((socket) => socket.write(NOISE));
const slowBytes = connecting((socket) => {
  let at = 0;
  const timer = setInterval(() => {
    if (socket.destroyed) clearInterval(timer);
    else socket.write(NOISE.subarray(at % NOISE.length, (at++ % NOISE.length) + 1));
  }, DRIP_MS);
  socket.write(NOISE.subarray(at, ++at));
  socket.once("close", () => clearInterval(timer));
});

/** Whole handshakes, and then not a word. */
async function speechless(field: Field): Promise<void> {
  await field.siege(
    field.order.hosts,
    () => ({ claim: null }),
    async (assailant) => {
      assailant.offend();
      while (!assailant.over()) await delay(LOOK_MS);
    },
  );
}

/** Peers that do nothing wrong and are many: they take what places there are. */
async function sybils(field: Field): Promise<void> {
  const peers: Stranger[] = [];
  const crowd = Array.from({ length: field.order.hosts }, (_, i) => i);
  // A few at a time: the handshakes are ours too.
  await Promise.all(
    [0, 1, 2, 3].map(async () => {
      for (let i = crowd.shift(); i !== undefined && !field.over; i = crowd.shift()) {
        try {
          peers.push(await Stranger.connect(field.target(i)));
          field.begin();
          field.sent("hosts");
        } catch (error) {
          field.refused(error);
        }
      }
    }),
  );
  while (!field.over) {
    field.tell("sybils at a time", peers.filter(({ isOpen }) => isOpen).length);
    await delay(LOOK_MS);
  }
  field.stayed(peers.filter(({ isOpen }) => isOpen).length);
  await Promise.all(peers.map((peer) => peer.stop()));
}

export const ATTACKS = {
  "silent-connections": silentConnections,
  "stalled-handshakes": stalledHandshakes,
  "slow-bytes": slowBytes,
  speechless: speechless,
  sybils: sybils,
} as const;
