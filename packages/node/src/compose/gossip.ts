import { type ChainState, type Genesis, genesisHash, upgradesHash } from "@quorate/chain";
import type { Verifier } from "@quorate/crypto";
import type { ConsensusView, Gossip, GossipEvents, LogPort, PeerBinding, PeerStatus } from "@quorate/gossip";
import type { BlockStore } from "@quorate/store";
import type { Clock } from "../clock.ts";
import { NodeError, reasonOf } from "../errors.ts";
import type { Metrics } from "../metrics/index.ts";
import { gossipMetrics } from "../metrics/ports.ts";
import type { CreateGossip } from "../ports.ts";

/** Version of the peer-to-peer protocol; a difference disconnects. */
export const PROTOCOL_VERSION = 1;

export interface GossipSources {
  readonly moniker: string;
  readonly binding: PeerBinding | null;
  readonly create: CreateGossip;
  readonly genesis: Genesis;
  readonly store: BlockStore;
  readonly verifier: Verifier;
  readonly view: ConsensusView;
  readonly events: GossipEvents;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: LogPort;
  chain(): ChainState;
}

export function openGossip(sources: GossipSources): Promise<Gossip> {
  const { genesis, store, metrics } = sources;
  const genesisBytes = genesisHash(genesis);
  const upgradesBytes = upgradesHash(genesis.upgrades);
  const status = (): PeerStatus => ({
    protocolVersion: PROTOCOL_VERSION,
    chainId: genesis.chainId,
    genesisHash: genesisBytes,
    upgradesHash: upgradesBytes,
    elGenesisHash: genesis.elGenesisHash,
    height: sources.chain().lastHeight,
    earliestHeight: store.base,
    moniker: sources.moniker,
    ...(sources.binding === null ? {} : { binding: sources.binding }),
  });
  return sources.create({
    verifier: sources.verifier,
    view: sources.view,
    events: sources.events,
    serve: async (from, count, maxBytes) => ({ blocks: await store.blocks(from, count, maxBytes) }),
    status,
    log: sources.log,
    metrics: gossipMetrics(metrics),
    clock: sources.clock,
  });
}

/** Starts it. An address that cannot be listened on is the operator's matter: exit 4 when it is taken, else 3. */
export async function startGossip(gossip: Gossip, listen: readonly string[]): Promise<void> {
  try {
    await gossip.start();
  } catch (error) {
    const code = /listen (E[A-Z]+)/.exec(reasonOf(error))?.[1];
    if (code === undefined) throw error;
    throw new NodeError({
      exitCode: code === "EADDRINUSE" ? 4 : 3,
      code: "P2P_LISTEN",
      what: `p2p cannot listen on ${listen.join(", ")} (${code === "EADDRINUSE" ? "the port is in use" : code})`,
      do: "free the port or set another one in [p2p] listen of config.toml",
      cause: error,
    });
  }
}
