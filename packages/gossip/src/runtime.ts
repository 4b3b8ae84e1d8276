import type { Admission, Outcome } from "./admission/admission.ts";
import type { BodyCollector } from "./bodies/collector.ts";
import type { GossipClock } from "./clock.ts";
import type { Links } from "./host/links.ts";
import type { Network } from "./host/network.ts";
import type { Peer } from "./host/peers.ts";
import type { GossipModules, Offence } from "./types.ts";

/** What the parts of the gossip layer share; made once by createGossip. */
export interface Runtime {
  readonly modules: GossipModules;
  readonly network: Network;
  readonly peers: ReadonlyMap<string, Peer>;
  readonly links: Links;
  readonly admission: Admission;
  readonly bodies: BodyCollector;
  readonly clock: GossipClock;
  /** Monotonic, ms. */
  readonly now: () => number;
  readonly report: (peer: string, offence: Offence) => void;
  /** Writes to the peer stream; false when it is closed. */
  readonly write: (peer: Peer, bytes: Uint8Array) => boolean;
}

/** Charges a peer for what admission found. */
export function charge(runtime: Runtime, peer: string, outcome: Outcome): void {
  if (outcome.offence !== null) runtime.report(peer, outcome.offence);
}
