/** The parts of `testnet --demo`: its light client, its clock, and what a demo's home may be used for. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  commitJson,
  DEFAULT_PARAMS,
  headerJson,
  type LightBlock,
  lightBlockFromJson,
  OWNER_RANGES,
  PARAM_SPECS,
  stateFromGenesis,
  validatorSetJson,
} from "@quorate/chain";
import { depositRequest } from "../../chain/test/registry-fixture.ts";
import { advance, makeFixture, nextBlock, type Tip } from "../../chain/test/state-fixture.ts";
import { param } from "../src/commands/rules.ts";
import { run } from "../src/run.ts";
import { conflictingSignatures } from "../src/testnet/conflicts.ts";
import { LightFollower } from "../src/testnet/demo/follower.ts";
import { Pace } from "../src/testnet/demo/pace.ts";
import { paceText, pausedTooLong } from "../src/testnet/demo/play.ts";
import { demoEvent } from "../src/testnet/events.ts";
import { prepareNetwork, type TestnetOptions } from "../src/testnet/run.ts";

function temporaryDirectory(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "quorate-demo-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const FIXTURE = makeFixture("engine");

/** Light blocks of a chain whose last validator gets another power in block 2, in force at height 4. */
function lightBlocks(heights: number): readonly LightBlock[] {
  const { pubKey } = FIXTURE.genesis.validators[3]!;
  const raised = depositRequest({
    keyField: new Uint8Array([...pubKey, ...new Uint8Array(16)]),
    credentials: new Uint8Array(32),
    amount: 13n,
    signature: new Uint8Array(96),
    index: 0n,
  });
  let tip: Tip = { state: stateFromGenesis(FIXTURE.genesis), commit: null };
  return Array.from({ length: heights }, (_, index) => {
    const { validators } = tip.state;
    const envelope = index === 1 ? { executionRequests: [raised] } : {};
    const block = nextBlock(tip.state, tip.commit, { envelope });
    tip = advance(FIXTURE, tip, block);
    return { signedHeader: { header: block.header, commit: tip.commit! }, validators };
  });
}

test("a light client that trusts genesis alone follows through a change of the set, height by height", () => {
  const follower = new LightFollower(FIXTURE.genesis);
  for (const block of lightBlocks(5)) follower.verify(block);
  assert.deepEqual([follower.height, follower.sets], [5, 2]);
});

test("it takes light blocks as a node's JSON has them", () => {
  const [first] = lightBlocks(1);
  const { signedHeader, validators } = first!;
  const json: unknown = JSON.parse(
    JSON.stringify({
      signed_header: { header: headerJson(signedHeader.header), commit: commitJson(signedHeader.commit) },
      validator_set: validatorSetJson(validators),
    }),
  );
  assert.deepEqual(lightBlockFromJson(json), first);
});

test("it refuses a height out of order, a set that was not announced, a changed header, and too few signatures", () => {
  const [first, second, third, fourth] = lightBlocks(4);
  assert.ok(first && second && third && fourth);
  const after = (...blocks: readonly LightBlock[]): LightFollower => {
    const follower = new LightFollower(FIXTURE.genesis);
    for (const block of blocks) follower.verify(block);
    return follower;
  };
  const refuses = (follower: LightFollower, block: LightBlock, why: RegExp): void => {
    assert.throws(() => follower.verify(block), why);
  };
  refuses(after(first), third, /another chain or height/);
  refuses(after(first, second), { ...third, validators: fourth.validators }, /not the header's set/);
  const { header, commit } = third.signedHeader;
  const announced = { ...header, validatorsHash: fourth.signedHeader.header.validatorsHash };
  refuses(
    after(first, second),
    { signedHeader: { header: announced, commit }, validators: fourth.validators },
    /not the set that was announced/,
  );
  const changed = { ...header, appHash: new Uint8Array(32) };
  refuses(after(first, second), { ...third, signedHeader: { header: changed, commit } }, /another block/);
  const [signature] = commit.signatures;
  const absent = { ...signature!, flag: 1 as const, signature: new Uint8Array(0) };
  const few = { ...commit, signatures: commit.signatures.map((each, index) => (index < 2 ? absent : each)) };
  refuses(
    after(first, second),
    { ...third, signedHeader: { header, commit: few } },
    /more than 26 is needed/,
  );
});

test("the pace of a chain: the longest time between two heights, whoever commits first, and the heights of later rounds", () => {
  const pace = new Pace();
  pace.committed(1, 0, 1_000);
  pace.committed(2, 1, 3_500);
  pace.committed(1, 0, 3_600);
  pace.committed(2, 1, 3_700);
  pace.committed(3, 0, 4_500.4);
  const summary = pace.summary();
  assert.deepEqual(summary, {
    longestGapMs: 2_500,
    atHeight: 2,
    heights: 3,
    lateHeights: [2],
    highestRound: 1,
  });
  assert.equal(pausedTooLong(summary, DEFAULT_PARAMS), false, "one round more than the first");
  const long = { ...summary, highestRound: 2, longestGapMs: 3_001 };
  assert.equal(pausedTooLong(long, DEFAULT_PARAMS), true);
  assert.equal(
    pausedTooLong({ ...long, longestGapMs: 3_000 }, DEFAULT_PARAMS),
    false,
    "no longer than a round",
  );
  assert.match(paceText(summary), /3 heights, 1 of them later than round 0 \(heights 2; highest round 1\)/);
});

test("what a demo had signed on purpose is no conflict; anything else of the same validator is", async (context) => {
  const file = join(temporaryDirectory(context), "trace");
  const line = (signBytes: string): string =>
    `${JSON.stringify({ direction: "in", type: "precommit", height: 3, round: 0, validator: "V", block: null, sign_bytes: signBytes })}\n`;
  writeFileSync(file, line("01") + line("02"));
  assert.equal(await conflictingSignatures([file]), 1);
  assert.equal(await conflictingSignatures([file], new Set(["02"])), 0);
  writeFileSync(file, line("01") + line("02") + line("03"));
  assert.equal(await conflictingSignatures([file], new Set(["02"])), 1);
});

test("a demo event has the keys of the contract, in order", () => {
  assert.equal(
    JSON.stringify(demoEvent("join", true, 9)),
    '{"event":"demo","step":"join","ok":true,"height":9}',
  );
});

const ASKED: Omit<TestnetOptions, "home"> = {
  validators: 1,
  full: undefined,
  el: undefined,
  basePort: undefined,
  blockIntervalMs: undefined,
  gasLimit: undefined,
  load: 0,
  txs: undefined,
  heights: undefined,
  timeoutS: undefined,
  json: true,
  clean: false,
};

test("a demo plays on a network of its own, each time anew; nobody resumes it, and it takes nobody else's", async (context) => {
  const home = join(temporaryDirectory(context), "net");
  const quiet = () => undefined;
  const { signal } = new AbortController();
  const prepare = (options: Partial<TestnetOptions>) =>
    prepareNetwork({ ...ASKED, home, ...options }, quiet, signal);
  const first = await prepare({ demo: "validators" });
  assert.deepEqual(
    first.manifest.nodes.map(({ validator }) => validator),
    [true, false],
  );
  const again = await prepare({ demo: "validators" });
  assert.notEqual(again.manifest.genesisHash, first.manifest.genesisHash);
  await assert.rejects(prepare({}), { exitCode: 3 });
  const plain = await prepare({ clean: true });
  assert.equal(plain.manifest.demo, undefined);
  await assert.rejects(prepare({ demo: "validators" }), { exitCode: 3 });
});

async function invoke(...words: readonly string[]): Promise<{ code: number; err: string }> {
  let err = "";
  const code = await run(words, {
    env: {},
    stdoutIsTty: false,
    columns: () => 100,
    out: () => undefined,
    err: (text) => {
      err += text;
    },
  });
  return { code, err };
}

test("a demo that there is not, or one with another end, is a mistake of usage", async () => {
  const unknown = await invoke("testnet", "--demo", "validator");
  assert.deepEqual([unknown.code, /validators/.test(unknown.err)], [2, true]);
  for (const flags of [["--heights", "3"], ["--validators", "3"], ["--full", "0"], ["--stake"]]) {
    assert.equal((await invoke("testnet", "--demo", "validators", ...flags)).code, 2, flags.join(" "));
  }
});

test("param's help states every param that the registry's owner may set, with its limits; others are refused", async () => {
  const rows = param.details.split("\n");
  for (const { name, field, unit } of PARAM_SPECS) {
    const range = OWNER_RANGES.get(field);
    const row = rows.find((line) => line.trim().startsWith(`${name} `));
    if (range === undefined) assert.notEqual(row?.includes("…"), true, name);
    else assert.match(row ?? "", new RegExp(` ${range[0]} … ${range[1]} ${unit}$`), name);
  }
  for (const [name, value, why] of [
    ["block_intervall", "1000", /block_interval/],
    ["gas_limit", "30000000", /fixed in genesis/],
    ["block_interval", "60001", /100 to 60000 ms/],
    ["block_interval", "1.5", /no whole number/],
  ] as const) {
    const { code, err } = await invoke("param", name, value);
    assert.equal(code, 2, err);
    assert.match(err, why);
  }
});
