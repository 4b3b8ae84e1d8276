/** The wires between the nodes of a local network: TCP proxies that can be cut, silenced and slowed, one per direction of dialling. */
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from "node:net";

export interface WireFault {
  /** No connection lives or comes about. */
  readonly cut: boolean;
  /** Connections stay open, nothing passes: what a lost route looks like. */
  readonly silent: boolean;
  /** ms that bytes take longer, in each direction. */
  readonly delayMs: number;
}

export const SOUND: WireFault = { cut: false, silent: false, delayMs: 0 };

interface Chunk {
  readonly bytes: Buffer;
  readonly dueMs: number;
}

/** Bytes that may wait on a slow wire before the sender is held back. */
const MAX_HELD = 4 * 1_048_576;

/** One direction of one connection: order is kept, whatever the faults do meanwhile. */
class Pipe {
  readonly #to: Socket;
  readonly #from: Socket;
  readonly #wire: Wire;
  readonly #held: Chunk[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(wire: Wire, from: Socket, to: Socket) {
    this.#wire = wire;
    this.#from = from;
    this.#to = to;
    from.on("data", (bytes) => this.#take(bytes));
    to.on("drain", () => this.#from.resume());
    from.on("end", () => to.end());
    from.on("close", () => {
      if (this.#timer !== null) clearTimeout(this.#timer);
      to.destroy();
    });
  }

  #take(bytes: Buffer): void {
    const { silent, delayMs } = this.#wire.fault;
    if (!silent && delayMs === 0 && this.#held.length === 0) {
      if (!this.#to.write(bytes)) this.#from.pause();
      return;
    }
    this.#held.push({ bytes, dueMs: performance.now() + delayMs });
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_HELD) this.#from.pause();
    this.flow();
  }

  /** Passes on what is due, and comes again for the rest. */
  flow(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#wire.fault.silent || this.#to.destroyed) return;
    for (let first = this.#held[0]; first !== undefined; first = this.#held[0]) {
      const wait = first.dueMs - performance.now();
      if (wait > 0) {
        this.#timer = setTimeout(() => this.flow(), wait);
        return;
      }
      this.#held.shift();
      this.#bytes -= first.bytes.length;
      this.#to.write(first.bytes);
    }
    if (!this.#to.writableNeedDrain) this.#from.resume();
  }
}

class Wire {
  readonly #server: Server;
  readonly #target: number;
  readonly #connections = new Set<{ readonly near: Socket; readonly far: Socket; readonly pipes: Pipe[] }>();
  fault: WireFault = SOUND;

  constructor(target: number) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true }, (near) => this.#connect(near));
  }

  async open(): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, "127.0.0.1", resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  set(fault: WireFault): void {
    this.fault = fault;
    for (const connection of this.#connections) {
      if (fault.cut) destroy(connection);
      else for (const pipe of connection.pipes) pipe.flow();
    }
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) destroy(connection);
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #connect(near: Socket): void {
    // Ends of connections are the business of the two nodes.
    near.on("error", () => near.destroy());
    if (this.fault.cut) {
      near.resetAndDestroy();
      return;
    }
    const far = createConnection({ port: this.#target, host: "127.0.0.1", allowHalfOpen: true });
    far.on("error", () => near.destroy());
    near.setNoDelay(true);
    far.setNoDelay(true);
    const connection = { near, far, pipes: [new Pipe(this, near, far), new Pipe(this, far, near)] };
    this.#connections.add(connection);
    near.once("close", () => this.#connections.delete(connection));
  }
}

function destroy({ near, far }: { readonly near: Socket; readonly far: Socket }): void {
  near.destroy();
  far.destroy();
}

/** All wires of a network, by the names of the node that dials and of the one that is dialled. */
export class Links {
  readonly #wires = new Map<string, Wire>();

  /** Port at which `from` reaches `to`, which listens at `target`. */
  async open(from: string, to: string, target: number): Promise<number> {
    const wire = new Wire(target);
    this.#wires.set(`${from}>${to}`, wire);
    return await wire.open();
  }

  /** The wires between two nodes, or between one and all others. */
  set(one: string, other: string | null, fault: Partial<WireFault>): void {
    for (const [name, wire] of this.#wires) {
      const ends = name.split(">");
      if (ends.includes(one) && (other === null || ends.includes(other))) wire.set({ ...SOUND, ...fault });
    }
  }

  heal(): void {
    for (const wire of this.#wires.values()) wire.set(SOUND);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#wires.values()].map((wire) => wire.close()));
  }
}
