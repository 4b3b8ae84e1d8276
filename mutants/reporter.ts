/** Test reporter: one line per test that ended: {@link MARK}, then a {@link TestEnd} as JSON. */
import { flushCompileCache } from "node:module";

/** Tells these lines from what the tests themselves print. */
export const MARK = "\u0001test-end ";

interface Ended {
  readonly name?: string;
  readonly skip?: unknown;
  readonly todo?: unknown;
  readonly details?: {
    readonly type?: string;
    readonly error?: { readonly failureType?: string; readonly cause?: unknown };
  };
}

export interface TestEnd {
  readonly name: string;
  readonly outcome: "pass" | "fail" | "skip";
  /** Node's kind of failure and its text; empty for a pass. */
  readonly failure: string;
  readonly message: string;
  /** CPU ms of the process until now, its start included. */
  readonly cpuMs: number;
}

export default async function* report(
  events: AsyncIterable<{ readonly type: string; readonly data: unknown }>,
): AsyncGenerator<string> {
  let flushed = false;
  for await (const { type, data } of events) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    const { name = "", skip, todo, details } = data as Ended;
    if (details?.type === "suite") continue;
    const skipped = skip !== undefined || todo !== undefined;
    // The process may be ended at its first failure: what it compiled would be lost.
    if (!flushed) flushCompileCache();
    flushed = true;
    const cause = details?.error?.cause;
    const end: TestEnd = {
      name,
      outcome: type === "test:fail" ? "fail" : skipped ? "skip" : "pass",
      failure: details?.error?.failureType ?? "",
      message: cause instanceof Error ? cause.message : cause === undefined ? "" : String(cause),
      cpuMs: cpuMs(),
    };
    yield `${MARK}${JSON.stringify(end)}\n`;
  }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return Math.round((user + system) / 1000);
}
