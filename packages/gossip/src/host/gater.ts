import { LIMITS } from "../limits.ts";
import { abortConnection } from "../wire/ends.ts";
import type { InboundLimiter } from "./inbound-limiter.ts";
import type { Connection, Gate } from "./network.ts";

export interface GateModules {
  readonly self: string;
  /** Permissioned mode: only these peer ids. */
  readonly allow: ReadonlySet<string> | null;
  readonly banned: (peer: string) => boolean;
  readonly inbound: Pick<InboundLimiter, "enter" | "penalise">;
  /** Open connections to a peer. */
  readonly connections: (peer: string) => readonly Connection[];
  /** A dial of ours to this peer has just begun. */
  readonly dialling: (peer: string) => boolean;
  readonly ageMs: (connection: Connection) => number;
}

/** What to do with a new connection of a peer that we have or are making another one to. */
export type DuplicateRule = "accept" | "refuse" | "replace";

/**
 * One link per pair. Both sides must come to the same answer alone: an old connection gives way to a new one (the
 * other side would not dial if it had it); of two young ones the one dialled by the smaller peer id stays.
 */
export function duplicateRule(facts: {
  readonly self: string;
  readonly peer: string;
  readonly direction: "inbound" | "outbound";
  /** Direction and age of the connection that is there, `null` = none. */
  readonly existing: { readonly direction: "inbound" | "outbound"; readonly ageMs: number } | null;
  /** Our dial to the peer is under way (asked only for inbound connections). */
  readonly dialling: boolean;
}): DuplicateRule {
  const weWin = facts.self < facts.peer;
  if (facts.existing === null) {
    return facts.direction === "inbound" && facts.dialling && weWin ? "refuse" : "accept";
  }
  if (facts.existing.ageMs >= LIMITS.duplicateYoungMs) return "replace";
  if (facts.existing.direction === facts.direction) return "replace";
  const dialledByUs = facts.direction === "outbound";
  return dialledByUs === weWin ? "replace" : "refuse";
}

/** Who may connect: allow list, bans, never ourselves, and one link per pair. */
export function createGate(modules: GateModules): Gate {
  const refused = (peer: string): boolean =>
    peer === modules.self || modules.banned(peer) || (modules.allow !== null && !modules.allow.has(peer));

  const duplicate = (peer: string, direction: "inbound" | "outbound"): boolean => {
    const open = modules.connections(peer).filter((connection) => connection.status === "open");
    const [first] = open;
    const rule = duplicateRule({
      self: modules.self,
      peer,
      direction,
      existing: first === undefined ? null : { direction: first.direction, ageMs: modules.ageMs(first) },
      dialling: direction === "inbound" && modules.dialling(peer),
    });
    // Closed before the new one opens, so that every protocol sees the peer leave and come.
    if (rule === "replace") {
      for (const old of open) abortConnection(old, new Error("replaced by a newer connection"));
    }
    return rule === "refuse";
  };

  return {
    denyDial: refused,
    enter: (address) => modules.inbound.enter(address),
    offended: (address) => modules.inbound.penalise(address),
    denyAuthenticated: refused,
    denyOpened: duplicate,
  };
}
