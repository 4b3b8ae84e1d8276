import type { Block, ChainState, ElHead, EnvelopeV1, Hash, Height, PayloadAttributes } from "@quorate/chain";

/** Answer of newPayload as data; transport failure is data too. */
export type Verdict =
  | { readonly kind: "valid" }
  | { readonly kind: "invalid"; readonly reason: string }
  /** SYNCING, ACCEPTED, transport error, time-out: no verdict. */
  | { readonly kind: "unknown"; readonly reason: string };

/** What a build yields: the transactions of the block to propose, envelope first. */
export interface BuiltPayload {
  readonly txs: readonly Uint8Array[];
  /**
   * Milliseconds our own newPayload took; above timeoutPropose / 2 the proposer rebuilds (DESIGN §7). `null`: it is under way,
   * and the EL has shown on the last payloads that it will be quick; the verdict is asked for like any other.
   */
  readonly validationMs: number | null;
}

/** State of the connection to the EL, changed by the adapter alone; every change is logged once. */
export type ElStatus =
  | { readonly kind: "connecting" }
  | { readonly kind: "ready"; readonly client: string }
  /** Behind the store: replay runs. */
  | { readonly kind: "replaying"; readonly head: Height; readonly target: Height }
  | { readonly kind: "offline"; readonly reason: string; readonly action: string }
  /** Wrong genesis, chain id, contracts, fork times, JWT secret: an operator must act. */
  | {
      readonly kind: "misconfigured";
      readonly code: string;
      readonly reason: string;
      readonly action: string;
    }
  /** Said INVALID to a decided block: do not vote; climb the ladder. */
  | { readonly kind: "broken"; readonly reason: string; readonly action: string };

/**
 * The execution client as the node sees it. Two implementations: Engine API over HTTP with JWT (Geth, devnet-el), and
 * the built-in FIFO pool of execution "none". The EL is a follower: `follow` feeds it decided blocks with its own cursor.
 */
export interface ExecutionClient {
  readonly status: ElStatus;
  /** Highest height the EL acknowledged as head = safe = finalized. */
  readonly executedHeight: Height;
  readonly head: ElHead | null;
  /** Checks genesis, chain id, fork times and contracts, sends fcU(head), starts the follower. */
  start(state: ChainState): Promise<void>;
  /** Starts a build on the head of `state` for these attributes; later {@link getBuilt}. Idempotent per attributes. */
  prepare(state: ChainState, attributes: PayloadAttributes): Promise<void>;
  /**
   * Takes the payload when its build window has passed and checks it with newPayload. `null`: nothing could be built.
   * `immediate`: without a build window, which gives the EL's empty block (the rebuild of a payload that validates too
   * slowly); its attributes must differ from those of the payload it replaces.
   */
  getBuilt(
    state: ChainState,
    attributes: PayloadAttributes,
    signal: AbortSignal,
    immediate?: boolean,
  ): Promise<BuiltPayload | null>;
  /** Fields were checked by `chain`; asks newPayload. UNKNOWN is retried by the adapter until the signal aborts. */
  validate(block: Block, parentBeaconBlockRoot: Hash, signal: AbortSignal): Promise<Verdict>;
  /** A new decided height lies in the store: feed it to the EL. Returns at once. */
  decided(height: Height): void;
  /** Resolves when executedHeight >= height or rejects when aborted. */
  whenExecuted(height: Height, signal: AbortSignal): Promise<void>;
  /** Raw pending transactions that appeared since the last call (for the `txs` topic). Bounded. */
  pendingTxs(): Promise<readonly Uint8Array[]>;
  /** Hands a gossiped transaction to the EL's pool; a refusal is not an error. */
  submitTx(raw: Uint8Array): Promise<{ readonly accepted: boolean; readonly reason?: string }>;
  /** The same for many, of a client that answers at once: an answer each. */
  submitTxs?(
    raws: readonly Uint8Array[],
  ): readonly { readonly accepted: boolean; readonly reason?: string }[];
  onStatus(listener: (status: ElStatus) => void): () => void;
  close(): Promise<void>;
}

/** Port to the store: what the follower reads. */
export interface DecidedBlocks {
  readonly base: Height;
  readonly height: Height;
  block(height: Height): Promise<{ readonly block: Block; readonly parentBeaconBlockRoot: Hash } | null>;
  executedHeight(): Promise<Height>;
  setExecutedHeight(height: Height): Promise<void>;
}

/** Payload as the Engine API carries it, without our envelope. */
export interface ExecutionPayload {
  readonly envelope: EnvelopeV1;
  readonly transactions: readonly Uint8Array[];
}
