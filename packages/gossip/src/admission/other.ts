import type { Evidence } from "@quorate/chain";
import { duplicateVoteChecks, encodeEvidence } from "@quorate/chain";
import { type SignatureCheck, sha256 } from "@quorate/crypto";
import { reasonOf } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { bytesKey } from "../wire/keys.ts";
import type { AdmissionContext, Source } from "./context.ts";
import { DROP, type Examination, offence } from "./examination.ts";

/**
 * Evidence: bounded, rate-limited per peer, each content once. Duplicate votes are verified against the set of their
 * height as far as the view knows it; light-client attacks are handed up after decoding, for the evidence pool has
 * the headers that their verification needs.
 */
export function examineEvidence(context: AdmissionContext, evidence: Evidence, source: Source): Examination {
  const bytes = encodeEvidence(evidence);
  if (bytes.length > LIMITS.evidenceBytes) return offence("oversized");
  const key = bytesKey(sha256(bytes));
  if (context.evidenceSeen.has(key)) return DROP;
  if (!source.evidence.take(1, context.now())) return offence("flood");
  let checks: SignatureCheck[] = [];
  if (evidence.kind === "duplicate_vote") {
    const set = context.view.validators(evidence.voteA.height);
    if (set === null) return DROP;
    try {
      checks = duplicateVoteChecks(context.chainId, evidence, set);
    } catch (error) {
      context.log.debug("evidence refused", { peer: source.id, reason: reasonOf(error) });
      return offence("bad_signature");
    }
  }
  return {
    kind: "verify",
    checks,
    offence: "bad_signature",
    origin: null,
    accept() {
      if (!context.evidenceSeen.add(key)) return "stale";
      context.events.evidence(evidence, source.id);
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

/** Identity of evidence within this layer. */
export function evidenceKey(evidence: Evidence): string {
  return bytesKey(sha256(encodeEvidence(evidence)));
}

/** Identity of a transaction within this layer. */
export function txKey(raw: Uint8Array): string {
  return bytesKey(sha256(raw));
}
