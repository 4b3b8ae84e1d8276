import { type Block, type ChainState, encodeEnvelope } from "@quorate/chain";
import type { BuiltPayload, ElStatus, ExecutionClient, Verdict } from "@quorate/execution";
import { atOnce, type Pace } from "./pace.ts";

/** An execution client whose answers a test chooses; they wait for the pace (`validate`, `build`). */
export class FakeExecution implements ExecutionClient {
  status: ElStatus = { kind: "ready", client: "fake" };
  executedHeight = 0;
  readonly head = null;
  verdict: (block: Block) => Verdict = () => ({ kind: "valid" });
  /** Transactions of the next payload, without the envelope; `null`: nothing can be built. */
  payload: readonly Uint8Array[] | null = [];
  /** Of its next payload; `null`: it offers it while it is still judging it. */
  validationMs: number | null = 0;
  pool: Uint8Array[] = [];
  readonly submitted: Uint8Array[] = [];
  validated = 0;
  private readonly pace: Pace;
  private readonly note: (event: string) => void;

  constructor(pace: Pace = atOnce, note: (event: string) => void = () => undefined) {
    this.pace = pace;
    this.note = note;
  }

  start(state: ChainState): Promise<void> {
    this.executedHeight = state.lastHeight;
    return Promise.resolve();
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  async getBuilt(): Promise<BuiltPayload | null> {
    await this.pace("build");
    if (this.payload === null) return null;
    return { txs: [encodeEnvelope({ version: 0 }), ...this.payload], validationMs: this.validationMs };
  }

  async validate(block: Block): Promise<Verdict> {
    this.validated++;
    await this.pace("validate");
    return this.verdict(block);
  }

  decided(height: number): void {
    this.executedHeight = height;
    this.note(`execution.decided ${height}`);
  }

  whenExecuted(height: number, signal: AbortSignal): Promise<void> {
    if (this.executedHeight >= height) return Promise.resolve();
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true });
    });
  }

  async pendingTxs(): Promise<readonly Uint8Array[]> {
    await this.pace("pending");
    return this.pool.splice(0);
  }

  async submitTx(raw: Uint8Array): Promise<{ readonly accepted: boolean }> {
    await this.pace("submit");
    this.submitted.push(raw);
    return { accepted: true };
  }

  onStatus(): () => void {
    return () => undefined;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
