/**
 * The registry against a naive model: plain maps and lists, no sharing, no early answers. The model knows the rules of
 * docs/protocol.md §3 and nothing of the code. The simulator's chains are held against the same one.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  changeBound,
  DEFAULT_PARAMS,
  decodeState,
  duePayouts,
  encodeState,
  GWEI_PER_POWER,
  MAX_STAKE_GWEI,
  MAX_TOTAL_POWER,
  MIN_STAKE_GWEI,
  makeValidatorSet,
  powerChanges,
  type Registry,
  registryRoot,
  stateFromGenesis,
  updateValidatorSet,
  validatorsHash,
} from "@quorate/chain";
import fc from "fast-check";
import { registryDifference } from "../../../simulator/src/registry-model/compare.ts";
import { type ModelBlock, RegistryModel } from "../../../simulator/src/registry-model/model.ts";
import {
  applyAt,
  type DepositFields,
  depositRequest,
  padTo,
  person,
  proof,
  registration,
  registryOf,
  SECOND,
  totalPower,
  withdrawalRequest,
} from "./registry-fixture.ts";
import { makeFixture } from "./state-fixture.ts";

const PEOPLE = 6;
const PARAMS = { ...DEFAULT_PARAMS, evidenceMaxAgeBlocks: 3, evidenceMaxAgeMs: 2500 };

type Action =
  | { readonly do: "set"; readonly who: number; readonly power: bigint; readonly fault: Fault }
  | { readonly do: "leave"; readonly who: number; readonly as: number; readonly amount: bigint }
  | { readonly do: "punish"; readonly who: number };
type Fault = "none" | "proof" | "index" | "padding";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const PROOFS: ReadonlySet<string> = new Set(
  Array.from({ length: PEOPLE }, (_, n) => person(n)).map(
    (who) => `${hex(who.pubKey)}${hex(who.owner)}${hex(proof(who))}`,
  ),
);

function modelOf(registry: Registry): RegistryModel {
  const validators = registry.entries.map(({ pubKey, owner, power }) => ({
    key: hex(pubKey),
    owner: hex(owner),
    power,
  }));
  return new RegistryModel(registry.policy === 1, validators, (...fields) => PROOFS.has(fields.join("")));
}

/** The same block for the model; `before` tells the next index. */
function modelBlock(before: Registry, height: number, actions: readonly Action[]): ModelBlock {
  return {
    height,
    parentTimeMs: (height - 1) * SECOND,
    timeMs: height * SECOND,
    maxAgeBlocks: PARAMS.evidenceMaxAgeBlocks,
    maxAgeMs: PARAMS.evidenceMaxAgeMs,
    offenders: actions.flatMap((each) => (each.do === "punish" ? [hex(person(each.who).pubKey)] : [])),
    requests: requestsOf(actions, before.nextDepositIndex).map(hex),
  };
}

const who = fc.nat({ max: PEOPLE - 1 });
/** Actions whose amounts are these; the rarer ones are at or over a limit. */
function actionOf(amounts: fc.Arbitrary<bigint>): fc.Arbitrary<Action> {
  return fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant("set" as const),
        who,
        power: amounts,
        fault: fc.oneof(
          { weight: 5, arbitrary: fc.constant<Fault>("none") },
          { weight: 1, arbitrary: fc.constantFrom<Fault>("proof", "index", "padding") },
        ),
      }),
    },
    {
      weight: 3,
      arbitrary: who.chain((n) =>
        fc.record({
          do: fc.constant("leave" as const),
          who: fc.constant(n),
          as: fc.oneof({ weight: 5, arbitrary: fc.constant(n) }, { weight: 1, arbitrary: who }),
          amount: fc.oneof({ weight: 4, arbitrary: fc.constant(0n) }, { weight: 2, arbitrary: amounts }),
        }),
      ),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("punish" as const), who }) },
  );
}

const EDGES = [MAX_TOTAL_POWER - 1n, MAX_TOTAL_POWER, MAX_TOTAL_POWER + 1n, 2n ** 64n - 1n];
const action = actionOf(fc.oneof(fc.bigInt({ min: 0n, max: 60n }), fc.constant(0n)));
const large = actionOf(fc.oneof(fc.bigInt({ min: 0n, max: MAX_TOTAL_POWER }), fc.constantFrom(0n, ...EDGES)));
const ETH = GWEI_PER_POWER;
const staking = actionOf(
  fc.oneof(
    { weight: 3, arbitrary: fc.bigInt({ min: MIN_STAKE_GWEI, max: 100n * ETH }) },
    { weight: 2, arbitrary: fc.bigInt({ min: 1n, max: 3n * ETH }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(0n, MIN_STAKE_GWEI - 1n, MAX_STAKE_GWEI, MAX_STAKE_GWEI + 1n, ...EDGES),
    },
  ),
);

interface History {
  readonly powers: readonly bigint[];
  readonly blocks: readonly (readonly Action[])[];
}

function historyOf(least: bigint, most: bigint, act: fc.Arbitrary<Action>): fc.Arbitrary<History> {
  return fc.record({
    powers: fc.array(fc.bigInt({ min: least, max: most }), { minLength: 1, maxLength: 4 }),
    blocks: fc.array(fc.array(act, { maxLength: 4 }), { minLength: 1, maxLength: 12 }),
  });
}

const history = historyOf(1n, 40n, action);
/** Powers that together are near what a set may have, or at it. */
const atTheLimit = historyOf(MAX_TOTAL_POWER / 5n, MAX_TOTAL_POWER / 4n, large);

function stakedOf(powers: readonly bigint[]): Registry {
  const { entries, ...rest } = registryOf(powers);
  const staked = entries.map((entry) => ({ ...entry, stakeGwei: entry.power * ETH }));
  return { ...rest, policy: 1, entries: staked };
}

function requestsOf(actions: readonly Action[], nextIndex: bigint): Uint8Array[] {
  let index = nextIndex;
  const deposits = actions.flatMap((each): DepositFields[] => {
    if (each.do !== "set") return [];
    const fields = registration(person(each.who), each.power, index);
    if (each.fault === "index") return [{ ...fields, index: index + 5n }];
    index++;
    if (each.fault === "proof") return [{ ...fields, signature: new Uint8Array(96) }];
    const keyField = padTo(person(each.who).pubKey, 48);
    keyField[40] = each.fault === "padding" ? 1 : 0;
    return [{ ...fields, keyField }];
  });
  const leaves = actions.flatMap((each) =>
    each.do === "leave"
      ? [{ source: person(each.as).owner, pubKey: person(each.who).pubKey, amount: each.amount }]
      : [],
  );
  return [
    ...(deposits.length > 0 ? [depositRequest(...deposits)] : []),
    ...(leaves.length > 0 ? [withdrawalRequest(...leaves)] : []),
  ];
}

function blockOf(registry: Registry, height: number, actions: readonly Action[]): Registry {
  return applyAt(registry, height, requestsOf(actions, registry.nextDepositIndex), {
    params: PARAMS,
    offenders: actions.flatMap((each) => (each.do === "punish" ? [person(each.who).pubKey] : [])),
  });
}

describe("the registry under any history of requests and punishments", () => {
  const kinds: readonly (readonly [
    string,
    fc.Arbitrary<History>,
    (powers: readonly bigint[]) => Registry,
  ])[] = [
    ["does what the naive model does", history, registryOf],
    ["does so with powers around all that a set may have", atTheLimit, registryOf],
    ["does so by stake", historyOf(1n, 90n, staking), stakedOf],
  ];
  for (const [name, histories, begin] of kinds) {
    it(name, () => {
      fc.assert(
        fc.property(histories, ({ powers, blocks }) => {
          let registry = begin(powers);
          const model = modelOf(registry);
          blocks.forEach((actions, i) => {
            const due = duePayouts(registry, i + 1, i * SECOND).withdrawals;
            const paid = model.block(modelBlock(registry, i + 1, actions));
            registry = blockOf(registry, i + 1, actions);
            assert.equal(registryDifference(registry, model), null, `after block ${i + 1}`);
            assert.deepEqual(
              due.map(({ index, address, amountGwei }) => ({
                index,
                address: hex(address),
                gwei: amountGwei,
              })),
              paid,
            );
          });
        }),
        { numRuns: 40 },
      );
    });
  }

  it("keeps a set with power, moves within the bound, and is followed by the validator set", () => {
    fc.assert(
      fc.property(history, ({ powers, blocks }) => {
        let registry = registryOf(powers);
        let set = makeValidatorSet(registry.entries);
        blocks.forEach((actions, i) => {
          const punished = new Set<string>();
          for (const each of actions) {
            if (each.do === "punish") punished.add(Buffer.from(person(each.who).pubKey).toString("hex"));
          }
          const before = registry;
          registry = blockOf(before, i + 1, actions);
          const changes = powerChanges(before, registry);
          const moved = changes
            .filter((change) => !punished.has(Buffer.from(change.pubKey).toString("hex")))
            .filter((change) => !isTombstoned(before, change.pubKey))
            .reduce((sum, { pubKey, power }) => {
              const old = before.entries.find((e) => Buffer.compare(e.pubKey, pubKey) === 0)?.power ?? 0n;
              return sum + (power > old ? power - old : old - power);
            }, 0n);
          assert.ok(moved <= changeBound(totalPower(before)), `${moved} moved in block ${i + 1}`);
          set = updateValidatorSet(set, changes);
          assert.equal(set.totalPower, totalPower(registry));
          assert.ok(set.totalPower > 0n);
        });
        const anew = makeValidatorSet(registry.entries.filter((entry) => entry.power > 0n));
        assert.deepEqual(validatorsHash(set), validatorsHash(anew));
      }),
      { numRuns: 100 },
    );
  });

  it("lets every change complete: without new requests the queue is empty after a bounded number of heights", () => {
    fc.assert(
      fc.property(history, ({ powers, blocks }) => {
        let registry = registryOf(powers);
        let height = 0;
        for (const actions of blocks) registry = blockOf(registry, ++height, actions);
        const distance = 60 * (registry.changes.length + 1);
        for (let i = 0; i < distance && registry.changes.length > 0; i++) {
          registry = blockOf(registry, ++height, []);
        }
        assert.equal(registry.changes.length, 0);
      }),
      { numRuns: 60 },
    );
  });

  it("does not depend on the process: a stored and reloaded registry goes on the same way", () => {
    const state = stateFromGenesis(makeFixture("engine").genesis);
    fc.assert(
      fc.property(history, ({ powers, blocks }) => {
        let kept = registryOf(powers);
        let reloaded = kept;
        blocks.forEach((actions, i) => {
          kept = blockOf(kept, i + 1, actions);
          const again = blockOf(reloaded, i + 1, actions);
          reloaded = decodeState(encodeState({ ...state, registry: again })).registry;
        });
        assert.deepEqual(reloaded, kept);
        assert.deepEqual(registryRoot(reloaded), registryRoot(kept));
      }),
      { numRuns: 40 },
    );
  });

  it("cannot be made to throw by requests of any bytes", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      fc.uint8Array({ minLength: 192, maxLength: 192 }),
      fc.uint8Array({ minLength: 152, maxLength: 152 }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat({ max: 4 }), bytes), { maxLength: 4 }), (requests) => {
        const before = registryOf([5n, 7n]);
        const list = requests.map(([type, data]) => Uint8Array.of(type, ...data));
        const registry = applyAt(before, 5, list);
        assert.deepEqual(powerChanges(before, registry), []);
      }),
      { numRuns: 200 },
    );
  });
});

function isTombstoned(registry: Registry, pubKey: Uint8Array): boolean {
  return registry.entries.some((entry) => entry.status === 2 && Buffer.compare(entry.pubKey, pubKey) === 0);
}
