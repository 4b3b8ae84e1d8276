/** Every law sees what breaks it, names it, and lets the same thing pass in a Byzantine node. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import {
  type BlockId,
  encodeEvidence,
  makeValidatorSet,
  proposerOf,
  type ValidatorPower,
  type Vote,
  VoteType,
  voteSignBytes,
} from "@quorate/chain";
import { type ConsensusState, type Effect, type Input, initialState } from "@quorate/consensus";
import { CHAIN_ID } from "../src/cluster/genesis.ts";
import { LAWS } from "../src/invariants/index.ts";
import type { Law } from "../src/invariants/law.ts";
import { A, B, cluster, type Heard, heard, KEYS, LIAR, law } from "./support.ts";

function vote(node: number, type: VoteType, round: number, blockId: BlockId | null, ms = 0): Vote {
  const key = KEYS[node]!;
  const unsigned = {
    type,
    height: 5,
    round,
    blockId,
    timestamp: BigInt(ms) * 1_000_000n,
    validatorAddress: key.address,
    validatorIndex: node,
    signature: new Uint8Array(64),
  } satisfies Vote;
  return { ...unsigned, signature: key.signer.sign(voteSignBytes(CHAIN_ID, unsigned)) };
}

const prevote = (node: number, round: number, id: BlockId | null): Vote =>
  vote(node, VoteType.prevote, round, id);
const precommit = (node: number, round: number, id: BlockId | null): Vote =>
  vote(node, VoteType.precommit, round, id);

/** Evidence of the liar's double prevote. */
const proof = {
  kind: "duplicate_vote",
  voteA: prevote(LIAR, 0, A),
  voteB: prevote(LIAR, 0, B),
  totalVotingPower: 40n,
  validatorPower: 10n,
  timestamp: 0n,
} as const;

let chain: Heard;
before(async () => {
  chain = await heard(4);
});

describe("agreement", () => {
  it("is broken by two blocks at one height, not by a liar's", () => {
    const { law: agreement, found } = law("agreement");
    const [first] = chain.stored;
    assert.ok(first !== undefined);
    const other = { ...first.batch, blockId: A };
    agreement.stored?.(0, first.batch);
    agreement.stored?.(LIAR, other);
    assert.deepEqual(found, []);
    agreement.stored?.(1, other);
    assert.match(found.join(), /height 1: node 1 decided aaaaaaaa, node 0/);
  });
});

describe("validity", () => {
  const batches = () => chain.stored.filter(({ node }) => node === 0).map(({ batch }) => batch);

  it("holds on what honest nodes decide", () => {
    const { law: validity, found } = law("validity");
    for (const batch of batches()) validity.stored?.(0, batch);
    assert.deepEqual(found, []);
    assert.ok(batches().length >= 4);
  });

  for (const [name, spoil, reason] of [
    ["another id", (batch) => ({ ...batch, blockId: A }), /its id is another block's/],
    [
      "a commit of a third",
      (batch) => ({
        ...batch,
        seenCommit: {
          ...batch.seenCommit,
          signatures: batch.seenCommit.signatures.map((each, i) =>
            i === 0 ? each : { ...each, signature: new Uint8Array(64) },
          ),
        },
      }),
      /height 1 on node 0/,
    ],
    [
      "another state after it",
      (batch) => ({ ...batch, state: { ...batch.state, appHash: new Uint8Array(32).fill(9) } }),
      /the state after it is another one/,
    ],
    ["a height that was skipped", () => batches()[2]!, /the height before it was never decided/],
  ] as const satisfies readonly (readonly [
    string,
    (batch: Heard["stored"][number]["batch"]) => Heard["stored"][number]["batch"],
    RegExp,
  ])[]) {
    it(`is broken by ${name}`, () => {
      const { law: validity, found } = law("validity");
      const [first] = batches();
      assert.ok(first !== undefined);
      validity.stored?.(LIAR, spoil(first));
      assert.deepEqual(found, []);
      validity.stored?.(0, spoil(first));
      assert.match(found.join(), reason);
    });
  }
});

describe("no double sign", () => {
  it("is broken by another signature for the same step, in whatever life, and by another time alone", () => {
    for (const second of [prevote(0, 0, B), vote(0, VoteType.prevote, 0, A, 7)]) {
      const { law: sign, found } = law("no-double-sign");
      sign.spoke?.(0, prevote(0, 0, A));
      sign.spoke?.(0, prevote(0, 0, A));
      sign.spoke?.(0, precommit(0, 0, B));
      sign.spoke?.(0, prevote(0, 1, B));
      assert.deepEqual(found, []);
      sign.crashed?.(0);
      sign.spoke?.(0, second);
      assert.match(found.join(), /node 0 sent prevote 5\/0 .* after prevote 5\/0 aaaaaaaa/);
    }
  });

  it("lets a liar equivocate", () => {
    const { law: sign, found } = law("no-double-sign");
    for (const id of [A, B, null]) sign.spoke?.(LIAR, prevote(LIAR, 0, id));
    assert.deepEqual(found, []);
  });
});

describe("the lock rules", () => {
  const polka = (rules: Law, round: number, id: BlockId): void => {
    for (const node of [1, 2, LIAR]) rules.spoke?.(node, prevote(node, round, id));
  };

  it("are broken by a precommit without a polka", () => {
    const { law: rules, found } = law("lock-rules");
    for (const node of [0, 1]) rules.spoke?.(node, prevote(node, 0, A));
    rules.spoke?.(0, precommit(0, 0, A));
    assert.match(found.join(), /precommit 5\/0 aaaaaaaa without a polka/);
  });

  it("are broken by a prevote for another block without a polka since the lock, and only then", () => {
    for (const since of [false, true]) {
      const { law: rules, found } = law("lock-rules");
      polka(rules, 0, A);
      rules.spoke?.(0, precommit(0, 0, A));
      if (since) polka(rules, 1, B);
      rules.spoke?.(0, prevote(0, 2, A));
      rules.spoke?.(0, prevote(0, 3, null));
      assert.deepEqual(found, []);
      rules.spoke?.(0, prevote(0, 4, B));
      if (since) assert.deepEqual(found, []);
      else
        assert.match(found.join(), /prevote 5\/4 bbbbbbbb though it precommitted another block in round 0/);
    }
  });

  it("are broken by a core whose lock falls back", () => {
    const { law: rules, found } = law("lock-rules");
    const at = (round: number): ConsensusState => {
      const state = initialState();
      return {
        ...state,
        context: { height: 5 },
        machine: { ...state.machine, locked: { round, blockId: A } },
      } as ConsensusState;
    };
    const input = { kind: "proposer_absent", height: 5, round: 2 } satisfies Input;
    rules.step?.(0, input, at(1), { state: at(2), effects: [] });
    rules.step?.(LIAR, input, at(2), { state: at(1), effects: [] });
    assert.deepEqual(found, []);
    rules.step?.(0, input, at(2), { state: at(1), effects: [] });
    assert.match(found.join(), /node 0 fell back from its lock of round 2/);
  });
});

describe("sync before send", () => {
  it("is broken by a message of which the disk knows nothing", () => {
    const { law: sync, found } = law("sync-before-send");
    sync.spoke?.(LIAR, prevote(LIAR, 0, A));
    assert.deepEqual(found, []);
    sync.spoke?.(0, prevote(0, 0, A));
    assert.match(found.join(), /node 0 sent prevote 5\/0 aaaaaaaa without a sign state on disk/);
  });

  it("is broken by a message beyond what the sign state on disk covers", () => {
    const { law: sync, found } = law("sync-before-send", chain.cluster);
    const height = chain.stored.at(-1)!.batch.height;
    sync.spoke?.(0, { ...prevote(0, 0, A), height: height + 10 });
    assert.match(found.join(), /before its slot was synced/);
  });
});

describe("never accused", () => {
  const input = { kind: "proposer_absent", height: 5, round: 2 } satisfies Input;

  it("is broken by proof against an honest node, not by that against a liar", () => {
    const { law: accused, found } = law("never-accused");
    const effects = (node: number): readonly Effect[] => [
      { kind: "duplicate_vote", first: prevote(node, 0, A), second: prevote(node, 0, B) },
    ];
    accused.step?.(0, input, initialState(), { state: initialState(), effects: effects(LIAR) });
    assert.deepEqual(found, []);
    accused.step?.(0, input, initialState(), { state: initialState(), effects: effects(2) });
    assert.match(found.join(), /node 0 accuses node 2 of prevote 5\/0 aaaaaaaa and prevote 5\/0 bbbbbbbb/);
  });
});

describe("conviction", () => {
  const input = { kind: "proposer_absent", height: 5, round: 2 } satisfies Input;
  const effects: readonly Effect[] = [
    { kind: "duplicate_vote", first: prevote(LIAR, 0, A), second: prevote(LIAR, 0, B) },
  ];
  const convicting = (height: number): Heard["stored"][number]["batch"] => {
    const { batch } = chain.stored[0]!;
    return { ...batch, height, block: { ...batch.block, evidence: [proof] } };
  };

  it("is missing when ten heights after healing no block convicts whom an honest node caught", () => {
    for (const [ended, broken] of [
      [14, false],
      [15, true],
    ] as const) {
      const { law: conviction, found } = law("convicted");
      conviction.step?.(0, input, initialState(), { state: initialState(), effects });
      conviction.healed?.(5);
      conviction.ended?.(ended);
      if (broken) assert.match(found.join(), /node 0 caught node 3 .* no block up to 15 convicts it/);
      else assert.deepEqual(found, []);
    }
  });

  it("that comes more than ten heights after catch and healing is a violation; its heights are counted", () => {
    for (const [healed, at, needed] of [
      [5, 6, 1],
      [5, 15, 10],
      [5, 16, 11],
      [40, 50, 10],
      [40, 51, 11],
      [null, 60, 0],
    ] as const) {
      const { law: conviction, found, figures } = law("convicted");
      conviction.step?.(0, input, initialState(), { state: initialState(), effects });
      if (healed !== null) conviction.healed?.(healed);
      conviction.stored?.(0, convicting(at));
      assert.equal(figures.get("evidenceHeightsHealed"), needed, `healed at ${healed}`);
      assert.equal(figures.get("evidenceHeights"), at, "from the catch, at height 0");
      if (needed > 10)
        assert.match(found.join(), new RegExp(`block ${at} convicts node 3, ${needed} heights`));
      else assert.deepEqual(found, []);
    }
  });

  it("counts from the chain's height where a node that lags catches what is over", () => {
    const { law: conviction, found, figures } = law("convicted");
    conviction.healed?.(1);
    conviction.stored?.(1, { ...convicting(30), block: chain.stored[0]!.batch.block });
    conviction.step?.(0, input, initialState(), { state: initialState(), effects });
    conviction.stored?.(1, convicting(33));
    assert.deepEqual([figures.get("evidenceHeights"), found], [3, []]);
  });

  it("comes once, and twice is a violation", () => {
    const { law: conviction, found } = law("convicted");
    conviction.step?.(0, input, initialState(), { state: initialState(), effects });
    conviction.healed?.(5);
    conviction.stored?.(0, convicting(6));
    conviction.ended?.(30);
    assert.deepEqual(found, []);
    conviction.stored?.(0, convicting(7));
    assert.match(found.join(), /block 7 convicts node 3, which block 6 convicted/);
  });
});

describe("executed once", () => {
  const commit = (height: number) => ({ height }) as Parameters<NonNullable<Law["committed"]>>[1];

  it("is broken by a height left out or told twice within one life", () => {
    for (const [then, again] of [
      [3, /committed height 3 after 1/],
      [1, /committed height 1 after 1/],
    ] as const) {
      const { law: once, found } = law("executed-once");
      once.committed?.(0, commit(1));
      once.committed?.(0, commit(then));
      assert.match(found.join(), again);
    }
    const { law: once, found } = law("executed-once");
    once.committed?.(0, commit(1));
    once.crashed?.(0);
    once.committed?.(0, commit(1));
    assert.deepEqual(found, []);
  });

  it("is broken by a head that was not decided, is not finalized, or goes back", () => {
    const { law: once, found } = law("executed-once");
    for (const { batch } of chain.stored) once.stored?.(0, batch);
    const hashAt = (height: number): string => {
      const batch = chain.stored.find((each) => each.batch.height === height)?.batch;
      return `0x${Buffer.from(batch?.state.el.blockHash ?? []).toString("hex")}`;
    };
    once.head?.(0, 1, hashAt(1), true, false);
    once.head?.(0, 2, hashAt(2), true, false);
    once.head?.(0, 2, hashAt(2), false, true);
    assert.deepEqual(found, []);
    once.head?.(0, 1, hashAt(1), true, false);
    once.head?.(0, 3, hashAt(3), false, false);
    once.head?.(0, 4, "0x00ff00ff", true, false);
    assert.equal(found.length, 3, found.join());
    assert.match(found[0] ?? "", /moved its head back from 2 to 1/);
    assert.match(found[1] ?? "", /did not finalize/);
    assert.match(found[2] ?? "", /never decided/);
    once.clientLost?.(0);
    once.head?.(0, 1, hashAt(1), true, false);
    assert.equal(found.length, 3, "who lost his memory may begin anew");
  });
});

describe("clean exits", () => {
  const exit = (code: number) =>
    ({ code, what: "it said so", do: "" }) as Parameters<NonNullable<Law["exited"]>>[1];

  it("are broken by an end that nothing outside explains", () => {
    const { law: exits, found } = law("clean-exits");
    exits.exited?.(0, exit(0));
    exits.exited?.(0, exit(6));
    exits.exited?.(LIAR, exit(5));
    assert.deepEqual(found, []);
    for (const code of [1, 3, 5]) exits.exited?.(0, exit(code));
    assert.equal(found.length, 3);
    assert.match(found[0] ?? "", /node 0 stopped with exit 1: it said so/);
  });

  it("allow an end over damage where bits were flipped", () => {
    const over = cluster();
    over.member(0).rotten = true;
    const { law: exits, found } = law("clean-exits", over);
    exits.exited?.(0, exit(3));
    assert.deepEqual(found, []);
  });
});

describe("changes of the set", () => {
  const batches = () => chain.stored.filter(({ node }) => node === 0).map(({ batch }) => batch);
  type Batch = ReturnType<typeof batches>[number];

  it("hold where the set stays, and at every height of a chain", () => {
    const { law: changes, found } = law("set-changes");
    for (const batch of batches()) changes.stored?.(0, batch);
    assert.deepEqual(found, []);
  });

  /** The first block with another set two heights later. */
  const then = (batch: Batch, change: (powers: ValidatorPower[]) => ValidatorPower[]): Batch => {
    const { validators } = batch.state.nextValidators;
    const powers = change(validators.map(({ pubKey, power }) => ({ pubKey, power })));
    return { ...batch, state: { ...batch.state, nextValidators: makeValidatorSet(powers) } };
  };
  const convicting = (batch: Batch): Batch => {
    const { validators, totalPower } = batch.state.nextValidators;
    const { address, power } = validators[0]!;
    const [voteA, voteB] = [A, B].map((id) => ({ ...prevote(0, 0, id), validatorAddress: address }));
    const evidence = {
      ...{ kind: "duplicate_vote" as const, voteA: voteA!, voteB: voteB! },
      ...{ totalVotingPower: totalPower, validatorPower: power, timestamp: 0n },
    };
    return { ...batch, block: { ...batch.block, evidence: [evidence] } };
  };
  const without = (powers: ValidatorPower[]): ValidatorPower[] => powers.slice(1);
  const breaches: Readonly<Record<string, [spoil: (first: Batch) => Batch, found: RegExp | null]>> = {
    "a third of the power in one height": [
      (first) => then(first, (powers) => powers.with(0, { ...powers[0]!, power: 23n })),
      null,
    ],
    "more than a third": [
      (first) => then(first, (powers) => powers.with(0, { ...powers[0]!, power: 24n })),
      /14 of 40 moved/,
    ],
    "a convict without power": [(first) => then(convicting(first), without), null],
    "a convict with power": [convicting, /the convict [0-9a-f]+ keeps its power/],
    "a header that names another set": [
      (first) => ({
        ...first,
        block: { ...first.block, header: { ...first.block.header, validatorsHash: A.hash } },
      }),
      /its header names another set/,
    ],
  };
  for (const [name, [spoil, expected]] of Object.entries(breaches)) {
    it(`${expected === null ? "allow" : "are broken by"} ${name}`, () => {
      const { law: changes, found } = law("set-changes");
      const [first] = batches();
      assert.ok(first !== undefined);
      changes.stored?.(LIAR, spoil(first));
      assert.deepEqual(found, []);
      changes.stored?.(0, spoil(first));
      if (expected === null) assert.deepEqual(found, []);
      else assert.match(found.join(), expected);
    });
  }

  it("are broken by a core with another turn of proposers than its set has", () => {
    const { law: changes, found } = law("set-changes");
    const [first] = batches();
    assert.ok(first !== undefined);
    const { lastValidators } = first.state;
    assert.ok(lastValidators !== null);
    const state = initialState();
    const at = (address: Uint8Array): ConsensusState => ({
      ...state,
      context: { height: 1, validators: lastValidators } as ConsensusState["context"],
      proposer: lastValidators.validators.find((each) => Buffer.compare(each.address, address) === 0) ?? null,
    });
    const { address } = proposerOf(lastValidators, state.machine.round);
    const input: Input = { kind: "proposer_absent", height: 1, round: 0 };
    changes.step?.(0, input, state, { state: at(address), effects: [] });
    assert.deepEqual(found, []);
    const other = lastValidators.validators.find((each) => Buffer.compare(each.address, address) !== 0);
    changes.step?.(0, input, state, { state: at(other!.address), effects: [] });
    assert.match(found.join(), /another proposer/);
  });
});

describe("bounded evidence", () => {
  it("is broken by an honest node that holds more than 1 MiB, and tells the most that any held", () => {
    const [first] = chain.stored;
    assert.ok(first !== undefined);
    const { length: size } = encodeEvidence(proof);
    const fits = Math.floor(1_048_576 / size);
    for (const [node, count, broken] of [
      [0, fits, false],
      [0, fits + 1, true],
      [LIAR, fits + 1, false],
    ] as const) {
      const over = cluster();
      const held = new Array(count).fill(proof);
      Object.defineProperty(over.member(node), "process", {
        value: { rpc: { evidence: { pending: () => held } } },
      });
      const { law: bounded, found, figures } = law("bounded-evidence", over);
      bounded.stored?.(node, first.batch);
      bounded.ended?.(9);
      assert.equal(figures.get("evidenceBytes") ?? 0, node === LIAR ? 0 : count * size);
      assert.equal(found.length > 0, broken, `${count} items of node ${node}: ${found.join()}`);
    }
  });
});

it("there is a test for every law, here or in laws-of-sets.test.ts", () => {
  assert.deepEqual(Object.keys(LAWS).sort(), [
    "agreement",
    "bounded-evidence",
    "clean-exits",
    "convicted",
    "executed-once",
    "lock-rules",
    "members-alone",
    "never-accused",
    "no-double-sign",
    "registry-model",
    "set-changes",
    "sync-before-send",
    "validity",
  ]);
});
