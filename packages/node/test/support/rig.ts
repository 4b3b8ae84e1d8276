/** A runner with hand-made ports: real core, real log and real guard, over a disk, a store, an EL and a clock in memory. */
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type BlockId,
  blockIdKey,
  type Certificate,
  type ChainParams,
  type Commit,
  EMPTY_COMMIT,
  type Evidence,
  earliestTime,
  type Proposal,
  type Time,
  timeFromMs,
  type Vote,
  VoteType,
} from "@quorate/chain";
import { CORE_VERSION } from "@quorate/consensus";
import { inlineVerifier, type SignatureCheck } from "@quorate/crypto";
import { createKeyAndState, FilePrivVal, fileSlotDisk } from "@quorate/privval";
import { openWal, type Wal } from "@quorate/wal";
import type { NodeError } from "../../src/errors.ts";
import { recover, takeUp } from "../../src/lifecycle/recovery.ts";
import type { Replay } from "../../src/lifecycle/replay.ts";
import { createMetrics, type Metrics } from "../../src/metrics/index.ts";
import type { CommittedBlock, Publisher } from "../../src/runner/context.ts";
import { LastCommit } from "../../src/runner/last-commit.ts";
import { Runner } from "../../src/runner/runner.ts";
import {
  GENESIS_MS,
  type MadeBlock,
  makeChain,
  nextBlock,
  proposerIndex,
  Signers,
  type TestChain,
} from "./chain.ts";
import { FakeExecution } from "./fake-execution.ts";
import { silent } from "./homes.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { MemoryStore } from "./memory-store.ts";
import { atOnce, type Gate, type Pace, settled } from "./pace.ts";
import { VirtualClock } from "./virtual-clock.ts";

const STATE_FILE = "home/priv_validator_state.bin";
const WAL_DIR = "home/wal";

export interface Published {
  readonly votes: Vote[];
  readonly proposals: { readonly proposal: Proposal; readonly body: Uint8Array }[];
  readonly certificates: Certificate[];
  readonly evidence: Evidence[];
  readonly wanted: BlockId[];
}

export interface Checkpoint {
  readonly disk: MemoryDisk;
  readonly store: MemoryStore;
  /** Own messages sent until then. */
  readonly sent: Pick<Published, "votes" | "proposals">;
}

export interface Rig {
  readonly chain: TestChain;
  readonly runner: Runner;
  readonly clock: VirtualClock;
  readonly disk: MemoryDisk;
  readonly store: MemoryStore;
  readonly wal: Wal;
  readonly privval: FilePrivVal | null;
  readonly execution: FakeExecution;
  readonly metrics: Metrics;
  /** What happened, in order: syncs, commits, what was published. */
  readonly journal: string[];
  readonly published: Published;
  readonly fatals: NodeError[];
  readonly commits: CommittedBlock[];
  /** Validators that signed two proposals for one round. */
  readonly twoProposals: Uint8Array[];
  /** Signatures looked at. */
  readonly checked: SignatureCheck[];
  /** What a power loss right after a sync of the sign state would leave. */
  readonly checkpoints: Checkpoint[];
  /** Index of the own key in the set, -1 on a full node. */
  readonly own: number;
  /** The other validators. */
  readonly others: readonly number[];
  readonly signers: Signers;
  /** The next block, by the proposer of `round`. */
  block(options?: Parameters<typeof nextBlock>[2]): MadeBlock;
  /** A proposal with its body arrives from a peer. */
  propose(block: MadeBlock, round?: number, polRound?: number): Promise<void>;
  /** Votes of these validators arrive. */
  votes(type: VoteType, blockId: BlockId | null, indexes: readonly number[], round?: number): Promise<void>;
  /** Starts the runner and lets round 0 begin. */
  begin(): Promise<void>;
  /** What a node does at start: replays the log and goes on where it ended. */
  recover(): Promise<Replay>;
  advance(ms: number): Promise<void>;
  /** Lets this much time pass in small steps, so that what a timer begins goes on before the next one. */
  pass(ms: number): Promise<void>;
  free(): Promise<void>;
}

export interface RigOptions {
  /** Default, `follower`: the validator whose turn to propose comes last. */
  readonly own?: "proposer" | "follower" | null;
  readonly validators?: number;
  readonly params?: Partial<ChainParams>;
  readonly pace?: Pace;
  /** Instead of a pace: all of it is released when the rig is freed. */
  readonly gate?: Gate;
  /** Of the log; default 64 KiB. */
  readonly segmentBytes?: number;
  /** Keeps a copy of what is durable at every sync of the sign state. */
  readonly checkpoints?: boolean;
  /** Goes on where this rig's disks stand. */
  readonly after?: {
    readonly disk: MemoryDisk;
    readonly store: MemoryStore;
    readonly lastCommit?: Commit | null;
  };
}

interface Key {
  readonly keyFile: string;
  /** Content of a sign state that has signed nothing. */
  readonly state: Uint8Array;
}

/** Made once per seed: writing a key and its state durably takes longer than many a test. */
const keys = new Map<string, Promise<Key>>();

function keyOf(seed: Uint8Array): Promise<Key> {
  const name = Buffer.from(seed).toString("hex");
  const known = keys.get(name) ?? makeKey(seed);
  keys.set(name, known);
  return known;
}

async function makeKey(seed: Uint8Array): Promise<Key> {
  const dir = await mkdtemp(join(tmpdir(), "quorate-rig-"));
  process.once("exit", () => rmSync(dir, { recursive: true, force: true }));
  const paths = { keyFile: join(dir, "key.json"), stateFile: join(dir, "state.bin") };
  await createKeyAndState(paths, seed);
  return { keyFile: paths.keyFile, state: await fileSlotDisk().read(paths.stateFile) };
}

export async function makeRig(options: RigOptions = {}): Promise<Rig> {
  const { gate, after } = options;
  const pace = gate?.pace ?? options.pace ?? atOnce;
  const chain = makeChain(options.validators ?? 4, options.params);
  const journal: string[] = [];
  const checkpoints: Checkpoint[] = [];
  const note = (event: string): void => {
    journal.push(event);
    if (options.checkpoints === true && event === "slot.sync") checkpoint();
  };
  const checkpoint = (): void => {
    checkpoints.push({
      disk: disk.copy("synced"),
      store: store.copy(),
      sent: { votes: [...published.votes], proposals: [...published.proposals] },
    });
  };
  const stored = (await after?.store.state()) ?? null;
  const state = stored ?? chain.start;
  const proposer = proposerIndex(chain.start, 0);
  const size = chain.keys.seeds.length;
  const turns = Array.from({ length: size }, (_, round) => proposerIndex(chain.start, round));
  const own = options.own === null ? -1 : options.own === "proposer" ? proposer : (turns.at(-1) ?? 0);

  const published: Published = { votes: [], proposals: [], certificates: [], evidence: [], wanted: [] };
  const store = new MemoryStore(pace, note);
  if (after !== undefined) store.load(after.store);
  const disk = new MemoryDisk(pace, note);
  if (after !== undefined) disk.load(after.disk);
  let privval: FilePrivVal | null = null;
  const seed = chain.keys.seeds[own];
  if (seed !== undefined) {
    const { keyFile, state } = await keyOf(seed);
    if (!disk.names().includes(STATE_FILE)) disk.put(STATE_FILE, state);
    privval = await FilePrivVal.open({ keyFile, stateFile: STATE_FILE, disk });
  }
  const dependency = privval?.state.dependency;
  const wal = await openWal(
    {
      dir: WAL_DIR,
      coreVersion: CORE_VERSION,
      segmentBytes: options.segmentBytes ?? 65_536,
      ...(dependency === undefined ? {} : { dependency }),
    },
    disk,
  );
  journal.length = 0;
  checkpoints.length = 0;
  const execution = new FakeExecution(pace, note);
  await execution.start(state);
  const metrics = createMetrics(chain.genesis.chainId, "test");
  const clock = new VirtualClock(GENESIS_MS + 1_000_000);
  const fatals: NodeError[] = [];
  const commits: CommittedBlock[] = [];
  const twoProposals: Uint8Array[] = [];
  const verifier = inlineVerifier();
  const checked: SignatureCheck[] = [];
  const publisher: Publisher = {
    publishProposal(proposal, body) {
      published.proposals.push({ proposal, body });
      note(`publish proposal ${proposal.round}`);
    },
    publishVote(vote) {
      published.votes.push(vote);
      note(`publish ${nameOf(vote)}`);
    },
    publishCertificate(certificate) {
      published.certificates.push(certificate);
      note("publish certificate");
    },
    publishEvidence(evidence) {
      published.evidence.push(evidence);
      note("publish evidence");
    },
    roundStateChanged: () => undefined,
    heightDecided: (height) => note(`announce ${height}`),
    wantBody: (_height, _round, blockId) => void published.wanted.push(blockId),
  };
  const commit = after?.lastCommit ?? (stored === null ? null : await store.seenCommit(stored.lastHeight));
  const runner = new Runner(
    {
      genesis: chain.genesis,
      clock,
      log: silent("test"),
      metrics,
      store,
      wal,
      privval,
      publisher,
      execution,
      verifier: {
        ...verifier,
        verifyNow(check) {
          checked.push(check);
          return verifier.verifyNow(check);
        },
        async verify(checks, verifyOptions) {
          checked.push(...checks);
          await pace("verify");
          return verifier.verify(checks, verifyOptions);
        },
      },
      onCommit: (block) => {
        commits.push(block);
        note(`commit ${block.height}`);
      },
      onOwnMessage: () => undefined,
      onTwoProposals: (validator) => void twoProposals.push(validator),
      fatal: (error) => void fatals.push(error),
    },
    state,
    commit === null ? LastCommit.empty(EMPTY_COMMIT) : LastCommit.of(state, commit),
  );
  const rig: Rig = {
    chain,
    runner,
    clock,
    disk,
    store,
    wal,
    privval,
    execution,
    metrics,
    journal,
    published,
    fatals,
    commits,
    twoProposals,
    checked,
    checkpoints,
    own,
    others: chain.keys.seeds.map((_, index) => index).filter((index) => index !== own),
    get signers() {
      return new Signers(chain, runner.chain());
    },
    block(blockOptions) {
      const at = runner.chain();
      const now = timeFromMs(clock.wallMs());
      const earliest = earliestTime(at);
      return nextBlock(at, at.lastBlockId === null ? null : runner.lastCommit().commit, {
        time: laterOf(now, earliest),
        ...blockOptions,
      });
    },
    async propose(block, round = 0, polRound = -1) {
      const proposal = rig.signers.proposal(block, round, polRound);
      runner.submit({ kind: "proposal", proposal, receivedAtMs: clock.wallMs() });
      runner.receiveBody(block.block.header.height, block.blockId, block.bytes);
      await settled();
    },
    async votes(type, blockId, indexes, round = 0) {
      for (const index of indexes) {
        runner.submit({ kind: "vote", vote: rig.signers.vote(index, type, round, blockId) });
      }
      await settled();
    },
    async begin() {
      runner.start();
      // The timer of the new height, and the waits of a build for a time that has come.
      for (let turn = 0; turn < 4; turn++) await rig.advance(0);
    },
    async recover() {
      await runner.evidence.open();
      const { chainId } = chain.genesis;
      const replay = await recover(runner, { wal, store, privval, log: silent("test"), chainId });
      await takeUp(runner, replay);
      await settled();
      return replay;
    },
    async advance(ms) {
      clock.advance(ms);
      await settled();
    },
    async pass(ms) {
      const until = clock.monotonicMs() + ms;
      while (clock.monotonicMs() < until) await rig.advance(Math.min(100, until - clock.monotonicMs()));
      for (let turn = 0; turn < 4; turn++) await rig.advance(0);
    },
    async free() {
      gate?.releaseAll();
      await runner.stop();
      await wal.close();
      metrics.close();
    },
  };
  return rig;
}

const laterOf = (a: Time, b: Time): Time => (a > b ? a : b);

/** `prevote 0 nil`, `precommit 2 1a2b3c4d`. */
export function nameOf(vote: Pick<Vote, "type" | "round" | "blockId">): string {
  const type = vote.type === VoteType.prevote ? "prevote" : "precommit";
  return `${type} ${vote.round} ${shortId(vote.blockId)}`;
}

export function shortId(blockId: BlockId | null): string {
  return blockId === null ? "nil" : blockIdKey(blockId).slice(0, 8);
}

/** Runs with a rig that is freed afterwards. */
export async function withRig(options: RigOptions, run: (rig: Rig) => Promise<void>): Promise<void> {
  const rig = await makeRig(options);
  try {
    await run(rig);
  } finally {
    await rig.free();
  }
}
