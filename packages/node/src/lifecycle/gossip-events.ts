/** What comes from gossip, and to which part of the node each of it goes. */
import { proposerOf } from "@quorate/chain";
import type { Gossip, GossipEvents, LogPort } from "@quorate/gossip";
import type { NodeError } from "../errors.ts";
import { ProposalTimes } from "../metrics/proposals.ts";
import { forkProof } from "../runner/fatal.ts";
import type { Runner } from "../runner/runner.ts";
import type { TxRelay } from "../tx-relay.ts";
import type { VoteTrace } from "../vote-trace.ts";
import type { Entrance } from "./entrance.ts";
import type { Membership } from "./membership.ts";
import type { Owner } from "./owner.ts";

export interface GossipEventsModules {
  readonly runner: Runner;
  readonly owner: Owner;
  readonly entrance: Entrance;
  readonly membership: Membership;
  readonly relay: TxRelay;
  readonly trace: VoteTrace | null;
  readonly metrics: ConstructorParameters<typeof ProposalTimes>[0];
  readonly log: LogPort;
  readonly consensusLog: LogPort;
  readonly report: Gossip["report"];
  readonly fatal: (error: NodeError) => void;
}

export function gossipEventsOf(modules: GossipEventsModules): GossipEvents {
  const { runner, owner, entrance, membership, trace, log, report } = modules;
  const times = new ProposalTimes(modules.metrics, modules.consensusLog);
  return {
    proposal: (proposal, receivedAtMs) => {
      const { validators, params } = runner.chain();
      const { address } = proposerOf(validators, proposal.round);
      trace?.proposal("in", proposal, address);
      times.received(params, proposal, address, receivedAtMs);
      runner.submit({ kind: "proposal", proposal, receivedAtMs });
      runner.wakeEmptyHeight();
    },
    body: (height, blockId, bytes, from) => {
      if (!runner.receiveBody(height, blockId, bytes) && from !== null) report(from, "bad_block");
    },
    vote: (vote) => {
      trace?.vote("in", vote);
      entrance.heard(vote);
      runner.submit({ kind: "vote", vote });
    },
    certificate: (certificate) => {
      const fork = forkProof(runner.chain(), runner.lastCommit().commit, certificate);
      if (fork !== null) modules.fatal(fork);
      else runner.submit({ kind: "certificate", certificate });
    },
    evidence: (evidence, from, verified) => {
      if (verified && evidence.kind === "duplicate_vote") {
        runner.receiveEvidence(evidence.voteA, evidence.voteB);
        return;
      }
      runner.submitEvidence(evidence, (reception) => {
        if (reception.kind === "bad") report(from, "bad_signature");
      });
    },
    tx: (raw) => modules.relay.received(raw),
    peer: (peer, change) => {
      if (change === "status") owner.peerChanged();
      if (change !== "round_state") {
        const moniker = peer.status?.moniker ?? "";
        log.debug("peer", { change, peer: peer.id, address: peer.address, moniker });
      }
      if (change === "connected") membership.learn();
      if (change === "connected" || change === "disconnected") entrance.peerChanged(peer, change);
      entrance.checkProposer();
    },
  };
}
