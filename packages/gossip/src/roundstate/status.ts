import { bytesEqual } from "@quorate/crypto";
import type { PeerStatus } from "../types.ts";

/** Version of everything this package puts on the wire; first field of the status exchange. */
export const PROTOCOL_VERSION = 1;

/** Why a connection is closed; sent as one byte before it. */
export const GOODBYE_CODES = {
  stopping: 1,
  protocol_version: 2,
  chain_id: 3,
  genesis_hash: 4,
  upgrades_hash: 5,
  el_genesis_hash: 6,
  misbehaviour: 7,
  duplicate: 8,
  too_many_peers: 9,
  timeout: 10,
} as const;
export type GoodbyeReason = keyof typeof GOODBYE_CODES;

const REASONS: ReadonlyMap<number, GoodbyeReason> = new Map(
  Object.entries(GOODBYE_CODES).map(([reason, code]) => [code, reason as GoodbyeReason]),
);

/** The reason of a code, `null` for one that this version does not know. */
export function goodbyeReason(code: number): GoodbyeReason | null {
  return REASONS.get(code) ?? null;
}

/** First difference that forbids two nodes to talk, `null` when they belong together. */
export function statusMismatch(own: PeerStatus, other: PeerStatus): GoodbyeReason | null {
  if (own.protocolVersion !== other.protocolVersion) return "protocol_version";
  if (own.chainId !== other.chainId) return "chain_id";
  if (!bytesEqual(own.genesisHash, other.genesisHash)) return "genesis_hash";
  if (!bytesEqual(own.upgradesHash, other.upgradesHash)) return "upgrades_hash";
  if (!bytesEqual(own.elGenesisHash, other.elGenesisHash)) return "el_genesis_hash";
  return null;
}
