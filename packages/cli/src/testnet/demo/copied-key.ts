/**
 * A signer made to misbehave: a validator's key copied to another place, without its sign state. It signs there what the
 * original never would, and speaks to the network as any peer does.
 */
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type BlockId,
  type Genesis,
  genesisHash,
  timeFromMs,
  upgradesHash,
  VoteType,
  voteSignBytes,
} from "@quorate/chain";
import { inlineVerifier, sha256, toHexUpper } from "@quorate/crypto";
import {
  type ConsensusView,
  createGossip,
  createNodeKey,
  type Gossip,
  type GossipClock,
  type GossipEvents,
  PROTOCOL_VERSION,
} from "@quorate/gossip";
import { homePaths } from "@quorate/node/home";
import { FilePrivVal, initState } from "@quorate/privval";

/** A precommit of the original, as the commit of a decided height shows it. */
export interface SignedPlace {
  readonly height: number;
  readonly round: number;
  readonly validatorIndex: number;
}

/** What the copy signed. */
export interface Conflict {
  readonly block: string;
  /** Upper-case hex. */
  readonly signBytes: string;
}

export class CopiedKey {
  readonly #chainId: string;
  readonly #directory: string;
  readonly #signer: FilePrivVal;
  readonly #gossip: Gossip;

  private constructor(chainId: string, directory: string, signer: FilePrivVal, gossip: Gossip) {
    this.#chainId = chainId;
    this.#directory = directory;
    this.#signer = signer;
    this.#gossip = gossip;
  }

  /** Copies the key of this home and dials `peers` (multiaddrs with /p2p/). */
  static async open(home: string, genesis: Genesis, peers: readonly string[]): Promise<CopiedKey> {
    const directory = await mkdtemp(join(tmpdir(), "quorate-copied-key-"));
    try {
      const files = {
        keyFile: join(directory, "priv_validator_key.json"),
        stateFile: join(directory, "priv_validator_state.bin"),
      };
      await copyFile(homePaths(home).validatorKey, files.keyFile);
      // The mistake: the copy has forgotten what the key has signed.
      await initState(files, { force: true });
      const signer = await FilePrivVal.open(files);
      const gossip = await openPeer(genesis, peers);
      await gossip.start();
      gossip.setValidating(true);
      return new CopiedKey(genesis.chainId, directory, signer, gossip);
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Peers that listen to its votes. */
  get listeners(): number {
    return this.#gossip.peers.filter(({ topics = [] }) => topics.includes("votes")).length;
  }

  /**
   * Signs a precommit for another block where the original has signed one, and sends it to everybody. `null` when the
   * copy has signed there before.
   */
  async contradict({ height, round, validatorIndex }: SignedPlace): Promise<Conflict | null> {
    const answer = await this.#signer.signVote(
      this.#chainId,
      {
        type: VoteType.precommit,
        height,
        round,
        blockId: inventedBlock(height),
        timestamp: timeFromMs(Date.now()),
        validatorAddress: this.#signer.address,
        validatorIndex,
      },
      { sequence: 0n, crc: 0 },
    );
    if (!answer.ok) return null;
    const { message } = answer;
    this.#gossip.publishVote(message);
    return {
      block: toHexUpper(inventedBlock(height).hash),
      signBytes: toHexUpper(voteSignBytes(this.#chainId, message)),
    };
  }

  /** Leaves the network and removes the copy. */
  async close(): Promise<void> {
    await this.#gossip.stop();
    await this.#signer.close();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** A block that nobody ever made. */
function inventedBlock(height: number): BlockId {
  const hash = sha256(new TextEncoder().encode(`another block of height ${height}`));
  return { hash, parts: { total: 1, hash: sha256(hash) } };
}

const CLOCK: GossipClock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  timer(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** A peer that is still before the first height, so that nobody sends it anything, and looks at nothing it is told. */
function openPeer(genesis: Genesis, persistentPeers: readonly string[]): Promise<Gossip> {
  const ignore = (): void => undefined;
  const events: GossipEvents = {
    proposal: ignore,
    body: ignore,
    vote: ignore,
    certificate: ignore,
    evidence: ignore,
    tx: ignore,
    peer: ignore,
  };
  return createGossip(
    { nodeKey: createNodeKey(), listen: [], persistentPeers, maxPeers: persistentPeers.length },
    {
      verifier: inlineVerifier(),
      view: blindView(genesis.initialHeight),
      events,
      serve: () => Promise.resolve({ blocks: [] }),
      status: () => ({
        protocolVersion: PROTOCOL_VERSION,
        chainId: genesis.chainId,
        genesisHash: genesisHash(genesis),
        upgradesHash: upgradesHash(genesis.upgrades),
        elGenesisHash: genesis.elGenesisHash,
        height: genesis.initialHeight - 1,
        earliestHeight: genesis.initialHeight,
        moniker: "copy",
      }),
      log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
      metrics: null,
      clock: CLOCK,
    },
  );
}

/** Knows no validator set, so that admission drops every message unseen. */
function blindView(height: number): ConsensusView {
  const none = { size: 0, bits: new Uint8Array(0) };
  return {
    height,
    round: 0,
    validators: () => null,
    proposer: () => null,
    roundState: () => ({
      height,
      round: 0,
      step: 1,
      proposal: null,
      parts: none,
      votes: [],
      maj23: [],
      direct: none,
      elReady: false,
      leaving: false,
    }),
    vote: () => null,
    certificate: () => null,
    proposal: () => null,
    part: () => null,
    evidence: () => [],
    lastCommit: () => null,
  };
}
