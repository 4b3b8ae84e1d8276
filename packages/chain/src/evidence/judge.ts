/**
 * Evidence against the chain: the one judgement that pool and block rules share. Everything compared is the chain's own
 * (set and time of the evidence's height, params and registry of the state), so all nodes judge alike.
 */
import type { SignatureCheck } from "@quorate/crypto";
import { encodeEvidenceList } from "../encoding/evidence.ts";
import { ChainError } from "../errors.ts";
import { registryEntryByAddress } from "../registry/registry.ts";
import type {
  Address,
  ChainState,
  DuplicateVoteEvidence,
  Evidence,
  Height,
  Time,
  ValidatorSet,
} from "../types.ts";
import { evidenceExpired } from "./age.ts";
import { duplicateVoteChecks } from "./duplicate-vote.ts";

/** What evidence is compared with: a decided height of the chain. */
export interface PastHeight {
  readonly height: Height;
  /** Header time of its block. */
  readonly time: Time;
  readonly validators: ValidatorSet;
}

/** Decided heights as far as they are at hand; `null` = not at hand, or never decided. */
export type ChainPast = (height: Height) => PastHeight | null;

/** No height at hand: enough to judge blocks without evidence. */
export const NO_PAST: ChainPast = () => null;

function refuse(reason: string, message: string): ChainError {
  return new ChainError("EVIDENCE", `evidence: ${message}`, { reason });
}

/**
 * Can evidence still convict this validator? Not one whose key is tombstoned (it was convicted, once for ever) nor one of
 * whom the registry knows nothing any more: an entry stays as long as evidence against it may come.
 */
export function canConvict(state: ChainState, address: Address): boolean {
  const entry = registryEntryByAddress(state.registry, address);
  return entry !== null && entry.status !== 2;
}

/**
 * The signature checks that decide whether a double vote may stand in a block after `state`; it may if nothing is thrown
 * and both hold. `past` is the height of the votes.
 * @throws ChainError `EVIDENCE`; `facts.reason`: `wrong_height` (of the past that was given), `not_decided`, `expired`,
 *   `time_mismatch`, `convicted`, and those of {@link duplicateVoteChecks}.
 */
export function judgeDuplicateVote(
  state: ChainState,
  evidence: DuplicateVoteEvidence,
  past: PastHeight,
): readonly SignatureCheck[] {
  const { height, validatorAddress } = evidence.voteA;
  if (past.height !== height) throw refuse("wrong_height", `it is of height ${height}, not ${past.height}`);
  if (height > state.lastHeight) throw refuse("not_decided", `height ${height} is not decided yet`);
  const last = { height: state.lastHeight, time: state.lastTime };
  if (evidenceExpired(state.params, last, past)) {
    throw refuse("expired", `height ${height} is too long ago`);
  }
  if (evidence.timestamp !== past.time) {
    throw refuse("time_mismatch", `its time is not that of the block of height ${height}`);
  }
  const checks = duplicateVoteChecks(state.chainId, evidence, past.validators);
  if (!canConvict(state, validatorAddress)) {
    throw refuse("convicted", "the validator was convicted by earlier evidence, or is known no more");
  }
  return checks;
}

/** Bytes of a block's evidence as `max_evidence_bytes` counts them: protobuf EvidenceList (CometBFT ByteSize). */
export function evidenceListSize(list: readonly Evidence[]): number {
  return list.length === 0 ? 0 : encodeEvidenceList(list).length;
}
