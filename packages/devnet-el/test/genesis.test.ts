import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { DevnetElError, type ElGenesis, makeElGenesis, parseElGenesis } from "../src/index.ts";
import { testGenesis } from "./support/process.ts";

const DEPOSIT = "0x00000000219ab540356cbb839cbe05303d7705fa";

function refusal(genesis: unknown): string {
  try {
    parseElGenesis(genesis);
  } catch (thrown) {
    assert.ok(thrown instanceof DevnetElError);
    assert.equal(thrown.code, "GENESIS");
    assert.equal(thrown.exitCode, 3);
    return thrown.message;
  }
  return assert.fail("accepted");
}

const withConfig = (changes: Record<string, unknown>): ElGenesis => {
  const genesis = testGenesis();
  return { ...genesis, config: { ...genesis.config, ...changes } };
};

const withAccount = (account: Record<string, unknown>): unknown => {
  const genesis = testGenesis();
  return { ...genesis, alloc: { ...genesis.alloc, [`0x${"aa".repeat(20)}`]: account } };
};

test("a genesis has the system contracts and 15,000,000 gas by default", () => {
  const genesis = testGenesis();
  assert.equal(BigInt(genesis.gasLimit), 15_000_000n);
  assert.equal(parseElGenesis(genesis).fork, "osaka");
  const code = Buffer.from((genesis.alloc[DEPOSIT]?.code ?? "0x").slice(2), "hex");
  assert.equal(
    createHash("sha256").update(code).digest("hex"),
    "5aaa8327c5765ec883224895ca02cade2871e12dad0197bdc791efc91c7ef18d",
  );
  assert.equal(Object.keys(genesis.alloc[DEPOSIT]?.storage ?? {}).length, 31);
});

test("another deposit contract replaces the standard one", () => {
  const address = `0x${"de".repeat(20)}`;
  const genesis = testGenesis({
    depositContractAddress: address,
    alloc: { [address]: { balance: "0x0", code: "0x00" } },
  });
  assert.equal(genesis.alloc[DEPOSIT], undefined);
  assert.equal(parseElGenesis(genesis).depositContract, address);
});

test("without osakaTime the rules are those of Prague", () => {
  const { osakaTime: _, ...config } = testGenesis().config;
  assert.equal(parseElGenesis({ ...testGenesis(), config }).fork, "prague");
});

test("account forms on which execution clients disagree are refused by name", () => {
  assert.match(refusal(withAccount({ balance: "0x1", storage: { "0x1": "0x1" } })), /alloc\.0xaa.*storage/);
  assert.match(refusal(withAccount({ balance: "0x0", code: "0xef01001234" })), /alloc\.0xaa.*code.*ef0100/);
  parseElGenesis(withAccount({ balance: "0x1", nonce: "0x1", storage: { "0x1": "0x1" } }));
  parseElGenesis(withAccount({ balance: "0x1", storage: { "0x1": "0x0" } }));
});

test("forks that this client cannot follow are refused by name", () => {
  assert.match(refusal(withConfig({ amsterdamTime: 0 })), /config\.amsterdamTime/);
  assert.match(refusal(withConfig({ bpo1Time: 0 })), /config\.bpo1Time/);
  assert.match(refusal(withConfig({ osakaTime: 1_800_000_000 })), /config\.osakaTime/);
  assert.match(refusal(withConfig({ pragueTime: undefined })), /config\.pragueTime/);
  assert.match(refusal(withConfig({ londonBlock: 5 })), /config\.londonBlock/);
});

test("a missing request contract, an address named twice and broken numbers are refused by name", () => {
  const genesis = testGenesis();
  const { "0x00000961ef480eb55e80d19ad83579a64c007002": _, ...alloc } = genesis.alloc;
  assert.match(refusal({ ...genesis, alloc }), /0x00000961ef480eb55e80d19ad83579a64c007002/);
  const twice = {
    ...genesis.alloc,
    ["AA".repeat(20)]: { balance: "1" },
    [`0x${"aa".repeat(20)}`]: { balance: "1" },
  };
  assert.match(refusal({ ...genesis, alloc: twice }), /alloc: names an address twice/);
  assert.match(refusal({ ...genesis, difficulty: "0x1" }), /difficulty/);
  assert.match(refusal({ ...genesis, gasLimit: "many" }), /gasLimit/);
  assert.match(refusal({ ...genesis, extraData: `0x${"00".repeat(33)}` }), /extraData/);
  assert.match(refusal(withAccount({ balance: "-1" })), /balance/);
  assert.match(refusal([]), /must be an object/);
  assert.throws(() => makeElGenesis({ chainId: 0, timestamp: 0, alloc: {} }), DevnetElError);
});
