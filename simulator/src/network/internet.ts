/** Everything between the processes: who is up, the paths, dialling, and the flooding of topics. */
import type { Network, NetworkModules, TopicVerdict } from "@quorate/gossip/core";
import type { Machine } from "../core/machine.ts";
import type { Random } from "../core/random.ts";
import type { Work } from "../core/work.ts";
import { End, type EndHost } from "./connection.ts";
import type { Path } from "./paths.ts";
import type { SimulatedStream } from "./stream.ts";

/** What a run hears of messages; `protocol` is a stream's, or "topic/<name>". */
export interface NetworkWatch {
  sent(from: string, to: string, protocol: string, bytes: Uint8Array): number;
  delivered(id: number): void;
  dropped(id: number, why: string): void;
}

/** What leaves of a message for one receiver; more than one or none when the sender is Byzantine. */
export type Outgoing = (to: string, protocol: string, bytes: Uint8Array) => readonly Uint8Array[];

interface TopicMessage {
  readonly topic: string;
  readonly data: Uint8Array;
  readonly seen: Set<string>;
}

/**
 * As the product configures gossipsub: what a node publishes goes to every peer; what it heard it passes on to all of few
 * peers, and to about so many of a crowd.
 */
const FULL_MESH = 12;
const MESH = 8;

/** Linux: the first repetition of a SYN (RFC 6298). */
const FIRST_SYN_MS = 1_000;

type Consumer = (from: string, data: Uint8Array) => TopicVerdict | Promise<TopicVerdict>;
type Handler = Parameters<Network["handle"]>[1];

export class Internet {
  readonly #paths: (from: string, to: string) => Path;
  readonly #random: Random;
  readonly watch: NetworkWatch;
  readonly work: Work;
  readonly #up = new Map<string, Endpoint>();
  readonly #mesh = new Map<string, number>();

  constructor(paths: (from: string, to: string) => Path, watch: NetworkWatch, random: Random, work: Work) {
    this.work = work;
    this.#paths = paths;
    this.watch = watch;
    this.#random = random;
  }

  endpoint(id: string, machine: Machine, outgoing: Outgoing, modules: NetworkModules): Endpoint {
    return new Endpoint(this, id, machine, outgoing, modules);
  }

  path(from: string, to: string): Path {
    return this.#paths(from, to);
  }

  at(id: string): Endpoint | null {
    return this.#up.get(id) ?? null;
  }

  up(endpoint: Endpoint): void {
    this.#up.set(endpoint.id, endpoint);
  }

  down(endpoint: Endpoint): void {
    if (this.#up.get(endpoint.id) === endpoint) this.#up.delete(endpoint.id);
  }

  /** Whether two of a crowd pass on to each other: a share of all pairs, the same ones throughout a run. */
  inMesh(a: string, b: string, share: number): boolean {
    const pair = a < b ? `${a} ${b}` : `${b} ${a}`;
    let draw = this.#mesh.get(pair);
    if (draw === undefined) {
      draw = this.#random.split(`mesh ${pair}`).unit();
      this.#mesh.set(pair, draw);
    }
    return draw < share;
  }

  /** How long a peer takes to give up a connection that is silent, ms: pings every 5 s, and their time-out. */
  silenceMs(): number {
    return this.#random.real(5_000, 12_000);
  }

  /** Nothing passes from one to the other; a connection that stays silent for long is given up by both ends. */
  cut(from: string, to: string): void {
    const path = this.path(from, to);
    path.cut();
    const end = this.at(from)?.connectionTo(to);
    if (end === undefined) return;
    const patience = this.silenceMs();
    end.machine.after(patience, () => {
      if (path.isCut && end.status === "open") this.#breakUp(end, "nothing was heard of the peer");
    });
  }

  heal(from: string, to: string): void {
    this.path(from, to).heal();
  }

  /** Ends the connection of a pair, whatever was under way. */
  disconnect(a: string, b: string, why: string): void {
    const end = this.at(a)?.connectionTo(b);
    if (end !== undefined) this.#breakUp(end, why);
  }

  /** The streams behind the topics of a pair end; its connection does not. */
  killTopics(a: string, b: string): void {
    const end = this.at(a)?.connectionTo(b);
    for (const each of [end, end?.peer]) for (const stream of each?.topics ?? []) stream.abort();
  }

  #breakUp(end: End, why: string): void {
    end.breakUp(why);
    end.peer?.breakUp(why);
  }
}

class Endpoint implements Network, EndHost {
  readonly id: string;
  readonly machine: Machine;
  readonly topics: Network["topics"];
  readonly #internet: Internet;
  readonly #outgoing: Outgoing;
  readonly #modules: NetworkModules;
  readonly #ends = new Map<string, End>();
  readonly #handlers = new Map<string, Handler>();
  readonly #consumers = new Map<string, Consumer>();
  readonly #subscribed = new Set<string>();
  readonly #theirs = new Map<string, Set<string>>();
  readonly #listeners: Parameters<Network["onConnection"]>[0][] = [];
  readonly #subscriptionListeners: Parameters<Network["topics"]["onSubscriptions"]>[0][] = [];
  #started = false;

  constructor(internet: Internet, id: string, machine: Machine, outgoing: Outgoing, modules: NetworkModules) {
    this.#internet = internet;
    this.id = id;
    this.machine = machine;
    this.#outgoing = outgoing;
    this.#modules = modules;
    this.topics = {
      subscribe: (topic) => this.#subscribe(topic, true),
      unsubscribe: (topic) => this.#subscribe(topic, false),
      publish: async (topic, data) => {
        machine.charge(internet.work.publishMs);
        this.#flood({ topic, data: data.slice(), seen: new Set([id]) }, null);
      },
      consume: (topic, consumer) => void this.#consumers.set(topic, consumer),
      onSubscriptions: (listener) => void this.#subscriptionListeners.push(listener),
    };
  }

  get peerId(): string {
    return this.id;
  }

  get work(): Work {
    return this.#internet.work;
  }

  get addresses(): readonly string[] {
    return [`/memory/${this.id}`];
  }

  async start(): Promise<void> {
    this.#started = true;
    this.#internet.up(this);
  }

  async stop(): Promise<void> {
    this.#started = false;
    this.#internet.down(this);
    for (const end of [...this.#ends.values()]) await end.close();
  }

  /** The process is gone. `silent`: nobody tells the others (power loss, cable). */
  crash(silent: boolean): void {
    this.#started = false;
    this.#internet.down(this);
    for (const end of this.#ends.values()) {
      const { peer } = end;
      end.vanish("crash");
      if (peer === null || peer.status !== "open") continue;
      const path = this.#internet.path(this.id, peer.host.id);
      const told = silent || path.isCut ? this.#internet.silenceMs() : path.delayMs(0);
      peer.machine.after(told, () => peer.finish("the peer is gone"));
    }
  }

  connectionTo(peer: string): End | undefined {
    return this.#ends.get(peer);
  }

  connectionsTo(peer: string): readonly End[] {
    const end = this.#ends.get(peer);
    return end === undefined ? [] : [end];
  }

  onConnection(listeners: Parameters<Network["onConnection"]>[0]): void {
    this.#listeners.push(listeners);
  }

  async handle(protocol: string, handler: Handler): Promise<void> {
    this.#handlers.set(protocol, handler);
  }

  async protect(): Promise<void> {}

  async unprotect(): Promise<void> {}

  dial(target: { readonly peer: string }, signal: AbortSignal): Promise<void> {
    const { peer } = target;
    if (this.#modules.gate.denyDial(peer)) return Promise.reject(new Error("denied by the gate"));
    if (this.#ends.has(peer)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      this.#call(peer, signal, FIRST_SYN_MS, resolve, reject);
    });
  }

  /** `again`: after so long TCP knocks again on a way that is cut, each time twice as long. */
  #call(
    peer: string,
    signal: AbortSignal,
    again: number,
    resolve: () => void,
    reject: (reason: Error) => void,
  ): void {
    const there = this.#internet.path(this.id, peer);
    const back = this.#internet.path(peer, this.id);
    // TCP, Noise and yamux: three ways before the other side knows who calls.
    const away = there.streamDelayMs(256) + back.streamDelayMs(256) + there.streamDelayMs(256);
    if (there.isCut || back.isCut) {
      this.machine.after(again, () => {
        if (!signal.aborted) this.#call(peer, signal, 2 * again, resolve, reject);
      });
      return;
    }
    const remote = this.#internet.at(peer);
    if (remote === null) {
      this.machine.after(away / 2, () => reject(new Error("connection refused")));
      return;
    }
    const refused = (made: End | null, why: string): void => {
      made?.abort(new Error(why));
      reject(new Error(why));
    };
    remote.machine.after(away, () => {
      const called =
        !signal.aborted &&
        remote.#called(this, there, back, (made) => {
          if (signal.aborted || !this.#started || made.status !== "open") refused(made, "refused");
          else if (this.#modules.gate.denyOpened(peer, "outbound")) refused(made, "denied by the gate");
          else {
            this.#opened(made);
            resolve();
          }
        });
      if (!called) this.machine.after(back.streamDelayMs(64), () => refused(null, "refused"));
    });
  }

  /**
   * A peer calls; false: it is turned away. `accepted` is called at the caller with its end, before anything else that is
   * sent over the new connection arrives there.
   */
  #called(caller: Endpoint, there: Path, back: Path, accepted: (made: End) => void): boolean {
    if (!this.#started || this.#modules.gate.denyAuthenticated(caller.id)) return false;
    if (this.#modules.gate.denyOpened(caller.id, "inbound")) return false;
    const outer = new End(caller, this, "outbound", there, back);
    const inner = new End(this, caller, "inbound", back, there);
    outer.peer = inner;
    inner.peer = outer;
    inner.carry(
      64,
      () => accepted(outer),
      () => undefined,
    );
    this.#opened(inner);
    return true;
  }

  #opened(end: End): void {
    const peer = end.remote.id;
    this.#ends.get(peer)?.abort(new Error("replaced"));
    this.#ends.set(peer, end);
    this.#theirs.set(peer, new Set());
    for (const { opened } of this.#listeners) opened(end);
    this.#tell(end, [...this.#subscribed], true);
  }

  closed(end: End): void {
    const peer = end.remote.id;
    if (this.#ends.get(peer) === end) {
      this.#ends.delete(peer);
      this.#theirs.delete(peer);
    }
    for (const { closed } of this.#listeners) closed(end);
  }

  accept(stream: SimulatedStream, connection: End): boolean {
    const handler = this.#handlers.get(stream.protocol);
    if (handler === undefined) return false;
    const handled = handler(stream, connection);
    if (handled instanceof Promise) handled.catch((error: unknown) => stream.abort(errorOf(error)));
    return true;
  }

  outgoing(to: string, protocol: string, bytes: Uint8Array): readonly Uint8Array[] {
    return this.#outgoing(to, protocol, bytes);
  }

  note(to: string, protocol: string, bytes: Uint8Array): { delivered(): void; dropped(why: string): void } {
    const { watch } = this.#internet;
    const id = watch.sent(this.id, to, protocol, bytes);
    return { delivered: () => watch.delivered(id), dropped: (why) => watch.dropped(id, why) };
  }

  #subscribe(topic: string, on: boolean): void {
    if (on) this.#subscribed.add(topic);
    else this.#subscribed.delete(topic);
    for (const end of this.#ends.values()) this.#tell(end, [topic], on);
  }

  #tell(end: End, topics: readonly string[], subscribe: boolean): void {
    const remote = end.remote as Endpoint;
    const { peer } = end;
    end.carry(
      32,
      () => peer !== null && remote.#told(this.id, topics, subscribe),
      () => undefined,
    );
  }

  #told(peer: string, topics: readonly string[], subscribe: boolean): void {
    const theirs = this.#theirs.get(peer);
    if (theirs === undefined) return;
    for (const topic of topics) {
      if (subscribe) theirs.add(topic);
      else theirs.delete(topic);
    }
    const changes = topics.map((topic) => ({ topic, subscribe }));
    for (const listener of this.#subscriptionListeners) listener(peer, changes);
  }

  /** To every neighbour, or those of the mesh, that wants the topic and is not known to have the message. */
  #flood(message: TopicMessage, from: string | null): void {
    if (this.machine.dead) return;
    const sparse = from !== null && this.#ends.size > FULL_MESH;
    for (const [peer, end] of this.#ends) {
      if (peer === from || message.seen.has(peer) || !end.topicsAlive) continue;
      if (sparse && !this.#internet.inMesh(this.id, peer, MESH / this.#ends.size)) continue;
      if (this.#theirs.get(peer)?.has(message.topic) !== true) continue;
      const protocol = `topic/${message.topic}`;
      for (const data of this.#outgoing(peer, protocol, message.data)) {
        this.#sendTopic(end, protocol, data === message.data ? message : { ...message, data });
      }
    }
  }

  #sendTopic(end: End, protocol: string, message: TopicMessage): void {
    const remote = end.remote as Endpoint;
    const path = this.#internet.path(this.id, remote.id);
    const fate = this.note(remote.id, protocol, message.data);
    if (path.isCut || path.lost()) {
      fate.dropped(path.isCut ? "partition" : "loss");
      return;
    }
    const copies = path.duplicated() ? 2 : 1;
    const { length } = message.data;
    this.machine.charge(this.work.send(true, length));
    for (let copy = 0; copy < copies; copy++) {
      const delay = path.quality.reorder
        ? path.delayMs(message.data.length)
        : end.topicArrival(path.delayMs(message.data.length));
      remote.machine.after(delay, () => {
        if (end.peer?.status !== "open") fate.dropped("disconnect");
        else if (path.isCut) fate.dropped("partition");
        else {
          fate.delivered();
          remote.machine.charge(remote.work.receive(true, length));
          remote.#received(this.id, message, copy > 0);
        }
      });
    }
  }

  #received(from: string, message: TopicMessage, again: boolean): void {
    if (message.seen.has(this.id) && !again) return;
    message.seen.add(this.id);
    const consumer = this.#consumers.get(message.topic);
    if (consumer === undefined || !this.#subscribed.has(message.topic)) return;
    const verdict = consumer(from, message.data);
    const judged = (found: TopicVerdict): void => {
      if (found === "accept" && this.#started) this.#flood(message, from);
    };
    if (typeof verdict === "string") judged(verdict);
    else void verdict.then(judged);
  }
}

export type { Endpoint };

function errorOf(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
