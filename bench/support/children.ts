/** The processes of a network: by index, ended with it, and with this process. */
import type { ChildProcess } from "node:child_process";

/** A node that does not stop by then is killed: its figures were taken before. */
const STOP_MS = 15_000;

export class Children {
  readonly #running = new Map<number, ChildProcess>();

  constructor() {
    process.once("exit", this.#killAll);
  }

  add(index: number, child: ChildProcess): void {
    this.#running.set(index, child);
    child.once("exit", () => {
      if (this.#running.get(index) === child) this.#running.delete(index);
    });
  }

  pids(): readonly number[] {
    return [...this.#running.values()].flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  end(index: number, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#running.get(index);
    if (child === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const late = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
      child.once("exit", () => {
        clearTimeout(late);
        resolve();
      });
      child.kill(signal);
    });
  }

  async endAll(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((index) => this.end(index, "SIGTERM")));
    process.off("exit", this.#killAll);
  }

  readonly #killAll = (): void => {
    for (const child of this.#running.values()) child.kill("SIGKILL");
  };
}
