/**
 * What a link adds to the distance: the sender's own wire, which all its peers share, and TCP, which sends little at
 * first. Pure arithmetic over virtual time, ms.
 */

/** Bytes on the wire for each byte of payload, and per packet: IP, TCP, Noise and yamux headers. */
const PACKET_BYTES = 1448;
const HEADER_BYTES = 78;

/** Bytes that travel for a message of this size. */
export function wireBytes(bytes: number): number {
  return bytes + Math.max(1, Math.ceil(bytes / PACKET_BYTES)) * HEADER_BYTES;
}

/** What is smaller shares the wire without being noticed: kernels let short flows pass long ones (fq, fq_codel). */
const BULK_BYTES = 16 * 1024;

/**
 * One network card. Bodies go to all peers at once and get equal shares of it, so each of them is out when all are: what
 * a broadcast takes, and more than a single body to a single peer would.
 */
export class Uplink {
  readonly #bytesPerMs: number;
  readonly #peers: number;
  #busyUntil = Number.NEGATIVE_INFINITY;
  #since = 0;
  /** Bytes to each peer since the wire became busy. */
  #sent = new Map<number, number>();

  constructor(megabitsPerSecond: number, peers: number) {
    this.#bytesPerMs = (megabitsPerSecond * 1e6) / 8 / 1000;
    this.#peers = peers;
  }

  /** A message leaves for a peer at `now`; answers when its last byte is out. */
  send(to: number, bytes: number, now: number): number {
    const own = wireBytes(bytes) / this.#bytesPerMs;
    if (bytes < BULK_BYTES) return now + own;
    if (now > this.#busyUntil) {
      this.#since = now;
      this.#sent = new Map();
    }
    const sent = (this.#sent.get(to) ?? 0) + wireBytes(bytes);
    this.#sent.set(to, sent);
    const out = Math.max(now + own, this.#since + (sent * this.#peers) / this.#bytesPerMs);
    this.#busyUntil = Math.max(this.#busyUntil, out);
    return out;
  }
}

/** Linux: ten segments to begin with (RFC 6928), doubling per round trip while nothing is lost. */
const FIRST_WINDOW = 10 * PACKET_BYTES;
/** As far as the product's yamux window lets a stream go. */
const LAST_WINDOW = 4 * 1024 * 1024;
/** A connection that rested longer than its retransmission time-out begins again (net.ipv4.tcp_slow_start_after_idle). */
const MIN_IDLE_MS = 200;

/** The congestion window of one direction of a connection. */
export class Window {
  #size = FIRST_WINDOW;
  /** Sent in the round trip that began then. */
  #roundAt = Number.NEGATIVE_INFINITY;
  #sent = 0;
  #lastAt = Number.NEGATIVE_INFINITY;
  readonly #restarts: boolean;

  /** `restarts`: the kernel's default; validators may turn it off. */
  constructor(restarts: boolean) {
    this.#restarts = restarts;
  }

  /** How long the last byte waits for acknowledgements before it may leave: whole round trips. */
  wait(bytes: number, now: number, roundTripMs: number): number {
    if (this.#restarts && now - this.#lastAt > roundTripMs + MIN_IDLE_MS) {
      this.#size = FIRST_WINDOW;
      this.#sent = 0;
      this.#roundAt = now;
    }
    if (now - this.#roundAt >= roundTripMs) {
      // What was sent in the last round trip came back acknowledged: the window grew by as much.
      this.#size = Math.min(LAST_WINDOW, this.#size + this.#sent);
      this.#roundAt = now;
      this.#sent = 0;
    }
    let waited = Math.max(0, this.#roundAt - now);
    let rest = bytes;
    for (;;) {
      const room = Math.max(0, this.#size - this.#sent);
      if (rest <= room) break;
      rest -= room;
      this.#size = Math.min(LAST_WINDOW, this.#size * 2);
      waited += roundTripMs;
      this.#roundAt = now + waited;
      this.#sent = 0;
    }
    this.#sent += rest;
    this.#lastAt = now + waited;
    return waited;
  }
}
