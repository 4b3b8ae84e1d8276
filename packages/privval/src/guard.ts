import {
  type BlockId,
  type Height,
  proposalSignBytes,
  type Round,
  type Time,
  VoteType,
  voteSignBytes,
} from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import type { LastSigned, ProposalToSign, SignDependency, SignState, SignStep, VoteToSign } from "./types.ts";

/** Height, round, step: the order in which one key may sign. */
export interface Place {
  readonly height: Height;
  readonly round: Round;
  readonly step: SignStep;
}

/** Something to sign, reduced to what the guard needs. */
export interface Request extends Place {
  /** Timestamp that the requester proposes. */
  readonly timestamp: Time;
  /** Sign bytes with this timestamp in place of the proposed one. */
  signBytes(timestamp: Time): Uint8Array;
  /** Block of a non-nil precommit: it becomes the lock. */
  readonly locks: BlockId | null;
}

export type Judgement =
  | { readonly kind: "sign" }
  /** The same message was signed before, perhaps with another time: give that one. */
  | { readonly kind: "reuse"; readonly last: LastSigned }
  | { readonly kind: "refuse"; readonly code: "REGRESSION" | "CONFLICT"; readonly reason: string };

const STEP_NAMES = ["proposal", "prevote", "precommit"] as const;

export function stepName(step: SignStep): string {
  return STEP_NAMES[step];
}

/** Negative when `a` comes before `b`, 0 when they are the same place. */
export function comparePlaces(a: Place, b: Place): number {
  return a.height - b.height || a.round - b.round || a.step - b.step;
}

function placeText(place: Place): string {
  return `height ${place.height} round ${place.round} ${stepName(place.step)}`;
}

export function voteRequest(chainId: string, vote: VoteToSign): Request {
  const precommit = vote.type === VoteType.precommit;
  return {
    height: vote.height,
    round: vote.round,
    step: precommit ? 2 : 1,
    timestamp: vote.timestamp,
    signBytes: (timestamp) => voteSignBytes(chainId, { ...vote, timestamp }),
    locks: precommit ? vote.blockId : null,
  };
}

export function proposalRequest(chainId: string, proposal: ProposalToSign): Request {
  return {
    height: proposal.height,
    round: proposal.round,
    step: 0,
    timestamp: proposal.timestamp,
    signBytes: (timestamp) => proposalSignBytes(chainId, { ...proposal, timestamp }),
    locks: null,
  };
}

/**
 * The double-sign rule: places only rise; at one place only one message, whose timestamp is the first one signed
 * (CometBFT privval/file.go: CheckHRS and "only differs by timestamp").
 */
export function judge(state: SignState, request: Request): Judgement {
  const last = state.lastSigned;
  if (last === null) return { kind: "sign" };
  const order = comparePlaces(request, last);
  if (order > 0) return { kind: "sign" };
  if (order < 0) {
    const reason = `asked to sign ${placeText(request)} after ${placeText(last)}`;
    return { kind: "refuse", code: "REGRESSION", reason };
  }
  if (last.signBytes.length === 0) {
    const reason = `${placeText(request)} was signed before, the signature is not known here`;
    return { kind: "refuse", code: "REGRESSION", reason };
  }
  if (bytesEqual(request.signBytes(last.timestamp), last.signBytes)) return { kind: "reuse", last };
  const reason = `another message was already signed for ${placeText(request)}`;
  return { kind: "refuse", code: "CONFLICT", reason };
}

/** The state once `request` is signed. */
export function signedState(
  state: SignState,
  request: Request,
  signBytes: Uint8Array,
  signature: Uint8Array,
  dependency: SignDependency,
): SignState {
  const { height, round, step, timestamp, locks } = request;
  return {
    generation: state.generation + 1n,
    lastSigned: { height, round, step, timestamp, signBytes, signature },
    lock: locks === null ? state.lock : { height, round, blockId: locks },
    dependency: { sequence: dependency.sequence, crc: dependency.crc },
  };
}

/** The state with its watermark, and its lock, at least here; the same object when they already are. */
export function raisedState(
  state: SignState,
  place: Place,
  lock?: { readonly round: Round; readonly blockId: BlockId },
): SignState {
  const last = state.lastSigned;
  const higher = last === null || comparePlaces(place, last) > 0;
  const { height, round, step } = place;
  const newLock =
    lock !== undefined &&
    (state.lock === null ||
      height > state.lock.height ||
      (height === state.lock.height && lock.round > state.lock.round));
  if (!higher && !newLock) return state;
  const nothing = new Uint8Array();
  return {
    ...state,
    generation: state.generation + 1n,
    lastSigned: higher
      ? { height, round, step, timestamp: 0n, signBytes: nothing, signature: nothing }
      : last,
    lock: newLock ? { height, round: lock.round, blockId: lock.blockId } : state.lock,
  };
}
