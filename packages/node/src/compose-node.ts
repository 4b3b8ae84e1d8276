/**
 * The composition root: constructs every part, connects them through their ports, owns the order of start and stop.
 * Nothing is decided here that a part could decide.
 */
import { type ChainState, type Genesis, genesisHash, stateFromGenesis } from "@quorate/chain";
import { bytesEqual, toHexUpper } from "@quorate/crypto";
import { type BlockStore, StoreError } from "@quorate/store";
import { closeAll, openWalOf, storeFailure } from "./compose/storage.ts";
import { NodeError } from "./errors.ts";
import { homePaths } from "./home.ts";
import { Node } from "./node.ts";
import type { NodePorts } from "./ports.ts";
import { effectError } from "./runner/fatal.ts";
import { initialLastCommit } from "./runner/last-commit.ts";
import type { NodeConfig, NodeModules, QuorateNode } from "./types.ts";
import { requireSupported } from "./upgrades.ts";

/** Closes what was opened, newest first, when a later step of the start fails. */
class Opened {
  private readonly parts: (readonly [string, () => Promise<void>])[] = [];
  /** Once it is there, it closes everything. */
  node: Node | null = null;

  add(name: string, close: () => Promise<void>): void {
    this.parts.unshift([name, close]);
  }

  all(): readonly (readonly [string, () => Promise<void>])[] {
    return this.parts;
  }
}

/**
 * Starts a node on these ports. Resolves when it runs (it may still wait for peers or its EL).
 * @throws NodeError with the exit code of the operator's contract; nothing stays open then.
 */
export async function composeNode(
  config: NodeConfig,
  modules: NodeModules,
  ports: NodePorts,
): Promise<QuorateNode> {
  const opened = new Opened();
  try {
    return await open(config, modules, ports, opened);
  } catch (error) {
    const { node } = opened;
    // The network and the timers are the node's own. What ended it comes before what that broke.
    const failure = node?.failure ?? startFailure(error, config.home);
    if (node === null) await closeAll(modules.log("node"), opened.all());
    else await node.stop();
    throw failure;
  }
}

/** Damage and disk faults that show only when something is read have the exit codes of those that show at once. */
function startFailure(error: unknown, home: string): NodeError {
  if (error instanceof StoreError && error.code === "STORE_CORRUPT")
    return storeFailure(error, homePaths(home));
  return effectError("the node could not start", error);
}

async function open(
  config: NodeConfig,
  modules: NodeModules,
  ports: NodePorts,
  opened: Opened,
): Promise<QuorateNode> {
  const log = modules.log("node");
  const paths = homePaths(config.home);
  const { clock } = ports;
  if (ports.lockHome !== null) {
    const lock = await ports.lockHome();
    opened.add("home lock", () => lock.release());
  }
  const { genesis, document } = await ports.loadGenesis();
  const disk = ports.openDisk();
  opened.add("disk", () => disk.close());
  const diskFailed = (error: Error): void => opened.node?.diskFailed(error);
  const store = await ports.openStore(disk, genesis, diskFailed);
  opened.add("store", () => store.close());
  const state = await loadState(store, genesis, config.home);
  requireSupported(state);
  const metrics = ports.createMetrics(genesis);
  opened.add("metrics", () => Promise.resolve(metrics.close()));
  const privval = await ports.openPrivVal(disk);
  if (privval !== null) opened.add("privval", () => privval.close());
  const wal = await openWalOf(paths, disk, privval, modules.log("wal"), diskFailed, ports.walSegmentBytes);
  opened.add("wal", () => wal.close());
  // It starts while the node finds its peers; its failure is told at the end of the node's own start.
  const executionStarted =
    genesis.execution === "engine"
      ? (modules.startExecution?.(genesis) ?? Promise.resolve())
      : Promise.resolve();
  executionStarted.catch(() => undefined);
  const unreadable = (error: unknown): void => opened.node?.storeFailed(error);
  const { client: execution, mempool } = await ports.openExecution(genesis, store, metrics, unreadable);
  opened.add("execution", () => execution.close());
  const verifier = ports.createVerifier(metrics, (check) => opened.node?.signatureFailed(check));
  opened.add("verifier", () => verifier.close());
  const trace = ports.openTrace(genesis);
  if (trace !== null) opened.add("vote trace", () => trace.close());
  const node = new Node({
    config,
    modules,
    paths,
    clock,
    genesis,
    genesisDocument: document,
    store,
    wal,
    privval,
    execution,
    executionStarted,
    mempool,
    verifier,
    createGossip: ports.createGossip,
    binding: (await ports.loadPeerBinding?.(log)) ?? null,
    dump: (dump) => ports.dump(dump),
    metrics,
    trace,
    state,
    lastCommit: await initialLastCommit(store, state),
    closeParts: () => closeAll(log, opened.all()),
  });
  opened.node = node;
  await node.openNetwork();
  const urls = await ports.serve(node, metrics, (name, close) => opened.add(name, close));
  await node.begin(urls);
  return node;
}

/** The stored state, or genesis. A store of another genesis is refused: it would not be this chain. */
async function loadState(store: BlockStore, genesis: Genesis, home: string): Promise<ChainState> {
  const stored = await store.state();
  if (stored === null) return stateFromGenesis(genesis);
  const hash = genesisHash(genesis);
  if (bytesEqual(stored.genesisHash, hash)) return stored;
  throw new NodeError({
    exitCode: 3,
    code: "GENESIS_CHANGED",
    what: `the data in ${home} belongs to genesis ${toHexUpper(stored.genesisHash)}, genesis.json is ${toHexUpper(hash)}`,
    do: "restore the genesis.json this home was started with, or run `validator reset` to join the other chain",
  });
}
