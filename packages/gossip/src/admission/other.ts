import type { Evidence } from "@quorate/chain";
import { duplicateVoteChecks, encodeEvidence, evidenceHeight } from "@quorate/chain";
import { type SignatureCheck, sha256, sha256Key } from "@quorate/crypto";
import { reasonOf } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { bytesKey } from "../wire/keys.ts";
import type { AdmissionContext, Source } from "./context.ts";
import { DROP, type Examination, offence } from "./examination.ts";

/** What an attack on light clients costs of the sender's rate: a commit in full has to be verified. */
const ATTACK_TOKENS = 8;

/**
 * Evidence: bounded, rate-limited per peer, one of each misbehaviour. Duplicate votes are verified against the set of
 * their height as far as the view knows it. What only the store's past can judge is handed up as it is: it is remembered
 * and forwarded by whoever found it true, not here.
 */
export function examineEvidence(context: AdmissionContext, evidence: Evidence, source: Source): Examination {
  if (encodeEvidence(evidence).length > LIMITS.evidenceBytes) return offence("oversized");
  const key = evidenceKey(evidence);
  if (context.evidenceSeen.has(key)) return DROP;
  const tokens = evidence.kind === "duplicate_vote" ? 1 : ATTACK_TOKENS;
  if (!source.evidence.take(tokens, context.now())) return offence("flood");
  const height = evidenceHeight(evidence);
  if (height > context.view.height + 1) return DROP;
  const set = evidence.kind === "duplicate_vote" ? context.view.validators(height) : null;
  if (evidence.kind !== "duplicate_vote" || set === null) {
    if (height < context.view.height) context.events.evidence(evidence, source.id, false);
    return DROP;
  }
  let checks: SignatureCheck[];
  try {
    checks = duplicateVoteChecks(context.chainId, evidence, set);
  } catch (error) {
    context.log.debug("evidence refused", { peer: source.id, reason: reasonOf(error) });
    return offence("bad_signature");
  }
  return {
    kind: "verify",
    checks,
    firstAlone: true,
    offence: "bad_signature",
    origin: null,
    accept() {
      if (!context.evidenceSeen.add(key)) return "stale";
      context.events.evidence(evidence, source.id, true);
      return null;
    },
    release: () => undefined,
  };
}

/** A raw transaction: bounded, each content once, rate-limited per peer; its validity is the EL's to judge. */
export function examineTx(context: AdmissionContext, raw: Uint8Array, source: Source): Examination {
  if (raw.length > LIMITS.txBytes) return offence("oversized");
  const key = txKey(raw);
  if (context.txSeen.has(key)) return DROP;
  const now = context.now();
  if (!source.txItems.take(1, now) || !source.txBytes.take(raw.length, now)) return DROP;
  context.txSeen.add(key);
  context.events.tx(raw, source.id);
  return { kind: "done", origin: null };
}

/**
 * Identity of evidence within this layer. Of two votes it is the place where only one was allowed: whoever hands them
 * on chooses the timestamp, and the culprit can sign any number of pairs, so their bytes would be new each time.
 */
export function evidenceKey(evidence: Evidence): string {
  if (evidence.kind !== "duplicate_vote") return bytesKey(sha256(encodeEvidence(evidence)));
  const { height, round, type, validatorAddress } = evidence.voteA;
  return `${height}/${round}/${type}/${bytesKey(validatorAddress)}`;
}

/** Identity of a transaction within this layer. */
export function txKey(raw: Uint8Array): string {
  return sha256Key(raw);
}
