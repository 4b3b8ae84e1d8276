/** What verifying 10,000 signatures per second does to the event loop of the thread that receives them. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { nativeBackend, type SignatureCheck, type Verifier } from "@quorate/crypto";

const PER_MS = 10;
const BACKLOG_MS = 20;

/** How checks are handed over; what is not done at once is waited for at the end. */
export type Receive = (checks: readonly SignatureCheck[]) => Promise<void> | undefined;

export interface LoopSample {
  /** 99th percentile of the event loop's delay, ms; its timer is of 1 ms. */
  readonly p99Ms: number;
  /** Share of one core that this thread used. */
  readonly cpu: number;
  /** Signatures that it took in. */
  readonly perSecond: number;
}

/** Runs for so many ms with {@link PER_MS} signatures per ms arriving in messages of `size`; 0 = none. */
export async function loopUnder(
  receive: Receive,
  checks: readonly SignatureCheck[],
  size: number,
  ms: number,
): Promise<LoopSample> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const began = performance.now();
  const before = process.threadCpuUsage();
  let received = 0;
  let due = 0;
  const open: Promise<void>[] = [];
  delay.enable();
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const elapsed = performance.now() - began;
      // What a thread that cannot keep up has missed by more than that is lost to it, as to a node whose peers are slowed down.
      due = Math.max(due, (elapsed - BACKLOG_MS) * PER_MS);
      for (; size > 0 && due + size <= elapsed * PER_MS; due += size) {
        const at = received % (checks.length - size + 1);
        const work = receive(checks.slice(at, at + size));
        if (work !== undefined) {
          open.push(work);
        }
        received += size;
      }
      if (elapsed < ms) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });
  delay.disable();
  const wall = performance.now() - began;
  const { user, system } = process.threadCpuUsage(before);
  await Promise.all(open);
  return {
    p99Ms: delay.percentile(99) / 1e6,
    cpu: (user + system) / 1000 / wall,
    perSecond: (1000 * received) / wall,
  };
}

/** As gossip's admission does it. */
export function throughVerifier(verifier: Verifier): Receive {
  return (checks) => {
    if (verifier.suitsNow(checks.length)) {
      for (const check of checks) verifier.verifyNow(check);
      return undefined;
    }
    return verifier.verify(checks, { priority: 10 }).then((verdicts) => {
      if (!verdicts.every(Boolean)) throw new Error("a good signature is refused");
    });
  };
}

/** Everything on the receiving thread, one by one. */
export const inLine: Receive = (checks) => {
  for (const check of checks) nativeBackend.verify(check);
  return undefined;
};
