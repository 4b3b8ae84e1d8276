import type { MakeLaw } from "./law.ts";

/** An honest process ends by itself only when its disk failed it (exit 6): never as a bug, a fork, a second instance. */
export const cleanExits: MakeLaw = ({ violated, honest }) => ({
  exited(node, exit) {
    if (!honest(node) || exit.code === 0 || exit.code === 6) return;
    violated(`node ${node} stopped with exit ${exit.code}: ${exit.what}`, [node]);
  },
});
