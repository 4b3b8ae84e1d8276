/** Metrics ports of other packages, each on this node's registry. */
import { VoteType } from "@quorate/chain";
import type { GossipMetrics, VerifierMetrics } from "@quorate/gossip";
import type { RpcMetrics } from "@quorate/rpc";
import type { Metrics } from "./index.ts";
import { Tally } from "./tally.ts";

export function gossipMetrics(metrics: Metrics): GossipMetrics {
  const { own, comet, queues } = metrics;
  const messages = new Tally(own.gossipMessages);
  const received = new Tally(comet.p2p.receiveBytes);
  const sent = new Tally(comet.p2p.sendBytes);
  metrics.beforeScrape(() => {
    for (const tally of [messages, received, sent]) tally.show();
  });
  return {
    message: (topic, verdict) => messages.add(`${topic} ${verdict}`, 1, () => ({ topic, verdict })),
    bytes: (direction, channel, bytes) =>
      (direction === "in" ? received : sent).add(channel, bytes, () => ({ message_type: channel })),
    peers: (count) => comet.p2p.peers.set(count),
    queue: (queue, length, limit) => queues.note(queue, length, limit),
    vote(kind, type) {
      const { duplicateVote, lateVotes } = comet.consensus;
      if (kind === "duplicate") duplicateVote.inc();
      else lateVotes.inc({ vote_type: type === VoteType.prevote ? "prevote" : "precommit" });
    },
    offence: (offence) => own.peerOffences.inc({ offence }),
  };
}

export function verifierMetrics(metrics: Metrics): VerifierMetrics {
  const { own, queues } = metrics;
  const signatures = new Tally(own.verifySignatures);
  metrics.beforeScrape(() => signatures.show());
  return {
    verified(path, count, seconds) {
      signatures.add(path, count, () => ({ path }));
      if (seconds === null) return;
      own.verifyBatch.observe(count);
      own.verifySeconds.observe(seconds);
    },
    queue(length, limit) {
      own.verifyQueue.set(length);
      queues.note("verifier", length, limit);
    },
    disagreement: () => own.verifyDisagreements.inc(),
  };
}

export function rpcMetrics({ own, queues }: Metrics): RpcMetrics {
  return {
    call: (method, outcome, seconds) => own.rpcCalls.observe({ method, outcome }, seconds),
    connections: (open) => own.rpcConnections.set(open),
    inFlight: (count, limit) => queues.note("rpc", count, limit),
  };
}
