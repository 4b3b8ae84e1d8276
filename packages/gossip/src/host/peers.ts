import { RecentKeys, toHex } from "@quorate/crypto";
import type { Source } from "../admission/context.ts";
import type { BodySender } from "../bodies/sender.ts";
import { GossipError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { SentItems } from "../roundstate/sent.ts";
import { TokenBucket } from "../scoring/token-bucket.ts";
import type { TopicKind } from "../topics/names.ts";
import type { PeerInfo, PeerStatus, RoundState } from "../types.ts";
import type { ByteStream, Connection } from "./network.ts";

type Snapshot = Omit<PeerInfo, "topics"> & { readonly topics: readonly TopicKind[] };

/** All that is known of one connected peer. It lives as long as its connection. */
export class Peer implements Source {
  readonly id: string;
  readonly connection: Connection;
  /** Wall clock. */
  readonly connectedAtMs: number;
  /** Monotonic, as all other times here. */
  readonly openedAtMs: number;
  #validator: Uint8Array | null;
  #validatorHex: string | null;
  /** The network was asked to keep its link before others. */
  guarded = false;
  /** The peer stream, once open. */
  stream: ByteStream | null = null;
  status: PeerStatus | null = null;
  roundState: RoundState | null = null;
  /** Validators that it has direct links to, as it told last: the more, the less often it tells. */
  links = 0;
  /** Its status was accepted and ours sent: it counts as connected. */
  ready = false;
  observedHeight = 0;
  verifications = 0;
  /** Sync requests of it being served. */
  serving = 0;
  readonly subscribed: Set<TopicKind> = new Set();
  readonly sent: SentItems = new SentItems();
  /** Evidence that it was offered, and when last. */
  readonly evidenceSent: RecentKeys = new RecentKeys(LIMITS.evidenceSeen);
  evidenceAtMs: number = Number.NEGATIVE_INFINITY;
  readonly txItems: TokenBucket;
  readonly txBytes: TokenBucket;
  readonly evidence: TokenBucket;
  readonly useless: TokenBucket;
  readonly #leaving = new AbortController();
  readonly frames: TokenBucket;
  readonly messages: TokenBucket;
  readonly requests: TokenBucket;
  /** Last push of our round state, and which version of it. */
  pushedAtMs: number = Number.NEGATIVE_INFINITY;
  pushedVersion = -1;
  /** When its round state last came. */
  toldAtMs: number = Number.NEGATIVE_INFINITY;
  /** Last push of our status. */
  statusAtMs: number = Number.NEGATIVE_INFINITY;
  statusHeight = -1;
  /** Height whose commit was last announced to it. */
  announcedHeight = 0;
  /** When repair is due, `null` = nothing to look at. */
  repairAtMs: number | null = null;
  /** A repair that reads from the store is under way. */
  repairing = false;
  cancelStatusTimer: (() => void) | null = null;
  /** Looks of the watchdog in a row that found a gossip stream missing. */
  gossipMissing = 0;
  /** It spoke on its gossip stream, or both streams were seen open. */
  gossipOpened = false;
  /** Sends it large bodies. */
  bodySender: BodySender | null = null;
  /** Bodies it asked for lately. */
  readonly wants: TokenBucket;
  #info: Snapshot | null = null;

  constructor(connection: Connection, validator: Uint8Array | null, now: number, wallNow: number) {
    this.connection = connection;
    this.id = connection.remotePeer.toString();
    this.#validator = validator;
    this.#validatorHex = validator === null ? null : toHex(validator);
    this.connectedAtMs = wallNow;
    this.openedAtMs = now;
    this.txItems = new TokenBucket(LIMITS.txsPerSecond, LIMITS.txsPerSecond, now);
    this.txBytes = new TokenBucket(LIMITS.txBytesPerSecond, LIMITS.txBytesPerSecond, now);
    this.useless = new TokenBucket(LIMITS.uselessBurst, LIMITS.uselessPerSecond, now);
    this.evidence = new TokenBucket(LIMITS.evidencePerSecond, LIMITS.evidencePerSecond, now);
    this.frames = new TokenBucket(LIMITS.streamFrameBurst, LIMITS.streamFramesPerSecond, now);
    this.messages = new TokenBucket(LIMITS.gossipBurst, LIMITS.gossipPerSecond, now);
    this.wants = new TokenBucket(LIMITS.wantsBurst, LIMITS.wantsPerSecond, now);
    this.requests = new TokenBucket(LIMITS.requestBurst, LIMITS.requestsPerSecond, now);
  }

  get gone(): AbortSignal {
    return this.#leaving.signal;
  }

  /** Its connection ended or is about to. */
  left(): void {
    this.#leaving.abort(new GossipError("CLOSED", "the peer is gone"));
  }

  /** Address of the validator that speaks through it, `null` = none is known. */
  get validator(): Uint8Array | null {
    return this.#validator;
  }

  get validatorHex(): string | null {
    return this.#validatorHex;
  }

  /** Its binding was verified. */
  bind(validator: Uint8Array): void {
    this.#validator = validator;
    this.#validatorHex = toHex(validator);
  }

  /** Of the connection, as last measured; 0 before. */
  get roundTripMs(): number {
    return Math.min(LIMITS.roundTripMs, Math.max(0, this.connection.rtt ?? 0));
  }

  /** What is known of it now; the same object as long as that is the same: consensus asks for all peers after every input. */
  info(): PeerInfo {
    const known = this.#info;
    if (known !== null && this.#isCurrent(known)) return known;
    this.#info = {
      id: this.id,
      address: this.connection.remoteAddr.toString(),
      inbound: this.connection.direction === "inbound",
      status: this.status,
      roundState: this.roundState,
      toldAtMs: this.toldAtMs,
      validator: this.validator,
      connectedAtMs: this.connectedAtMs,
      topics: [...this.subscribed],
    };
    return this.#info;
  }

  #isCurrent({ status, roundState, toldAtMs, validator, topics }: Snapshot): boolean {
    return (
      validator === this.#validator &&
      status === this.status &&
      roundState === this.roundState &&
      toldAtMs === this.toldAtMs &&
      topics.length === this.subscribed.size &&
      topics.every((topic) => this.subscribed.has(topic))
    );
  }
}

/** Connected peers by id. */
export type PeerTable = ReadonlyMap<string, Peer>;
