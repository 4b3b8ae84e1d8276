import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type ChainState,
  DEFAULT_PARAMS,
  OWNER_RANGES,
  PARAM_SPECS,
  plannedUpgrades,
  type Registry,
  rulesAt,
} from "@quorate/chain";
import { sha256, utf8Encode } from "@quorate/crypto";
import { applyAt, type DepositFields, depositRequest, padTo, registryOf } from "./registry-fixture.ts";
import { advance, chainOf, makeFixture, nextBlock, type Tip } from "./state-fixture.ts";

const param = (name: string, value: bigint, index = 0n): DepositFields => ({
  keyField: padTo(utf8Encode("QUORATE-PARAM-1"), 48),
  credentials: sha256(utf8Encode(name)),
  amount: value,
  signature: new Uint8Array(96),
  index,
});

function upgrade(height: bigint, version: bigint, index = 0n): DepositFields {
  const credentials = new Uint8Array(32);
  new DataView(credentials.buffer).setBigUint64(24, height);
  return {
    keyField: padTo(utf8Encode("QUORATE-UPGRADE-1"), 48),
    credentials,
    amount: version,
    signature: new Uint8Array(96),
    index,
  };
}

const two = registryOf([10n, 10n]);
const after = (event: DepositFields): Registry => applyAt(two, 5, [depositRequest(event)]);
const all = (...events: readonly DepositFields[]): Registry =>
  applyAt(two, 5, [depositRequest(...events.map((event, i) => ({ ...event, index: BigInt(i) })))]);

function withBlock(fixture: ReturnType<typeof makeFixture>, tip: Tip, ...events: DepositFields[]): Tip {
  const executionRequests = events.length > 0 ? [depositRequest(...events)] : [];
  return advance(fixture, tip, nextBlock(tip.state, tip.commit, { envelope: { executionRequests } }));
}

describe("params that the registry's owner sets", () => {
  it("hold from H+2 on, and the header of H+2 commits to them", () => {
    const fixture = makeFixture("engine");
    let tip = chainOf(fixture, 2);
    const before = tip.state;
    const sooner = nextBlock(before, tip.commit).header.consensusHash;
    tip = withBlock(fixture, tip, param("max_block_bytes", 12_000_000n));
    assert.equal(tip.state.params, before.params);
    assert.deepEqual(tip.state.registry.scheduled, [
      { kind: "param", name: "max_block_bytes", value: 12_000_000, height: 5 },
    ]);
    tip = withBlock(fixture, tip);
    assert.equal(tip.state.params.maxBlockBytes, 12_000_000);
    assert.deepEqual(tip.state.registry.scheduled, []);
    const block = nextBlock(tip.state, tip.commit);
    assert.equal(block.header.height, 5);
    assert.notDeepEqual(block.header.consensusHash, sooner);
  });

  it("are taken within written limits only, and what is outside is ignored", () => {
    for (const spec of PARAM_SPECS) {
      const range = OWNER_RANGES.get(spec.field);
      if (range === undefined) {
        assert.deepEqual(after(param(spec.name, BigInt(spec.default))).scheduled, [], spec.name);
        continue;
      }
      assert.ok(spec.min <= range[0] && range[1] <= spec.max, spec.name);
      assert.ok(range[0] <= spec.default && spec.default <= range[1], spec.name);
      for (const value of range) {
        assert.deepEqual(after(param(spec.name, BigInt(value))).scheduled, [
          { kind: "param", name: spec.name, value, height: 7 },
        ]);
      }
      assert.deepEqual(after(param(spec.name, BigInt(range[1]) + 1n)).scheduled, []);
      if (range[0] > 0) assert.deepEqual(after(param(spec.name, BigInt(range[0]) - 1n)).scheduled, []);
    }
    assert.deepEqual(after(param("no_such_param", 1n)).scheduled, []);
    assert.deepEqual(after(param("precision", 2n ** 64n - 1n)).scheduled, []);
  });

  it("are those that a chain can be told while it runs: not the gas limit, not forks", () => {
    const closed = PARAM_SPECS.filter((spec) => !OWNER_RANGES.has(spec.field)).map((spec) => spec.name);
    assert.deepEqual(closed, ["fork.osaka", "gas_limit"]);
  });

  it("act in order, the last one of a block counting", () => {
    const { params, registry } = rulesAt(
      {
        params: DEFAULT_PARAMS,
        appVersion: 1n,
        registry: all(param("precision", 100n), param("precision", 200n)),
      },
      [],
      7,
    );
    assert.equal(params.precisionMs, 200);
    assert.deepEqual(registry.scheduled, []);
  });

  it("are dropped at their height where they contradict another, and never stop the chain", () => {
    const registry: Registry = {
      ...two,
      scheduled: [{ kind: "param", name: "max_evidence_bytes", value: 2_000_000, height: 7 }],
    };
    const small = { ...DEFAULT_PARAMS, maxBlockBytes: 1_500_000 };
    const rules = rulesAt({ params: small, appVersion: 1n, registry }, [], 7);
    assert.deepEqual(rules.params, small);
    const upgraded = rulesAt(
      { params: { ...DEFAULT_PARAMS, maxEvidenceBytes: 5_000_000 }, appVersion: 1n, registry: two },
      [{ height: 7, appVersion: 1, params: { max_block_bytes: 1_000_000 } }],
      7,
    );
    assert.deepEqual(
      [upgraded.params.maxBlockBytes, upgraded.params.maxEvidenceBytes],
      [1_000_000, 1_000_000],
    );
  });
});

describe("upgrades that the registry's owner schedules", () => {
  const at = (state: Pick<ChainState, "registry" | "upgrades">): readonly (readonly [number, number])[] =>
    plannedUpgrades(state).map((each) => [each.height, each.appVersion]);

  it("stand in one plan with those of genesis, and set the version of their height", () => {
    const upgrades = [{ height: 50, appVersion: 3, params: {} }];
    const registry = applyAt(two, 5, [depositRequest(upgrade(20n, 2n))], { upgrades });
    assert.deepEqual(at({ registry, upgrades }), [
      [20, 2],
      [50, 3],
    ]);
    const rules = rulesAt({ params: DEFAULT_PARAMS, appVersion: 1n, registry }, upgrades, 20);
    assert.equal(rules.appVersion, 2n);
    assert.deepEqual(rules.registry.scheduled, []);
  });

  it("are ignored when too early, at a height that has one, or where versions would fall or stay", () => {
    const upgrades = [
      { height: 3, appVersion: 2, params: {} },
      { height: 50, appVersion: 4, params: {} },
    ];
    const refused: readonly (readonly [height: bigint, version: bigint])[] = [
      [6n, 3n],
      [50n, 5n],
      [20n, 1n],
      [20n, 2n],
      [20n, 5n],
      [60n, 4n],
      [2n ** 53n, 9n],
      [60n, 2n ** 53n],
    ];
    for (const [height, version] of refused) {
      const registry = applyAt(two, 5, [depositRequest(upgrade(height, version))], {
        upgrades,
        appVersion: 2n,
      });
      assert.deepEqual(registry.scheduled, [], `${height} ${version}`);
    }
    const taken = applyAt(two, 5, [depositRequest(upgrade(7n, 3n))], { upgrades, appVersion: 2n });
    assert.deepEqual(at({ registry: taken, upgrades: [] }), [[7, 3]]);
  });

  it("are withdrawn by version 0 for their height, while it is two heights away", () => {
    assert.deepEqual(all(upgrade(20n, 2n), upgrade(20n, 0n)).scheduled, []);
    const soon = all(upgrade(7n, 2n));
    assert.equal(applyAt(soon, 6, [depositRequest(upgrade(7n, 0n, 1n))]).scheduled.length, 1);
  });
});
