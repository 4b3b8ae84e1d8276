import { stateFromGenesis, type ValidatorSet } from "@quorate/chain";
import { finder } from "../cluster/people.ts";
import type { MakeLaw } from "./law.ts";

/** Heights that whoever left has to follow before it counts as going on. */
const GOES_ON = 3;

/**
 * A node signs at the heights whose set has its key and at no other: one whose key enters votes by itself, one whose key
 * leaves goes on as a full node. Whoever is in the set of a healed network and comes to the vote casts one: it need not
 * come to it where others have the power to decide before it knows whether the block is valid.
 */
export const membersAlone: MakeLaw = ({ cluster, people, violated, honest, saw }) => {
  const first = stateFromGenesis(cluster.options.genesis);
  const placeOf = finder(people);
  const nodesIn = ({ validators }: ValidatorSet): ReadonlySet<number> =>
    new Set(validators.map(({ address }) => placeOf(address)));
  /** Who is in the set of a height, by place. */
  const sets = new Map<number, ReadonlySet<number>>([
    [1, nodesIn(first.validators)],
    [2, nodesIn(first.nextValidators)],
  ]);
  const nodes = [...cluster.members.keys()];
  /** Node and height. */
  const cameToVote = new Map<string, { readonly node: number; readonly height: number }>();
  const voted = new Set<string>();
  const joined = new Set<number>();
  /** First height without the key of a node that had been in. */
  const left = new Map<number, number>();
  const counted = new Set<number>();
  let healedAt = Number.POSITIVE_INFINITY;
  return {
    spoke(node, message) {
      if (!honest(node)) return;
      const { height } = message;
      if (sets.get(height)?.has(node) === false)
        violated(`node ${node} signs at height ${height}, whose set has not its key`, [node]);
    },
    step(node, _input, _before, { effects }) {
      for (const effect of effects) {
        if (effect.kind === "sign_vote") voted.add(`${node}/${effect.vote.height}`);
        else if (effect.kind === "new_step" && effect.step === "Prevote")
          cameToVote.set(`${node}/${effect.height}`, { node, height: effect.height });
      }
    },
    stored(node, { height, block, state }) {
      if (!honest(node)) return;
      const gone = left.get(node);
      if (gone !== undefined && height >= gone + GOES_ON && !counted.has(node)) {
        counted.add(node);
        saw("leaversGoingOn");
      }
      if (sets.has(height + 2)) return;
      const now = nodesIn(state.nextValidators);
      sets.set(height + 2, now);
      for (const each of nodes) {
        if (now.has(each)) left.delete(each);
        else if (sets.get(height + 1)?.has(each) === true) left.set(each, height + 2);
      }
      for (const { validatorAddress } of block.lastCommit.signatures) {
        const place = placeOf(validatorAddress);
        const person = people[place];
        if (person === undefined || person.inGenesis || joined.has(place)) continue;
        joined.add(place);
        saw("joinersVoting");
      }
    },
    healed(height) {
      healedAt = height;
    },
    ended() {
      for (const [at, { node, height }] of cameToVote) {
        if (!honest(node) || height <= healedAt || voted.has(at)) continue;
        if (sets.get(height)?.has(node) === true)
          violated(`node ${node} was in the set of height ${height}, came to the vote and cast none`, [node]);
      }
    },
  };
};
