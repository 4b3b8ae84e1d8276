import { encodeEvidence } from "@quorate/chain";
import type { MakeLaw } from "./law.ts";

/** Encoded bytes of evidence that a node may hold (R37). */
const MOST_BYTES = 1_048_576;

/** No honest node ever holds more than 1 MiB of evidence, whatever was signed twice and however long no block took it. */
export const boundedEvidence: MakeLaw = ({ cluster, violated, measured, honest }) => {
  function look(node: number): void {
    if (!honest(node)) return;
    const held = cluster.members[node]?.process?.rpc?.evidence.pending() ?? [];
    const bytes = held.reduce((sum, evidence) => sum + encodeEvidence(evidence).length, 0);
    measured("evidenceBytes", bytes);
    if (bytes > MOST_BYTES) violated(`node ${node} holds ${bytes} bytes of evidence`, [node]);
  }
  return {
    stored: look,
    ended() {
      for (const node of cluster.members.keys()) look(node);
    },
  };
};
