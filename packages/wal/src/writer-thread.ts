import { flushCompileCache } from "node:module";
import { type MessagePort, workerData } from "node:worker_threads";
import { DiskOps } from "./disk-ops.ts";
import { errnoOf } from "./errors.ts";
import { type OpRingShare, serveOps } from "./op-ring.ts";

/** What the thread is started with. */
export interface WriterData {
  readonly share: OpRingShare;
  readonly port: MessagePort;
}

// Node would write what it compiled at the end of a thread in order, but this one ends with the process, however that ends:
// each start of a killed node would load the compiler here anew.
flushCompileCache();

const { share, port } = workerData as WriterData;
const ops = new DiskOps();

serveOps(share, port, (op) => {
  try {
    ops.run(op);
    return null;
  } catch (error) {
    return { code: errnoOf(error), message: error instanceof Error ? error.message : String(error) };
  }
});
