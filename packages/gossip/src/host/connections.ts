import { peerBindingBytes } from "@quorate/chain";
import { addressOf, toHexUpper } from "@quorate/crypto";
import { deadline, type GossipClock } from "../clock.ts";
import { GossipError, reasonOf } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { decodePeerMessage, goodbyeFrame, type PeerMessage, statusFrame } from "../roundstate/messages.ts";
import { GOODBYE_CODES, type GoodbyeReason, goodbyeReason, statusMismatch } from "../roundstate/status.ts";
import type { Scorer } from "../scoring/scorer.ts";
import type { GossipModules, Offence, PeerStatus } from "../types.ts";
import { abortConnection, errorOf } from "../wire/ends.ts";
import { readFrames } from "../wire/stream-frames.ts";
import type { PersistentDialler } from "./dialler.ts";
import type { GossipFault } from "./gossip-scanner.ts";
import type { InboundLimiter } from "./inbound-limiter.ts";
import type { Links } from "./links.ts";
import type { ByteStream, Connection, Network } from "./network.ts";
import { Peer } from "./peers.ts";

/** One bidirectional stream per pair, opened by the side that dialled: status, round state, repair, goodbye. */
export const PEER_PROTOCOL = "/quorate/peer/1";
const GOSSIP_PROTOCOL_PREFIX = "/meshsub/";

export interface ConnectionsModules {
  readonly options: { readonly maxPeers: number };
  readonly modules: GossipModules;
  readonly network: () => Network;
  /** The table this class owns; others read it. */
  readonly peers: Map<string, Peer>;
  readonly links: Links;
  readonly scorer: Scorer;
  readonly inbound: Pick<InboundLimiter, "penalise" | "trust">;
  readonly dialler: PersistentDialler;
  /** Peers that are dialled whoever they are. */
  readonly configured: ReadonlySet<string>;
  /** Validator address by peer id. */
  readonly validators: ReadonlyMap<string, Uint8Array>;
  readonly clock: GossipClock;
  /** A peer became ready or is gone. */
  /** `lost`: the peer that is gone; `null`: one came. */
  readonly linksChanged: (lost: Peer | null) => void;
  /** A message other than status and goodbye; a promise holds back the next one. */
  readonly message: (peer: Peer, message: PeerMessage) => void | Promise<void>;
}

/**
 * Life of connections: from an open one over the status exchange to a ready peer and its end; goodbyes with a code,
 * penalties, and the watchdog for gossip streams that died while their connection lives.
 */
export class Connections {
  readonly #m: ConnectionsModules;
  #cancelWatch: (() => void) | null = null;
  #stopped = false;
  /** By id; at most the validators of a set and the configured peers. */
  readonly #guarded = new Map<string, Peer>();

  constructor(modules: ConnectionsModules) {
    this.#m = modules;
  }

  async start(): Promise<void> {
    const network = this.#m.network();
    network.onConnection({
      opened: (connection) => this.#opened(connection),
      closed: (connection) => this.#closed(connection),
    });
    await network.handle(PEER_PROTOCOL, (stream, connection) => this.#accepted(stream, connection), {
      maxInboundStreams: 1,
      maxOutboundStreams: 1,
    });
    this.#scheduleWatch();
  }

  #scheduleWatch(): void {
    this.#cancelWatch = this.#m.clock.timer(LIMITS.watchdogMs, () => {
      this.#scheduleWatch();
      this.#watch();
    });
  }

  /** Says goodbye to everybody. */
  stop(): void {
    this.#stopped = true;
    this.#cancelWatch?.();
    for (const peer of this.#m.peers.values()) {
      this.write(peer, goodbyeFrame(GOODBYE_CODES.stopping));
      peer.cancelStatusTimer?.();
      peer.bodySender?.close();
    }
  }

  write(peer: Peer, bytes: Uint8Array): boolean {
    const { stream } = peer;
    if (stream === null || stream.writeStatus !== "writable") return false;
    try {
      stream.send(bytes);
      return true;
    } catch (error) {
      // The write buffer is full or the stream just ended: a link that cannot take repair is of no use.
      this.#m.modules.log.debug("peer stream failed", { peer: peer.id, reason: reasonOf(error) });
      abortConnection(peer.connection, errorOf(error));
      return false;
    }
  }

  /** Penalises a peer; a peer with too many points is disconnected and refused for a while. */
  report(id: string, offence: Offence): void {
    const { modules, peers, scorer } = this.#m;
    modules.metrics?.offence(offence);
    if (scorer.report(id, offence) === "keep") return;
    const peer = peers.get(id);
    if (peer === undefined) return;
    modules.log.warn("peer disconnected for misbehaviour", { peer: id, offence, banMs: LIMITS.banMs });
    this.#dismiss(peer, "misbehaviour");
  }

  /** What no node writes to its gossip stream costs the connection; what it costs beyond that says the table. */
  fault(id: string, offence: GossipFault): void {
    this.report(id, offence);
    const peer = this.#m.peers.get(id);
    if (peer === undefined) return;
    this.#m.modules.log.warn("peer disconnected for what it wrote to its gossip stream", {
      peer: id,
      offence,
    });
    this.#dismiss(peer, "misbehaviour");
  }

  #opened(connection: Connection): void {
    const { modules, peers, validators } = this.#m;
    const id = connection.remotePeer.toString();
    const existing = peers.get(id);
    if (existing !== undefined) {
      // The gater closes duplicates before this; what still comes here replaces the older link.
      abortConnection(existing.connection, new GossipError("REFUSED", "replaced by a newer connection"));
      this.#drop(existing);
    }
    const peer = new Peer(
      connection,
      validators.get(id) ?? null,
      this.#m.clock.monotonicMs(),
      this.#m.clock.wallMs(),
    );
    peers.set(id, peer);
    peer.cancelStatusTimer = this.#m.clock.timer(LIMITS.statusTimeoutMs, () => {
      this.#dismiss(peer, "timeout");
      this.report(id, "timeout");
    });
    if (connection.direction === "outbound") {
      this.#open(peer).catch((error: unknown) => {
        modules.log.debug("peer stream could not be opened", { peer: id, reason: reasonOf(error) });
        abortConnection(connection, errorOf(error));
      });
    }
  }

  async #open(peer: Peer): Promise<void> {
    const { signal, clear } = deadline(this.#m.clock, LIMITS.statusTimeoutMs);
    const stream = await peer.connection.newStream(PEER_PROTOCOL, { signal }).finally(clear);
    if (this.#m.peers.get(peer.id) !== peer) {
      stream.abort(new GossipError("CLOSED", "the peer is gone"));
      return;
    }
    this.#attach(peer, stream);
  }

  #accepted(stream: ByteStream, connection: Connection): void {
    const peer = this.#m.peers.get(connection.remotePeer.toString());
    if (peer === undefined || peer.connection !== connection || peer.stream !== null) {
      stream.abort(new GossipError("REFUSED", "a peer stream out of place"));
      return;
    }
    if (connection.direction === "outbound") {
      stream.abort(new GossipError("REFUSED", "the dialling side opens the peer stream"));
      this.report(peer.id, "malformed");
      return;
    }
    this.#attach(peer, stream);
  }

  #attach(peer: Peer, stream: ByteStream): void {
    peer.stream = stream;
    peer.statusAtMs = this.#m.clock.monotonicMs();
    this.write(peer, statusFrame(this.#m.modules.status()));
    readFrames(
      stream,
      this.#m.clock,
      { maxFrame: LIMITS.frameBytes, frameTimeoutMs: LIMITS.frameTimeoutMs },
      {
        frame: (content) => this.#frame(peer, content),
        closed: (error) => {
          if (error instanceof GossipError) {
            this.#m.modules.log.debug("peer stream ended", {
              peer: peer.id,
              reason: error.message,
              ...error.facts,
            });
            if (error.code === "OVERSIZED") this.report(peer.id, "oversized");
            else if (error.code === "MALFORMED") this.report(peer.id, "malformed");
            else if (error.code === "TIMEOUT") this.report(peer.id, "timeout");
          }
          // Without this stream nothing lost is ever repaired: the link starts anew.
          if (peer.connection.status === "open") {
            abortConnection(peer.connection, new GossipError("CLOSED", "the peer stream ended"));
          }
        },
      },
    );
  }

  #frame(peer: Peer, content: Uint8Array): void | Promise<void> {
    const { modules } = this.#m;
    // Dismissed: what it sent before it learned so is no offence, and ending the link now would overtake the goodbye.
    if (this.#m.peers.get(peer.id) !== peer) return;
    modules.metrics?.bytes("in", "peer", content.length);
    // Turned away: what it sent before it knew is neither used nor held against it.
    if (this.#m.peers.get(peer.id) !== peer) return;
    if (!peer.frames.take(1, this.#m.clock.monotonicMs())) {
      this.report(peer.id, "flood");
      return;
    }
    const message = decodePeerMessage(content);
    if (message.kind === "status") {
      this.#status(peer, message.status);
      return;
    }
    if (message.kind === "goodbye") {
      modules.log.info("peer said goodbye", {
        peer: peer.id,
        reason: goodbyeReason(message.code) ?? `code ${message.code}`,
      });
      abortConnection(peer.connection, new GossipError("CLOSED", "the peer said goodbye"));
      return;
    }
    if (!peer.ready) throw new GossipError("MALFORMED", "a peer spoke before its status");
    return this.#m.message(peer, message);
  }

  #status(peer: Peer, status: NonNullable<Peer["status"]>): void {
    const { modules, dialler, options, peers } = this.#m;
    const mismatch = statusMismatch(modules.status(), status);
    if (mismatch !== null) {
      modules.log.warn("peer refused: it runs another chain or version", { peer: peer.id, reason: mismatch });
      // Dismissed first: the goodbye names the mismatch, not the penalty.
      this.#dismiss(peer, mismatch);
      this.report(peer.id, "wrong_chain");
      return;
    }
    const first = !peer.ready;
    peer.status = status;
    if (!first) {
      modules.events.peer(peer.info(), "status");
      return;
    }
    this.#bind(peer, status);
    const guarded = this.#deservesGuard(peer);
    let ready = 0;
    for (const other of peers.values()) if (other.ready) ready++;
    if (ready >= options.maxPeers && !guarded) {
      this.#dismiss(peer, "too_many_peers");
      return;
    }
    peer.cancelStatusTimer?.();
    peer.cancelStatusTimer = null;
    peer.ready = true;
    this.#m.links.changed();
    dialler.accepted(peer.id);
    this.#guard(peer);
    modules.metrics?.peers(ready + 1);
    modules.log.info("peer connected", {
      peer: peer.id,
      address: peer.connection.remoteAddr.toString(),
      inbound: peer.connection.direction === "inbound",
      moniker: status.moniker,
      height: status.height,
      ...(peer.validator === null ? {} : { validator: toHexUpper(peer.validator) }),
    });
    modules.events.peer(peer.info(), "connected");
    this.#m.linksChanged(null);
  }

  /** The set of the height is another one: links to those who came are protected, those to who left no longer. */
  setChanged(): void {
    for (const peer of this.#m.peers.values()) if (peer.ready) this.#guard(peer);
    // Also those that are away: they are not waited for any more.
    for (const peer of this.#guarded.values()) this.#guard(peer);
  }

  /** Whose word it is that the peer speaks for a validator: the configuration's, else the validator's own. */
  #bind(peer: Peer, { binding }: PeerStatus): void {
    if (binding === undefined || peer.validator !== null) return;
    const { pubKey, signature } = binding;
    const message = peerBindingBytes(peer.id);
    if (this.#m.modules.verifier.verifyNow({ publicKey: pubKey, message, signature })) {
      peer.bind(addressOf(pubKey));
    } else {
      this.report(peer.id, "bad_signature");
    }
  }

  #deservesGuard(peer: Peer): boolean {
    return this.#m.configured.has(peer.id) || this.#m.links.validates(peer);
  }

  /** Links to validators of the set and to configured peers are the last to be pruned, and are made anew for ever. */
  #guard(peer: Peer): void {
    const guarded = this.#deservesGuard(peer);
    if (guarded === peer.guarded) return;
    peer.guarded = guarded;
    const { dialler, modules } = this.#m;
    if (guarded) {
      this.#guarded.set(peer.id, peer);
      this.#m.inbound.trust(peer.connection.remoteAddr.toString());
      dialler.add({ peer: peer.id, address: null });
    } else {
      this.#guarded.delete(peer.id);
      dialler.remove(peer.id);
    }
    const network = this.#m.network();
    const tagged = guarded ? network.protect(peer.id) : network.unprotect(peer.id);
    tagged.catch((error: unknown) => {
      modules.log.debug("a peer could not be tagged", { peer: peer.id, reason: reasonOf(error) });
    });
  }

  /** Goodbye with a code, then the end; a peer that does not drain is cut off. */
  #dismiss(peer: Peer, reason: GoodbyeReason): void {
    const { connection } = peer;
    if (this.#m.peers.get(peer.id) !== peer) return;
    if (reason === "misbehaviour" && connection.direction === "inbound")
      this.#m.inbound.penalise(connection.remoteAddr.toString());
    this.write(peer, goodbyeFrame(GOODBYE_CODES[reason]));
    this.#drop(peer);
    if (reason === "misbehaviour") {
      // What it sent to other streams is under way or here already: the goodbye does not wait behind it.
      const ended = new GossipError("REFUSED", "the peer was dismissed for misbehaviour");
      for (const stream of [...connection.streams])
        if (stream.protocol !== PEER_PROTOCOL) stream.abort(ended);
    }
    const { signal, clear } = deadline(this.#m.clock, LIMITS.closeTimeoutMs);
    connection
      .close({ signal })
      .catch((error: unknown) => abortConnection(connection, errorOf(error)))
      .finally(clear);
  }

  #closed(connection: Connection): void {
    const peer = this.#m.peers.get(connection.remotePeer.toString());
    if (peer?.connection === connection) this.#drop(peer);
    else if (peer === undefined) this.#m.dialler.lost(connection.remotePeer.toString());
  }

  #drop(peer: Peer): void {
    const { peers, modules, links, dialler } = this.#m;
    if (peers.get(peer.id) !== peer) return;
    peers.delete(peer.id);
    peer.left();
    peer.cancelStatusTimer?.();
    peer.bodySender?.close();
    peer.repairAtMs = null;
    if (peer.ready) {
      peer.ready = false;
      links.changed();
      let ready = 0;
      for (const other of peers.values()) if (other.ready) ready++;
      modules.metrics?.peers(ready);
      modules.log.info("peer disconnected", { peer: peer.id });
      modules.events.peer(peer.info(), "disconnected");
      this.#m.linksChanged(peer);
    }
    if (!this.#stopped) dialler.lost(peer.id);
  }

  /** gossipsub never re-opens a stream while the connection lives: such a connection is closed. */
  #watch(): void {
    const now = this.#m.clock.monotonicMs();
    for (const peer of this.#m.peers.values()) {
      if (!peer.ready) continue;
      const alive = (direction: "inbound" | "outbound"): boolean =>
        peer.connection.streams.some(
          (stream) =>
            stream.direction === direction &&
            stream.status === "open" &&
            stream.protocol.startsWith(GOSSIP_PROTOCOL_PREFIX),
        );
      if (alive("inbound") && alive("outbound")) {
        peer.gossipMissing = 0;
        peer.gossipOpened = true;
        continue;
      }
      if (!peer.gossipOpened && now - peer.openedAtMs < LIMITS.gossipStreamGraceMs) continue;
      peer.gossipMissing++;
      if (peer.gossipMissing < 2) continue;
      this.#m.modules.log.warn("gossip stream died; the connection is made anew", { peer: peer.id });
      abortConnection(peer.connection, new GossipError("CLOSED", "the gossip stream died"));
    }
  }
}
