import {
  type GossipSub,
  type GossipSubComponents,
  gossipsub,
  StrictNoSign,
  TopicValidatorResult,
} from "@libp2p/gossipsub";
import { type Identify, identify } from "@libp2p/identify";
import type { ConnectionGater, Libp2p, PrivateKey } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { type Ping, ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { multiaddr } from "@multiformats/multiaddr";
import { sha256 } from "@quorate/crypto";
import { createLibp2p } from "libp2p";
import { GossipError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { setReading } from "../wire/ends.ts";
import { bytesKey } from "../wire/keys.ts";
import { DepartedPeers } from "./departed.ts";
import { GossipBudget, GossipStreamScanner } from "./gossip-scanner.ts";
import { inspectGossipStream } from "./inspector.ts";
import { safeYamux } from "./muxer.ts";
import type { Gate, Network, NetworkModules, TopicVerdict } from "./network.ts";
import { lightNoise } from "./noise.ts";

export interface HostOptions {
  readonly privateKey: PrivateKey;
  readonly listen: readonly string[];
  readonly announce: readonly string[];
}

type Host = Libp2p<{ pubsub: GossipSub; identify: Identify; ping: Ping }>;

/** Message id: the first 20 bytes of SHA-256 over topic and content. */
function messageId(message: { readonly topic: string; readonly data: Uint8Array }): Uint8Array {
  const { topic, data } = message;
  // One call of the one-shot hash: it costs less than the steps of a stream of three.
  const content = Buffer.allocUnsafe(topic.length + 1 + data.length);
  content.write(topic, "latin1");
  content[topic.length] = 0;
  content.set(data, topic.length + 1);
  return sha256(content).subarray(0, 20);
}

/** Hands gossipsub a registrar whose inbound streams are inspected before it. */
function inspected(components: GossipSubComponents, modules: NetworkModules): GossipSubComponents {
  const { registrar } = components;
  // Of the connection: whoever begins its stream anew does not begin its budget anew.
  const budgets = new WeakMap<object, GossipBudget>();
  const budgetOf = (connection: object): GossipBudget => {
    const budget = budgets.get(connection) ?? new GossipBudget(modules.now);
    budgets.set(connection, budget);
    return budget;
  };
  const observing: GossipSubComponents["registrar"] = {
    getProtocols: () => registrar.getProtocols(),
    getHandler: (protocol) => registrar.getHandler(protocol),
    getTopologies: (protocol) => registrar.getTopologies(protocol),
    unhandle: (protocols, unhandleOptions) => registrar.unhandle(protocols, unhandleOptions),
    register: (protocol, topology) => registrar.register(protocol, topology),
    unregister: (id) => registrar.unregister(id),
    use: (protocol, middleware) => registrar.use(protocol, middleware),
    unuse: (protocol) => registrar.unuse(protocol),
    getMiddleware: (protocol) => registrar.getMiddleware(protocol),
    handle: (protocol, handler, handleOptions) =>
      registrar.handle(
        protocol,
        async (stream, connection) => {
          // Paused until both readers are attached: the first listener would otherwise start the flow.
          setReading(stream, false);
          const scanner = new GossipStreamScanner(LIMITS.frameBytes, budgetOf(connection));
          inspectGossipStream(stream, scanner, (fault) => {
            modules.fault(connection.remotePeer.toString(), fault);
          });
          await handler(stream, connection);
          setImmediate(() => setReading(stream, true));
        },
        handleOptions,
      ),
  };
  return {
    privateKey: components.privateKey,
    peerId: components.peerId,
    peerStore: components.peerStore,
    connectionManager: components.connectionManager,
    logger: components.logger,
    registrar: observing,
  };
}

/** What libp2p asks, answered by the gate. */
function gaterOf(gate: Gate): ConnectionGater {
  const entered = new WeakMap<object, () => void>();
  return {
    denyDialPeer: (peer) => gate.denyDial(peer.toString()),
    denyInboundConnection(connection) {
      const address = connection.remoteAddr.toString();
      const over = gate.enter(address);
      if (over === null) return true;
      entered.set(connection, over);
      connection.addEventListener("close", ({ error }) => {
        over();
        if (error instanceof GossipError && error.code === "FLOOD") gate.offended(address);
      });
      return false;
    },
    denyInboundEncryptedConnection: (peer) => gate.denyAuthenticated(peer.toString()),
    denyOutboundEncryptedConnection: (peer) => gate.denyAuthenticated(peer.toString()),
    denyInboundUpgradedConnection(peer, connection) {
      entered.get(connection)?.();
      return gate.denyOpened(peer.toString(), "inbound");
    },
    denyOutboundUpgradedConnection: (peer) => gate.denyOpened(peer.toString(), "outbound"),
  };
}

const VERDICTS: Readonly<Record<TopicVerdict, TopicValidatorResult>> = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject,
};

/** The libp2p node as the gossip layer's network. */
/** Tag of peers whose links are pruned last. */
const PROTECTED = "quorate-protected";

export async function createLibp2pNetwork(options: HostOptions, modules: NetworkModules): Promise<Network> {
  const host = await createHost(options, modules);
  const { pubsub } = host.services;
  const departed = new DepartedPeers();
  host.addEventListener("peer:disconnect", ({ detail }) => forget(host, departed.left(detail.toString())));
  return {
    peerId: host.peerId.toString(),
    get addresses() {
      return host.getMultiaddrs().map((address) => address.toString());
    },
    topics: {
      subscribe: (topic) => pubsub.subscribe(topic),
      unsubscribe: (topic) => pubsub.unsubscribe(topic),
      publish: (topic, data) => pubsub.publish(topic, data),
      consume(topic, consumer) {
        pubsub.topicValidators.set(topic, (peer, message) => {
          const verdict = consumer(peer.toString(), message.data);
          return typeof verdict === "string" ? VERDICTS[verdict] : verdict.then((found) => VERDICTS[found]);
        });
      },
      onSubscriptions(listener) {
        pubsub.addEventListener("subscription-change", ({ detail }) =>
          listener(detail.peerId.toString(), detail.subscriptions),
        );
      },
    },
    start: async () => {
      await host.start();
    },
    stop: async () => {
      await host.stop();
    },
    async dial({ peer, address }, signal) {
      await host.dial(address === null ? peerIdFromString(peer) : multiaddr(address), { signal });
    },
    connectionsTo: (peer) => host.getConnections(peerIdFromString(peer)),
    handle: (protocol, handler, limits) => host.handle(protocol, handler, limits),
    onConnection({ opened, closed }) {
      host.addEventListener("connection:open", (event) => opened(event.detail));
      host.addEventListener("connection:close", (event) => closed(event.detail));
    },
    async protect(peer) {
      departed.protect(peer);
      await host.peerStore.merge(peerIdFromString(peer), { tags: { [PROTECTED]: { value: 100 } } });
    },
    async unprotect(peer) {
      departed.unprotect(peer);
      await host.peerStore.merge(peerIdFromString(peer), { tags: { [PROTECTED]: undefined } });
    },
  };
}

/** Drops what is known of a peer, unless it is here again: then its next leaving counts. */
function forget(host: Host, peer: string | null): void {
  if (peer === null) return;
  const id = peerIdFromString(peer);
  if (host.getConnections(id).length > 0) return;
  host.peerStore.delete(id).catch((error: unknown) => {
    host.logger.forComponent("quorate:peers").error("a peer that left could not be forgotten - %e", error);
  });
}

/** The libp2p node: TCP, Noise, yamux, identify, ping, gossipsub; not started. */
async function createHost(options: HostOptions, modules: NetworkModules): Promise<Host> {
  const pubsub = gossipsub({
    // Our messages carry the signatures of consensus; a second one costs 15 ms of CPU per height.
    globalSignaturePolicy: StrictNoSign,
    msgIdFn: messageId,
    msgIdToStrFn: bytesKey,
    allowedTopics: [...modules.topics],
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    emitSelf: false,
    fallbackToFloodsub: false,
    floodPublish: true,
    // Encoded once, not once for each peer.
    batchPublish: true,
    doPX: false,
    // A set of up to 13 nodes is one full mesh.
    D: 8,
    Dlo: 6,
    Dhi: 12,
    Dout: 3,
    heartbeatInterval: 1000,
    seenTTL: LIMITS.seenTtlMs,
    // Votes and small proposals never trigger it.
    idontwantMinDataSize: 16 * 1024,
    // A peer under load of disk or CPU is not punished for answering late.
    gossipsubIWantFollowupMs: 12_000,
    maxInboundStreams: 2,
    maxOutboundStreams: 2,
    maxInboundDataLength: LIMITS.frameBytes,
    maxOutboundBufferSize: LIMITS.gossipOutboundBuffer,
    maxTopicBytesPerPeer: 64 * 1024,
    decodeRpcLimits: {
      maxSubscriptions: 64,
      maxMessages: 256,
      maxIhaveMessageIDs: 5000,
      maxIwantMessageIDs: 5000,
      maxIdontwantMessageIDs: 512,
      maxControlMessages: 64,
      maxPeerInfos: 16,
    },
    scoreParams: {
      // No topic parameters: delivery deficits (P3, P3b) would punish peers whose messages we ignore by design.
      topics: {},
      appSpecificScore: modules.score,
      appSpecificWeight: 1,
      // Local networks run on one address; connection limits guard against crowds.
      IPColocationFactorWeight: 0,
      retainScore: LIMITS.retainScoreMs,
    },
  });
  return await createLibp2p({
    privateKey: options.privateKey,
    start: false,
    addresses: { listen: [...options.listen], announce: [...options.announce] },
    transports: [
      tcp({
        maxConnections: modules.maxConnections + LIMITS.pendingInbound,
        // What comes while one turn of the event loop lasts: an honest dial behind a flood is not lost in the system.
        backlog: LIMITS.listenBacklog,
        // An idle link is watched by pings, not by silence.
        inboundSocketInactivityTimeout: 120_000,
        outboundSocketInactivityTimeout: 120_000,
      }),
    ],
    connectionEncrypters: [lightNoise()],
    streamMuxers: [
      safeYamux(
        {
          maxInboundStreams: LIMITS.streamsPerPeer,
          maxOutboundStreams: LIMITS.streamsPerPeer,
          streamOptions: {
            maxReadBufferLength: LIMITS.streamReadBuffer,
            maxWriteBufferLength: LIMITS.streamWriteBuffer,
            maxStreamWindowSize: LIMITS.streamWindow,
          },
        },
        modules.now,
      ),
    ],
    connectionGater: gaterOf(modules.gate),
    connectionManager: {
      maxConnections: modules.maxConnections,
      maxParallelDials: LIMITS.parallelDials,
      dialTimeout: LIMITS.dialTimeoutMs,
      addressDialTimeout: LIMITS.dialTimeoutMs,
      inboundUpgradeTimeout: LIMITS.statusTimeoutMs,
      inboundStreamProtocolNegotiationTimeout: LIMITS.statusTimeoutMs,
      outboundStreamProtocolNegotiationTimeout: LIMITS.statusTimeoutMs,
      inboundConnectionThreshold: LIMITS.inboundPerSecond,
      maxIncomingPendingConnections: LIMITS.pendingInbound,
      // The dialler of our own never gives up; libp2p's would, and would race with it.
      reconnectRetries: 0,
    },
    connectionMonitor: { pingInterval: 5000 },
    // Addresses of validators must not expire; those of other peers go with them (departed.ts).
    peerStore: { maxAddressAge: Number.POSITIVE_INFINITY, maxPeerAge: Number.POSITIVE_INFINITY },
    services: {
      identify: identify({ maxMessageSize: 8192, timeout: LIMITS.statusTimeoutMs }),
      ping: ping({ maxInboundStreams: 2, maxOutboundStreams: 2 }),
      pubsub: (components: GossipSubComponents) => pubsub(inspected(components, modules)),
    },
  });
}
