import { toHex } from "@quorate/crypto";
import { proposalName, voteName } from "../network/describe.ts";
import { isVote, type MakeLaw } from "./law.ts";

/**
 * No honest node ever puts two different signatures for one (height, round, type) on the wire, in this life or another.
 * Signatures are deterministic: another one is one over other bytes, be it only the time.
 */
export const noDoubleSign: MakeLaw = ({ violated, honest }) => {
  const signed = new Map<string, { readonly signature: string; readonly name: string }>();
  return {
    spoke(node, message) {
      if (!honest(node)) return;
      const { height, round } = message;
      const type = isVote(message) ? message.type : 0;
      const key = `${node}/${height}/${round}/${type}`;
      const signature = toHex(message.signature.subarray(0, 16));
      const name = isVote(message) ? voteName(message) : proposalName(message);
      const first = signed.get(key);
      if (first === undefined) signed.set(key, { signature, name });
      else if (first.signature !== signature) {
        violated(`node ${node} sent ${name} after ${first.name} with another signature`, [node]);
      }
    },
  };
};
