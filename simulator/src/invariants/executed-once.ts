import { toHex } from "@quorate/crypto";
import type { MakeLaw } from "./law.ts";

/**
 * Every node tells its host every height exactly once per life, in order. Its execution client is given decided blocks
 * alone as heads, each as finalized when it moves there, one after the other, and never goes back while it keeps its
 * memory.
 */
export const executedOnce: MakeLaw = ({ violated, honest }) => {
  const last = new Map<number, number>();
  const decided = new Map<number, string>();
  const heads = new Map<number, number>();
  return {
    stored(_node, { height, state }) {
      decided.set(height, `0x${toHex(state.el.blockHash)}`);
    },
    committed(node, { height }) {
      const before = last.get(node);
      if (before !== undefined && height !== before + 1) {
        violated(`node ${node} committed height ${height} after ${before}`, [node]);
      }
      last.set(node, height);
    },
    head(node, number, hash, finalized, stood) {
      if (!honest(node)) return;
      if (number > 0 && decided.get(number) !== hash) {
        violated(`node ${node} made ${hash.slice(0, 10)} its head at ${number}, which was never decided`, [
          node,
        ]);
      }
      if (number > 0 && !finalized && !stood)
        violated(`node ${node} set a head at ${number} and did not finalize it`, [node]);
      const before = heads.get(node) ?? 0;
      if (number < before) violated(`node ${node} moved its head back from ${before} to ${number}`, [node]);
      heads.set(node, number);
    },
    clientLost: (node) => void heads.delete(node),
    // What a crash undid is committed again.
    crashed: (node) => void last.delete(node),
    exited: (node) => void last.delete(node),
  };
};
