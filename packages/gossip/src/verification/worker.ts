/** Entry of a verification thread: it says when it is ready; then one packed buffer in, one verdict byte per check out. */
import { parentPort } from "node:worker_threads";
import { nativeBackend, type SignatureCheck } from "@quorate/crypto";
import { unpackChecks } from "./packing.ts";

const port = parentPort;
if (port === null) throw new Error("the verification worker runs only as a worker thread");

port.on("message", (message: { readonly id: number; readonly checks: ArrayBuffer }) => {
  const checks = unpackChecks(message.checks);
  const present = checks.filter((check): check is SignatureCheck => check !== null);
  const verdicts = nativeBackend.verifyBatch(present);
  const answer = new Uint8Array(checks.length);
  let next = 0;
  for (let i = 0; i < checks.length; i++) {
    if (checks[i] !== null) answer[i] = verdicts[next++] ? 1 : 0;
  }
  port.postMessage({ id: message.id, verdicts: answer.buffer }, [answer.buffer]);
});

port.postMessage({});
