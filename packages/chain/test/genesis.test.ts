import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  ChainError,
  DEFAULT_PARAMS,
  type Genesis,
  genesisDocument,
  genesisHash,
  genesisToJson,
  makeValidatorSet,
  PARAM_SPECS,
  paramsFromRecord,
  paramsRoot,
  paramsToRecord,
  parseGenesis,
  priorityRoot,
  registryRoot,
  STANDARD_DEPOSIT_CONTRACT,
  stateFromGenesis,
  timeFromMs,
  upgradesHash,
} from "@quorate/chain";
import { concatBytes, merkleRoot, sha256, toHex, toHexUpper, utf8Encode } from "@quorate/crypto";
import fc from "fast-check";
import { makeFixture } from "./state-fixture.ts";

type Json = Record<string, unknown>;

/** The document of the fixture with one path set to a value, or taken out when the value is undefined. */
function changed(path: string, value: unknown, execution: Genesis["execution"] = "engine"): string {
  const document = JSON.parse(genesisToJson(makeFixture(execution).genesis)) as Json;
  const keys = path.split("/");
  let at: Json = document;
  for (const key of keys.slice(0, -1)) at = at[key] as Json;
  const last = keys.at(-1)!;
  if (value === undefined) delete at[last];
  else at[last] = value;
  return JSON.stringify(document);
}

function refused(text: string, field: string, words: RegExp): void {
  assert.throws(
    () => parseGenesis(text),
    (error: unknown) => {
      assert.ok(error instanceof ChainError, String(error));
      assert.equal(error.code, "GENESIS", error.message);
      const { field: named } = error.facts;
      assert.equal(named, field, error.message);
      assert.match(error.message, words);
      return true;
    },
  );
}

describe("a genesis document", () => {
  for (const execution of ["engine", "none"] as const) {
    it(`with execution "${execution}" reads back as it was written`, () => {
      const upgrades = [
        { height: 10, appVersion: 1, params: { gas_limit: 30_000_000 } },
        { height: 20, appVersion: 3, params: {} },
      ];
      const { genesis } = makeFixture(execution, { upgrades, powers: [7n, 1n, 2n] });
      assert.deepEqual(parseGenesis(genesisToJson(genesis)), genesis);
      assert.deepEqual(JSON.parse(genesisToJson(genesis)), genesisDocument(genesis));
    });
  }

  it("of stake mode holds no more power than stake can be, and with another contract it may", () => {
    const standard = `0x${toHex(STANDARD_DEPOSIT_CONTRACT)}`;
    const withPower = (power: bigint, contract?: string): string => {
      const document = JSON.parse(changed("validators/1/power", String(power))) as { app_state: Json };
      if (contract !== undefined) document.app_state["deposit_contract_address"] = contract;
      return JSON.stringify(document);
    };
    const most = 9_000_000_000n;
    assert.equal(parseGenesis(withPower(most, standard)).validators[1]?.power, most);
    refused(
      withPower(most + 1n, standard),
      "validators[1].power",
      /as many ether in stake mode: at most 9000000000/,
    );
    assert.equal(parseGenesis(withPower(most + 1n)).validators[1]?.power, most + 1n);
  });

  it("schedules a thousand upgrades at most", () => {
    const many = (count: number): string =>
      changed(
        "app_state/upgrades",
        Array.from({ length: count }, (_, i) => ({ height: String(i + 2), app_version: "2" })),
      );
    assert.equal(parseGenesis(many(1_000)).upgrades.length, 1_000);
    refused(many(1_001), "app_state.upgrades", /has 1001 entries, at most 1000/);
  });

  it("reads back with any params in their ranges", () => {
    const record = fc.record(
      Object.fromEntries(
        PARAM_SPECS.filter((spec) => spec.name !== "max_evidence_bytes").map((spec) => [
          spec.name,
          fc.integer({ min: Math.max(1, spec.min), max: spec.max }),
        ]),
      ),
    );
    fc.assert(
      fc.property(record, (values) => {
        const params = paramsFromRecord({ ...values, max_evidence_bytes: 65_536 });
        const { genesis } = makeFixture("engine", { params });
        assert.deepEqual(parseGenesis(genesisToJson(genesis)).params, params);
      }),
      { numRuns: 20 },
    );
  });

  it("takes numbers as decimal strings or JSON numbers, and an app_hash that is empty or right", () => {
    const { genesis } = makeFixture("engine");
    assert.deepEqual(parseGenesis(changed("initial_height", 1)), genesis);
    assert.deepEqual(parseGenesis(changed("app_state/params/gas_limit", "60000000")), genesis);
    assert.deepEqual(
      parseGenesis(changed("app_hash", toHexUpper(stateFromGenesis(genesis).appHash))),
      genesis,
    );
    assert.deepEqual(parseGenesis(changed("consensus_params", undefined)), genesis);
    assert.deepEqual(parseGenesis(changed("validators/0/address", undefined)), genesis);
  });

  const validator = "validators/0";
  const mistakes: readonly (readonly [path: string, value: unknown, field: string, words: RegExp])[] = [
    ["chain_id", "", "chain_id", /1 to 50/],
    ["chain_id", "a b", "chain_id", /letters, digits/],
    ["chain_id", "x".repeat(51), "chain_id", /1 to 50/],
    ["chain_id", undefined, "chain_id", /missing/],
    ["genesis_time", "yesterday", "genesis_time", /RFC 3339/],
    ["genesis_time", "2026-01-01T00:00:00.0001Z", "genesis_time", /whole milliseconds/],
    ["genesis_time", "1969-12-31T23:59:59Z", "genesis_time", /1970/],
    ["initial_height", "0", "initial_height", /from 1/],
    ["initial_height", 1.5, "initial_height", /whole number/],
    ["initial_height", "2", "app_state.anchor_number", /initial_height - 1 = 1/],
    ["surprise", 1, "document", /unknown member "surprise"/],
    ["app_state/surprise", 1, "app_state", /known members: execution/],
    ["app_state", undefined, "app_state", /missing/],
    ["app_state", [], "app_state", /must be an object/],
    ["app_state/execution", "geth", "app_state.execution", /"engine"/],
    ["app_state/evm_chain_id", "0", "app_state.evm_chain_id", /from 1/],
    ["app_state/evm_chain_id", undefined, "app_state.evm_chain_id", /missing/],
    ["app_state/el_genesis_hash", "0x12", "app_state.el_genesis_hash", /64 hex digits/],
    [
      "app_state/anchor_hash",
      `0x${"ab".repeat(32)}`,
      "app_state.anchor_hash",
      /equal app_state.el_genesis_hash/,
    ],
    ["app_state/deposit_contract_address", undefined, "app_state.deposit_contract_address", /missing/],
    ["app_state/params", undefined, "app_state.params", /missing/],
    ["app_state/params/precision", undefined, "app_state.params", /param precision is missing; .*500/],
    ["app_state/params/precision", 0, "app_state.params.precision", /from 1 to 30000/],
    ["app_state/params/precison", 5, "app_state.params", /param precison is unknown/],
    ["app_state/params/block_interval", 0, "app_state.params.block_interval", /only with execution "none"/],
    ["app_state/params/max_evidence_bytes", 11_000_000, "app_state.params", /exceeds max_block_bytes/],
    // Regression: it was taken, and the first state could not be stored.
    ["genesis_time", "2262-04-12T00:00:00Z", "genesis_time", /must not be after the year 2262/],
    ["validators", [], "validators", /1 to 512/],
    ["validators", undefined, "validators", /missing/],
    [`${validator}/power`, "0", "validators[0].power", /from 1/],
    [`${validator}/power`, "1152921504606846976", "validators[0].power", /must be from 1/],
    [`${validator}/power`, "1152921504606846975", "validators", /total/],
    [
      `${validator}/address`,
      "00".repeat(20),
      "validators[0].address",
      /does not belong to pub_key; write [0-9A-F]{40}/,
    ],
    [`${validator}/pub_key/type`, "tendermint/PubKeySecp256k1", "validators[0].pub_key", /PubKeyEd25519/],
    [`${validator}/pub_key/value`, "AAAA", "validators[0].pub_key", /32 bytes/],
    [
      `${validator}/pub_key/value`,
      "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
      "validators[0].pub_key",
      /small-order/,
    ],
    ["app_state/owners/00", "0x00", "app_state.owners.00", /no validator of this genesis/],
    ["app_state/upgrades", [{ height: "1", app_version: "2" }], "app_state.upgrades[0].height", /above 1/],
    ["app_state/upgrades", [{ height: "5" }], "app_state.upgrades[0].app_version", /missing/],
    [
      "app_state/upgrades",
      [{ height: "5", app_version: "2", params: { gas: 1 } }],
      "app_state.upgrades[0].params",
      /param gas is unknown/,
    ],
    [
      "app_state/upgrades",
      [
        { height: "5", app_version: "2" },
        { height: "5", app_version: "3" },
      ],
      "app_state.upgrades[1].height",
      /above 5/,
    ],
    ["app_hash", "00".repeat(32), "app_hash", /leave it empty/],
    ["consensus_params/block/max_bytes", "1", "consensus_params.block.max_bytes", /10485760/],
    ["consensus_params/block/max_gas", "5", "consensus_params.block.max_gas", /"-1"/],
  ];
  for (const [path, value, field, words] of mistakes) {
    it(`is refused when ${path} is ${JSON.stringify(value)?.slice(0, 60) ?? "left out"}, naming ${field}`, () => {
      refused(changed(path, value), field, words);
    });
  }

  it("is refused when it names a validator twice or gives one no owner", () => {
    const document = JSON.parse(genesisToJson(makeFixture("engine").genesis)) as { validators: Json[] } & {
      app_state: { owners: Json };
    };
    const [first] = document.validators;
    refused(
      JSON.stringify({ ...document, validators: [...document.validators, first] }),
      "validators[4]",
      /repeats/,
    );
    const { address: written } = first!;
    const address = String(written);
    delete document.app_state.owners[address];
    refused(JSON.stringify(document), `app_state.owners.${address}`, /missing/);
    document.app_state.owners[address] = `0x${"00".repeat(20)}`;
    refused(JSON.stringify(document), `app_state.owners.${address}`, /zero address/);
  });

  it("is refused when it is no JSON, no object, or names an EL beside execution none", () => {
    refused("{", "document", /is not JSON/);
    refused("[]", "document", /must be an object/);
    refused(
      changed("app_state/el_genesis_hash", `0x${"01".repeat(32)}`, "none"),
      "app_state.el_genesis_hash",
      /must be zero or left out/,
    );
  });

  it("gives a genesis or a ChainError for any change of its text", () => {
    const text = genesisToJson(makeFixture("engine").genesis);
    fc.assert(
      fc.property(
        fc.nat({ max: text.length - 1 }),
        fc.string({ maxLength: 3 }),
        fc.nat({ max: 4 }),
        (at, put, cut) => {
          try {
            parseGenesis(text.slice(0, at) + put + text.slice(at + cut));
          } catch (error) {
            assert.ok(error instanceof ChainError && error.code === "GENESIS", String(error));
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

const u8 = (value: number): Uint8Array => Uint8Array.of(value);
const wide =
  (bytes: number) =>
  (value: number | bigint): Uint8Array => {
    const hex = BigInt(value)
      .toString(16)
      .padStart(2 * bytes, "0");
    return Uint8Array.from(Buffer.from(hex, "hex"));
  };
const u16 = wide(2);
const u32 = wide(4);
const u64 = wide(8);
const str = (text: string): Uint8Array => concatBytes(u16(utf8Encode(text).length), utf8Encode(text));

describe("the hashes of genesis", () => {
  const { genesis } = makeFixture("engine", {
    upgrades: [{ height: 9, appVersion: 2, params: { "fork.osaka": 7, block_interval: 500 } }],
  });
  const nothing = sha256();
  const registryLeaves = [
    concatBytes(u8(0), u64(0), u64(0), nothing, nothing),
    ...[...genesis.validators]
      .sort((a, b) => Buffer.compare(a.pubKey, b.pubKey))
      .map((v) => concatBytes(v.pubKey, v.owner, u64(v.power), u8(0), u64(0), u64(0))),
  ];

  it("are exactly the bytes that the protocol fixes", () => {
    const params = merkleRoot(
      Object.entries(paramsToRecord(genesis.params))
        .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
        .map(([name, value]) => concatBytes(str(name), u64(value))),
    );
    assert.deepEqual(paramsRoot(genesis.params), params);
    const registry = merkleRoot(registryLeaves);
    assert.deepEqual(registryRoot(stateFromGenesis(genesis).registry), registry);
    const upgrades = sha256(
      u32(1),
      u64(9),
      u64(2),
      merkleRoot([concatBytes(str("block_interval"), u64(500)), concatBytes(str("fork.osaka"), u64(7))]),
    );
    assert.deepEqual(upgradesHash(genesis.upgrades), upgrades);
    assert.deepEqual(
      genesisHash(genesis),
      sha256(
        utf8Encode("QUORATE-GENESIS-1"),
        str("state-fixture"),
        u64(1_767_225_600_250),
        u64(1),
        u8(1),
        u64(1337),
        genesis.elGenesisHash,
        u64(0),
        genesis.anchorHash,
        genesis.depositContractAddress,
        params,
        registry,
        upgrades,
      ),
    );
    assert.deepEqual(upgradesHash([]), sha256(u32(0)));
    const state = stateFromGenesis(genesis);
    const priorities = merkleRoot(
      state.validators.validators.map((v) => concatBytes(v.address, u64(BigInt.asUintN(64, v.priority)))),
    );
    assert.deepEqual(priorityRoot(state.validators), priorities);
    assert.deepEqual(
      state.appHash,
      merkleRoot([concatBytes(u8(1), genesis.anchorHash), registry, params, priorities]),
    );
  });

  it("stay what they are for ever: a fixed genesis has a fixed hash", () => {
    assert.equal(
      toHex(genesisHash(makeFixture("engine").genesis)),
      "9d3f49e613b5b8ce4b0e261fd6141efebe4296ace217211ddd0fc41945c310c1",
    );
    assert.equal(
      toHex(genesisHash(makeFixture("none").genesis)),
      "964620536c828ae5891ae8f38feecc434f82c5499b5287bf6d5658198401b94b",
    );
  });

  it("differ when any field of genesis differs, except the names of validators and their order", () => {
    const hash = toHex(genesisHash(genesis));
    const [first, ...rest] = genesis.validators;
    const changes: readonly Partial<Genesis>[] = [
      { chainId: "other" },
      { genesisTime: timeFromMs(1_767_225_600_251) },
      { initialHeight: 2 },
      { execution: "none" },
      { evmChainId: 1338 },
      { elGenesisHash: new Uint8Array(32) },
      { anchorNumber: 1 },
      { anchorHash: new Uint8Array(32) },
      { depositContractAddress: new Uint8Array(20) },
      { validators: rest },
      { validators: [{ ...first!, power: 11n }, ...rest] },
      { validators: [{ ...first!, owner: new Uint8Array(20) }, ...rest] },
      { upgrades: [] },
      { upgrades: [{ ...genesis.upgrades[0]!, appVersion: 3 }] },
      { upgrades: [{ ...genesis.upgrades[0]!, params: {} }] },
      ...PARAM_SPECS.map((spec) => ({
        params: { ...DEFAULT_PARAMS, [spec.field]: DEFAULT_PARAMS[spec.field] + 1 },
      })),
    ];
    const hashes = changes.map((change) => toHex(genesisHash({ ...genesis, ...change })));
    assert.equal(new Set([hash, ...hashes]).size, changes.length + 1);
    const renamed = [...rest, { ...first!, name: "renamed" }];
    assert.equal(toHex(genesisHash({ ...genesis, validators: renamed })), hash);
  });

  it("rest on a validator set that does not depend on the order of the document", () => {
    const reversed = [...genesis.validators].reverse();
    assert.deepEqual(makeValidatorSet(reversed), makeValidatorSet(genesis.validators));
  });
});

describe("params", () => {
  it("stand in the bytewise order of their names, with defaults inside their ranges", () => {
    const names = PARAM_SPECS.map((spec) => spec.name);
    assert.deepEqual(names, [...names].sort());
    for (const spec of PARAM_SPECS) {
      assert.equal(DEFAULT_PARAMS[spec.field], spec.default, spec.name);
      assert.ok(spec.default >= spec.min && spec.default <= spec.max, spec.name);
    }
    assert.equal(new Set(PARAM_SPECS.map((spec) => spec.field)).size, Object.keys(DEFAULT_PARAMS).length);
  });

  it("round-trip through their names", () => {
    assert.deepEqual(paramsFromRecord(paramsToRecord(DEFAULT_PARAMS)), DEFAULT_PARAMS);
  });
});
