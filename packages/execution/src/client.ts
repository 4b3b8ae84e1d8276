import type { Block, ChainState, ElHead, Hash, Height, PayloadAttributes } from "@quorate/chain";
import { Builder, type JudgePayload } from "./builder.ts";
import { type EngineApi, openEngineApi } from "./engine/api.ts";
import { openEndpoint } from "./engine/http.ts";
import { readJwtSecret } from "./engine/jwt.ts";
import { type JsonRpc, openJsonRpc } from "./engine/rpc.ts";
import { Follower } from "./follower/follower.ts";
import { handshake } from "./follower/handshake.ts";
import { judge } from "./judge.ts";
import { payloadOf } from "./payload/to-engine.ts";
import { PayloadChecks } from "./payload-checks.ts";
import { TxPool } from "./pool.ts";
import { DEFAULT_TIMING, type EngineModules, type EngineOptions, type EngineTransport } from "./ports.ts";
import { StatusKeeper } from "./status.ts";
import type { BuiltPayload, ElStatus, ExecutionClient, Verdict } from "./types.ts";

/**
 * The adapter for an execution client behind the Engine API. Opens no connection before `start`.
 * @throws ExecutionError JWT_FILE or ENDPOINT: the configuration cannot be used. Anything wrong with the execution
 * client itself is a status, never an exception.
 */
export function createEngineClient(options: EngineOptions, modules: EngineModules): ExecutionClient {
  return engineClientOver(options, modules, {
    secret: readJwtSecret(options.jwtFile),
    open: (url) => openEndpoint(url, modules.clock),
  });
}

/** As {@link createEngineClient}, over another transport than HTTP; `options.jwtFile` is not read. */
export function engineClientOver(
  options: EngineOptions,
  modules: EngineModules,
  transport: EngineTransport,
): ExecutionClient {
  const { clock, metrics } = modules;
  const engine = openJsonRpc(transport.open(options.engineUrl), transport.secret, clock, metrics);
  const eth = openJsonRpc(transport.open(options.ethUrl), null, clock, metrics);
  return new EngineClient(options, modules, engine, eth);
}

class EngineClient implements ExecutionClient {
  readonly #modules: EngineModules;
  readonly #rpcs: readonly JsonRpc[];
  readonly #status: StatusKeeper;
  readonly #follower: Follower;
  readonly #builder: Builder;
  readonly #pool: TxPool;
  readonly #judge: JudgePayload;
  /** The store's note of the last run, shown until the EL itself was asked. */
  #noted: Height = 0;

  constructor(options: EngineOptions, modules: EngineModules, engine: JsonRpc, eth: JsonRpc) {
    const timing = { ...DEFAULT_TIMING, ...options.timing };
    const { genesis, log } = modules;
    const api: EngineApi = openEngineApi(engine, genesis, timing, modules.metrics);
    this.#modules = modules;
    this.#rpcs = [engine, eth];
    this.#status = new StatusKeeper(log);
    const checks = new PayloadChecks(api, modules.clock, log, genesis.params.timeoutProposeMs);
    this.#follower = new Follower({
      api,
      checks,
      modules,
      timing,
      status: this.#status,
      handshake: () => handshake({ api, engine, eth, genesis, options, timing, log }),
    });
    const follower = this.#follower;
    const judging = { api, checks, follower, modules, timing };
    this.#judge = (payload, root, signal) => judge(judging, payload, root, signal);
    this.#builder = new Builder({ api, eth, follower, modules, options, timing, judge: this.#judge });
    this.#pool = new TxPool(eth, timing, log);
  }

  get status(): ElStatus {
    return this.#status.current;
  }

  get executedHeight(): Height {
    return this.#follower.located ? this.#follower.cursor.height : this.#noted;
  }

  get head(): ElHead | null {
    return this.#follower.head;
  }

  async start(_state: ChainState): Promise<void> {
    this.#noted = await this.#modules.store.executedHeight();
    await this.#follower.start();
  }

  prepare(state: ChainState, attributes: PayloadAttributes): Promise<void> {
    return this.#builder.prepare(state, attributes);
  }

  getBuilt(
    state: ChainState,
    attributes: PayloadAttributes,
    signal: AbortSignal,
    immediate: boolean = false,
  ): Promise<BuiltPayload | null> {
    return this.#builder.getBuilt(state, attributes, signal, immediate);
  }

  validate(block: Block, parentBeaconBlockRoot: Hash, signal: AbortSignal): Promise<Verdict> {
    return this.#judge(payloadOf(block), parentBeaconBlockRoot, signal);
  }

  decided(_height: Height): void {
    this.#follower.decided();
  }

  whenExecuted(height: Height, signal: AbortSignal): Promise<void> {
    return this.#follower.whenExecuted(height, signal);
  }

  pendingTxs(): Promise<readonly Uint8Array[]> {
    return this.#pool.pending();
  }

  submitTx(raw: Uint8Array): Promise<{ readonly accepted: boolean; readonly reason?: string }> {
    return this.#pool.submit(raw);
  }

  onStatus(listener: (status: ElStatus) => void): () => void {
    return this.#status.listen(listener);
  }

  async close(): Promise<void> {
    this.#builder.close();
    for (const rpc of this.#rpcs) rpc.close();
    await this.#follower.close();
  }
}
