/** Starts the attacking process and hears what it did. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { AttackerLine, Deeds, Order } from "./order.ts";

const PROCESS = join(import.meta.dirname, "process", "main.ts");

export class Attacker {
  readonly #child: ChildProcess;
  /** It attacks. */
  readonly begun: Promise<void>;
  /** What it did; rejects when it could not. */
  readonly deeds: Promise<Deeds>;

  constructor(order: Order) {
    const child = spawn(process.execPath, ["--conditions=quorate-source", PROCESS], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child = child;
    const begun = Promise.withResolvers<void>();
    const deeds = Promise.withResolvers<Deeds>();
    this.begun = begun.promise;
    this.deeds = deeds.promise;
    // Both are awaited late or, where a scene breaks off, not at all.
    for (const promise of [this.begun, this.deeds]) promise.catch(() => undefined);
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-2000);
    });
    const failed = (reason: string): void => {
      const error = new Error(`the attacker failed: ${reason}`);
      begun.reject(error);
      deeds.reject(error);
    };
    createInterface({ input: child.stdout }).on("line", (text) => {
      const line = JSON.parse(text) as AttackerLine;
      if (line.event === "begun") begun.resolve();
      else if (line.event === "end") deeds.resolve(line);
      else failed(line.reason);
    });
    child.stdin.on("error", () => undefined);
    child.once("error", (error) => failed(error.message));
    child.once("close", (code) => failed(`it ended with ${code}: ${said.trim()}`));
    child.stdin.write(`${JSON.stringify(order)}\n`);
  }

  /** Enough: it ends its connections and tells. */
  recall(): void {
    this.#child.stdin?.write("\n");
  }

  /** At once. */
  end(): void {
    this.#child.kill("SIGKILL");
  }
}
