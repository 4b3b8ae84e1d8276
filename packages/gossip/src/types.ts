import type {
  BlockId,
  Certificate,
  Evidence,
  Hash,
  Height,
  Part,
  Proposal,
  Round,
  ValidatorSet,
  Vote,
} from "@quorate/chain";
import type { Verifier } from "@quorate/crypto";
import type { GossipClock } from "./clock.ts";

/** First words of every peer pair; a mismatch disconnects with a code (DESIGN §6). */
export interface PeerStatus {
  readonly protocolVersion: number;
  readonly chainId: string;
  readonly genesisHash: Hash;
  readonly upgradesHash: Hash;
  readonly elGenesisHash: Hash;
  readonly height: Height;
  readonly earliestHeight: Height;
  readonly moniker: string;
  /** Of a validator's peer; looked at in its first status alone. */
  readonly binding?: PeerBinding;
}

/** The word of a consensus key for the peer id that it speaks through: a signature over chain's `peerBindingBytes`. */
export interface PeerBinding {
  /** 32 bytes. */
  readonly pubKey: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** What a node tells its neighbours on the round-state stream; the other side sends exactly what is missing. */
export interface RoundState {
  readonly height: Height;
  readonly round: Round;
  readonly step: number;
  /** Block id of the proposal held for (height, round), `null` = none. */
  readonly proposal: BlockId | null;
  /** Which parts of it are held. */
  readonly parts: BitArray;
  /** Votes held, per round and type: the current round, the lock and valid rounds, recent rounds. */
  readonly votes: readonly { readonly round: Round; readonly type: Vote["type"]; readonly have: BitArray }[];
  /** Known +2/3 per (round, type). */
  readonly maj23: readonly {
    readonly round: Round;
    readonly type: Vote["type"];
    readonly blockId: BlockId | null;
  }[];
  /** Validators (by set index) that this node has a direct link to. */
  readonly direct: BitArray;
  /** The node could propose: its EL is ready, and nothing else is known to be in the way. */
  readonly elReady: boolean;
  readonly leaving: boolean;
}

export interface BitArray {
  readonly size: number;
  /** ceil(size / 8) bytes, bit i = byte i>>3, mask 1 << (i & 7). */
  readonly bits: Uint8Array;
}

/** What consensus knows of it; the links are gossip's own. */
export type OwnRoundState = Omit<RoundState, "direct">;

/** What admission needs to know about consensus; given as functions, gossip does not import consensus. */
export interface ConsensusView {
  /** Height being decided. */
  readonly height: Height;
  readonly round: Round;
  validators(height: Height): ValidatorSet | null;
  /** Proposer's public key of (height, round); `null` outside the window. */
  proposer(height: Height, round: Round): Uint8Array | null;
  /** Votes held, for repair: at most what limits.ts allows. */
  roundState(): OwnRoundState;
  vote(round: Round, type: Vote["type"], validatorIndex: number): Vote | null;
  certificate(round: Round, type: Vote["type"]): Certificate | null;
  proposal(round: Round): { readonly proposal: Proposal; readonly body: Uint8Array | null } | null;
  part(blockId: BlockId, index: number): Part | null;
  /** Evidence that waits for a block, oldest first: each is offered once to every peer that decided its height. */
  evidence(): readonly Evidence[];
  /** Commit announcement for peers that are behind by one: certificate and body of the last height. */
  lastCommit(): {
    readonly height: Height;
    readonly certificate: Certificate;
    readonly proposal: Proposal | null;
  } | null;
}

/** Verified messages handed up. Each arrives at most once per distinct content. */
export interface GossipEvents {
  proposal(proposal: Proposal, receivedAtMs: number, from: string): void;
  /**
   * A complete body whose part-set root matched; not yet decoded or validated. `from`: its proposer's own peer, `null` when
   * another one passed it on, who knows no more of it and is not to blame.
   */
  body(height: Height, blockId: BlockId, bytes: Uint8Array, from: string | null): void;
  vote(vote: Vote, from: string): void;
  certificate(certificate: Certificate, from: string): void;
  /**
   * `verified`: its signatures, against the set of its height. Otherwise (a height whose set the view knows no more, an
   * attack on light clients) only its form and the sender's rate were looked at, and it may come again.
   */
  evidence(evidence: Evidence, from: string, verified: boolean): void;
  tx(raw: Uint8Array, from: string): void;
  peer(peer: PeerInfo, change: "connected" | "disconnected" | "status" | "round_state"): void;
}

export interface PeerInfo {
  readonly id: string;
  readonly address: string;
  readonly inbound: boolean;
  readonly status: PeerStatus | null;
  readonly roundState: RoundState | null;
  /** Monotonic ms at which it told that. */
  readonly toldAtMs: number;
  /** Consensus address bound to this peer id, by configuration or by its own word; only earns protected links. */
  readonly validator: Uint8Array | null;
  readonly connectedAtMs: number;
  /** Gossip topics it joined: proposals, parts, votes, evidence, txs. */
  readonly topics?: readonly string[];
}

/** The libp2p gossip layer. */
export interface Gossip {
  readonly peerId: string;
  /** Own multiaddrs, with /p2p/. */
  readonly addresses: readonly string[];
  readonly peers: readonly PeerInfo[];
  start(): Promise<void>;
  /** Own proposal; the body travels inline up to 64 KiB, else by direct streams and parts. */
  publishProposal(proposal: Proposal, body: Uint8Array): void;
  /** Packed with everything else of this tick for the topic. */
  publishVote(vote: Vote): void;
  publishCertificate(certificate: Certificate): void;
  publishEvidence(evidence: Evidence): void;
  publishTxs(raws: readonly Uint8Array[]): void;
  /**
   * The round state changed: told to peers when it has come to rest, and now and then while it has not; or before this call
   * returns.
   */
  roundStateChanged(atOnce?: boolean): void;
  /** A height was decided: status to peers, commit announcement to those behind. */
  heightDecided(height: Height): void;
  /** Asks peers for a body that a quorum wants. */
  wantBody(height: Height, round: Round, blockId: BlockId): void;
  /** Request/response for sync, with bounds and deadline. */
  request(peerId: string, request: SyncRequest, signal: AbortSignal): Promise<SyncResponse>;
  /** A peer's answer was bad: score, maybe disconnect. */
  report(peerId: string, offence: Offence): void;
  /** Joins or leaves the vote topics (validators and their candidates only). */
  setValidating(on: boolean): void;
  stop(): Promise<void>;
}

export type SyncRequest = { readonly kind: "blocks"; readonly from: Height; readonly count: number };
/** Encoded blocks, consecutive from `from`, plus the commit for the last one; fewer than asked is allowed. */
export interface SyncResponse {
  readonly blocks: readonly {
    readonly height: Height;
    readonly block: Uint8Array;
    readonly commit: Uint8Array;
  }[];
}

/** Closed list of offences; its table (points, verdict, metric label) stands in scoring.ts. */
export type Offence =
  | "malformed"
  | "oversized"
  | "bad_signature"
  | "not_a_validator"
  | "out_of_window"
  | "bad_part"
  | "bad_block"
  | "bad_commit"
  | "timeout"
  | "wrong_chain"
  | "equivocation"
  | "flood";

export interface GossipModules {
  readonly verifier: Verifier;
  readonly view: ConsensusView;
  readonly events: GossipEvents;
  /** Serves sync requests from the store; `null` = not available. */
  readonly serve: (from: Height, count: number, maxBytes: number) => Promise<SyncResponse>;
  readonly status: () => PeerStatus;
  readonly log: LogPort;
  readonly metrics: GossipMetrics | null;
  readonly clock: GossipClock;
}

/** Leaf packages log through this; node supplies it. */
export interface LogPort {
  debug(message: string, facts?: Readonly<Record<string, unknown>>): void;
  info(message: string, facts?: Readonly<Record<string, unknown>>): void;
  warn(message: string, facts?: Readonly<Record<string, unknown>>): void;
  error(message: string, facts?: Readonly<Record<string, unknown>>): void;
}

export interface GossipMetrics {
  message(topic: string, verdict: "accept" | "reject" | "ignore"): void;
  bytes(direction: "in" | "out", channel: string, bytes: number): void;
  peers(count: number): void;
  queue(name: string, length: number, limit: number): void;
  /** A vote that was known already, or one for an earlier height or round; before its signature is looked at. */
  vote(kind: "duplicate" | "late", type: Vote["type"]): void;
  offence(kind: Offence): void;
}

export interface GossipOptions {
  /** libp2p private key protobuf (Ed25519) of the node key. */
  readonly nodeKey: Uint8Array;
  /** Multiaddrs, e.g. /ip4/0.0.0.0/tcp/26656. */
  readonly listen: readonly string[];
  readonly announce?: readonly string[];
  /** Multiaddrs with /p2p/, dialled for ever. */
  readonly persistentPeers: readonly string[];
  /** When set, only these peer ids are admitted (permissioned mode). */
  readonly allow?: readonly string[];
  /** Validator address (hex) -> peer id, from config or signed bindings. */
  readonly validatorPeers?: Readonly<Record<string, string>>;
  readonly maxPeers: number;
  /** 0 .. 1, spreads redials. Default Math.random. */
  readonly random?: () => number;
}
