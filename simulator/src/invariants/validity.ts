import {
  applyBlock,
  blockIdEquals,
  blockIdOf,
  type ChainState,
  encodeBlock,
  encodeState,
  type PastHeight,
  proposerOf,
  stateFromGenesis,
  validateBlock,
  verifyCommit,
} from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import { backendOf } from "../crypto/ports.ts";
import type { MakeLaw } from "./law.ts";

/**
 * A decided block follows the rules of the chain, was proposed by a validator whose turn it was in some round, carries a
 * last commit with good signatures, and is itself decided by +2/3 good precommits. Every node's state after it is the
 * same as the one computed here from genesis.
 */
export const validity: MakeLaw = ({ cluster, violated, honest }) => {
  const { genesis, scheme } = cluster.options;
  const backend = backendOf(scheme);
  let state: ChainState = stateFromGenesis(genesis);
  const states = new Map<number, Uint8Array>();
  const past = new Map<number, PastHeight>();
  return {
    stored(node, { height, block, blockId, seenCommit, state: after }) {
      if (!honest(node)) return;
      try {
        const known = states.get(height);
        if (known === undefined && height === state.lastHeight + 1) {
          if (!blockIdEquals(blockIdOf(block, encodeBlock(block)), blockId))
            throw new Error("its id is another block's");
          const checks = validateBlock(state, block, undefined, (asked) => past.get(asked) ?? null);
          if (!checks.every((check) => scheme.verify(check)))
            throw new Error("its last commit or its evidence has a bad signature");
          const rounds = Array.from({ length: seenCommit.round + 1 }, (_, round) => round);
          const { proposerAddress } = block.header;
          if (
            !rounds.some((round) => bytesEqual(proposerOf(state.validators, round).address, proposerAddress))
          )
            throw new Error("its proposer never had the turn");
          verifyCommit(state.chainId, state.validators, blockId, height, seenCommit, backend);
          past.set(height, { height, time: block.header.time, validators: state.validators });
          state = applyBlock(state, block, blockId);
          states.set(height, encodeState(state));
        }
        const expected = states.get(height);
        if (expected === undefined) throw new Error(`the height before it was never decided`);
        if (!bytesEqual(expected, encodeState(after))) throw new Error("the state after it is another one");
      } catch (error) {
        violated(
          `height ${height} on node ${node}: ${error instanceof Error ? error.message : String(error)}`,
          [node],
        );
      }
    },
  };
};
