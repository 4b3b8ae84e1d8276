/**
 * Entry of a verification thread: it says when it is ready; then one packed buffer in, one verdict byte per check out, and
 * the buffer with it. `quarantine` puts the batch backend out of use.
 */
import { flushCompileCache } from "node:module";
import { parentPort } from "node:worker_threads";
import type { SignatureCheck } from "@quorate/crypto";
import { createWasmBackend } from "@quorate/crypto/wasm";
import { AuditedBackend, type Disagreement } from "./audit.ts";
import { unpackChecks } from "./packing.ts";

/** To a thread. */
export type Request = { readonly checks: ArrayBuffer } | { readonly quarantine: true };

/** From a thread: ready, or an answer. */
export interface Answer {
  readonly verdicts: Uint8Array<ArrayBuffer>;
  readonly checks: ArrayBuffer;
  /** The verdicts are those of true batches. */
  readonly batched: boolean;
  readonly disagreements: readonly Disagreement[];
}

// A thread is ended, not left to end: Node would not write what it compiled, and each start would load the compiler here.
flushCompileCache();

const port = parentPort;
if (port === null) throw new Error("the verification worker runs only as a worker thread");

let disagreements: Disagreement[] = [];
const backend = new AuditedBackend(createWasmBackend(), {
  onDisagreement: (found) => disagreements.push(found),
});

port.on("message", (request: Request) => {
  if ("quarantine" in request) {
    backend.quarantine();
    return;
  }
  const checks = unpackChecks(request.checks);
  const present = checks.filter((check): check is SignatureCheck => check !== null);
  const found = backend.verifyBatch(present);
  const verdicts = new Uint8Array(checks.length);
  let next = 0;
  for (let i = 0; i < checks.length; i++) {
    if (checks[i] !== null) verdicts[i] = found[next++] ? 1 : 0;
  }
  const answer: Answer = { verdicts, checks: request.checks, batched: !backend.quarantined, disagreements };
  port.postMessage(answer, [verdicts.buffer, request.checks]);
  disagreements = [];
});

port.postMessage(null);
