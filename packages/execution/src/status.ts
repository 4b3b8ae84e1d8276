import type { ExecutionLog } from "./ports.ts";
import type { ElStatus } from "./types.ts";

/** Whether going from `before` to `after` is news: progress of a replay is not, another reason of a fault is. */
export function isTransition(before: ElStatus, after: ElStatus): boolean {
  if (before.kind !== after.kind) return true;
  switch (after.kind) {
    case "misconfigured":
      return before.kind === "misconfigured" && before.code !== after.code;
    case "offline":
    case "broken":
      return "reason" in before && before.reason !== after.reason;
    case "ready":
      return before.kind === "ready" && before.client !== after.client;
    case "connecting":
    case "replaying":
      return false;
  }
}

/** Holds the status, logs each transition once, tells listeners each change. */
export class StatusKeeper {
  #status: ElStatus = { kind: "connecting" };
  readonly #listeners = new Set<(status: ElStatus) => void>();
  readonly #log: ExecutionLog;

  constructor(log: ExecutionLog) {
    this.#log = log;
  }

  get current(): ElStatus {
    return this.#status;
  }

  set(next: ElStatus): void {
    const before = this.#status;
    this.#status = next;
    if (isTransition(before, next)) logStatus(this.#log, next);
    for (const listener of this.#listeners) listener(next);
  }

  listen(listener: (status: ElStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

function logStatus(log: ExecutionLog, status: ElStatus): void {
  switch (status.kind) {
    case "connecting":
      log.info("connecting to the execution client");
      return;
    case "ready":
      log.info("execution client is ready", { client: status.client });
      return;
    case "replaying":
      log.info("execution client is behind: feeding it the decided blocks", {
        head: status.head,
        target: status.target,
      });
      return;
    case "offline":
      log.warn(status.reason, { do: status.action });
      return;
    case "misconfigured":
      log.error(status.reason, { code: status.code, do: status.action });
      return;
    case "broken":
      log.error(status.reason, { do: status.action });
      return;
  }
}
