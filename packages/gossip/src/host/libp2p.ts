import { createHash } from "node:crypto";
import { noise } from "@chainsafe/libp2p-noise";
import { type GossipSub, type GossipSubComponents, gossipsub, StrictNoSign } from "@libp2p/gossipsub";
import { type Identify, identify } from "@libp2p/identify";
import type { ConnectionGater, Libp2p, PrivateKey } from "@libp2p/interface";
import { type Ping, ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { createLibp2p } from "libp2p";
import { LIMITS } from "../limits.ts";
import { setReading } from "../wire/ends.ts";
import { bytesKey } from "../wire/keys.ts";
import { type GossipFault, inspectGossipStream } from "./inspector.ts";
import { safeYamux } from "./muxer.ts";

export interface HostOptions {
  readonly privateKey: PrivateKey;
  readonly listen: readonly string[];
  readonly announce: readonly string[];
  readonly maxConnections: number;
  readonly topics: readonly string[];
  readonly gater: ConnectionGater;
  /** Own score of a peer, 0 or negative. */
  readonly score: (peer: string) => number;
  /** A peer wrote to its gossipsub stream what gossipsub would drop in silence. */
  readonly gossipFault: (peer: string, fault: GossipFault) => void;
}

export type Host = Libp2p<{ pubsub: GossipSub; identify: Identify; ping: Ping }>;

/** Message id: the first 20 bytes of SHA-256 over topic and content. */
function messageId(message: { readonly topic: string; readonly data: Uint8Array }): Uint8Array {
  return createHash("sha256")
    .update(message.topic)
    .update("\0")
    .update(message.data)
    .digest()
    .subarray(0, 20);
}

/** Hands gossipsub a registrar whose inbound streams are inspected beside it. */
function inspected(components: GossipSubComponents, options: HostOptions): GossipSubComponents {
  const { registrar } = components;
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
          inspectGossipStream(stream, LIMITS.frameBytes, (fault) => {
            options.gossipFault(connection.remotePeer.toString(), fault);
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

/** The libp2p node: TCP, Noise, yamux, identify, ping, gossipsub; not started. */
export async function createHost(options: HostOptions): Promise<Host> {
  const pubsub = gossipsub({
    // Our messages carry the signatures of consensus; a second one costs 15 ms of CPU per height.
    globalSignaturePolicy: StrictNoSign,
    msgIdFn: messageId,
    msgIdToStrFn: bytesKey,
    allowedTopics: [...options.topics],
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    emitSelf: false,
    fallbackToFloodsub: false,
    floodPublish: true,
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
      appSpecificScore: options.score,
      appSpecificWeight: 1,
      // Local networks run on one address; connection limits guard against crowds.
      IPColocationFactorWeight: 0,
    },
  });
  return await createLibp2p({
    privateKey: options.privateKey,
    start: false,
    addresses: { listen: [...options.listen], announce: [...options.announce] },
    transports: [
      tcp({
        maxConnections: options.maxConnections + LIMITS.pendingInbound,
        backlog: 64,
        // An idle link is watched by pings, not by silence.
        inboundSocketInactivityTimeout: 120_000,
        outboundSocketInactivityTimeout: 120_000,
      }),
    ],
    connectionEncrypters: [noise()],
    streamMuxers: [
      safeYamux({
        maxInboundStreams: LIMITS.streamsPerPeer,
        maxOutboundStreams: LIMITS.streamsPerPeer,
        streamOptions: {
          maxReadBufferLength: LIMITS.streamReadBuffer,
          maxWriteBufferLength: LIMITS.streamWriteBuffer,
          maxStreamWindowSize: LIMITS.streamWindow,
        },
      }),
    ],
    connectionGater: options.gater,
    connectionManager: {
      maxConnections: options.maxConnections,
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
    // Addresses of validators must not expire.
    peerStore: { maxAddressAge: Number.POSITIVE_INFINITY, maxPeerAge: Number.POSITIVE_INFINITY },
    services: {
      identify: identify({ maxMessageSize: 8192, timeout: LIMITS.statusTimeoutMs }),
      ping: ping({ maxInboundStreams: 2, maxOutboundStreams: 2 }),
      pubsub: (components: GossipSubComponents) => pubsub(inspected(components, options)),
    },
  });
}
