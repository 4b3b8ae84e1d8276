/**
 * The composition root: constructs every part, connects them through their ports, owns the order of start and stop.
 * Nothing is decided here that a part could decide.
 */
import { type ChainState, type Genesis, genesisHash, stateFromGenesis } from "@quorate/chain";
import { bytesEqual, toHexUpper } from "@quorate/crypto";
import { createVerifier } from "@quorate/gossip";
import { createRpcServer, RpcError, type RpcServer } from "@quorate/rpc";
import { type BlockStore, StoreError } from "@quorate/store";
import { threadDisk } from "@quorate/wal";
import { systemClock } from "./clock.ts";
import { openExecution } from "./compose/execution.ts";
import {
  closeAll,
  lockHomeOf,
  openPrivVal,
  openStoreOf,
  openWalOf,
  storeFailure,
} from "./compose/storage.ts";
import { NodeError } from "./errors.ts";
import { homePaths, loadGenesis } from "./home.ts";
import { createMetrics, type Metrics } from "./metrics/index.ts";
import { rpcMetrics, verifierMetrics } from "./metrics/ports.ts";
import { startMetricsServer } from "./metrics/server.ts";
import { Node } from "./node.ts";
import { effectError } from "./runner/fatal.ts";
import { initialLastCommit } from "./runner/last-commit.ts";
import type { NodeConfig, NodeModules, QuorateNode } from "./types.ts";
import { requireSupported } from "./upgrades.ts";
import { openVoteTrace } from "./vote-trace.ts";

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
 * Starts a node in `config.home`. Resolves when it runs (it may still wait for peers or its EL).
 * @throws NodeError with the exit code of the operator's contract; nothing stays open then.
 */
export async function createNode(config: NodeConfig, modules: NodeModules): Promise<QuorateNode> {
  const opened = new Opened();
  try {
    return await open(config, modules, opened);
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

async function open(config: NodeConfig, modules: NodeModules, opened: Opened): Promise<QuorateNode> {
  const log = modules.log("node");
  const paths = homePaths(config.home);
  const clock = systemClock;
  if (modules.homeLocked !== true) {
    const lock = await lockHomeOf(paths);
    opened.add("home lock", () => lock.release());
  }
  const { genesis, document } = await loadGenesis(paths.genesis);
  const disk = threadDisk();
  opened.add("disk", () => disk.close());
  const store = await openStoreOf(paths, genesis, disk, modules.log("store"));
  opened.add("store", () => store.close());
  const state = await loadState(store, genesis, config.home);
  requireSupported(state);
  const metrics = createMetrics(genesis.chainId, config.version);
  opened.add("metrics", () => Promise.resolve(metrics.close()));
  const privval = await openPrivVal(paths, disk);
  if (privval !== null) opened.add("privval", () => privval.close());
  const wal = await openWalOf(paths, disk, privval, modules.log("wal"));
  opened.add("wal", () => wal.close());
  if (genesis.execution === "engine") await modules.startExecution?.(genesis);
  const { client: execution, mempool } = await openExecution(
    config,
    genesis,
    store,
    clock,
    metrics,
    modules.log("execution"),
  );
  opened.add("execution", () => execution.close());
  const verifier = createVerifier({
    workers: config.verifyWorkers,
    metrics: verifierMetrics(metrics),
  });
  opened.add("verifier", () => verifier.close());
  const trace =
    config.voteTrace === undefined
      ? null
      : openVoteTrace(config.voteTrace, genesis.chainId, modules.log("node"));
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
    mempool,
    verifier,
    metrics,
    trace,
    state,
    lastCommit: await initialLastCommit(store, state),
    closeParts: () => closeAll(log, opened.all()),
  });
  opened.node = node;
  await node.openNetwork();
  const metricsServer = await startMetricsServer(config.metricsListen, metrics, modules.log("metrics"));
  opened.add("metrics server", () => metricsServer.close());
  const rpc = await openRpc(config, node, modules, metrics);
  if (rpc !== null) opened.add("rpc", () => rpc.close());
  await node.begin({ rpc: rpc?.url ?? "", metrics: metricsServer.url });
  return node;
}

async function openRpc(
  config: NodeConfig,
  node: Node,
  modules: NodeModules,
  metrics: Metrics,
): Promise<RpcServer | null> {
  if (config.rpcListen === "") return null;
  try {
    return await createRpcServer({ listen: config.rpcListen }, node.rpcView(), {
      log: modules.log("rpc"),
      metrics: rpcMetrics(metrics),
    });
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    throw new NodeError({
      exitCode: error.facts["cause"] === "EADDRINUSE" ? 4 : 3,
      code: "RPC_LISTEN",
      what: error.message,
      do: "free the port or set another one in [rpc] listen of config.toml",
      cause: error,
    });
  }
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
