import type { ByteStream, StreamClose, StreamMessage } from "@quorate/gossip/core";
import type { Machine } from "../core/machine.ts";

/** Bytes under way at which a sender is told to wait. */
const SATURATED_BYTES = 1_048_576;

type Listener =
  | { readonly type: "message"; readonly call: (event: StreamMessage) => void }
  | { readonly type: "close"; readonly call: (event: StreamClose) => void }
  | { readonly type: "remoteCloseWrite" | "drain"; readonly call: () => void };

/** What a stream needs of the connection that carries it. */
export interface StreamCarrier {
  readonly machine: Machine;
  /** Takes effect at the other end, in the order of the calls; `arrived` is called here when it was taken there. */
  carry(bytes: number, atPeer: () => void, arrived: () => void): void;
  /** A message for the trace, with the callbacks of its fate. */
  note(protocol: string, bytes: Uint8Array): { delivered(): void };
  /** What really leaves for these bytes: a Byzantine sender may change or drop them. */
  outgoing(protocol: string, bytes: Uint8Array): readonly Uint8Array[];
  ended(stream: SimulatedStream): void;
}

/** One end of an ordered, reliable stream between two processes. */
export class SimulatedStream implements ByteStream {
  readonly protocol: string;
  readonly direction: "inbound" | "outbound";
  status = "open";
  readStatus = "readable";
  writeStatus = "writable";
  peer: SimulatedStream | null = null;
  readonly #carrier: StreamCarrier;
  #listeners: Listener[] = [];
  #waiting: Uint8Array[] = [];
  #remoteDone = false;
  #toldDone = false;
  #underWay = 0;

  constructor(protocol: string, direction: "inbound" | "outbound", carrier: StreamCarrier) {
    this.protocol = protocol;
    this.direction = direction;
    this.#carrier = carrier;
  }

  get writableNeedsDrain(): boolean {
    return this.#underWay > SATURATED_BYTES;
  }

  send(bytes: Uint8Array): boolean {
    if (this.writeStatus !== "writable") throw new Error(`the stream is ${this.writeStatus}`);
    for (const part of this.#carrier.outgoing(this.protocol, bytes)) this.#sendNow(part);
    return !this.writableNeedsDrain;
  }

  #sendNow(bytes: Uint8Array): void {
    const fate = this.#carrier.note(this.protocol, bytes);
    const copy = bytes.slice();
    const { peer } = this;
    this.#underWay += copy.length;
    this.#carrier.carry(
      copy.length,
      () => {
        fate.delivered();
        peer?.receive(copy);
      },
      () => {
        const full = this.writableNeedsDrain;
        this.#underWay -= copy.length;
        if (full && !this.writableNeedsDrain) this.#tell("drain");
      },
    );
  }

  pause(): void {
    if (this.readStatus === "readable") this.readStatus = "paused";
  }

  resume(): void {
    if (this.readStatus !== "paused") return;
    this.readStatus = "readable";
    this.#carrier.machine.after(0, () => this.#flow());
  }

  async close(): Promise<void> {
    if (this.writeStatus !== "writable") return;
    this.writeStatus = "closed";
    const { peer } = this;
    this.#carrier.carry(
      0,
      () => peer?.remoteClosed(),
      () => undefined,
    );
    this.#endIfDone();
  }

  abort(reason: Error): void {
    if (this.status !== "open") return;
    const { peer } = this;
    this.#carrier.carry(
      0,
      () => peer?.reset(new Error("the stream was reset by the peer")),
      () => undefined,
    );
    this.reset(reason);
  }

  addEventListener(type: "message", listener: (event: StreamMessage) => void): void;
  addEventListener(type: "close", listener: (event: StreamClose) => void): void;
  addEventListener(type: "remoteCloseWrite" | "drain", listener: () => void): void;
  addEventListener(type: Listener["type"], call: (event: StreamMessage & StreamClose) => void): void {
    this.#listeners.push({ type, call } as Listener);
    if (type === "message" && this.#waiting.length > 0) this.#carrier.machine.after(0, () => this.#flow());
  }

  removeEventListener(type: "message", listener: (event: StreamMessage) => void): void;
  removeEventListener(type: "close", listener: (event: StreamClose) => void): void;
  removeEventListener(type: "remoteCloseWrite" | "drain", listener: () => void): void;
  removeEventListener(type: Listener["type"], call: (event: StreamMessage & StreamClose) => void): void {
    this.#listeners = this.#listeners.filter((each) => each.type !== type || each.call !== call);
  }

  /** Bytes have come from the other end. */
  receive(bytes: Uint8Array): void {
    if (this.status !== "open") return;
    this.#waiting.push(bytes);
    this.#flow();
  }

  remoteClosed(): void {
    this.#remoteDone = true;
    this.#flow();
    this.#endIfDone();
  }

  /** The end of both directions, with a reason. */
  reset(reason: Error): void {
    if (this.status !== "open") return;
    this.status = "reset";
    this.readStatus = "closed";
    this.writeStatus = "closed";
    this.#waiting = [];
    this.#carrier.ended(this);
    this.#carrier.machine.after(0, () => this.#tellClose({ error: reason }));
  }

  #flow(): void {
    while (this.status === "open" && this.readStatus === "readable" && this.#waiting.length > 0) {
      const listeners = this.#listeners.filter((each) => each.type === "message");
      if (listeners.length === 0) return;
      const data = this.#waiting.shift() as Uint8Array;
      for (const listener of listeners) if (listener.type === "message") listener.call({ data });
    }
    if (this.#remoteDone && !this.#toldDone && this.#waiting.length === 0 && this.status === "open") {
      this.#toldDone = true;
      this.#tell("remoteCloseWrite");
    }
  }

  #endIfDone(): void {
    if (this.writeStatus === "writable" || !this.#remoteDone || this.status !== "open") return;
    this.status = "closed";
    this.#carrier.ended(this);
    this.#carrier.machine.after(0, () => {
      this.#flow();
      this.readStatus = "closed";
      this.#tellClose({});
    });
  }

  #tell(type: "remoteCloseWrite" | "drain"): void {
    for (const listener of [...this.#listeners]) if (listener.type === type) listener.call();
  }

  #tellClose(event: StreamClose): void {
    for (const listener of [...this.#listeners]) if (listener.type === "close") listener.call(event);
  }
}
