import { parentPort } from "node:worker_threads";
import { type DiskOp, DiskOps } from "./disk-ops.ts";
import { errnoOf } from "./errors.ts";

/** Outcome of one operation: `null` = done. */
export type ThreadAnswer = null | { readonly code: string | undefined; readonly message: string };

const ops = new DiskOps();

function answer(op: DiskOp): ThreadAnswer {
  try {
    ops.run(op);
    return null;
  } catch (error) {
    return { code: errnoOf(error), message: error instanceof Error ? error.message : String(error) };
  }
}

parentPort?.on("message", (batch: readonly DiskOp[]) => {
  parentPort?.postMessage(batch.map(answer));
  // At once: megabytes of bodies that wait for a collection of garbage would bring it about again and again.
  for (const op of batch) if (op.op === "write") op.given?.transfer(0);
});
