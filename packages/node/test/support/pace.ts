/** When a port's operation may go on: at once, when a test says so, or in an order that fast-check chooses. */
export type Pace = (operation: string) => Promise<void>;

export const atOnce: Pace = () => Promise.resolve();

/** Holds the operations whose names begin with a held word until they are let go. */
export class Gate {
  private readonly held = new Set<string>();
  private readonly waiting: { readonly operation: string; readonly go: () => void }[] = [];

  readonly pace: Pace = (operation) => {
    if (![...this.held].some((word) => operation.startsWith(word))) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push({ operation, go: resolve }));
  };

  hold(word: string): void {
    this.held.add(word);
  }

  /** Lets everything go that waits under this word, and whatever comes later. */
  release(word: string): void {
    this.held.delete(word);
    for (const entry of this.waiting.filter(({ operation }) => operation.startsWith(word))) {
      this.waiting.splice(this.waiting.indexOf(entry), 1);
      entry.go();
    }
  }

  releaseAll(): void {
    this.held.clear();
    for (const { go } of this.waiting.splice(0)) go();
  }

  /** Names of what waits, in the order in which it was asked for. */
  get blocked(): readonly string[] {
    return this.waiting.map(({ operation }) => operation);
  }
}

/** Every promise that only memory stands behind has gone on as far as it can. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
