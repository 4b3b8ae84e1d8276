import type { MakeLaw } from "./law.ts";

/** Every node tells its host every height exactly once per life, in order, and none that it told before a clean end. */
export const executedOnce: MakeLaw = ({ violated }) => {
  const last = new Map<number, number>();
  return {
    committed(node, { height }) {
      const before = last.get(node);
      if (before !== undefined && height !== before + 1) {
        violated(`node ${node} committed height ${height} after ${before}`, [node]);
      }
      last.set(node, height);
    },
    // What a crash undid is committed again.
    crashed: (node) => void last.delete(node),
    exited: (node) => void last.delete(node),
  };
};
