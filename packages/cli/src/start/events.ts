import type { CommitInfo } from "@quorate/node";

/** A height that became final on one node, as NDJSON shows it. Keys in the order of the contract, `node` left out. */
export interface CommitEvent {
  readonly event: "commit";
  readonly height: number;
  readonly round: number;
  /** RFC 3339 with ms: the header's time. */
  readonly time: string;
  readonly block_id: string;
  readonly app_hash: string;
  readonly el_hash: string | null;
  readonly txs: number;
  readonly proposer: string;
  /** From the header's time to the commit on this node, ms. */
  readonly ms: number;
}

export function commitEvent(commit: CommitInfo): CommitEvent {
  const upper = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex").toUpperCase();
  return {
    event: "commit",
    height: commit.height,
    round: commit.round,
    time: new Date(Number(commit.time / 1_000_000n)).toISOString(),
    block_id: upper(commit.blockHash),
    app_hash: upper(commit.appHash),
    el_hash: commit.elHash === null ? null : `0x${Buffer.from(commit.elHash).toString("hex")}`,
    txs: commit.txs,
    proposer: upper(commit.proposer),
    ms: Math.round(commit.latencyMs),
  };
}
