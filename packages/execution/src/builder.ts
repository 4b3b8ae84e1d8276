import { type ChainState, encodeEnvelope, type PayloadAttributes } from "@quorate/chain";
import { toHex } from "@quorate/crypto";
import { orGivenUp } from "./aborts.ts";
import type { EngineApi } from "./engine/api.ts";
import { diagnose, type Failure, RpcCode } from "./engine/failure.ts";
import { isRecord, type JsonRpc } from "./engine/rpc.ts";
import { finalityBreach } from "./follower/finality.ts";
import type { Follower } from "./follower/follower.ts";
import { LIMITS } from "./limits.ts";
import { mismatch } from "./payload/from-engine.ts";
import { readNumber } from "./payload/hex.ts";
import { refusal } from "./payload/to-engine.ts";
import type { EngineModules, EngineOptions, EngineTiming } from "./ports.ts";
import { TrackRecord } from "./track-record.ts";
import type { BuiltPayload, ExecutionPayload, Verdict } from "./types.ts";
import { pause } from "./wake.ts";

export interface BuilderPorts {
  readonly api: EngineApi;
  readonly eth: JsonRpc;
  readonly follower: Follower;
  readonly modules: EngineModules;
  readonly options: EngineOptions;
  readonly timing: EngineTiming;
  readonly judge: JudgePayload;
}

/** newPayload with the verdict rules, retried until the signal aborts. */
export type JudgePayload = (
  payload: ExecutionPayload,
  parentBeaconBlockRoot: Uint8Array,
  signal: AbortSignal,
) => Promise<Verdict>;

/** A build that the EL was asked for. */
interface Build {
  readonly key: string;
  readonly state: ChainState;
  readonly attributes: PayloadAttributes;
  readonly abort: AbortController;
  /** Settles when the EL gave a payload id, or when the build was given up (`null`). */
  started: Promise<Started | null>;
  /** The first attempt has ended, well or badly. */
  readonly tried: PromiseWithResolvers<void>;
}

interface Started {
  readonly payloadId: string;
  /** Monotonic ms of the EL's answer: from then on it fills the block. */
  readonly at: number;
}

/** Whether the proposer must rebuild (DESIGN §7): its own check took more than half of timeoutPropose. */
export function needsRebuild(built: BuiltPayload, timeoutProposeMs: number): boolean {
  return built.validationMs !== null && built.validationMs > timeoutProposeMs / 2;
}

/** Starts builds right after commit, takes payloads as late as asked, never offers what others would refuse. */
export class Builder {
  readonly #ports: BuilderPorts;
  readonly #builds = new Map<string, Build>();
  #windowMs: number;
  /** Height that must be built without a window, because the pool holds what a block must not. */
  #emptyAt = -1;
  readonly #record = new TrackRecord();

  constructor(ports: BuilderPorts) {
    this.#ports = ports;
    this.#windowMs = ports.options.buildWindowMs;
  }

  /** Resolves when the EL was asked once, or at once while it does not stand on the head of `state` yet. */
  async prepare(state: ChainState, attributes: PayloadAttributes): Promise<void> {
    const { follower } = this.#ports;
    const build = this.#build(state, attributes);
    if (follower.located && follower.cursor.height === state.lastHeight) await build.tried.promise;
  }

  async getBuilt(
    state: ChainState,
    attributes: PayloadAttributes,
    signal: AbortSignal,
    immediate: boolean,
  ): Promise<BuiltPayload | null> {
    const { modules } = this.#ports;
    const atOnce = immediate || this.#emptyAt === state.lastHeight + 1;
    for (const attempt of ["first", "again"] as const) {
      const build = this.#build(state, attributes);
      const started = await orGivenUp(build.started, signal);
      if (started === null || signal.aborted) return null;
      if (!atOnce)
        await pause(modules.clock, started.at + this.#windowMs - modules.clock.monotonicMs(), signal);
      if (signal.aborted) return null;
      const answer = await this.#ports.api.getPayload(started.payloadId, attributes.timestamp, signal);
      if (signal.aborted) return null;
      if (answer.ok) return this.#check(answer.value, build, signal, atOnce);
      this.#forget(build);
      const forgotten = answer.failure.kind === "rpc" && answer.failure.code === RpcCode.unknownPayload;
      if (forgotten && attempt === "first") continue;
      this.#complain(answer.failure, "the execution client gave no payload");
      return null;
    }
    return null;
  }

  close(): void {
    for (const build of this.#builds.values()) build.abort.abort();
    this.#builds.clear();
  }

  #build(state: ChainState, attributes: PayloadAttributes): Build {
    const key = keyOf(state, attributes);
    const known = this.#builds.get(key);
    if (known !== undefined) return known;
    // Builds on older heads can never be used again.
    for (const build of this.#builds.values())
      if (build.state.lastHeight < state.lastHeight) this.#forget(build);
    const abort = new AbortController();
    const tried = Promise.withResolvers<void>();
    const build: Build = { key, state, attributes, abort, tried, started: Promise.resolve(null) };
    build.started = this.#start(build).finally(() => tried.resolve());
    this.#builds.set(key, build);
    const [oldest] = this.#builds.values();
    if (this.#builds.size > LIMITS.builds && oldest !== undefined) this.#forget(oldest);
    return build;
  }

  #forget(build: Build): void {
    build.abort.abort();
    this.#builds.delete(build.key);
  }

  /** Retries until the EL starts a build on exactly this head, or nobody wants it any more. */
  async #start(build: Build): Promise<Started | null> {
    const { follower, modules, timing } = this.#ports;
    const { signal } = build.abort;
    const head = { height: build.state.lastHeight, hash: build.state.el.blockHash };
    for (let wait = timing.retryMinMs; !signal.aborted; wait = Math.min(wait * 2, timing.retryMaxMs)) {
      const ready = await reached(follower, head.height, signal);
      if (!ready) return null;
      // An EL that moved on, or another chain's state: the guard would refuse it, and so would every validator.
      if (follower.cursor.height > head.height || finalityBreach(follower.cursor, head) !== null) {
        modules.log.warn("no build: the state is not the execution client's head", {
          height: head.height + 1,
        });
        this.#forget(build);
        return null;
      }
      const answer = await follower.setHead(head, build.attributes, signal);
      build.tried.resolve();
      if (signal.aborted) return null;
      if (answer.ok && answer.value.payloadId !== null) {
        return { payloadId: answer.value.payloadId, at: modules.clock.monotonicMs() };
      }
      if (answer.ok) {
        modules.log.warn("the execution client started no build", { status: answer.value.status });
        if (answer.value.status !== "VALID") follower.recheck();
      } else {
        this.#complain(answer.failure, "the execution client started no build");
        if (answer.failure.kind === "rpc" && answer.failure.code === RpcCode.invalidAttributes) {
          this.#forget(build);
          return null;
        }
      }
      await pause(modules.clock, wait, signal);
    }
    return null;
  }

  async #check(
    payload: ExecutionPayload,
    build: Build,
    signal: AbortSignal,
    atOnce: boolean,
  ): Promise<BuiltPayload | null> {
    const { modules, judge } = this.#ports;
    const height = build.state.lastHeight + 1;
    const wrong = mismatch(payload, build.state, build.attributes);
    if (wrong !== null) {
      modules.log.error(wrong.reason, { height, do: wrong.action });
      return null;
    }
    const refused = refusal(payload);
    if (refused !== null) {
      // Its pool would spoil every build: an empty block keeps the chain going.
      this.#emptyAt = height;
      modules.log.error(`the execution client built a payload that nobody accepts: ${refused}`, {
        height,
        do: "keep blob transactions out of its pool (Geth: --blobpool.datacap 1)",
      });
      return null;
    }
    const txs = [encodeEnvelope(payload.envelope), ...payload.transactions];
    const bytes = txs.reduce((sum, tx) => sum + tx.length + TX_FRAMING, 0);
    const budget = bodyBudget(build.state);
    if (bytes > budget) {
      this.#emptyAt = height;
      modules.log.error("the execution client built a payload above max_block_bytes", {
        height,
        bytes,
        limit: budget,
        do: "lower the chain's gas limit or raise max_block_bytes",
      });
      return null;
    }
    const { gasUsed } = payload.envelope;
    const quick = this.#record.isQuick(gasUsed, build.state.params.timeoutProposeMs);
    const from = modules.clock.monotonicMs();
    const validated = async (): Promise<BuiltPayload | null> => {
      const verdict = await judge(payload, build.attributes.parentBeaconBlockRoot, signal);
      const validationMs = modules.clock.monotonicMs() - from;
      this.#record.note(verdict.kind, gasUsed, validationMs);
      if (verdict.kind === "invalid") {
        modules.log.error("the execution client calls its own payload invalid", {
          height,
          reason: verdict.reason,
        });
      }
      return verdict.kind === "valid" ? { txs, validationMs } : null;
    };
    // What the pool holds matters for later builds alone.
    if (!atOnce) this.#beside(this.#fitWindow(payload, signal));
    const checked = validated();
    if (!quick) return checked;
    this.#beside(checked);
    return { txs, validationMs: null };
  }

  #beside(task: Promise<unknown>): void {
    task.catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      this.#ports.modules.log.error("what the execution client said beside a build is of no use", { reason });
    });
  }

  /** An empty payload beside a filled pool means that it was taken too early (geth-verified §14.4). */
  async #fitWindow(payload: ExecutionPayload, signal: AbortSignal): Promise<void> {
    const { eth, options, timing, modules } = this.#ports;
    if (payload.transactions.length > 0) {
      this.#windowMs = Math.max(options.buildWindowMs, Math.floor(this.#windowMs * 0.95));
      return;
    }
    const answer = await eth.call("txpool_status", [], { timeoutMs: timing.callTimeoutMs, signal });
    if (!answer.ok || !isRecord(answer.value) || typeof answer.value["pending"] !== "string") return;
    if (readNumber(answer.value["pending"], "pending") === 0) return;
    const widened = Math.min(Math.max(this.#windowMs * 2, 50), timing.buildWindowMaxMs);
    if (widened <= this.#windowMs) return;
    modules.log.info("an empty payload beside a filled pool: giving builds more time", {
      window_ms: widened,
    });
    this.#windowMs = widened;
  }

  #complain(failure: Failure, what: string): void {
    if (failure.kind === "aborted") return;
    const { reason, action } = diagnose(failure, this.#ports.api.label);
    this.#ports.modules.log.warn(what, { reason, do: action });
    this.#ports.follower.suspect(failure);
  }
}

/** Framing of one transaction inside a block: tag and length. */
export const TX_FRAMING = 6;

/** More than header, block id and framing take in a block, at their longest: about 700 bytes. */
const HEADER_BYTES = 1024;
/** More than one signature takes in a commit: 106 bytes until the seconds of its time have more than 35 bits. */
const COMMIT_PLACE_BYTES = 112;

/**
 * Bytes left for transactions, {@link TX_FRAMING} of each included, beside header and last commit of a block of the next
 * height. The largest set leaves some even of the smallest blocks: else a chain would end with its set still growing.
 */
export function bodyBudget(state: ChainState): number {
  const commit = COMMIT_PLACE_BYTES * (state.lastValidators?.validators.length ?? 0);
  return state.params.maxBlockBytes - HEADER_BYTES - commit;
}

function keyOf(state: ChainState, attributes: PayloadAttributes): string {
  const withdrawals = attributes.withdrawals.map((w) => [
    w.index,
    w.validatorIndex,
    toHex(w.address),
    w.amountGwei,
  ]);
  return [
    toHex(state.el.blockHash),
    attributes.timestamp,
    toHex(attributes.prevRandao),
    toHex(attributes.suggestedFeeRecipient),
    toHex(attributes.parentBeaconBlockRoot),
    withdrawals.join(";"),
  ].join("/");
}

/** False when given up; the EL's cursor is at or above `height` otherwise. */
async function reached(follower: Follower, height: number, signal: AbortSignal): Promise<boolean> {
  try {
    await follower.whenExecuted(height, signal);
    return true;
  } catch {
    return false;
  }
}
