import type { ElHead, PayloadAttributes } from "@quorate/chain";
import { bytesEqual, toHex } from "@quorate/crypto";
import type { ElBlock, EngineApi, ForkchoiceAnswer } from "../engine/api.ts";
import { type Answer, diagnose, type Failure, failed, RpcCode } from "../engine/failure.ts";
import { LIMITS } from "../limits.ts";
import type { PayloadChecks } from "../payload-checks.ts";
import type { EngineModules, EngineTiming } from "../ports.ts";
import type { StatusKeeper } from "../status.ts";
import type { ElStatus } from "../types.ts";
import { Wake } from "../wake.ts";
import { type Cursor, finalityBreach } from "./finality.ts";
import { type Handshake, statusOf } from "./handshake.ts";
import { type Climb, climb, describe, NO_CLIMB, OPERATOR_ACTION, type Trouble } from "./ladder.ts";
import { type DecidedPayload, locate } from "./locate.ts";
import { ReadAhead } from "./read-ahead.ts";
import { HeightWaiters } from "./waiters.ts";

export interface FollowerPorts {
  readonly api: EngineApi;
  readonly checks: PayloadChecks;
  readonly modules: EngineModules;
  readonly timing: EngineTiming;
  readonly status: StatusKeeper;
  handshake(): Promise<Handshake>;
}

/** How feeding one block ended. */
type Step =
  | { readonly kind: "advanced" }
  | { readonly kind: "failed"; readonly failure: Failure }
  | { readonly kind: "trouble"; readonly trouble: Trouble; readonly detail: string }
  | { readonly kind: "pruned"; readonly needed: number };

/**
 * Feeds decided blocks to the EL with its own cursor and owns the connection's status. One loop: shake hands, find the
 * EL's place on the decided chain, feed it up to the store's tip, wait for more; any surprise goes back to the start.
 */
export class Follower {
  readonly #ports: FollowerPorts;
  readonly #wake: Wake;
  readonly #waiters = new HeightWaiters();
  readonly #blocks: ReadAhead;
  #cursor: Cursor;
  #head: ElHead | null = null;
  /** Highest block known on the EL's own chain at the last handshake; above the cursor when it is ahead of the store. */
  #elHead = 0;
  #climbed: Climb = NO_CLIMB;
  #wasAway = false;
  #suspected = false;
  #located = false;
  #closed = false;
  #running: Promise<void> | null = null;
  readonly #firstAttempt = Promise.withResolvers<void>();

  constructor(ports: FollowerPorts) {
    const { genesis, clock } = ports.modules;
    this.#ports = ports;
    this.#wake = new Wake(clock);
    this.#blocks = new ReadAhead(ports.modules.store);
    this.#cursor = { height: genesis.anchorNumber, hash: genesis.anchorHash };
  }

  /** Where the EL stands on the decided chain; the anchor until it was first reached. */
  get cursor(): Cursor {
    return this.#cursor;
  }

  /** Whether {@link cursor} was ever read from the EL. */
  get located(): boolean {
    return this.#located;
  }

  get head(): ElHead | null {
    return this.#head;
  }

  /** Resolves when the first attempt to reach the EL has ended, well or badly. */
  start(): Promise<void> {
    this.#running ??= this.#run();
    return this.#firstAttempt.promise;
  }

  decided(): void {
    this.#wake.notify();
  }

  /** Someone else's call failed in a way that concerns the connection: look at it now. */
  suspect(failure: Failure): void {
    if (diagnose(failure, this.#ports.api.label).health === "none") return;
    this.#wasAway ||= failure.kind === "unreachable";
    this.recheck();
  }

  /** The EL does not stand where we think: read its head anew. */
  recheck(): void {
    this.#suspected = true;
    this.#wake.notify();
  }

  whenExecuted(height: number, signal: AbortSignal): Promise<void> {
    if (this.#located && this.#cursor.height >= height) return Promise.resolve();
    return this.#waiters.wait(height, signal);
  }

  /** The only place that sends a forkchoice with a head of ours: head = safe = finalized, behind the guard. */
  async setHead(
    head: Cursor,
    attributes: PayloadAttributes | null,
    signal: AbortSignal | null,
  ): Promise<Answer<ForkchoiceAnswer>> {
    const breach = finalityBreach(this.#cursor, head);
    if (breach !== null) {
      this.#ports.modules.log.error("refused to move the execution client off a finalized block", {
        reason: breach,
        head: toHex(head.hash),
      });
      return failed({ kind: "rpc", code: RpcCode.invalidForkchoiceState, message: breach });
    }
    const { hash } = head;
    return this.#ports.api.forkchoiceUpdated({ head: hash, safe: hash, finalized: hash }, attributes, signal);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake.notify();
    this.#waiters.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { timing, status } = this.#ports;
    let pauseMs = timing.retryMinMs;
    while (!this.#closed) {
      const problem = await this.#attempt();
      this.#firstAttempt.resolve();
      if (this.#closed) break;
      if (problem === null) {
        pauseMs = timing.retryMinMs;
        continue;
      }
      status.set(problem);
      await this.#rest(pauseMs);
      pauseMs = Math.min(pauseMs * 2, timing.retryMaxMs);
    }
    this.#firstAttempt.resolve();
  }

  /** New blocks must not shorten the pause after a failure, so only time and close end it. */
  async #rest(ms: number): Promise<void> {
    const { clock } = this.#ports.modules;
    const until = clock.monotonicMs() + ms;
    for (let left = ms; left > 0 && !this.#closed; left = until - clock.monotonicMs())
      await this.#wake.wait(left);
  }

  /** One connection's life. `null`: try again at once; otherwise the status to show meanwhile. */
  async #attempt(): Promise<ElStatus | null> {
    const { api, checks, modules, status } = this.#ports;
    const hands = await this.#ports.handshake();
    if (this.#closed) return null;
    if (!hands.ok) {
      this.#wasAway ||= hands.away;
      this.#head = null;
      return hands.status;
    }
    checks.forget();
    this.#suspected = false;
    const located = await locate(api, modules.store, modules.genesis, hands.head);
    if (located.kind === "failed") return statusOf(located.failure, api.label);
    if (located.kind === "pruned") return pruned(located.needed, modules.store.base);
    this.#located = true;
    await this.#moveTo(located.cursor, hands.head);
    this.#elHead = located.aside ? located.cursor.height : hands.head.number;
    if (located.aside) {
      modules.log.warn(
        "the execution client stood on a block that was not decided: feeding it the decided chain",
        {
          common: located.cursor.height,
          its_head: hands.head.number,
        },
      );
    }
    const opened = await this.#openGossip(hands.head, located.atHead, located.aside);
    if (!opened.ok) return statusOf(opened.failure, api.label);
    this.#firstAttempt.resolve();
    const distance = modules.store.height - this.#cursor.height;
    // A client that was found broken is so until it takes a block.
    if (distance > 1 && status.current.kind !== "broken")
      status.set({ kind: "replaying", head: this.#cursor.height, target: modules.store.height });
    return this.#follow(hands.client);
  }

  /**
   * forkchoiceUpdated to the head the EL already has: turns Geth's transaction gossip on and reopens it after a crash
   * (geth-verified §3, §7.2). An EL ahead of the store keeps its own finalized block.
   */
  async #openGossip(head: ElBlock, atHead: boolean, aside: boolean): Promise<Answer<unknown>> {
    if (atHead || aside) return this.setHead(this.#cursor, null, null);
    const finalized = await this.#ports.api.block("finalized");
    if (!finalized.ok) return finalized;
    const known = finalized.value?.hash ?? new Uint8Array(32);
    const forkchoice = { head: head.hash, safe: known, finalized: known };
    return this.#ports.api.forkchoiceUpdated(forkchoice, null, null);
  }

  async #follow(client: string): Promise<ElStatus | null> {
    const { modules, status, timing, api } = this.#ports;
    while (!this.#closed) {
      while (this.#cursor.height < modules.store.height) {
        if (this.#closed) return null;
        this.#noteLag();
        const ended = await this.#next();
        if (ended !== "advanced") return ended;
      }
      this.#climbed = NO_CLIMB;
      this.#wasAway = false;
      this.#suspected = false;
      status.set({ kind: "ready", client });
      const event = await this.#wake.wait(timing.probeMs);
      if (this.#closed) return null;
      if (this.#suspected) return null;
      if (event) continue;
      const number = await api.blockNumber();
      if (!number.ok) return this.#recheck(number.failure);
      // Another number than ours: it was restarted, wiped or moved while nothing was sent.
      if (number.value !== Math.max(this.#cursor.height, this.#elHead)) return null;
    }
    return null;
  }

  /** An EL that does not keep up is no longer ready, however well it answers: its validator must not be waited for. */
  #noteLag(): void {
    const { modules, status } = this.#ports;
    const { height: head } = this.#cursor;
    const target = modules.store.height;
    if (status.current.kind === "ready" && target - head > LIMITS.readyLag)
      status.set({ kind: "replaying", head, target });
  }

  #recheck(failure: Failure): ElStatus | null {
    this.#wasAway ||= failure.kind === "unreachable";
    return diagnose(failure, this.#ports.api.label).health === "none"
      ? null
      : statusOf(failure, this.#ports.api.label);
  }

  /** Feeds the next block, climbing the ladder as far as the adapter can alone. */
  async #next(): Promise<"advanced" | ElStatus | null> {
    const { modules, status, api, checks } = this.#ports;
    const height = this.#cursor.height + 1;
    for (;;) {
      const step = await this.#feed(height);
      if (this.#closed) return null;
      if (step.kind === "advanced") {
        if (status.current.kind === "replaying" || status.current.kind === "broken") {
          status.set({ kind: "replaying", head: this.#cursor.height, target: modules.store.height });
        }
        return "advanced";
      }
      if (step.kind === "failed") return this.#recheck(step.failure) ?? statusOf(step.failure, api.label);
      if (step.kind === "pruned") return pruned(step.needed, modules.store.base);
      const { rung, climbed } = climb(this.#climbed, height, step.trouble, this.#wasAway);
      this.#climbed = climbed;
      this.#wasAway = false;
      const reason = describe(step.trouble, height, step.detail);
      switch (rung) {
        case "own_head": {
          modules.log.warn(`${reason}: opening the client with its own head`, { height });
          const own = await api.block("latest");
          if (!own.ok) return statusOf(own.failure, api.label);
          if (own.value !== null && own.value.number <= this.#cursor.height) {
            const hash = own.value.hash;
            await api.forkchoiceUpdated({ head: hash, safe: hash, finalized: hash }, null, null);
          }
          checks.forget();
          continue;
        }
        case "relocate":
          modules.log.warn(`${reason}: reading the client's head anew`, { height });
          return null;
        case "restart":
        case "wipe":
          return { kind: "broken", reason, action: OPERATOR_ACTION[rung] };
      }
    }
  }

  async #feed(height: number): Promise<Step> {
    const { api } = this.#ports;
    const decided = await this.#blocks.take(height);
    if (decided === null) return { kind: "pruned", needed: height };
    const { envelope } = decided.payload;
    if (height <= this.#elHead) {
      const theirs = await api.block(height);
      if (!theirs.ok) return { kind: "failed", failure: theirs.failure };
      if (theirs.value !== null && bytesEqual(theirs.value.hash, envelope.blockHash)) {
        await this.#moveTo({ height, hash: envelope.blockHash }, theirs.value);
        return { kind: "advanced" };
      }
      this.#elHead = this.#cursor.height;
    }
    const judged = await this.#judge(decided, height);
    if (judged !== null) return judged;
    return this.#adopt(decided, height);
  }

  /** newPayload of the block and, far behind, of those up to the next step; `null`: VALID. */
  async #judge(decided: DecidedPayload, height: number): Promise<Step | null> {
    const { checks } = this.#ports;
    const { payload, parentBeaconBlockRoot } = decided;
    const answer = await checks.check(payload, parentBeaconBlockRoot, null);
    if (!answer.ok) return stepOf(answer.failure);
    const { status, error } = answer.value;
    switch (status) {
      case "VALID":
        return null;
      case "INVALID":
        return { kind: "trouble", trouble: "payload_invalid", detail: error };
      case "SYNCING":
      case "ACCEPTED":
        return { kind: "trouble", trouble: "payload_unknown", detail: `${status} at height ${height}` };
    }
  }

  async #adopt(decided: DecidedPayload, height: number): Promise<Step> {
    const { api, modules } = this.#ports;
    let top = decided;
    let number = height;
    // Far behind: adopt the head once per step. A failure in between leaves the blocks before it adopted.
    const last = modules.store.height - height > LIMITS.replayStep ? height + LIMITS.replayStep - 1 : height;
    for (let ahead = height + 1; ahead <= last && !this.#closed; ahead++) {
      const next = await this.#blocks.take(ahead);
      if (next === null || (await this.#judge(next, ahead)) !== null) break;
      top = next;
      number = ahead;
    }
    const { envelope } = top.payload;
    const cursor: Cursor = { height: number, hash: envelope.blockHash };
    const answer = await this.setHead(cursor, null, null);
    if (!answer.ok) return stepOf(answer.failure);
    if (answer.value.status !== "VALID") {
      return { kind: "trouble", trouble: "forkchoice_refused", detail: answer.value.status };
    }
    const moved = await api.blockNumber();
    if (!moved.ok) return { kind: "failed", failure: moved.failure };
    if (moved.value !== number) {
      return { kind: "trouble", trouble: "head_not_moved", detail: `its head is ${moved.value}` };
    }
    await this.#moveTo(cursor, { ...envelope, hash: envelope.blockHash, number });
    return { kind: "advanced" };
  }

  /** `block`: the EL's head as last seen. */
  async #moveTo(cursor: Cursor, block: ElBlock): Promise<void> {
    const { store, log } = this.#ports.modules;
    const moved = cursor.height !== this.#cursor.height;
    const { hash: blockHash, number, timestamp, gasLimit } = block;
    this.#cursor = cursor;
    this.#head = { blockHash, number, timestamp, gasLimit };
    this.#waiters.reached(cursor.height);
    if (!moved) return;
    try {
      await store.setExecutedHeight(cursor.height);
    } catch (error) {
      // The cursor on disk is a hint, found again from the EL's own head at each start.
      const reason = error instanceof Error ? error.message : String(error);
      log.warn("the execution cursor could not be written", { height: cursor.height, reason });
    }
  }
}

function stepOf(failure: Failure): Step {
  if (failure.kind !== "rpc") return { kind: "failed", failure };
  const detail = `${failure.code} ${failure.message}`;
  switch (failure.code) {
    case RpcCode.invalidForkchoiceState:
      return { kind: "trouble", trouble: "forkchoice_state", detail };
    case RpcCode.tooDeepReorg:
      return { kind: "trouble", trouble: "too_deep", detail };
    case RpcCode.methodNotFound:
    case RpcCode.unsupportedFork:
      return { kind: "failed", failure };
    default:
      return { kind: "trouble", trouble: "call_refused", detail };
  }
}

function pruned(needed: number, base: number): ElStatus {
  return {
    kind: "misconfigured",
    code: "EL_TOO_FAR_BEHIND",
    reason: `the execution client needs block ${needed}, the node's store begins at ${base}`,
    action: "restore the execution client from a snapshot at or above that height",
  };
}
