import type { BlockId, Certificate, Evidence, Height, Proposal, Round, Vote } from "@quorate/chain";
import { addressOf, fromHex, RecentKeys, toHex } from "@quorate/crypto";
import { Admission } from "./admission/admission.ts";
import { HeldMessages } from "./admission/held.ts";
import { SeenCache } from "./admission/slots.ts";
import { BodyCollector } from "./bodies/collector.ts";
import { BodyExchange } from "./bodies/exchange.ts";
import { GossipError, reasonOf } from "./errors.ts";
import { Connections } from "./host/connections.ts";
import { type DialTarget, PersistentDialler } from "./host/dialler.ts";
import { createGate } from "./host/gater.ts";
import { InboundLimiter } from "./host/inbound-limiter.ts";
import { Links } from "./host/links.ts";
import type { ByteStream, Connection, CreateNetwork, Network } from "./host/network.ts";
import type { Peer } from "./host/peers.ts";
import { LIMITS } from "./limits.ts";
import { requestBlocks } from "./reqresp/client.ts";
import { serveRequest } from "./reqresp/server.ts";
import { RoundStateExchange } from "./roundstate/exchange.ts";
import type { PeerMessage } from "./roundstate/messages.ts";
import type { Runtime } from "./runtime.ts";
import { Scorer } from "./scoring/scorer.ts";
import { topicTable } from "./topics/names.ts";
import { Router } from "./topics/router.ts";
import type { Gossip, GossipModules, Offence, PeerInfo, SyncRequest, SyncResponse } from "./types.ts";
import { errorOf } from "./wire/ends.ts";

/** Request and response of block sync, one stream each. */
export const BLOCKS_PROTOCOL = "/quorate/blocks/1";

/** What the gossip layer is told that does not depend on how its network is made. */
export interface LayerOptions {
  /** Own peer id. */
  readonly self: string;
  /** Dialled for ever. */
  readonly persistentPeers: readonly DialTarget[];
  /** When set, only these peer ids are admitted (permissioned mode). */
  readonly allow?: readonly string[];
  /** Validator address (hex) -> peer id, from config or signed bindings. */
  readonly validatorPeers?: Readonly<Record<string, string>>;
  readonly maxPeers: number;
  /** 0 .. 1, spreads redials. */
  readonly random: () => number;
}

/** The gossip layer over a network, wired and not started; with the network beside it, for tests that break links. */
export async function assembleGossip(
  options: LayerOptions,
  modules: GossipModules,
  createNetwork: CreateNetwork,
): Promise<{ readonly gossip: Gossip; readonly network: Network }> {
  const { self } = options;
  const targets = options.persistentPeers.filter((target) => target.peer !== self);
  const { chainId, genesisHash, binding } = modules.status();
  const { clock } = modules;
  const now = (): number => clock.monotonicMs();

  const peers = new Map<string, Peer>();
  const validators = new Map<string, Uint8Array>();
  let ownAddress = binding === undefined ? null : toHex(addressOf(binding.pubKey));
  for (const [address, peer] of Object.entries(options.validatorPeers ?? {})) {
    const hex = address.replace(/^0x/, "").toLowerCase();
    if (peer === self) ownAddress = hex;
    else validators.set(peer, fromHex(hex));
  }
  const links = new Links(modules.view, peers, ownAddress);
  const scorer = new Scorer(now);
  const inbound = new InboundLimiter(now);
  for (const { address } of targets) if (address !== null) inbound.trust(address);
  const late: { network: Network | null } = { network: null };
  const network = (): Network => {
    if (late.network === null) throw new GossipError("CLOSED", "the network is not there yet");
    return late.network;
  };
  const dialler = new PersistentDialler({
    dial: (target, signal) => network().dial(target, signal),
    connected: (peer) => peers.has(peer),
    clock,
    random: options.random,
    failed: (target, attempt, reason) => {
      modules.log.debug("dial failed; it is tried again", {
        peer: target.peer,
        attempt,
        reason: reasonOf(reason),
      });
    },
  });
  const connections: Connections = new Connections({
    options,
    modules,
    network,
    peers,
    links,
    scorer,
    inbound,
    dialler,
    configured: new Set(targets.map(({ peer }) => peer)),
    validators,
    clock,
    linksChanged: (lost) => {
      exchange.linksChanged(lost);
      router.relay();
    },
    message: (peer, message) => node.peerMessage(peer, message),
  });
  const bodies: BodyCollector = new BodyCollector({
    now,
    height: () => modules.view.height,
    deliver: (height, blockId, bytes, from) => {
      const peer = peers.get(from);
      const isProposers = peer !== undefined && bodies.origin(blockId) === links.indexOf(peer);
      modules.events.body(height, blockId, bytes, isProposers ? from : null);
    },
  });
  const admission = new Admission({
    chainId,
    view: modules.view,
    events: {
      ...modules.events,
      certificate: (certificate, from) => {
        modules.events.certificate(certificate, from);
        exchange.wake();
      },
    },
    verifier: modules.verifier,
    log: modules.log,
    metrics: modules.metrics,
    now,
    atTurnEnd: (callback) => void clock.timer(0, callback),
    wallNow: () => clock.wallMs(),
    random: options.random,
    seen: new SeenCache(),
    held: new HeldMessages(),
    bodies,
    evidenceSeen: new RecentKeys(LIMITS.evidenceSeen),
    txSeen: new RecentKeys(LIMITS.txSeen),
    budgets: new Map(),
    onProposal: () => exchange.wake(),
  });
  late.network = await createNetwork({
    // Ours is the limit that counts; it knows whom to turn away with a code, and whom never.
    maxConnections: options.maxPeers + targets.length + validators.size + LIMITS.pendingInbound,
    topics: Object.values(topicTable(genesisHash).name),
    gate: createGate({
      self,
      allow: options.allow === undefined ? null : new Set(options.allow),
      banned: (peer) => scorer.banned(peer),
      inbound,
      connections: (peer) => network().connectionsTo(peer),
      ageMs: (connection) => {
        const peer = peers.get(connection.remotePeer.toString());
        return peer?.connection === connection ? now() - peer.openedAtMs : 0;
      },
      dialling: (peer) => dialler.dialling(peer, LIMITS.simultaneousDialMs),
    }),
    score: (peer) => scorer.score(peer),
    now,
    fault: (peer, fault) => connections.fault(peer, fault),
  });
  const runtime: Runtime = {
    modules,
    network: late.network,
    peers,
    links,
    admission,
    bodies,
    clock,
    now,
    report: (peer, offence) => connections.report(peer, offence),
    write: (peer, bytes) => connections.write(peer, bytes),
  };
  const router = new Router(runtime, genesisHash);
  const bodyExchange = new BodyExchange(runtime, router);
  const exchange = new RoundStateExchange(runtime, bodyExchange);
  const node = new GossipNode({ runtime, connections, dialler, router, bodyExchange, exchange, targets });
  return { gossip: node, network: late.network };
}

interface Parts {
  readonly runtime: Runtime;
  readonly connections: Connections;
  readonly dialler: PersistentDialler;
  readonly router: Router;
  readonly bodyExchange: BodyExchange;
  readonly exchange: RoundStateExchange;
  readonly targets: readonly DialTarget[];
}

class GossipNode implements Gossip {
  readonly peerId: string;
  readonly #p: Parts;
  #serving = 0;
  #state: "new" | "running" | "stopped" = "new";
  #rolling = false;

  constructor(parts: Parts) {
    this.#p = parts;
    this.peerId = parts.runtime.network.peerId;
  }

  get addresses(): readonly string[] {
    return this.#p.runtime.network.addresses;
  }

  get peers(): readonly PeerInfo[] {
    const infos: PeerInfo[] = [];
    for (const peer of this.#p.runtime.peers.values()) if (peer.ready) infos.push(peer.info());
    return infos;
  }

  async start(): Promise<void> {
    if (this.#state !== "new") throw new GossipError("CLOSED", "a gossip layer starts once");
    this.#state = "running";
    const { runtime, connections, router, bodyExchange, dialler, targets } = this.#p;
    await connections.start();
    await bodyExchange.start();
    await runtime.network.handle(BLOCKS_PROTOCOL, (stream, connection) => this.#serve(stream, connection), {
      maxInboundStreams: LIMITS.servedPerPeer + 2,
      maxOutboundStreams: LIMITS.streamsPerPeer,
    });
    await runtime.network.start();
    router.start();
    for (const target of targets) dialler.add(target);
  }

  async stop(): Promise<void> {
    if (this.#state === "stopped") return;
    const started = this.#state === "running";
    this.#state = "stopped";
    const { runtime, connections, dialler, router, exchange } = this.#p;
    dialler.stop();
    exchange.stop();
    router.stop();
    connections.stop();
    if (started) await runtime.network.stop();
  }

  publishProposal(proposal: Proposal, body: Uint8Array): void {
    this.#p.runtime.admission.published({ proposal });
    this.#p.bodyExchange.publish(proposal, body);
  }

  publishVote(vote: Vote): void {
    this.#p.runtime.admission.published({ vote });
    this.#p.router.publish("votes", { kind: "vote", vote });
  }

  publishCertificate(certificate: Certificate): void {
    this.#p.runtime.admission.published({ certificate });
    this.#p.router.publish("votes", { kind: "certificate", certificate });
  }

  publishEvidence(evidence: Evidence): void {
    this.#p.runtime.admission.publishedEvidence(evidence);
    this.#p.router.publish("evidence", { kind: "evidence", evidence });
  }

  publishTxs(raws: readonly Uint8Array[]): void {
    for (const raw of raws) {
      if (raw.length === 0 || raw.length > LIMITS.txBytes) continue;
      if (!this.#p.runtime.admission.publishedTx(raw)) continue;
      this.#p.router.publish("txs", { kind: "tx", raw });
    }
  }

  roundStateChanged(atOnce: boolean = false): void {
    this.#roll();
    this.#p.exchange.changed(atOnce);
  }

  heightDecided(height: Height): void {
    this.#roll();
    this.#p.connections.setChanged();
    this.#p.exchange.decided(height);
  }

  /** Messages held for a new height are offered after the caller is done, not from inside its call. */
  #roll(): void {
    if (this.#rolling) return;
    this.#rolling = true;
    queueMicrotask(() => {
      this.#rolling = false;
      if (this.#state !== "stopped") this.#p.runtime.admission.roll();
    });
  }

  wantBody(height: Height, round: Round, blockId: BlockId): void {
    this.#p.runtime.bodies.reopen(height, round, blockId);
    this.#p.bodyExchange.want(height, round, blockId);
    this.#p.exchange.wake();
  }

  async request(peerId: string, request: SyncRequest, signal: AbortSignal): Promise<SyncResponse> {
    const peer = this.#p.runtime.peers.get(peerId);
    if (peer === undefined || !peer.ready) {
      throw new GossipError("NOT_CONNECTED", "the peer to ask for blocks is not connected", { peer: peerId });
    }
    if (request.count < 1 || request.count > LIMITS.requestBlocks) {
      throw new GossipError("REFUSED", `a sync request asks for 1 to ${LIMITS.requestBlocks} blocks`, {
        count: request.count,
      });
    }
    try {
      return await requestBlocks(peer.connection, this.#p.runtime.clock, BLOCKS_PROTOCOL, request, signal);
    } catch (error) {
      if (error instanceof GossipError) {
        if (error.code === "MALFORMED") this.report(peerId, "malformed");
        else if (error.code === "OVERSIZED") this.report(peerId, "oversized");
        else if (error.code === "TIMEOUT") this.report(peerId, "timeout");
      }
      throw error;
    }
  }

  report(peerId: string, offence: Offence): void {
    this.#p.connections.report(peerId, offence);
  }

  setValidating(on: boolean): void {
    this.#p.router.setValidating(on);
    this.#p.router.relay();
  }

  /** What came over a peer stream. */
  peerMessage(peer: Peer, message: PeerMessage): void | Promise<void> {
    const { runtime, router, exchange, bodyExchange } = this.#p;
    switch (message.kind) {
      case "round_state":
        exchange.told(peer, message.state);
        router.relay();
        return;
      case "items": {
        const { items } = message;
        if (runtime.admission.gather(items, peer, (found) => router.arrived(peer, items, found))) return;
        const outcome = runtime.admission.receive(items, peer);
        if (outcome instanceof Promise) return outcome.then((found) => router.arrived(peer, items, found));
        router.arrived(peer, items, outcome);
        return;
      }
      case "want_body":
        bodyExchange.serve(peer, message.want).catch((error: unknown) => {
          runtime.modules.log.warn("a wanted body could not be read", {
            height: message.want.height,
            reason: reasonOf(error),
          });
        });
        return;
      case "status":
      case "goodbye":
        return;
    }
  }

  async #serve(stream: ByteStream, connection: Connection): Promise<void> {
    const { runtime } = this.#p;
    const id = connection.remotePeer.toString();
    const peer = runtime.peers.get(id);
    if (peer === undefined || !peer.ready) {
      stream.abort(new GossipError("REFUSED", "a request before the status exchange"));
      return;
    }
    try {
      await serveRequest(stream, runtime.clock, {
        serve: runtime.modules.serve,
        admit: () => {
          if (peer.serving >= LIMITS.servedPerPeer || this.#serving >= LIMITS.served) return null;
          if (!peer.requests.take(1, runtime.now())) return null;
          peer.serving++;
          this.#serving++;
          runtime.modules.metrics?.queue("gossip_served", this.#serving, LIMITS.served);
          return {
            release: () => {
              peer.serving--;
              this.#serving--;
            },
          };
        },
        sent: (bytes) => runtime.modules.metrics?.bytes("out", "blocks", bytes),
      });
    } catch (error) {
      if (error instanceof GossipError && error.code === "MALFORMED") this.report(id, "malformed");
      if (error instanceof GossipError && error.code === "OVERSIZED") this.report(id, "oversized");
      runtime.modules.log.debug("a sync request was not served", { peer: id, reason: reasonOf(error) });
      stream.abort(errorOf(error));
    }
  }
}
