import { idText, shortHash } from "../network/describe.ts";
import type { MakeLaw } from "./law.ts";

/** No two honest nodes decide different blocks at one height; a node never decides a height twice. */
export const agreement: MakeLaw = ({ violated, honest }) => {
  const decided = new Map<number, { readonly id: string; readonly hash: Uint8Array; readonly by: number }>();
  return {
    stored(node, { height, blockId }) {
      if (!honest(node)) return;
      const id = idText(blockId);
      const first = decided.get(height);
      if (first === undefined) decided.set(height, { id, hash: blockId.hash, by: node });
      else if (first.id !== id) {
        violated(
          `height ${height}: node ${node} decided ${shortHash(blockId.hash)}, node ${first.by} ${shortHash(first.hash)}`,
          [first.by, node],
        );
      }
    },
  };
};
