/** The node whose disk fails: real core, runner, log, sign state and store on a model of a disk. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BlockId, ChainState } from "@quorate/chain";
import { CORE_VERSION } from "@quorate/consensus";
import { inlineVerifier } from "@quorate/crypto";
import { createKeyAndState, FilePrivVal, fileSlotDisk } from "@quorate/privval";
import { type BlockStore, openStore } from "@quorate/store";
import { openWal, type Wal } from "@quorate/wal";
import type { Clock } from "../../packages/node/src/clock.ts";
import type { NodeError } from "../../packages/node/src/errors.ts";
import { recover, takeUp } from "../../packages/node/src/lifecycle/recovery.ts";
import { createMetrics, type Metrics } from "../../packages/node/src/metrics/index.ts";
import { effectError } from "../../packages/node/src/runner/fatal.ts";
import { initialLastCommit } from "../../packages/node/src/runner/last-commit.ts";
import { Runner } from "../../packages/node/src/runner/runner.ts";
import type { MadeBlock, TestChain } from "../../packages/node/test/support/chain.ts";
import { FakeExecution } from "../../packages/node/test/support/fake-execution.ts";
import { silent } from "../../packages/node/test/support/homes.ts";
import type { StoredContent } from "../support/disk-image.ts";
import type { ModelDisk } from "../support/model-disk.ts";
import type { Message } from "./peer.ts";

export const STATE_FILE = "home/priv_validator_state.bin";
export const WAL_DIR = "home/wal";
/** Small, so that segments turn within a height. */
const WAL_SEGMENT_BYTES = 4096;
const BODY_STEP_BYTES = 2048;

/** The key of the node under test, and what its home holds before it first starts. */
export interface NodeKey {
  readonly keyFile: string;
  readonly index: number;
  readonly home: StoredContent;
  free(): Promise<void>;
}

export async function makeNodeKey(chain: TestChain, index: number): Promise<NodeKey> {
  const dir = await mkdtemp(join(tmpdir(), "quorate-crash-"));
  const keyFile = join(dir, "key.json");
  const stateFile = join(dir, "state.bin");
  await createKeyAndState({ keyFile, stateFile }, chain.keys.seeds[index]);
  const state = await fileSlotDisk().read(stateFile);
  return {
    keyFile,
    index,
    home: { files: new Map([[STATE_FILE, state]]), index: new Map() },
    free: () => rm(dir, { recursive: true }),
  };
}

/** Made once: a registry of metrics costs more than a restart. */
let metrics: Metrics | null = null;

export interface NodeWorld {
  readonly clock: Clock;
  send(from: number, message: Message): void;
  findBlock(blockId: BlockId): MadeBlock | null;
}

export class NodeUnderTest {
  readonly index: number;
  readonly runner: Runner;
  readonly store: BlockStore;
  readonly wal: Wal;
  readonly privval: FilePrivVal;
  readonly fatals: readonly NodeError[];
  /** How the height was taken up. */
  readonly replay: string;

  private constructor(
    index: number,
    parts: Pick<NodeUnderTest, "runner" | "store" | "wal" | "privval" | "fatals" | "replay">,
  ) {
    this.index = index;
    this.runner = parts.runner;
    this.store = parts.store;
    this.wal = parts.wal;
    this.privval = parts.privval;
    this.fatals = parts.fatals;
    this.replay = parts.replay;
  }

  /** Opens what the disk holds, replays, and goes on; throws what a start would end with. */
  static async start(
    disk: ModelDisk,
    key: NodeKey,
    chain: TestChain,
    world: NodeWorld,
  ): Promise<NodeUnderTest> {
    const log = silent("crash");
    const fatals: NodeError[] = [];
    let halt = (): void => undefined;
    const fatal = (error: NodeError): void => {
      halt();
      fatals.push(error);
    };
    const onFailure = (error: Error): void => fatal(effectError("the disk failed", error));
    const store = await openStore({
      dir: "home",
      stepBytes: BODY_STEP_BYTES,
      disk: disk.bodies,
      index: disk.index,
      onFailure,
    });
    const state: ChainState = (await store.state()) ?? chain.start;
    const privval = await FilePrivVal.open({ keyFile: key.keyFile, stateFile: STATE_FILE, disk });
    const wal = await openWal(
      {
        dir: WAL_DIR,
        coreVersion: CORE_VERSION,
        segmentBytes: WAL_SEGMENT_BYTES,
        dependency: privval.state.dependency,
        onFailure,
      },
      disk,
    );
    const execution = new FakeExecution();
    await execution.start(state);
    metrics ??= createMetrics(chain.genesis.chainId, "test");
    let node: NodeUnderTest | null = null;
    const runner = new Runner(
      {
        genesis: chain.genesis,
        clock: world.clock,
        log,
        metrics,
        store,
        wal,
        privval,
        execution,
        verifier: inlineVerifier(),
        publisher: {
          publishProposal: (proposal, bytes) => {
            const held = runner.bodies.get(proposal.blockId);
            if (held !== null) {
              const block = { block: held.block, bytes, blockId: held.blockId };
              world.send(key.index, { kind: "proposal", proposal, block });
            }
          },
          publishVote: (vote) => world.send(key.index, { kind: "vote", vote }),
          publishCertificate: (certificate) => world.send(key.index, { kind: "certificate", certificate }),
          publishEvidence: () => undefined,
          roundStateChanged: () => undefined,
          heightDecided: () => undefined,
          wantBody: (height, _round, blockId) => {
            const block = world.findBlock(blockId);
            if (block !== null) node?.runner.receiveBody(height, blockId, block.bytes);
          },
        },
        onCommit: () => undefined,
        onOwnMessage: () => undefined,
        fatal,
      },
      state,
      await initialLastCommit(store, state),
    );
    halt = () => runner.halt();
    const replay = await recover(runner, { wal, store, privval, log, chainId: chain.genesis.chainId });
    node = new NodeUnderTest(key.index, { runner, store, wal, privval, fatals, replay: replay.kind });
    await takeUp(runner, replay);
    return node;
  }

  get height(): number {
    return this.runner.chain().lastHeight + 1;
  }

  receive(message: Message): void {
    const { runner } = this;
    switch (message.kind) {
      case "vote":
      case "certificate":
        runner.submit(message);
        break;
      case "proposal": {
        const { proposal, block } = message;
        runner.submit({ kind: "proposal", proposal, receivedAtMs: runner.modules.clock.wallMs() });
        runner.receiveBody(block.block.header.height, block.blockId, block.bytes);
        break;
      }
    }
  }

  /** The process is gone: nothing it left under way goes on. */
  vanish(): void {
    this.runner.halt();
  }
}
