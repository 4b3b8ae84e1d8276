/** Evidence that nobody has verified here yet: against what the store holds of its heights. */
import {
  ChainError,
  type ChainState,
  type Evidence,
  evidenceHeight,
  type Height,
  judgeDuplicateVote,
  type LightClientAttackEvidence,
  lightClientAttackChecks,
  type PastHeight,
  type SignedHeader,
} from "@quorate/chain";
import type { SignatureCheck, Verifier } from "@quorate/crypto";
import type { BlockStore } from "@quorate/store";
import { pastHeight } from "./past.ts";

export type EvidenceStore = Pick<BlockStore, "base" | "height" | "block" | "validators" | "commitOf">;

export type Verdict =
  | { readonly kind: "holds"; readonly past: PastHeight }
  /** Proves nothing; whoever sent it is to blame. */
  | { readonly kind: "bad"; readonly reason: string }
  /** Cannot be judged: of a height that is not decided or not kept here, too old, or of somebody convicted already. */
  | { readonly kind: "no_use"; readonly reason: string };

const NOBODYS_FAULT: ReadonlySet<unknown> = new Set(["expired", "convicted", "not_decided"]);

/** The first signature that fails ends it: bogus evidence costs one check. */
async function allHold(verifier: Verifier, checks: readonly SignatureCheck[]): Promise<boolean> {
  const [first, ...rest] = checks;
  if (first === undefined || !verifier.verifyNow(first)) return false;
  return rest.length === 0 || (await verifier.verify(rest, { priority: 2 })).every(Boolean);
}

export async function verifyEvidence(
  state: ChainState,
  store: EvidenceStore,
  verifier: Verifier,
  evidence: Evidence,
): Promise<Verdict> {
  const past = await pastHeight(store, state, evidenceHeight(evidence));
  if (past === null) {
    return { kind: "no_use", reason: `height ${evidenceHeight(evidence)} is not decided or not kept here` };
  }
  try {
    const checks =
      evidence.kind === "duplicate_vote"
        ? judgeDuplicateVote(state, evidence, past)
        : await attackChecks(state, store, evidence, past);
    if (checks === null) return { kind: "no_use", reason: "a height it names is not kept here" };
    if (await allHold(verifier, checks)) return { kind: "holds", past };
    return { kind: "bad", reason: "a signature does not hold" };
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
    const kind = NOBODYS_FAULT.has(error.facts["reason"]) ? "no_use" : "bad";
    return { kind, reason: error.message };
  }
}

/** `null`: what the chain decided there is not kept here. */
async function attackChecks(
  state: ChainState,
  store: EvidenceStore,
  evidence: LightClientAttackEvidence,
  past: PastHeight,
): Promise<readonly SignatureCheck[] | null> {
  const conflicting = evidence.conflictingBlock.signedHeader.header.height;
  const common = await signedHeader(store, evidence.commonHeight);
  const trusted = await signedHeader(store, Math.min(conflicting, state.lastHeight));
  if (common === null || trusted === null) return null;
  return lightClientAttackChecks(evidence, {
    chainId: state.chainId,
    common: common.header,
    commonValidators: past.validators,
    trusted,
  });
}

async function signedHeader(store: EvidenceStore, height: Height): Promise<SignedHeader | null> {
  const block = await store.block(height);
  const commit = await store.commitOf(height);
  return block === null || commit === null ? null : { header: block.header, commit };
}
