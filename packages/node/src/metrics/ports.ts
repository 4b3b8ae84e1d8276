/** Metrics ports of other packages, each on this node's registry. */
import type { VerifierMetrics } from "@quorate/gossip";
import type { RpcMetrics } from "@quorate/rpc";
import type { Metrics } from "./index.ts";

export function verifierMetrics({ own, queues }: Metrics): VerifierMetrics {
  return {
    verified(path, count, seconds) {
      own.verifySignatures.inc({ path }, count);
      if (seconds === null) return;
      own.verifyBatch.observe(count);
      own.verifySeconds.observe(seconds);
    },
    queue(length, limit) {
      own.verifyQueue.set(length);
      queues.note("verifier", length, limit);
    },
  };
}

export function rpcMetrics({ own, queues }: Metrics): RpcMetrics {
  return {
    call: (method, outcome, seconds) => own.rpcCalls.observe({ method, outcome }, seconds),
    connections: (open) => own.rpcConnections.set(open),
    inFlight: (count, limit) => queues.note("rpc", count, limit),
  };
}
