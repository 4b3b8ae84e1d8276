/**
 * The registry against a naive model: plain maps, one unit of power moved at a time, no sharing, no early answers. The
 * model knows the rules of docs/protocol.md §3 and nothing of the code.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  changeBound,
  DEFAULT_PARAMS,
  decodeState,
  encodeState,
  makeValidatorSet,
  powerChanges,
  type Registry,
  registryRoot,
  stateFromGenesis,
  updateValidatorSet,
  validatorsHash,
} from "@quorate/chain";
import fc from "fast-check";
import {
  applyAt,
  type DepositFields,
  depositRequest,
  padTo,
  person,
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
  | { readonly do: "set"; readonly who: number; readonly power: number; readonly fault: Fault }
  | { readonly do: "leave"; readonly who: number; readonly as: number; readonly amount: number }
  | { readonly do: "punish"; readonly who: number };
type Fault = "none" | "proof" | "index" | "padding";

interface ModelEntry {
  power: number;
  status: 0 | 1 | 2;
}

/** Heights and times at which a removal is forgotten; unknown until the next block. */
interface ModelHold {
  who: number;
  height: number;
  time: number;
}

class Model {
  entries: Map<number, ModelEntry>;
  queue: { who: number; leave: boolean; power: number }[] = [];
  holds: ModelHold[] = [];
  index = 0;

  constructor(powers: readonly number[]) {
    this.entries = new Map(powers.map((power, who) => [who, { power, status: 0 }]));
  }

  total(): number {
    return [...this.entries.values()].reduce((sum, entry) => sum + entry.power, 0);
  }

  powerful(): number[] {
    return [...this.entries].filter(([, entry]) => entry.power > 0).map(([who]) => who);
  }

  block(height: number, actions: readonly Action[]): void {
    const total = this.total();
    while (this.holds[0] && this.holds[0].height > 0) {
      const hold = this.holds[0];
      if (height < hold.height || (height - 1) * SECOND < hold.time) break;
      this.holds.shift();
      const entry = this.entries.get(hold.who);
      const again = this.holds.some((other) => other.who === hold.who);
      if (entry && entry.status === 1 && entry.power === 0 && !again) this.entries.delete(hold.who);
    }
    for (const hold of this.holds) {
      if (hold.height > 0) continue;
      hold.height = height + PARAMS.evidenceMaxAgeBlocks + 2;
      hold.time = height * SECOND + PARAMS.evidenceMaxAgeMs + 1;
    }
    for (const action of actions) {
      const entry = action.do === "punish" ? this.entries.get(action.who) : undefined;
      if (!entry) continue;
      entry.status = 2;
      this.drop();
    }
    for (const action of actions) if (action.do === "set") this.set(action);
    for (const action of actions) if (action.do === "leave") this.leave(action);
    let units = Math.max(1, Math.floor(total / 3));
    while (this.queue.length > 0) {
      const { who, leave, power } = this.queue[0]!;
      const entry = this.entries.get(who);
      const wanted = leave ? 0 : power;
      const current = entry?.power ?? 0;
      if (entry?.status === 2 || wanted === current) {
        this.queue.shift();
        continue;
      }
      if (wanted === 0 && this.powerful().length === 1) {
        if (entry?.status === 1) entry.status = 0;
        this.queue.shift();
        continue;
      }
      if (units === 0) break;
      units--;
      const next = entry ?? { power: 0, status: 0 };
      this.entries.set(who, next);
      if (wanted > current) {
        next.power++;
        next.status = 0;
      } else {
        next.power--;
        if (next.power === 0) {
          next.status = 1;
          this.holds.push({ who, height: 0, time: 0 });
        }
      }
    }
    this.drop();
  }

  drop(): void {
    const inKeyOrder = [...this.entries].sort(([a], [b]) =>
      Buffer.compare(person(a).pubKey, person(b).pubKey),
    );
    for (const [, entry] of inKeyOrder) {
      if (entry.status === 2 && entry.power > 0 && this.powerful().length > 1) entry.power = 0;
    }
  }

  set(action: Extract<Action, { do: "set" }>): void {
    if (action.fault === "index") return;
    this.index++;
    if (action.fault === "padding") return;
    const entry = this.entries.get(action.who);
    if (entry?.status === 2) return;
    const known = entry !== undefined || this.queue.some((change) => change.who === action.who);
    if (!known && (action.fault === "proof" || action.power === 0)) return;
    this.queue.push({ who: action.who, leave: false, power: action.power });
  }

  leave(action: Extract<Action, { do: "leave" }>): void {
    const entry = this.entries.get(action.who);
    if (entry?.status !== 0 || action.as !== action.who || action.amount !== 0) return;
    entry.status = 1;
    this.queue.push({ who: action.who, leave: true, power: 0 });
  }
}

const who = fc.nat({ max: PEOPLE - 1 });
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("set" as const),
      who,
      power: fc.oneof(fc.nat({ max: 60 }), fc.constant(0)),
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
        amount: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(3) }),
      }),
    ),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("punish" as const), who }) },
);
const history = fc.record({
  powers: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }),
  blocks: fc.array(fc.array(action, { maxLength: 4 }), { minLength: 1, maxLength: 12 }),
});

function requestsOf(actions: readonly Action[], nextIndex: bigint): Uint8Array[] {
  let index = nextIndex;
  const deposits = actions.flatMap((each): DepositFields[] => {
    if (each.do !== "set") return [];
    const fields = registration(person(each.who), BigInt(each.power), index);
    if (each.fault === "index") return [{ ...fields, index: index + 5n }];
    index++;
    if (each.fault === "proof") return [{ ...fields, signature: new Uint8Array(96) }];
    const keyField = padTo(person(each.who).pubKey, 48);
    keyField[40] = each.fault === "padding" ? 1 : 0;
    return [{ ...fields, keyField }];
  });
  const leaves = actions.flatMap((each) =>
    each.do === "leave"
      ? [{ source: person(each.as).owner, pubKey: person(each.who).pubKey, amount: BigInt(each.amount) }]
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
  it("does what the naive model does", () => {
    fc.assert(
      fc.property(history, ({ powers, blocks }) => {
        const model = new Model(powers);
        let registry = registryOf(powers.map(BigInt));
        blocks.forEach((actions, i) => {
          model.block(i + 1, actions);
          registry = blockOf(registry, i + 1, actions);
          const found = registry.entries.map((entry) => [
            Buffer.from(entry.pubKey).toString("hex"),
            Number(entry.power),
            entry.status,
          ]);
          const expected = [...model.entries]
            .map(([n, entry]) => [Buffer.from(person(n).pubKey).toString("hex"), entry.power, entry.status])
            .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
          assert.deepEqual(found, expected, `after block ${i + 1}`);
          assert.equal(registry.changes.length, model.queue.length);
          assert.equal(registry.payouts.length, model.holds.length);
          assert.equal(Number(registry.nextDepositIndex), model.index);
        });
      }),
      { numRuns: 150 },
    );
  });

  it("keeps a set with power, moves within the bound, and is followed by the validator set", () => {
    fc.assert(
      fc.property(history, ({ powers, blocks }) => {
        let registry = registryOf(powers.map(BigInt));
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
        let registry = registryOf(powers.map(BigInt));
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
        let kept = registryOf(powers.map(BigInt));
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
