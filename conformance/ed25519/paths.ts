/** Every way on which the product verifies a signature. Each must give ZIP-215's verdict on every vector. */
import { Worker } from "node:worker_threads";
import {
  createNativeBackend,
  inlineVerifier,
  nativeBackend,
  nobleBackend,
  type SignatureCheck,
  type VerifierBackend,
} from "@quorate/crypto";
import { createWasmBackend } from "@quorate/crypto/wasm";
import { createVerifier } from "@quorate/gossip";

export interface VerifierPath {
  readonly name: string;
  verify(checks: readonly SignatureCheck[]): Promise<readonly boolean[]>;
}

export interface VerifierPaths extends AsyncDisposable {
  readonly paths: readonly VerifierPath[];
}

const each =
  (backend: VerifierBackend) =>
  async (checks: readonly SignatureCheck[]): Promise<boolean[]> =>
    checks.map((check) => backend.verify(check));

/** A batch as a peer may send it: the checks in question between others that hold and others that do not. */
function mixed(backend: VerifierBackend, good: SignatureCheck): VerifierPath["verify"] {
  const bad = { ...good, message: new Uint8Array([...good.message, 1]) };
  return async (checks) => {
    const group = checks.flatMap((check) => [good, check, bad]);
    return backend.verifyBatch(group).filter((_, i) => i % 3 === 1);
  };
}

/** The whole as one batch in reverse: other neighbours, other halves of a batch that fails. */
function backwards(backend: VerifierBackend): VerifierPath["verify"] {
  return async (checks) => backend.verifyBatch(checks.toReversed()).reverse();
}

/**
 * A verifier of one thread that has died once: from the first group on, everything is verified by the second thread. A
 * group is never done in line, however early it comes.
 */
function restarted(good: SignatureCheck): VerifierPath & { close(): Promise<void> } {
  const threads: Worker[] = [];
  const pool = createVerifier({
    workers: 1,
    inlineBelow: 1,
    coldInline: 0,
    queueLimit: 1 << 20,
    spawn: (entry) => {
      const thread = new Worker(entry);
      threads.push(thread);
      return thread;
    },
  });
  let died: Promise<void> | null = null;
  const die = async (): Promise<void> => {
    if (!(await pool.verify([good]))[0]) throw new Error("the first thread refuses what holds");
    await threads[0]!.terminate();
  };
  return {
    name: "worker thread, after another one died",
    async verify(checks) {
      died ??= die();
      await died;
      const verdicts = await pool.verify(checks);
      if (threads.length !== 2) throw new Error(`${threads.length} threads instead of the second one`);
      return verdicts;
    },
    close: () => pool.close(),
  };
}

/** `good` is any signature that holds: the company of the vectors in mixed batches. */
export function openPaths(good: SignatureCheck): VerifierPaths {
  const cramped = createNativeBackend({ cachedKeys: 1 });
  const pool = createVerifier({ workers: 1, inlineBelow: 1, coldInline: 0, queueLimit: 1 << 20 });
  const second = restarted(good);
  const inLine = createVerifier({ workers: 0 });
  const wasm = createWasmBackend();
  const paths: VerifierPath[] = [
    { name: "main thread", verify: each(nativeBackend) },
    { name: "main thread, key known", verify: each(nativeBackend) },
    { name: "main thread, key cache of one", verify: each(cramped) },
    { name: "batch", verify: async (checks) => nativeBackend.verifyBatch(checks) },
    { name: "batch of good and bad", verify: mixed(nativeBackend, good) },
    { name: "fallback", verify: each(nobleBackend) },
    { name: "fallback batch", verify: async (checks) => nobleBackend.verifyBatch(checks) },
    { name: "wasm", verify: each(wasm) },
    { name: "wasm batch", verify: async (checks) => wasm.verifyBatch(checks) },
    { name: "wasm batch of good and bad", verify: mixed(wasm, good) },
    { name: "wasm batch, keys known, backwards", verify: backwards(wasm) },
    { name: "verifier, one now", verify: async (checks) => checks.map((check) => pool.verifyNow(check)) },
    { name: "worker thread", verify: (checks) => pool.verify(checks) },
    second,
    { name: "verifier without threads", verify: (checks) => inLine.verify(checks) },
    { name: "inline verifier", verify: (checks) => inlineVerifier().verify(checks) },
  ];
  return {
    paths,
    async [Symbol.asyncDispose]() {
      await Promise.all([pool.close(), inLine.close(), second.close()]);
    },
  };
}
