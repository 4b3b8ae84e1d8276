import type { Certificate, Vote } from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import type { GossipEvents } from "@quorate/gossip/core";

/**
 * What a Byzantine node hears: not what it itself said to others, or it would take its own key for stolen and stop.
 * `indexOf`: its place in the set.
 */
export function deafToItself(events: GossipEvents, address: Uint8Array, index: number): GossipEvents {
  return {
    ...events,
    vote(vote: Vote, from) {
      if (!bytesEqual(vote.validatorAddress, address)) events.vote(vote, from);
    },
    certificate(certificate: Certificate, from) {
      if (!certificate.signatures.some(({ validatorIndex }) => validatorIndex === index)) {
        events.certificate(certificate, from);
      }
    },
  };
}
