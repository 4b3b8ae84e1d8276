import type { BlockId, Height, Round, Vote } from "@quorate/chain";
import { blockIdEquals } from "@quorate/chain";
import { LIMITS } from "../limits.ts";
import type { RoundState } from "../types.ts";
import { idKey } from "../wire/keys.ts";
import { countBits, hasBit, lostBits, missingBits } from "./bits.ts";

/** One thing that a peer lacks and that we hold. */
export type Repair =
  | {
      readonly kind: "certificate";
      readonly round: Round;
      readonly type: Vote["type"];
      readonly blockId: BlockId | null;
    }
  | { readonly kind: "proposal"; readonly round: Round; readonly withBody: boolean }
  | { readonly kind: "part"; readonly blockId: BlockId; readonly index: number }
  | { readonly kind: "vote"; readonly round: Round; readonly type: Vote["type"]; readonly index: number }
  /** Commit, proposal and body of our last height, for a peer that still decides it. */
  | { readonly kind: "last_commit"; readonly height: Height };

/** What was sent to a peer at its present height and round. */
export interface SentMemory {
  /** ms of the clock when the item was last sent, `undefined` = never. */
  at(key: string): number | undefined;
}

export interface RepairPlan {
  readonly items: readonly Repair[];
  /** ms of the clock when the next of the items that were sent already is due again, `null` = none was. */
  readonly againAtMs: number | null;
}

/** Identity of an item within a peer's height and round. */
export function repairKey(item: Repair): string {
  switch (item.kind) {
    case "certificate":
      return `c${item.round}/${item.type}/${idKey(item.blockId)}`;
    case "proposal":
      return `p${item.round}/${item.withBody ? 1 : 0}`;
    case "part":
      return `b${item.index}/${idKey(item.blockId)}`;
    case "vote":
      return `v${item.round}/${item.type}/${item.index}`;
    case "last_commit":
      return `l${item.height}`;
  }
}

/** The peer went back or forgot: everything may be sent again. */
export function regressed(before: RoundState, after: RoundState): boolean {
  if (after.height !== before.height) return after.height < before.height;
  if (after.round !== before.round) return after.round < before.round;
  if (after.step < before.step) return true;
  if (before.proposal !== null && after.proposal === null) return true;
  if (blockIdEquals(before.proposal, after.proposal) && lostBits(before.parts, after.parts)) return true;
  return before.votes.some((entry) => {
    const now = after.votes.find((other) => other.round === entry.round && other.type === entry.type);
    return now !== undefined && lostBits(entry.have, now.have);
  });
}

/** Whether `state` says that the whole body of its proposal is held. */
export function holdsBody(state: RoundState): boolean {
  return state.parts.size > 0 && countBits(state.parts) === state.parts.size;
}

interface PlanLimits {
  readonly items: number;
  readonly keptRounds: number;
}

/**
 * What to send a peer, most useful first, from both round states alone: the decision of the height it is at, known
 * majorities (one bit per validator hides equivocation), proposal and parts, votes of its own round, then the other
 * rounds from the newest. Each item once, unless `sent` has forgotten it or it is due again.
 */
export function planRepair(
  own: RoundState,
  peer: RoundState,
  sent: SentMemory,
  now: number,
  limits: PlanLimits = { items: LIMITS.repairItems, keptRounds: LIMITS.keptRounds },
): RepairPlan {
  const items: Repair[] = [];
  let againAtMs: number | null = null;
  const add = (item: Repair): boolean => {
    if (items.length >= limits.items) return false;
    const at = sent.at(repairKey(item));
    if (at === undefined || now - at >= LIMITS.repairAgainMs) items.push(item);
    else againAtMs = Math.min(againAtMs ?? Number.POSITIVE_INFINITY, at + LIMITS.repairAgainMs);
    return true;
  };
  if (peer.height === own.height - 1) add({ kind: "last_commit", height: peer.height });
  else if (peer.height === own.height) planHeight(own, peer, add, limits);
  return { items, againAtMs };
}

function planHeight(
  own: RoundState,
  peer: RoundState,
  add: (item: Repair) => boolean,
  limits: PlanLimits,
): void {
  for (const known of own.maj23) {
    if (known.round < peer.round - limits.keptRounds) continue;
    const has = peer.maj23.some(
      (other) =>
        other.round === known.round &&
        other.type === known.type &&
        blockIdEquals(other.blockId, known.blockId),
    );
    if (!has) add({ kind: "certificate", round: known.round, type: known.type, blockId: known.blockId });
  }
  planProposal(own, peer, add);

  const distance = (round: Round): number => (round === peer.round ? -1 : Math.abs(round - peer.round));
  const entries = [...own.votes].sort((a, b) => distance(a.round) - distance(b.round) || b.type - a.type);
  for (const entry of entries) {
    if (entry.round < peer.round - limits.keptRounds) continue;
    const theirs = peer.votes.find((other) => other.round === entry.round && other.type === entry.type);
    for (const index of missingBits(entry.have, theirs?.have ?? null)) {
      if (!add({ kind: "vote", round: entry.round, type: entry.type, index })) return;
    }
  }
}

/**
 * The proposal of the peer's round, with body or parts as far as they are missing. A peer in a later round than ours
 * gets nothing: its round's proposal is not ours to have.
 */
function planProposal(own: RoundState, peer: RoundState, add: (item: Repair) => boolean): void {
  if (peer.round > own.round) return;
  if (peer.proposal === null) {
    // Of an earlier round our state does not say whether we have it.
    if (own.proposal !== null || peer.round < own.round)
      add({ kind: "proposal", round: peer.round, withBody: true });
    return;
  }
  const other = own.proposal === null || !blockIdEquals(own.proposal, peer.proposal);
  if (holdsBody(peer)) {
    // Two of one round prove that their proposer equivocates; whoever has both sees it.
    if (other && own.proposal !== null && own.round === peer.round)
      add({ kind: "proposal", round: peer.round, withBody: false });
    return;
  }
  if (other) {
    add({ kind: "proposal", round: peer.round, withBody: true });
    return;
  }
  if (holdsBody(own)) {
    const started = peer.parts.size > 0 && countBits(peer.parts) > 0;
    if (!started) add({ kind: "proposal", round: peer.round, withBody: true });
    else
      for (const index of missingBits(own.parts, peer.parts))
        add({ kind: "part", blockId: own.proposal, index });
    return;
  }
  for (let index = 0; index < own.parts.size; index++) {
    if (hasBit(own.parts, index) && !hasBit(peer.parts, index)) {
      add({ kind: "part", blockId: own.proposal, index });
    }
  }
}
