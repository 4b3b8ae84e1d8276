import { RecentKeys } from "@quorate/crypto";
import { orGivenUp } from "./aborts.ts";
import type { EngineApi, PayloadStatus } from "./engine/api.ts";
import { type Answer, answered, failed } from "./engine/failure.ts";
import { LIMITS } from "./limits.ts";
import { fingerprint } from "./payload/to-engine.ts";
import type { ExecutionClock, ExecutionLog } from "./ports.ts";
import type { ExecutionPayload } from "./types.ts";

/** One fast answer among slow ones is no recovery. */
const PROBATION = 5;

interface Check {
  readonly answer: Promise<Answer<PayloadStatus>>;
  /** Callers that still want the answer. */
  wanted: number;
}

/**
 * newPayload as all parts of the adapter use it: a payload is with the EL once at a time, whoever asks; one that nobody
 * wants any more when its turn comes is not sent; one that was VALID is not sent again. So a slow EL has one block's work
 * per block, and what it is late with never waits behind what is of no use.
 */
export class PayloadChecks {
  /** Fingerprints of payloads that this EL called VALID since the last {@link forget}. */
  readonly #valid: RecentKeys = new RecentKeys(LIMITS.validPayloads);
  readonly #running = new Map<string, Check>();
  readonly #api: EngineApi;
  readonly #clock: ExecutionClock;
  readonly #log: ExecutionLog;
  /** ms of an answer above which the EL is too slow for its chain. */
  readonly #slowMs: number;
  /** Answers in time that are still wanted before a slow EL counts as fast again; 0 = it is fast. */
  #probation = 0;

  constructor(api: EngineApi, clock: ExecutionClock, log: ExecutionLog, slowMs: number) {
    this.#api = api;
    this.#clock = clock;
    this.#log = log;
    this.#slowMs = slowMs;
  }

  isValid(payload: ExecutionPayload, parentBeaconBlockRoot: Uint8Array): boolean {
    return this.#valid.has(fingerprint(payload, parentBeaconBlockRoot));
  }

  /** The EL may have lost what it called VALID. */
  forget(): void {
    this.#valid.clear();
  }

  /**
   * VALID without a call for what this EL called VALID. `aborted` when the signal came first; a call that has begun goes on,
   * and its VALID is remembered.
   */
  async check(
    payload: ExecutionPayload,
    parentBeaconBlockRoot: Uint8Array,
    signal: AbortSignal | null,
  ): Promise<Answer<PayloadStatus>> {
    if (signal?.aborted === true) return failed({ kind: "aborted" });
    const key = fingerprint(payload, parentBeaconBlockRoot);
    if (this.#valid.has(key)) return answered({ status: "VALID", error: "" });
    const check = this.#running.get(key) ?? this.#send(key, payload, parentBeaconBlockRoot);
    check.wanted++;
    if (signal === null) return check.answer;
    const answer = await orGivenUp(check.answer, signal);
    check.wanted--;
    return answer ?? failed({ kind: "aborted" });
  }

  #send(key: string, payload: ExecutionPayload, root: Uint8Array): Check {
    const answer = async (): Promise<Answer<PayloadStatus>> => {
      let from = 0;
      const wanted = (): boolean => {
        from = this.#clock.monotonicMs();
        return check.wanted > 0;
      };
      try {
        const result = await this.#api.newPayload(payload, root, wanted);
        if (result.ok) this.#noteTime(payload.envelope.blockNumber, this.#clock.monotonicMs() - from);
        if (result.ok && result.value.status === "VALID") this.#valid.add(key);
        return result;
      } finally {
        this.#running.delete(key);
      }
    };
    const check: Check = { wanted: 0, answer: answer() };
    this.#running.set(key, check);
    return check;
  }

  /** Said once when it becomes slow, once when it is fast again. */
  #noteTime(height: number, ms: number): void {
    const was = this.#probation;
    this.#probation = ms > this.#slowMs ? PROBATION : Math.max(0, was - 1);
    const facts = { height, ms: Math.round(ms) };
    if (was === 0 && this.#probation > 0) {
      this.#log.warn("the execution client is too slow to validate blocks in time: this node falls behind", {
        ...facts,
        do: "give it more CPU and a faster disk, or lower the chain's gas limit",
      });
    } else if (was > 0 && this.#probation === 0)
      this.#log.info("the execution client validates blocks in time again", facts);
  }
}
