import type { Certificate, Proposal, Vote } from "@quorate/chain";
import { addressOf, bytesEqual } from "@quorate/crypto";
import type { GossipModules } from "@quorate/gossip/core";

/**
 * What a Byzantine node hears: not what it itself said to others, or it would take its own key for stolen and stop. Its
 * place among the signers of a certificate is that of the certificate's height: the set may change.
 */
export function deafToItself(gossip: GossipModules, address: Uint8Array): GossipModules {
  const { events, view } = gossip;
  const signed = ({ height, signatures }: Certificate): boolean => {
    const validators = view.validators(height)?.validators ?? [];
    return signatures.some(({ validatorIndex }) => {
      const signer = validators[validatorIndex];
      return signer !== undefined && bytesEqual(signer.address, address);
    });
  };
  return {
    ...gossip,
    events: {
      ...events,
      proposal(proposal: Proposal, receivedAtMs, from) {
        const proposer = view.proposer(proposal.height, proposal.round);
        if (proposer === null || !bytesEqual(addressOf(proposer), address))
          events.proposal(proposal, receivedAtMs, from);
      },
      vote(vote: Vote, from) {
        if (!bytesEqual(vote.validatorAddress, address)) events.vote(vote, from);
      },
      certificate(certificate: Certificate, from) {
        if (!signed(certificate)) events.certificate(certificate, from);
      },
    },
  };
}
