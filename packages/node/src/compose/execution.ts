import { type Genesis, genesisHash } from "@quorate/chain";
import { createEngineClient, createNoExecution, type DecidedBlocks } from "@quorate/execution";
import type { LogPort } from "@quorate/gossip";
import type { BlockStore } from "@quorate/store";
import type { Clock } from "../clock.ts";
import { NodeError } from "../errors.ts";
import { requirePrivate } from "../home.ts";
import type { Metrics } from "../metrics/index.ts";
import type { OpenedExecution } from "../ports.ts";
import type { NodeConfig } from "../types.ts";

/**
 * What the EL follower reads: decided blocks, each with the beacon root that all nodes derive for it. `onFailure`: a
 * block could not be read; to the follower it is missing, and it waits for the end that this brings.
 */
export function decidedBlocks(
  store: BlockStore,
  genesis: Genesis,
  onFailure: (error: unknown) => void,
): DecidedBlocks {
  return {
    get base() {
      return store.base;
    },
    get height() {
      return store.height;
    },
    async block(height) {
      const block = await store.block(height).catch((error: unknown) => {
        onFailure(error);
        return null;
      });
      if (block === null) return null;
      const { lastBlockId } = block.header;
      return { block, parentBeaconBlockRoot: lastBlockId === null ? genesisHash(genesis) : lastBlockId.hash };
    },
    executedHeight: () => store.executedHeight(),
    setExecutedHeight: (height) => store.setExecutedHeight(height),
  };
}

/** The port's two implementations: Engine API over HTTP, or the built-in pool of a chain without EL. */
export async function openExecution(
  config: NodeConfig,
  genesis: Genesis,
  store: BlockStore,
  clock: Clock,
  metrics: Metrics,
  log: LogPort,
  onFailure: (error: unknown) => void,
): Promise<OpenedExecution> {
  if (genesis.execution === "none") return openNoExecution(genesis, store, log, onFailure);
  const { execution } = config;
  if (execution === undefined) {
    throw new NodeError({
      exitCode: 3,
      code: "EXECUTION_MISSING",
      what: "this chain needs an execution client and none is configured",
      do: "start with --el embedded, or --el http://host:8551 and --jwt FILE; or set [execution] in config.toml",
    });
  }
  await requirePrivate(execution.jwtFile);
  const client = createEngineClient(execution, {
    store: decidedBlocks(store, genesis, onFailure),
    genesis,
    clock,
    log,
    metrics: {
      call: (method, status, seconds) => metrics.own.elCalls.observe({ method, status }, seconds),
      queue: (length, limit) => metrics.queues.note("engine_calls", length, limit),
    },
  });
  return { client, mempool: null };
}

/** The built-in pool of a chain without EL. */
export function openNoExecution(
  genesis: Genesis,
  store: BlockStore,
  log: LogPort,
  onFailure: (error: unknown) => void,
): OpenedExecution {
  const client = createNoExecution({ store: decidedBlocks(store, genesis, onFailure), log });
  return {
    client,
    mempool: {
      submit: (tx) => Promise.resolve(client.submitLocal(tx)),
      pending: (limit) => client.unconfirmed(limit),
      get count() {
        return client.poolSize.count;
      },
      get bytes() {
        return client.poolSize.bytes;
      },
    },
  };
}
