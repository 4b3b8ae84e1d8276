/** A chain in memory behind an RpcView: real blocks, commits and signatures of four validators. */
import {
  applyBlock,
  type Block,
  type BlockId,
  blockIdOf,
  type ChainState,
  type Commit,
  CommitFlag,
  DEFAULT_PARAMS,
  type DuplicateVoteEvidence,
  earliestTime,
  encodeBlock,
  encodeEnvelope,
  type Genesis,
  genesisDocument,
  makeBlock,
  makeDuplicateVoteEvidence,
  NO_EXECUTION,
  proposerOf,
  stateFromGenesis,
  timeFromMs,
  type ValidatorSet,
  type Vote,
  VoteType,
  voteSignBytes,
  ZERO_TIME,
} from "@quorate/chain";
import {
  addressOf,
  bytesEqual,
  ed25519PublicKey,
  ed25519Sign,
  sha256,
  toHex,
  utf8Encode,
} from "@quorate/crypto";
import type { RpcLog, RpcMempool, RpcMetrics, RpcView } from "@quorate/rpc";

interface Stored {
  readonly block: Block;
  readonly blockId: BlockId;
  readonly bytes: number;
  readonly commit: Commit;
}

export class MemoryChain {
  readonly genesis: Genesis;
  readonly blocks: Map<number, Stored> = new Map();
  readonly #sets: Map<number, ValidatorSet> = new Map();
  readonly #seeds: ReadonlyMap<string, Uint8Array>;
  state: ChainState;
  base = 0;

  /** @param startMs genesis time; the light client wants headers that are neither old nor in the future. */
  constructor(startMs: number) {
    const seeds = [0, 1, 2, 3].map((i) => sha256(utf8Encode(`rpc chain ${i}`)));
    this.#seeds = new Map(seeds.map((seed) => [toHex(addressOf(ed25519PublicKey(seed))), seed]));
    this.genesis = {
      chainId: "rpc-test",
      genesisTime: timeFromMs(startMs),
      initialHeight: 1,
      execution: "none",
      evmChainId: 0,
      elGenesisHash: new Uint8Array(32),
      anchorNumber: 0,
      anchorHash: new Uint8Array(32),
      depositContractAddress: new Uint8Array(20),
      params: DEFAULT_PARAMS,
      validators: seeds.map((seed, i) => ({
        pubKey: ed25519PublicKey(seed),
        power: BigInt(10 + i),
        name: `node${i}`,
        owner: new Uint8Array(20),
      })),
      upgrades: [],
    };
    this.state = stateFromGenesis(this.genesis);
    this.#sets.set(1, this.state.validators);
  }

  /** Adds blocks; every third commit lacks the last validator, every fifth height is decided in round 1. */
  grow(count: number): void {
    for (let i = 0; i < count; i++) this.#add();
  }

  /** A double vote of a validator of that height, as the chain judges it. */
  doubleVote(height: number, index: number): DuplicateVoteEvidence {
    const { block, blockId } = this.blocks.get(height)!;
    const set = this.#sets.get(height)!;
    const { address } = set.validators[index]!;
    const vote = (id: BlockId | null): Vote => {
      const unsigned = {
        type: VoteType.prevote,
        height,
        round: 0,
        blockId: id,
        timestamp: block.header.time,
        validatorAddress: address,
        validatorIndex: index,
      };
      const seed = this.#seeds.get(toHex(address))!;
      const signature = ed25519Sign(seed, voteSignBytes(this.genesis.chainId, unsigned));
      return { ...unsigned, signature };
    };
    return makeDuplicateVoteEvidence(vote(blockId), vote(null), set, block.header.time);
  }

  /** A block that convicts them; then `count` more. */
  convict(evidence: readonly DuplicateVoteEvidence[], count: number): void {
    this.#add(evidence);
    this.grow(count);
  }

  #add(evidence: readonly DuplicateVoteEvidence[] = []): void {
    const height = this.state.lastHeight + 1;
    const round = height % 5 === 0 ? 1 : 0;
    const block = makeBlock(this.state, {
      time: earliestTime(this.state),
      txs: [encodeEnvelope(NO_EXECUTION), utf8Encode(`tx ${height}`), utf8Encode(`other ${height}`)],
      proposerAddress: proposerOf(this.state.validators, round).address,
      lastCommit: this.blocks.get(height - 1)?.commit ?? null,
      evidence,
    });
    const bytes = encodeBlock(block);
    const blockId = blockIdOf(block, bytes);
    const commit = this.#commit(block, blockId, round, height % 3 === 0);
    this.blocks.set(height, { block, blockId, bytes: bytes.length, commit });
    this.state = applyBlock(this.state, block, blockId);
    this.#sets.set(height + 1, this.state.validators);
    if (this.base === 0) this.base = height;
  }

  #commit(block: Block, blockId: BlockId, round: number, incomplete: boolean): Commit {
    const { height, time } = block.header;
    const signatures = this.state.validators.validators.map((validator, index) => {
      if (incomplete && index === 3) {
        const none = new Uint8Array(0);
        return { flag: CommitFlag.absent, validatorAddress: none, timestamp: ZERO_TIME, signature: none };
      }
      const timestamp = time + BigInt(index + 1) * 1_000_000n;
      const vote = { type: VoteType.precommit, height, round, blockId, timestamp };
      const seed = this.#seeds.get(toHex(validator.address))!;
      return {
        flag: CommitFlag.commit,
        validatorAddress: validator.address,
        timestamp,
        signature: ed25519Sign(seed, voteSignBytes(this.genesis.chainId, vote)),
      };
    });
    return { height, round, blockId, signatures };
  }

  prune(base: number): void {
    for (const height of this.blocks.keys()) if (height < base) this.blocks.delete(height);
    this.base = base;
  }

  validators(height: number): ValidatorSet | null {
    return this.#sets.get(height) ?? null;
  }
}

/** A node over a chain in memory. Anything of it can be replaced. */
export function viewOf(chain: MemoryChain, changes: Partial<RpcView> = {}): RpcView {
  const [validator] = chain.genesis.validators;
  return {
    genesis: chain.genesis,
    genesisDocument: genesisDocument(chain.genesis),
    get base() {
      return chain.base;
    },
    get height() {
      return chain.state.lastHeight;
    },
    state: () => chain.state,
    block: async (height) => chain.blocks.get(height) ?? null,
    heightOf: async (hash) => {
      for (const [height, stored] of chain.blocks) if (bytesEqual(stored.blockId.hash, hash)) return height;
      return null;
    },
    commit: async (height) => {
      const stored = chain.blocks.get(height);
      return stored === undefined
        ? null
        : { commit: stored.commit, canonical: height < chain.state.lastHeight };
    },
    validators: async (height) => chain.validators(height),
    rules: async (height) => (height <= chain.state.lastHeight + 1 ? chain.state : null),
    nodeInfo: () => ({
      id: "12D3KooWTestPeer",
      listenAddress: "/ip4/127.0.0.1/tcp/26656",
      network: chain.genesis.chainId,
      version: "0.1.0",
      moniker: "<node>",
      rpcAddress: "tcp://127.0.0.1:26657",
      genesisHash: toHex(chain.state.genesisHash),
      catchingUp: false,
      validator: {
        address: addressOf(validator!.pubKey),
        pubKey: validator!.pubKey,
        power: validator!.power,
      },
      startedAtMs: 1_767_225_600_000,
    }),
    peers: () => [
      {
        id: "12D3KooWOther",
        address: "/ip4/10.0.0.7/tcp/26656",
        outbound: true,
        moniker: "other",
        height: 7,
      },
    ],
    consensus: () => ({
      height: chain.state.lastHeight + 1,
      round: 0,
      step: "Prevote",
      proposer: chain.state.validators.proposer.address,
      prevotesPower: 21n,
      precommitsPower: 0n,
      totalPower: chain.state.validators.totalPower,
      missing: [chain.state.validators.validators.at(-1)!.address],
      lockedRound: -1,
      validRound: -1,
      startTimeMs: 1_767_225_600_000,
    }),
    evidence: { submit: async () => null, pending: () => [], committed: async () => [] },
    executionSummary: () => ({
      client: "none",
      head: "",
      executedHeight: chain.state.lastHeight,
      lag: 0,
      elReady: true,
      detail: "",
    }),
    readiness: () => ({ ready: true, reasons: [] }),
    ...changes,
  };
}

/** A pool that refuses empty transactions. */
export function memoryPool(): RpcMempool & { readonly txs: Uint8Array[] } {
  const txs: Uint8Array[] = [];
  return {
    txs,
    submit: async (tx) => {
      if (tx.length === 0) return { accepted: false, reason: "empty transaction" };
      txs.push(tx);
      return { accepted: true };
    },
    pending: (limit) => txs.slice(0, limit),
    get count() {
      return txs.length;
    },
    get bytes() {
      return txs.reduce((sum, tx) => sum + tx.length, 0);
    },
  };
}

export interface LogEntry {
  readonly level: keyof RpcLog;
  readonly message: string;
  readonly facts: Readonly<Record<string, unknown>> | undefined;
}

export function recordingLog(): { readonly log: RpcLog; readonly entries: readonly LogEntry[] } {
  const entries: LogEntry[] = [];
  const at =
    (level: keyof RpcLog) =>
    (message: string, facts?: Readonly<Record<string, unknown>>): void => {
      entries.push({ level, message, facts });
    };
  return { log: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") }, entries };
}

export function recordingMetrics(): {
  readonly metrics: RpcMetrics;
  readonly calls: (readonly [method: string, outcome: string])[];
} {
  const calls: (readonly [method: string, outcome: string])[] = [];
  return {
    calls,
    metrics: { call: (method, outcome) => void calls.push([method, outcome]), connections: () => undefined },
  };
}
