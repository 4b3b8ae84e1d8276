/** Inputs on their way to the core: one after the other, bounded, and none lost that a peer sends only once. */
import type { Input } from "@quorate/consensus";
import type { NodeError } from "../errors.ts";
import { bugError, effectError } from "./fatal.ts";

/** Inputs that wait for the core are bounded: gossip must slow its peers down before this is reached. */
const MAX_QUEUED_INPUTS = 65_536;

/** Messages kept while the height has not begun here: gossip delivers each once. */
const MAX_EARLY_INPUTS = 4_096;

export interface InboxModules {
  readonly take: (input: Input) => void;
  /** So many wait now, of so many that may. */
  readonly queued: (length: number, limit: number) => void;
  readonly fatal: (error: NodeError) => void;
}

export class Inbox {
  private readonly modules: InboxModules;
  private queue: Input[] = [];
  /** What peers sent before the height began here. */
  private early: Input[] = [];
  private draining = false;

  constructor(modules: InboxModules) {
    this.modules = modules;
  }

  /** Taken at once, or after the input that is being taken. */
  put(input: Input): void {
    const { queued, fatal } = this.modules;
    if (this.queue.length >= MAX_QUEUED_INPUTS) {
      fatal(bugError("the consensus input queue is full", new Error(`${this.queue.length} inputs wait`)));
      return;
    }
    this.queue.push(input);
    queued(this.queue.length, MAX_QUEUED_INPUTS);
    if (!this.draining) this.drain();
  }

  /** No height runs: what peers send, and nobody sends twice, is kept for {@link release}. */
  keep(input: Input): void {
    if (isMessage(input) && this.early.length < MAX_EARLY_INPUTS) this.early.push(input);
  }

  /** A height runs again: what was kept, to be submitted. The core drops what is of another height by now. */
  release(): readonly Input[] {
    return this.early.splice(0);
  }

  /** The height is left: nothing that waits is taken. */
  clear(): void {
    this.queue = [];
  }

  private drain(): void {
    this.draining = true;
    try {
      for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift())
        this.modules.take(next);
    } catch (error) {
      this.modules.fatal(effectError("the consensus core could not take an input", error));
    } finally {
      this.draining = false;
    }
  }
}

function isMessage({ kind }: Input): boolean {
  return kind === "vote" || kind === "proposal" || kind === "certificate";
}
