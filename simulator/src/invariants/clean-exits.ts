import type { MakeLaw } from "./law.ts";

/**
 * An honest process ends by itself only when its disk failed it (exit 6), or gave back other bytes than it was given (exit
 * 3, where bits were flipped): never as a bug, a fork, a second instance.
 */
export const cleanExits: MakeLaw = ({ cluster, violated, honest }) => ({
  exited(node, exit) {
    if (!honest(node) || exit.code === 0 || exit.code === 6) return;
    if (exit.code === 3 && cluster.member(node).rotten) return;
    violated(`node ${node} stopped with exit ${exit.code}: ${exit.what}`, [node]);
  },
});
