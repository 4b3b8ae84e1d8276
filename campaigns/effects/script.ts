/**
 * The weather of three heights of three rounds. By delaying messages among honest nodes it brings about, with the node
 * under test N and its peers A, B, C:
 *
 * height 1  N and A lock a value that the others never see a polka for; a round without a proposal; decision in round 2
 * height 2  N alone locks a value; in round 1 N and A lock another one by a later polka; decision in round 2
 * height 3  a round without a polka; N, A, B precommit a value of which nobody gets all precommits; decision when they do
 *
 * Delayed messages arrive when their receiver begins round 2 of the height.
 */
import { VoteType } from "@quorate/chain";
import { makeChain, proposerIndex, type TestChain } from "../../packages/node/test/support/chain.ts";
import type { Weather } from "./scene.ts";

const { prevote, precommit } = VoteType;

export const HEIGHTS = 3;

/** Four validators. Blocks have some distance, so that three of them do not run away from one that comes back. */
export function crashChain(): TestChain {
  return makeChain(4, { blockIntervalMs: 300 });
}

type Role = "N" | "A" | "B" | "C";

/** Who is who at a height: the peer that proposes first, if one does, is A. */
function rolesAt(chain: TestChain, height: number, underTest: number): readonly Role[] {
  const size = chain.keys.seeds.length;
  // All powers are equal: the turn goes round by heights as it does by rounds.
  const first = proposerIndex(chain.start, (height - 1) % size);
  const start = first === underTest ? (underTest + 1) % size : first;
  const peers = Array.from({ length: size }, (_, at) => (start + at) % size).filter((at) => at !== underTest);
  const roles: Role[] = [];
  roles[underTest] = "N";
  for (const [at, index] of peers.entries()) roles[index] = (["A", "B", "C"] as const)[at] as Role;
  return roles;
}

/** `FROM-TO` pairs that do not get through, by height, round and kind. */
const DELAYED: Readonly<Record<string, readonly string[]>> = {
  "1/0/proposal": ["*-C"],
  [`1/0/${prevote}`]: ["N-B", "N-C"],
  "1/1/proposal": ["*-*"],
  "2/0/proposal": ["*-C"],
  [`2/0/${prevote}`]: ["N-A", "N-B", "N-C"],
  [`2/1/${prevote}`]: ["A-B", "A-C"],
  "3/0/proposal": ["*-B", "*-C"],
  [`3/1/${prevote}`]: ["N-C", "A-C"],
  [`3/1/${precommit}`]: ["N-A", "N-B", "N-C", "B-N"],
};

/** By who made a message, not by who passes it on: a relay must not undo the weather. */
export function weatherFor(chain: TestChain, underTest: number): Weather {
  const roles = Array.from({ length: HEIGHTS + 1 }, (_, height) =>
    rolesAt(chain, Math.max(1, height), underTest),
  );
  return ({ from, to, message }) => {
    const delays = (
      height: number,
      round: number,
      kind: string | number,
      makers: readonly number[],
    ): boolean => {
      const names = roles[height];
      if (names === undefined) return false;
      const receiver = names[to];
      const pairs = DELAYED[`${height}/${round}/${kind}`] ?? [];
      return pairs.some((pair) =>
        makers.some((maker) => ["*-*", `*-${receiver}`, `${names[maker]}-${receiver}`].includes(pair)),
      );
    };
    switch (message.kind) {
      case "vote": {
        const { height, round, type, validatorIndex } = message.vote;
        return delays(height, round, type, [validatorIndex]) ? { height, round: 2 } : null;
      }
      case "proposal": {
        const { height, round } = message.proposal;
        return delays(height, round, "proposal", [from]) ? { height, round: 2 } : null;
      }
      case "certificate": {
        const { height, round, type, signatures } = message.certificate;
        const makers = signatures.map(({ validatorIndex }) => validatorIndex);
        return delays(height, round, type, makers) ? { height, round: 2 } : null;
      }
    }
  };
}

export const clear: Weather = () => null;
