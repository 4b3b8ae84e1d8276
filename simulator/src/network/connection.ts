/** A connection between two processes: two ends, each an ordered carrier of streams towards the other. */
import type { Connection } from "@quorate/gossip/core";
import type { Machine } from "../core/machine.ts";
import type { Work } from "../core/work.ts";
import type { Path } from "./paths.ts";
import { SimulatedStream, type StreamCarrier } from "./stream.ts";

/** What an end needs of the process it belongs to. */
export interface EndHost {
  readonly id: string;
  readonly machine: Machine;
  readonly work: Work;
  accept(stream: SimulatedStream, connection: End): boolean;
  closed(connection: End): void;
  outgoing(to: string, protocol: string, bytes: Uint8Array): readonly Uint8Array[];
  note(to: string, protocol: string, bytes: Uint8Array): { delivered(): void; dropped(why: string): void };
}

/** `null` while it has not come. */
interface Coming {
  taken: (() => void) | null;
}

interface Carried {
  readonly bytes: number;
  readonly atPeer: () => void;
  readonly arrived: () => void;
}

/** Streams that gossipsub would hold open in both directions; a fault may end them while the connection lives. */
export class TopicStream {
  readonly protocol = "/meshsub/1.2.0";
  readonly direction: "inbound" | "outbound";
  status = "open";

  constructor(direction: "inbound" | "outbound") {
    this.direction = direction;
  }

  abort(): void {
    this.status = "reset";
  }
}

export class End implements Connection, StreamCarrier {
  readonly host: EndHost;
  readonly remote: EndHost;
  readonly direction: "inbound" | "outbound";
  readonly machine: Machine;
  status = "open";
  /** As a ping would measure it when the connection is made, ms. */
  readonly rtt: number;
  /** The other end; set when both are made. */
  peer: End | null = null;
  readonly topics: readonly [TopicStream, TopicStream] = [
    new TopicStream("inbound"),
    new TopicStream("outbound"),
  ];
  readonly #path: Path;
  readonly #streams = new Set<SimulatedStream>();
  #lastArrival = 0;
  #lastTopic = 0;
  /** Sent while the path was cut: goes on when it heals. */
  #held: Carried[] = [];
  readonly #underWay = new Set<{ dropped(why: string): void }>();
  /** On their way, in order. */
  readonly #coming: Coming[] = [];

  constructor(host: EndHost, remote: EndHost, direction: "inbound" | "outbound", path: Path, back: Path) {
    this.rtt = path.usualMs + back.usualMs;
    this.host = host;
    this.remote = remote;
    this.direction = direction;
    this.machine = host.machine;
    this.#path = path;
  }

  get remotePeer(): { toString(): string } {
    return this.remote.id;
  }

  get remoteAddr(): { toString(): string } {
    return `/memory/${this.remote.id}`;
  }

  get streams(): readonly (SimulatedStream | TopicStream)[] {
    return [...this.topics, ...this.#streams];
  }

  get topicsAlive(): boolean {
    return this.topics.every((stream) => stream.status === "open");
  }

  async newStream(protocol: string, options?: { readonly signal?: AbortSignal }): Promise<SimulatedStream> {
    if (this.status !== "open" || this.peer === null) throw new Error("the connection is closed");
    const { peer } = this;
    const mine = new SimulatedStream(protocol, "outbound", this);
    const theirs = new SimulatedStream(protocol, "inbound", peer);
    mine.peer = theirs;
    theirs.peer = mine;
    return new Promise((resolve, reject) => {
      const fail = (reason: unknown): void => {
        mine.reset(reason instanceof Error ? reason : new Error(String(reason)));
        reject(reason);
      };
      options?.signal?.addEventListener("abort", () => fail(options.signal?.reason), { once: true });
      this.#streams.add(mine);
      this.carry(
        64,
        () => {
          if (peer.status !== "open") return;
          if (peer.host.accept(theirs, peer)) peer.#streams.add(theirs);
          else theirs.abort(new Error("no such protocol"));
        },
        () => {
          if (this.status !== "open" || mine.status !== "open") reject(new Error("the connection is closed"));
          else resolve(mine);
        },
      );
    });
  }

  /** What was sent before still arrives, then the other side sees the end. */
  async close(): Promise<void> {
    if (this.status !== "open") return;
    const { peer } = this;
    this.carry(
      0,
      () => peer?.finish("the peer closed the connection"),
      () => undefined,
    );
    this.finish("closed here");
  }

  abort(reason: Error): void {
    if (this.status !== "open") return;
    const { peer } = this;
    this.#held = [];
    this.carry(
      0,
      () => peer?.finish("the peer aborted the connection"),
      () => undefined,
    );
    this.finish(reason.message);
  }

  /** This end is over; the other side learns it in its own way. */
  finish(reason: string): void {
    if (this.status !== "open") return;
    this.status = "closed";
    for (const stream of [...this.#streams]) stream.reset(new Error(reason));
    for (const stream of this.topics) stream.abort();
    this.machine.after(0, () => this.host.closed(this));
  }

  /** The cable is broken: this end is over and what is under way is lost. */
  breakUp(why: string): void {
    this.finish(why);
    this.vanish(why);
  }

  /** Nothing that is under way arrives any more (the process or its machine is gone). */
  vanish(why: string): void {
    this.status = "closed";
    this.#held = [];
    for (const fate of this.#underWay) fate.dropped(why);
    this.#underWay.clear();
  }

  /** Delay of a message of a topic that must not overtake the ones before it. */
  topicArrival(delay: number): number {
    this.#lastTopic = Math.max(this.#lastTopic, this.machine.now + delay);
    return this.#lastTopic - this.machine.now;
  }

  carry(bytes: number, atPeer: () => void, arrived: () => void): void {
    if (this.machine.dead) return;
    const carried = { bytes, atPeer, arrived };
    if (this.#path.isCut || this.#held.length > 0) this.#hold(carried);
    else this.#send(carried);
  }

  note(protocol: string, bytes: Uint8Array): { delivered(): void } {
    if (this.machine.dead) return { delivered: () => undefined };
    const fate = this.host.note(this.remote.id, protocol, bytes);
    this.#underWay.add(fate);
    return {
      delivered: () => {
        this.#underWay.delete(fate);
        fate.delivered();
      },
    };
  }

  outgoing(protocol: string, bytes: Uint8Array): readonly Uint8Array[] {
    return this.host.outgoing(this.remote.id, protocol, bytes);
  }

  ended(stream: SimulatedStream): void {
    this.#streams.delete(stream);
  }

  #hold(carried: Carried): void {
    this.#held.push(carried);
    if (this.#held.length > 1) return;
    this.#path.onHeal(() => {
      const held = this.#held;
      this.#held = [];
      for (const each of held) this.#send(each);
    });
  }

  #send({ bytes, atPeer, arrived }: Carried): void {
    const { peer } = this;
    if (peer === null) return;
    if (bytes > 0) this.machine.charge(this.host.work.send(false, bytes));
    const delay = this.#path.streamDelayMs(bytes);
    this.#lastArrival = Math.max(this.#lastArrival, this.machine.now + delay);
    const own: Coming = { taken: null };
    this.#coming.push(own);
    const arrive = (): void => {
      if (this.#path.isCut) {
        // Lost on the way and sent again when the path is whole, before anything later.
        this.#path.onHeal(() => void peer.machine.after(0, arrive));
        return;
      }
      own.taken = () => {
        if (bytes > 0) peer.machine.charge(peer.host.work.receive(false, bytes));
        if (peer.status === "open") atPeer();
        // The acknowledgement, a little later; what it does is the sender's own business.
        this.machine.after(delay / 2, arrived);
      };
      // A machine that was paused takes what waits for it by when that was sent first: what a cut held up would come late.
      for (let next = this.#coming[0]; next !== undefined && next.taken !== null; next = this.#coming[0]) {
        this.#coming.shift();
        next.taken();
      }
    };
    peer.machine.after(this.#lastArrival - this.machine.now, arrive);
  }
}
