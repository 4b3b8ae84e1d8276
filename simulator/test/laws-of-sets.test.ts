/** The laws about sets that change: the naive model of the registry, and who signs. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { type BlockId, makeValidatorSet, type Vote, VoteType } from "@quorate/chain";
import { type Effect, type Input, initialState } from "@quorate/consensus";
import { A, B, cluster, type Heard, heard, KEYS, LIAR, law } from "./support.ts";

function prevoteAt(height: number, node: number, blockId: BlockId): Vote {
  return {
    ...{ type: VoteType.prevote, height, round: 0, blockId, timestamp: 0n },
    ...{ validatorAddress: KEYS[node]!.address, validatorIndex: node, signature: new Uint8Array(64) },
  };
}

let chain: Heard;
before(async () => {
  chain = await heard(4);
});

describe("the registry's model", () => {
  const batches = (node = 0) => chain.stored.filter((each) => each.node === node).map(({ batch }) => batch);
  type Batch = ReturnType<typeof batches>[number];

  it("is what all nodes have at every height of a chain", () => {
    const { law: model, found } = law("registry-model");
    for (const batch of batches()) for (const node of [0, 1]) model.stored?.(node, batch);
    assert.deepEqual(found, []);
  });

  const breaches: Readonly<Record<string, [spoil: (first: Batch) => Batch, found: RegExp]>> = {
    "a power that nothing asked for": [
      ({ state, ...first }) => {
        const entries = state.registry.entries.map((entry) => ({ ...entry, power: entry.power + 1n }));
        return { ...first, state: { ...state, registry: { ...state.registry, entries } } };
      },
      /its entry 0 is [0-9a-f]+ of [0-9a-f]+: power 11, .*, in the model .*power 10,/,
    ],
    "a queued change that nobody asked for": [
      ({ state, ...first }) => {
        const { pubKey, owner } = state.registry.entries[0]!;
        const changes = [{ pubKey, owner, kind: 0 as const, value: 7n, height: 1 }];
        return { ...first, state: { ...state, registry: { ...state.registry, changes } } };
      },
      /its queued change 0 is .*, in the model not there/,
    ],
    "a set that the registry does not make": [
      ({ state, ...first }) => {
        const nextValidators = makeValidatorSet(state.nextValidators.validators.slice(1));
        return { ...first, state: { ...state, nextValidators } };
      },
      /the set of two heights later is not the model's/,
    ],
    "evidence with powers that the validator never had": [
      (first) => {
        const [voteA, voteB] = [A, B].map((id) => prevoteAt(1, 0, id));
        const votes = { kind: "duplicate_vote" as const, voteA: voteA!, voteB: voteB! };
        const evidence = { ...votes, totalVotingPower: 40n, validatorPower: 11n, timestamp: 0n };
        return { ...first, block: { ...first.block, evidence: [evidence] } };
      },
      /its evidence is of power 11 of 40 at height 1, where it was 10 of 40/,
    ],
  };
  for (const [name, [spoil, expected]] of Object.entries(breaches)) {
    it(`does not have ${name}`, () => {
      const { law: model, found } = law("registry-model");
      const [first] = batches();
      assert.ok(first !== undefined);
      model.stored?.(LIAR, spoil(first));
      assert.deepEqual(found, []);
      model.stored?.(0, spoil(first));
      assert.match(found.join(), expected);
    });
  }

  it("is not what a second node has whose registry is another one", () => {
    const { law: model, found } = law("registry-model");
    const [first] = batches();
    assert.ok(first !== undefined);
    model.stored?.(0, first);
    const registry = { ...first.state.registry, nextDepositIndex: 1n };
    model.stored?.(1, { ...first, state: { ...first.state, registry } });
    assert.match(found.join(), /the registry is not that of the others/);
  });
});

describe("members alone", () => {
  const batches = () => chain.stored.filter(({ node }) => node === 0).map(({ batch }) => batch);

  it("sign: a vote of a node whose key is not in the set of that height is a violation", () => {
    const { genesis } = cluster().options;
    const without = { ...genesis, validators: genesis.validators.slice(0, 2) };
    const { law: members, found } = law("members-alone", cluster({}, "none", { genesis: without }));
    members.spoke?.(1, prevoteAt(1, 1, A));
    members.spoke?.(LIAR, prevoteAt(1, LIAR, A));
    assert.deepEqual(found, []);
    members.spoke?.(2, prevoteAt(1, 2, A));
    assert.match(found.join(), /node 2 signs at height 1, whose set has not its key/);
  });

  it("vote: whoever is in the set of a healed network and comes to the vote casts one", () => {
    const state = initialState();
    const input: Input = { kind: "proposer_absent", height: 1, round: 0 };
    const silent = (...nodes: readonly number[]): readonly string[] => {
      const { law: members, found } = law("members-alone");
      members.healed?.(1);
      for (const batch of batches()) members.stored?.(0, batch);
      for (const height of [1, 3]) {
        for (const node of [0, 1, 2, LIAR]) {
          const vote: Effect = { kind: "sign_vote", vote: prevoteAt(height, node, A) };
          const came: Effect = { kind: "new_step", height, round: 0, step: "Prevote" };
          const mute = nodes.includes(node);
          members.step?.(node, input, state, { state, effects: mute ? [came] : [came, vote] });
        }
      }
      members.ended?.(4);
      return found;
    };
    assert.deepEqual(silent(LIAR), []);
    assert.deepEqual(silent(1), ["node 1 was in the set of height 3, came to the vote and cast none"]);
  });
});
