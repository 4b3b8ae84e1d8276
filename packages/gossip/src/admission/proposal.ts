import type { Proposal } from "@quorate/chain";
import { proposalSignBytes } from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import type { Offence } from "../types.ts";
import { bytesKey, idKey } from "../wire/keys.ts";
import type { AdmissionContext, Source } from "./context.ts";
import { DROP, type Examination, offence } from "./examination.ts";
import { heightWindow, proposalRoundInWindow } from "./window.ts";

/**
 * A proposal, maybe with its body: POL round below its round, height and round in the window, the proposer of exactly
 * that round. A known proposal still brings a body that is missing.
 */
export function examineProposal(
  context: AdmissionContext,
  proposal: Proposal,
  body: Uint8Array | null,
  source: Source,
): Examination {
  const { view, seen } = context;
  const receivedAtMs = context.wallNow();
  if (proposal.polRound < -1 || proposal.polRound >= proposal.round) return offence("malformed");
  const window = heightWindow(view.height, proposal.height);
  if (window !== "current" && window !== "next") return DROP;
  if (!proposalRoundInWindow(window === "current" ? view.round : 0, proposal.round)) return DROP;
  const id = idKey(proposal.blockId);
  const ofHeight = seen.of(proposal.height);
  const deliverBody = (): Offence | null => {
    if (body === null) return null;
    const found = context.bodies.addWhole(proposal.height, proposal.blockId, body, source.id);
    return found === "bad" ? "bad_part" : null;
  };
  const novelty = ofHeight.proposal(proposal.round, id);
  if (novelty === "duplicate") {
    const found = deliverBody();
    return found === null ? DROP : offence(found);
  }
  if (novelty === "full") return DROP;
  const publicKey = view.proposer(proposal.height, proposal.round);
  if (publicKey === null) return DROP;
  const pendingKey = `p${proposal.round}/${id}/${bytesKey(proposal.signature)}`;
  if (ofHeight.pending.has(pendingKey)) return DROP;
  ofHeight.pending.add(pendingKey);
  const set = view.validators(proposal.height);
  const index = set?.validators.findIndex((validator) => bytesEqual(validator.pubKey, publicKey)) ?? -1;
  return {
    kind: "verify",
    firstAlone: false,
    checks: [
      {
        publicKey,
        message: proposalSignBytes(context.chainId, proposal),
        signature: proposal.signature,
      },
    ],
    offence: "bad_signature",
    origin: index < 0 ? null : index,
    accept() {
      ofHeight.pending.delete(pendingKey);
      if (ofHeight.proposal(proposal.round, id) !== "new") return "stale";
      const ahead = proposal.height - view.height;
      if (ahead !== 0 && ahead !== 1) return "stale";
      const deliver = (): void => {
        context.events.proposal(proposal, receivedAtMs, source.id);
        context.onProposal(proposal);
      };
      if (ahead === 1 && !context.held.hold(proposal.height, source.id, PROPOSAL_BYTES, deliver))
        return "stale";
      ofHeight.addProposal(proposal.round, id);
      context.bodies.expect(proposal.height, proposal.round, proposal.blockId, index);
      if (proposal.height > source.observedHeight) source.observedHeight = proposal.height;
      if (ahead === 0) deliver();
      return deliverBody();
    },
    release: () => void ofHeight.pending.delete(pendingKey),
  };
}

/** What a held proposal is charged for; its body is charged to the collector. */
const PROPOSAL_BYTES = 1024;
