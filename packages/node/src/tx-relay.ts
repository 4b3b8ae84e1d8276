/**
 * The `txs` topic's two ends: pending transactions of the own EL go out, those of others are handed to it. An EL without
 * peers of its own gets the others' transactions this way alone.
 */
import type { ExecutionClient } from "@quorate/execution";
import type { LogPort } from "@quorate/gossip";
import type { Clock } from "./clock.ts";
import { reasonOf } from "./errors.ts";

/** How often the own EL is asked for new pending transactions, ms. */
const POLL_MS = 100;
/** Transactions of others that wait for the own EL; more are dropped (their sender's node keeps them). */
const MAX_WAITING = 4096;
/** Handed to the own EL at a time: the items of two of its requests. */
const HANDED = 400;
/** Their bytes: the count alone would allow half a gigabyte. */
const MAX_WAITING_BYTES = 16_777_216;

type Submission = Awaited<ReturnType<ExecutionClient["submitTx"]>>;

export interface TxRelayModules {
  readonly clock: Clock;
  readonly execution: ExecutionClient;
  readonly log: LogPort;
  readonly publish: (raws: readonly Uint8Array[]) => void;
  /** How many transactions of how many allowed wait for the own EL. */
  readonly queue: (length: number, limit: number) => void;
  /** The own EL has something pending: ends the wait for an empty block. */
  readonly onPending: () => void;
  readonly enabled: boolean;
}

export class TxRelay {
  private readonly modules: TxRelayModules;
  private readonly waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private cancelPoll: (() => void) | null = null;
  private started = false;
  private stopped = false;
  private polling: Promise<void> = Promise.resolve();
  private handing: Promise<void> | null = null;

  constructor(modules: TxRelayModules) {
    this.modules = modules;
  }

  /** The own EL was started; what came before waits for that. */
  start(): void {
    this.started = true;
    if (!this.modules.enabled) return;
    this.schedule();
    if (this.waiting.length > 0) this.handOver();
  }

  received(raw: Uint8Array): void {
    if (!this.modules.enabled || this.stopped || this.waiting.length >= MAX_WAITING) return;
    if (this.waitingBytes + raw.length > MAX_WAITING_BYTES) return;
    this.waiting.push(raw);
    this.waitingBytes += raw.length;
    this.modules.queue(this.waiting.length, MAX_WAITING);
    this.handOver();
  }

  private handOver(): void {
    if (!this.started) return;
    this.handing ??= this.hand().finally(() => {
      this.handing = null;
      // What came between the last look at the queue and now would wait for the next arrival.
      if (this.waiting.length > 0 && !this.stopped) this.handOver();
    });
  }

  /** Takes and sends nothing any more. A call to the EL that is under way ends with its client: {@link settled}. */
  halt(): void {
    this.stopped = true;
    this.cancelPoll?.();
    this.waiting.length = 0;
    this.waitingBytes = 0;
  }

  async settled(): Promise<void> {
    await this.polling;
    await this.handing;
  }

  private schedule(): void {
    if (this.stopped) return;
    this.cancelPoll = this.modules.clock.timer(POLL_MS, () => {
      this.polling = this.poll().then(() => this.schedule());
    });
  }

  private async poll(): Promise<void> {
    const { execution, log, publish, onPending } = this.modules;
    if (execution.status.kind !== "ready") return;
    try {
      const raws = await execution.pendingTxs();
      if (this.stopped || raws.length === 0) return;
      publish(raws);
      onPending();
    } catch (error) {
      log.debug("pending transactions could not be read", { reason: reasonOf(error) });
    }
  }

  /** What waits goes together: the client is told of many in one request. */
  private async hand(): Promise<void> {
    while (this.waiting.length > 0 && !this.stopped) {
      const raws = this.waiting.splice(0, HANDED);
      for (const raw of raws) this.waitingBytes -= raw.length;
      const answers = this.modules.execution.submitTxs?.(raws);
      if (answers === undefined) await Promise.all(raws.map((raw) => this.handOne(raw)));
      else this.handed(answers);
    }
  }

  private async handOne(raw: Uint8Array): Promise<void> {
    const { execution, log } = this.modules;
    try {
      this.handed([await execution.submitTx(raw)]);
    } catch (error) {
      log.debug("a gossiped transaction could not be handed over", { reason: reasonOf(error) });
    }
  }

  private handed(answers: readonly Submission[]): void {
    const { log, onPending } = this.modules;
    if (answers.some(({ accepted }) => accepted)) onPending();
    for (const { accepted, reason } of answers) {
      if (!accepted)
        log.debug("the execution client refused a gossiped transaction", { reason: reason ?? "" });
    }
  }
}
