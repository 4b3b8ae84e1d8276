import { finder } from "../cluster/people.ts";
import { voteName } from "../network/describe.ts";
import type { MakeLaw } from "./law.ts";

/** Nobody holds proof against a node that keeps to the protocol, and no honest node takes its own key for stolen. */
export const neverAccused: MakeLaw = ({ people, violated, honest, framed }) => {
  const nodeOf = finder(people);
  return {
    stored(node, { height, block }) {
      if (!honest(node)) return;
      for (const evidence of block.evidence) {
        const accused = evidence.kind === "duplicate_vote" ? nodeOf(evidence.voteA.validatorAddress) : -1;
        if (accused < 0 || (honest(accused) && !framed(accused))) {
          violated(`block ${height} convicts node ${accused}, which keeps to the protocol`, [node, accused]);
        }
      }
    },
    step(node, _input, _before, { effects, state }) {
      if (!honest(node)) return;
      for (const effect of effects) {
        if (effect.kind === "duplicate_vote") {
          const accused = nodeOf(effect.first.validatorAddress);
          if (honest(accused)) {
            violated(
              `node ${node} accuses node ${accused} of ${voteName(effect.first)} and ${voteName(effect.second)}`,
              [node, accused],
            );
          }
        } else if (effect.kind === "duplicate_proposal") {
          const accused = state.proposer === null ? -1 : nodeOf(state.proposer.address);
          const sameRound = effect.first.round === state.machine.round;
          if (sameRound && accused >= 0 && honest(accused)) {
            violated(
              `node ${node} accuses node ${accused} of two proposals for ${effect.first.height}/${effect.first.round}`,
              [node, accused],
            );
          }
        }
      }
    },
  };
};
