import type { Certificate } from "@quorate/chain";
import { certificateChecks, encodeCertificate } from "@quorate/chain";
import { type SignatureCheck, sha256, toHex } from "@quorate/crypto";
import { reasonOf } from "../errors.ts";
import { idKey } from "../wire/keys.ts";
import type { AdmissionContext, Source } from "./context.ts";
import { DROP, type Examination, offence } from "./examination.ts";
import { heightWindow, voteRoundInWindow } from "./window.ts";

/** One certificate per round, type and id: who signed it makes no difference to its meaning. */
export function certificateKey({ round, type, blockId }: Certificate): string {
  return `c${round}/${type}/${idKey(blockId)}`;
}

/**
 * A polka or commit certificate of the present height: one per (round, type, id), complete in structure and power,
 * verified as one batch. It makes the body of its block wanted.
 */
export function examineCertificate(
  context: AdmissionContext,
  certificate: Certificate,
  source: Source,
): Examination {
  const { view, seen } = context;
  const { height, round, blockId } = certificate;
  if (heightWindow(view.height, height) !== "current") return DROP;
  if (!voteRoundInWindow(view.round, round)) return DROP;
  const set = view.validators(height);
  if (set === null) return DROP;
  const key = certificateKey(certificate);
  const ofHeight = seen.of(height);
  if (ofHeight.certificate(key) !== "new") return DROP;
  // Keyed by content: a forged copy under verification must not keep the true one out.
  const pendingKey = toHex(sha256(encodeCertificate(certificate)));
  if (ofHeight.pending.has(pendingKey)) return DROP;
  let checks: SignatureCheck[];
  try {
    checks = certificateChecks(context.chainId, set, certificate);
  } catch (error) {
    context.log.debug("certificate refused", { peer: source.id, height, round, reason: reasonOf(error) });
    return offence("bad_commit");
  }
  ofHeight.pending.add(pendingKey);
  return {
    kind: "verify",
    checks,
    firstAlone: false,
    offence: "bad_commit",
    origin: null,
    accept() {
      ofHeight.pending.delete(pendingKey);
      if (ofHeight.certificate(key) !== "new" || view.height !== height) return "stale";
      ofHeight.addCertificate(key);
      if (blockId !== null) context.bodies.expect(height, round, blockId, -1);
      context.events.certificate(certificate, source.id);
      return null;
    },
    release: () => void ofHeight.pending.delete(pendingKey),
  };
}
