import type {
  BlockId,
  Certificate,
  Evidence,
  Part,
  Proposal,
  Time,
  ValidatorSet,
  Vote,
} from "@quorate/chain";
import {
  blockIdEquals,
  certificateFromVotes,
  makePartSet,
  makeValidatorSet,
  proposalSignBytes,
  proposerOf,
  voteSignBytes,
} from "@quorate/chain";
import { ed25519PublicKey, ed25519Sign, inlineVerifier, sha256, toHex } from "@quorate/crypto";
import type { GossipClock } from "../src/clock.ts";
import { wireGossip } from "../src/gossip.ts";
import type { Connection } from "../src/host/network.ts";
import {
  bitsOf,
  type ConsensusView,
  emptyBits,
  type Gossip,
  type GossipEvents,
  type GossipMetrics,
  type GossipModules,
  type GossipOptions,
  nodeKeyFromSeed,
  type Offence,
  type PeerInfo,
  type PeerStatus,
  PROTOCOL_VERSION,
  peerIdOf,
  type RoundState,
  type SyncResponse,
} from "../src/index.ts";
import { LIMITS } from "../src/limits.ts";

export const CHAIN_ID = "gossip-test";
const TIME: Time = 1_800_000_000_000_000_000n;

const utf8 = new TextEncoder();

/** The real time. */
export const systemClock: GossipClock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  timer(ms, callback) {
    if (ms <= 0) {
      const immediate = setImmediate(callback);
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** The real time, with more patience than a node has with peers that come late: on a busy machine all of them do. */
export const patientClock: GossipClock = {
  ...systemClock,
  timer: (ms, callback) => systemClock.timer(ms < LIMITS.statusTimeoutMs ? ms : 12 * ms, callback),
};

/** A clock that a test can stop: as long as it stands, nothing that a rate allows comes back. */
export class StoppableClock implements GossipClock {
  #stoppedAt: number | null = null;
  readonly wallMs: GossipClock["wallMs"] = patientClock.wallMs;
  readonly timer: GossipClock["timer"] = patientClock.timer;

  monotonicMs(): number {
    return this.#stoppedAt ?? patientClock.monotonicMs();
  }

  stop(): void {
    this.#stoppedAt = this.monotonicMs();
  }
}

export function seedOf(text: string): Uint8Array {
  return sha256(utf8.encode(text));
}

export interface Signer {
  readonly seed: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly address: Uint8Array;
  readonly index: number;
}

/** A validator set with its signers in set order. */
export function makeCommittee(count: number): { readonly set: ValidatorSet; readonly signers: Signer[] } {
  const seeds = Array.from({ length: count }, (_, i) => seedOf(`validator ${i}`));
  const set = makeValidatorSet(seeds.map((seed) => ({ pubKey: ed25519PublicKey(seed), power: 10n })));
  const bySeed = new Map(seeds.map((seed) => [toHex(ed25519PublicKey(seed)), seed]));
  const signers = set.validators.map((validator, index) => ({
    seed: bySeed.get(toHex(validator.pubKey))!,
    publicKey: validator.pubKey,
    address: validator.address,
    index,
  }));
  return { set, signers };
}

/** A body of `size` bytes and its id. */
export function makeBody(
  label: string,
  size: number,
): { readonly bytes: Uint8Array; readonly blockId: BlockId } {
  const bytes = new Uint8Array(size);
  const seed = seedOf(label);
  for (let i = 0; i < size; i++) bytes[i] = (seed[i & 31]! + i * 31) & 0xff;
  return { bytes, blockId: { hash: seedOf(`hash ${label}`), parts: makePartSet(bytes).header } };
}

export function signVote(
  signer: Signer,
  vote: {
    readonly type: Vote["type"];
    readonly height: number;
    readonly round: number;
    readonly blockId: BlockId | null;
    readonly timestamp?: Vote["timestamp"];
  },
): Vote {
  const unsigned: Vote = {
    timestamp: TIME,
    ...vote,
    validatorAddress: signer.address,
    validatorIndex: signer.index,
    signature: new Uint8Array(64),
  };
  return { ...unsigned, signature: ed25519Sign(signer.seed, voteSignBytes(CHAIN_ID, unsigned)) };
}

export function signProposal(
  set: ValidatorSet,
  signers: readonly Signer[],
  proposal: {
    readonly height: number;
    readonly round: number;
    readonly polRound?: number;
    readonly blockId: BlockId;
  },
): Proposal {
  const proposer = proposerOf(set, proposal.round);
  const signer = signers.find((candidate) => toHex(candidate.address) === toHex(proposer.address))!;
  const unsigned: Proposal = { polRound: -1, ...proposal, timestamp: TIME, signature: new Uint8Array(64) };
  return { ...unsigned, signature: ed25519Sign(signer.seed, proposalSignBytes(CHAIN_ID, unsigned)) };
}

/** A consensus of sorts: keeps what it is told, and answers what gossip asks. */
export class FakeView implements ConsensusView {
  height = 5;
  round = 0;
  step = 1;
  set: ValidatorSet;
  readonly votes = new Map<string, Vote>();
  readonly proposals: Map<number, { proposal: Proposal; body: Uint8Array | null }> = new Map();
  readonly certificates: Certificate[] = [];
  readonly partsHeld = new Map<string, Map<number, Part>>();
  readonly pending: Evidence[] = [];
  last: ReturnType<ConsensusView["lastCommit"]> = null;
  leaving = false;

  constructor(set: ValidatorSet) {
    this.set = set;
  }

  validators(height: number): ValidatorSet | null {
    return Math.abs(height - this.height) <= 1 ? this.set : null;
  }

  proposer(height: number, round: number): Uint8Array | null {
    return Math.abs(height - this.height) <= 1 ? proposerOf(this.set, round).pubKey : null;
  }

  addVote(vote: Vote): void {
    if (vote.height !== this.height) return;
    this.votes.set(`${vote.round}/${vote.type}/${vote.validatorIndex}`, vote);
  }

  vote(round: number, type: Vote["type"], index: number): Vote | null {
    return this.votes.get(`${round}/${type}/${index}`) ?? null;
  }

  certificate(round: number, type: Vote["type"]): Certificate | null {
    return this.certificates.find((found) => found.round === round && found.type === type) ?? null;
  }

  proposal(round: number): { readonly proposal: Proposal; readonly body: Uint8Array | null } | null {
    return this.proposals.get(round) ?? null;
  }

  part(blockId: BlockId, index: number): Part | null {
    const held = [...this.proposals.values()].find(({ proposal }) =>
      blockIdEquals(proposal.blockId, blockId),
    );
    return held?.body == null ? null : (makePartSet(held.body).parts[index] ?? null);
  }

  evidence(): readonly Evidence[] {
    return this.pending;
  }

  lastCommit(): ReturnType<ConsensusView["lastCommit"]> {
    return this.last;
  }

  roundState(): RoundState {
    const size = this.set.validators.length;
    const groups = new Map<string, Vote[]>();
    for (const vote of this.votes.values()) {
      const key = `${vote.round}/${vote.type}`;
      groups.set(key, [...(groups.get(key) ?? []), vote]);
    }
    const held = this.proposals.get(this.round);
    const total = held?.proposal.blockId.parts.total ?? 0;
    return {
      height: this.height,
      round: this.round,
      step: this.step,
      proposal: held?.proposal.blockId ?? null,
      parts: held?.body
        ? bitsOf(
            total,
            Array.from({ length: total }, (_, i) => i),
          )
        : emptyBits(total),
      votes: [...groups.values()].map((votes) => ({
        round: votes[0]!.round,
        type: votes[0]!.type,
        have: bitsOf(
          size,
          votes.map((vote) => vote.validatorIndex),
        ),
      })),
      maj23: this.certificates.map(({ round, type, blockId }) => ({ round, type, blockId })),
      direct: emptyBits(size),
      elReady: true,
      leaving: this.leaving,
    };
  }

  /** The next height begins; nothing of the old one is kept. */
  advance(): void {
    this.height++;
    this.round = 0;
    this.votes.clear();
    this.proposals.clear();
    this.certificates.length = 0;
  }
}

export interface Seen {
  readonly proposals: Proposal[];
  readonly bodies: { height: number; blockId: BlockId; bytes: Uint8Array; from: string | null }[];
  readonly votes: Vote[];
  readonly certificates: Certificate[];
  readonly evidence: Evidence[];
  readonly txs: Uint8Array[];
  readonly peers: { peer: PeerInfo; change: string }[];
  readonly offences: Offence[];
  readonly logs: { message: string; facts: Readonly<Record<string, unknown>> }[];
  readonly verdicts: { topic: string; verdict: string }[];
}

export interface TestNode {
  readonly gossip: Gossip;
  readonly view: FakeView;
  readonly seen: Seen;
  readonly peerId: string;
  /** Resolves as soon as the condition holds; it is asked after every event. */
  until(what: string, condition: () => boolean): Promise<void>;
  /** Aborts the inbound gossip streams of all connections, as a full buffer would. */
  resetGossipStreams(): void;
  readonly connectionsTo: (peer: string) => readonly Connection[];
  /** Signature checks that reached the verifier. */
  readonly checks: () => number;
}

export interface NodeSetup {
  readonly name: string;
  readonly set: ValidatorSet;
  readonly status?: Partial<PeerStatus>;
  readonly options?: Partial<GossipOptions>;
  readonly serve?: GossipModules["serve"];
  /** Merges what arrives into the view, as consensus would, and announces the change. Default true. */
  readonly follow?: boolean;
  /** Default {@link patientClock}. */
  readonly clock?: GossipClock;
}

export const LOOPBACK = "/ip4/127.0.0.1/tcp/0";

export function nodeKeyOf(name: string): Uint8Array {
  return nodeKeyFromSeed(seedOf(`node ${name}`));
}

export function nodeIdOf(name: string): string {
  return peerIdOf(nodeKeyOf(name));
}

export async function startNode(setup: NodeSetup): Promise<TestNode> {
  const view = new FakeView(setup.set);
  const seen: Seen = {
    proposals: [],
    bodies: [],
    votes: [],
    certificates: [],
    evidence: [],
    txs: [],
    peers: [],
    offences: [],
    logs: [],
    verdicts: [],
  };
  const waiters = new Set<() => void>();
  const changed = (): void => {
    for (const waiter of [...waiters]) waiter();
  };
  const follow = setup.follow ?? true;
  const events: GossipEvents = {
    proposal(proposal) {
      seen.proposals.push(proposal);
      if (follow && proposal.height === view.height) {
        view.proposals.set(proposal.round, { proposal, body: null });
        gossip.roundStateChanged();
      }
      changed();
    },
    body(height, blockId, bytes, from) {
      seen.bodies.push({ height, blockId, bytes, from });
      if (follow) {
        for (const held of view.proposals.values()) {
          if (blockIdEquals(held.proposal.blockId, blockId)) held.body = bytes;
        }
        gossip.roundStateChanged();
      }
      changed();
    },
    vote(vote) {
      seen.votes.push(vote);
      if (follow) {
        view.addVote(vote);
        gossip.roundStateChanged();
      }
      changed();
    },
    certificate(certificate) {
      seen.certificates.push(certificate);
      if (follow) {
        view.certificates.push(certificate);
        gossip.roundStateChanged();
      }
      changed();
    },
    evidence(evidence) {
      seen.evidence.push(evidence);
      changed();
    },
    tx(raw) {
      seen.txs.push(raw);
      changed();
    },
    peer(peer, change) {
      seen.peers.push({ peer, change });
      changed();
    },
  };
  const metrics: GossipMetrics = {
    message(topic, verdict) {
      seen.verdicts.push({ topic, verdict });
      changed();
    },
    bytes: () => undefined,
    peers: () => undefined,
    queue: () => undefined,
    vote: () => undefined,
    offence(kind) {
      seen.offences.push(kind);
      changed();
    },
  };
  const record = (message: string, facts: Readonly<Record<string, unknown>> = {}): void => {
    seen.logs.push({ message, facts });
    changed();
  };
  const inline = inlineVerifier();
  let checks = 0;
  const status: PeerStatus = {
    protocolVersion: PROTOCOL_VERSION,
    chainId: CHAIN_ID,
    genesisHash: seedOf("genesis"),
    upgradesHash: seedOf("upgrades"),
    elGenesisHash: seedOf("el genesis"),
    height: 0,
    earliestHeight: 1,
    moniker: setup.name,
    ...setup.status,
  };
  const wired = await wireGossip(
    {
      nodeKey: nodeKeyOf(setup.name),
      listen: [LOOPBACK],
      persistentPeers: [],
      maxPeers: 16,
      // The longest wait before a dial is shorter than the shortest that the clock has more patience with.
      random: () => 0.01,
      ...setup.options,
    },
    {
      verifier: {
        ...inline,
        verifyNow(check) {
          checks++;
          return inline.verifyNow(check);
        },
        verify(list, options) {
          checks += list.length;
          return inline.verify(list, options);
        },
      },
      view,
      events,
      serve: setup.serve ?? (async (): Promise<SyncResponse> => ({ blocks: [] })),
      status: () => ({ ...status, height: view.height }),
      log: { debug: record, info: record, warn: record, error: record },
      metrics,
      clock: setup.clock ?? patientClock,
    },
  );
  const gossip: Gossip = wired.gossip;
  await gossip.start();
  return {
    gossip,
    connectionsTo: (peer) => wired.network.connectionsTo(peer),
    resetGossipStreams() {
      for (const connection of gossip.peers.flatMap(({ id }) => wired.network.connectionsTo(id))) {
        for (const stream of connection.streams) {
          if (stream.protocol.startsWith("/meshsub/") && stream.direction === "inbound") {
            stream.abort(new Error("reset by the test"));
          }
        }
      }
    },
    view,
    seen,
    peerId: gossip.peerId,
    checks: () => checks,
    until(what, condition) {
      if (condition()) return Promise.resolve();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const waiter = (): void => {
        if (!condition()) return;
        waiters.delete(waiter);
        clearTimeout(timer);
        resolve();
      };
      // A guard against hanging only; nothing is asserted about time.
      const timer = setTimeout(() => {
        waiters.delete(waiter);
        const tail = seen.logs.slice(-8).map((log) => `${log.message} ${JSON.stringify(log.facts)}`);
        reject(new Error(`${setup.name}: never happened: ${what}\n${tail.join("\n")}`));
      }, 120_000);
      waiters.add(waiter);
      return promise;
    },
  };
}

export async function stopAll(nodes: readonly TestNode[]): Promise<void> {
  await Promise.all(nodes.map((node) => node.gossip.stop()));
}

/** Starts nodes that dial one another in a chain of persistent peers, all to all, bound to validators in order. */
export async function startMesh(
  names: readonly string[],
  committee: ReturnType<typeof makeCommittee>,
  setup: (name: string, index: number) => Partial<NodeSetup> = () => ({}),
  links: (a: number, b: number) => boolean = () => true,
): Promise<TestNode[]> {
  const validatorPeers = Object.fromEntries(
    names
      .map((name, i) => [committee.signers[i], nodeIdOf(name)] as const)
      .filter((pair) => pair[0] !== undefined)
      .map(([signer, peer]) => [toHex(signer!.address), peer]),
  );
  const nodes: TestNode[] = [];
  for (const [index, name] of names.entries()) {
    const own = setup(name, index);
    const persistentPeers = nodes
      .filter((_, other) => links(other, index))
      .map((node) => node.gossip.addresses[0]!);
    nodes.push(
      await startNode({
        name,
        set: committee.set,
        ...own,
        options: { persistentPeers, validatorPeers, ...own.options },
      }),
    );
  }
  const degree = (index: number): number =>
    names.filter((_, other) => other !== index && links(Math.min(other, index), Math.max(other, index)))
      .length;
  await Promise.all(
    nodes.map((node, index) =>
      node.until(
        "all links are ready and their topics known",
        () =>
          node.gossip.peers.length >= degree(index) &&
          node.gossip.peers.every((peer) => peer.topics?.length === 5),
      ),
    ),
  );
  return nodes;
}

export function polka(votes: readonly Vote[]): Certificate {
  return certificateFromVotes(votes);
}
