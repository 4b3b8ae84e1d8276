/** The ports of a node on this machine: its home, sockets, threads, clock. */
import { stateFromGenesis } from "@quorate/chain";
import { toHexUpper } from "@quorate/crypto";
import { createGossip, createVerifier, nodeKeyFromSeed } from "@quorate/gossip";
import { createRpcServer, RpcError, type RpcServer } from "@quorate/rpc";
import { openStore, rebuildIndex } from "@quorate/store";
import { threadDisk } from "@quorate/wal";
import { systemClock } from "./clock.ts";
import { openExecution } from "./compose/execution.ts";
import { loadPeerBinding } from "./compose/peer-binding.ts";
import { lockHomeOf, openPrivVal, openStoreOf } from "./compose/storage.ts";
import { NodeError } from "./errors.ts";
import { homePaths, loadGenesis, loadNodeKey } from "./home.ts";
import { writeStateDump } from "./last-exit.ts";
import { createMetrics, type Metrics } from "./metrics/index.ts";
import { rpcMetrics, verifierMetrics } from "./metrics/ports.ts";
import { startMetricsServer } from "./metrics/server.ts";
import type { Node } from "./node.ts";
import type { NodePorts } from "./ports.ts";
import type { NodeConfig, NodeModules } from "./types.ts";
import { openVoteTrace } from "./vote-trace.ts";

export function systemPorts(config: NodeConfig, modules: NodeModules): NodePorts {
  const paths = homePaths(config.home);
  const clock = systemClock;
  const { p2p } = config;
  return {
    clock,
    lockHome: modules.homeLocked === true ? null : () => lockHomeOf(paths),
    loadGenesis: () => loadGenesis(paths.genesis),
    openDisk: threadDisk,
    openStore: (disk, genesis, onFailure) =>
      openStoreOf(paths, modules.log("store"), {
        open: () => openStore({ dir: paths.store, writer: disk, onFailure }),
        rebuild: () => rebuildIndex({ dir: paths.store }, stateFromGenesis(genesis)),
      }),
    createMetrics: (genesis) => createMetrics(genesis.chainId, config.version),
    openPrivVal: (disk) => openPrivVal(paths, disk),
    openExecution: (genesis, store, metrics, onFailure) =>
      openExecution(config, genesis, store, clock, metrics, modules.log("execution"), onFailure),
    createVerifier: (metrics, onFalseAcceptance) =>
      createVerifier({
        workers: config.verifyWorkers,
        metrics: verifierMetrics(metrics),
        onFalseAcceptance,
        onQuarantine: ({ check, verdict }) =>
          modules
            .log("gossip")
            .error(
              "the batch verifier gave a wrong verdict: the native one does its work now, and what it accepted is verified again; please report this signature",
              {
                verdict,
                public_key: toHexUpper(check.publicKey),
                signature: toHexUpper(check.signature),
                message: toHexUpper(check.message),
              },
            ),
      }),
    openTrace: (genesis) =>
      config.voteTrace === undefined
        ? null
        : openVoteTrace(config.voteTrace, genesis.chainId, modules.log("node")),
    createGossip: async (gossip) =>
      createGossip(
        {
          nodeKey: nodeKeyFromSeed(await loadNodeKey(paths.nodeKey)),
          listen: p2p.listen,
          ...(p2p.announce.length === 0 ? {} : { announce: p2p.announce }),
          persistentPeers: p2p.persistentPeers,
          ...(p2p.allow.length === 0 ? {} : { allow: p2p.allow }),
          validatorPeers: p2p.validatorPeers,
          maxPeers: p2p.maxPeers,
        },
        gossip,
      ),
    loadPeerBinding: (log) => loadPeerBinding(paths, log),
    dump: (dump) => writeStateDump(paths, dump),
    async serve(node, metrics, opened) {
      const metricsServer = await startMetricsServer(config.metricsListen, metrics, modules.log("metrics"));
      opened("metrics server", () => metricsServer.close());
      const rpc = await openRpc(config, node, modules, metrics);
      if (rpc !== null) opened("rpc", () => rpc.close());
      return { rpc: rpc?.url ?? "", metrics: metricsServer.url };
    },
  };
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
