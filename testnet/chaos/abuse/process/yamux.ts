/** Frames of yamux that no implementation writes: streams without number, windows overrun, pings without end. */
import { randomBytes } from "node:crypto";
import type { Assailant, Field } from "./field.ts";

const TYPE = { data: 0, window: 1, ping: 2 } as const;
const SYN = 1;
const CHUNK = randomBytes(16_384);
/** A stream begins with room for 256 KiB. */
const BEYOND_WINDOW = randomBytes(262_145);
/** Odd numbers are the dialler's; far above those that the package used. */
const FIRST_STREAM = 1001;

function frame(
  type: number,
  flags: number,
  stream: number,
  length: number,
  data: Uint8Array = new Uint8Array(),
): Uint8Array {
  const header = Buffer.alloc(12);
  header[1] = type;
  header.writeUInt16BE(flags, 2);
  header.writeUInt32BE(stream, 4);
  header.writeUInt32BE(length, 8);
  return Buffer.concat([header, data]);
}

function framing(what: string, make: (turn: number) => readonly Uint8Array[]) {
  return async (field: Field): Promise<void> => {
    await field.siege(
      field.order.hosts,
      () => ({}),
      async (assailant: Assailant) => {
        const { stranger } = assailant;
        stranger.plugEars();
        let turn = 0;
        await field.flood(assailant, field.order.perSecond / field.order.hosts, async () => {
          assailant.offend();
          const frames = make(turn++);
          if (!(await stranger.write(stranger.below, Buffer.concat(frames)))) return 0;
          field.sent(what, frames.length);
          return frames.length;
        });
      },
    );
  };
}

/** Each is opened and left. */
const streams = framing("streams", (turn) => [frame(TYPE.window, SYN, FIRST_STREAM + 2 * turn, 0)]);

/** Each is opened and filled as far as its first window goes. */
const filledStreams = framing("frames of data", (turn) => {
  const stream = FIRST_STREAM + 2 * turn;
  return Array.from({ length: 16 }, (_, i) =>
    frame(TYPE.data, i === 0 ? SYN : 0, stream, CHUNK.length, CHUNK),
  );
});

/**
 * More than the other side said that it takes. Of a stream that is read, what comes makes room for more at once, and one
 * that speaks no protocol is at an end with its first bytes: what comes for it later reaches nobody. So it is the first
 * frame that is too long.
 */
const overrunWindow = framing("frames beyond the window", (turn) => [
  frame(TYPE.data, SYN, FIRST_STREAM + 2 * turn, BEYOND_WINDOW.length, BEYOND_WINDOW),
]);

/** A window that grows beyond every number. */
const endlessWindow = framing("window updates", (turn) => [
  frame(TYPE.window, turn === 0 ? SYN : 0, FIRST_STREAM, 0xffff_ffff),
]);

const pings = framing("pings", (turn) =>
  Array.from({ length: 64 }, (_, i) => frame(TYPE.ping, SYN, 0, turn * 64 + i)),
);

export const ATTACKS = {
  streams: streams,
  "filled-streams": filledStreams,
  "overrun-window": overrunWindow,
  "endless-window": endlessWindow,
  pings: pings,
} as const;
