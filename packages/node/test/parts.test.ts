/** The small parts of the composition, each by itself. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import {
  type BlockId,
  type ChainState,
  CommitFlag,
  EMPTY_COMMIT,
  VoteType,
  validateBlock,
  verifyCommit,
} from "@quorate/chain";
import { summary } from "@quorate/consensus";
import { bytesEqual, nativeBackend, toHexUpper } from "@quorate/crypto";
import type { ElStatus } from "@quorate/execution";
import { PrivvalError } from "@quorate/privval";
import { StoreError } from "@quorate/store";
import { WalError } from "@quorate/wal";
import { openPrivVal } from "../src/compose/storage.ts";
import { createConsensusView } from "../src/consensus-view.ts";
import { NodeError } from "../src/errors.ts";
import { homePaths, loadGenesis, loadNodeKey, requirePrivate } from "../src/home.ts";
import { writeStateDump } from "../src/last-exit.ts";
import { raiseWatermark } from "../src/lifecycle/watermark.ts";
import { createLogger, parseLogLevel } from "../src/log.ts";
import { readiness } from "../src/rpc-view.ts";
import { effectError } from "../src/runner/fatal.ts";
import { LastCommit } from "../src/runner/last-commit.ts";
import { LogKeeper } from "../src/runner/log-keeper.ts";
import { requireSupported, unknownUpgrade } from "../src/upgrades.ts";
import { openVoteTrace } from "../src/vote-trace.ts";
import { decidedChain, makeChain, Signers, syncedBlock } from "./support/chain.ts";
import { FakeExecution } from "./support/fake-execution.ts";
import { silent } from "./support/homes.ts";
import { MemoryDisk } from "./support/memory-disk.ts";
import { withRig } from "./support/rig.ts";

const chain = makeChain();
const { start } = chain;
const addresses = chain.keys.addresses as readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
// --- log --------------------------------------------------------------------------------------------------------

test("log levels are given for all modules or for each; what is wrong is named", () => {
  assert.deepEqual(parseLogLevel("debug"), { ok: true, levels: new Map([["*", "debug"]]) });
  const both = parseLogLevel("consensus:debug, *:warn");
  assert.deepEqual(both.ok && [...both.levels], [
    ["consensus", "debug"],
    ["*", "warn"],
  ]);
  assert.deepEqual(parseLogLevel("loud"), { ok: false, bad: "loud" });
  assert.deepEqual(parseLogLevel(":info"), { ok: false, bad: ":info" });
});

test("a JSON log line is one object whatever the facts are; a human one has time, level, module and facts", () => {
  const lines: string[] = [];
  const tapped: string[] = [];
  const options = {
    level: "consensus:debug,*:warn",
    now: () => 0,
    write: (line: string) => void lines.push(line),
  };
  const json = createLogger({
    ...options,
    format: "json",
    tap: (level, module) => void tapped.push(`${level} ${module}`),
  });
  const odd = { big: 1n, bytes: Uint8Array.of(171), error: new Error("no"), list: [2n], nested: { a: 3n } };
  json("consensus").debug("hello", odd);
  json("gossip").info("not shown");
  json("gossip").error("shown");
  assert.deepEqual(JSON.parse(lines[0] ?? ""), {
    time: "1970-01-01T00:00:00.000Z",
    level: "debug",
    module: "consensus",
    message: "hello",
    big: "1",
    bytes: "ab",
    error: "no",
    list: ["2"],
    nested: { a: "3" },
  });
  assert.equal(lines.length, 2);
  assert.deepEqual(tapped, ["error gossip"]);
  createLogger({ ...options, format: "human" })("consensus").warn("two words", { a: "x y", b: "z" });
  assert.match(lines[2] ?? "", /^00:00:00\.000 warn {2}consensus {2}two words a="x y" b=z$/);
});

// --- last commit ------------------------------------------------------------------------------------------------

function committed(indexes: readonly number[]): {
  readonly state: ChainState;
  readonly last: LastCommit;
  readonly signers: Signers;
  readonly blockId: BlockId;
} {
  const [first] = decidedChain(chain, 1);
  assert.ok(first !== undefined);
  const signers = new Signers(chain, start);
  const { blockId } = first.made;
  return {
    state: first.state,
    signers,
    blockId,
    last: LastCommit.of(first.state, signers.commit(0, blockId, indexes)),
  };
}

test("a late precommit fills its absent place, for the block or nil, and the commit still verifies", () => {
  for (const nil of [false, true]) {
    const { state, last, signers, blockId } = committed([0, 1, 2]);
    const extended = last.extend(state, signers.vote(3, VoteType.precommit, 0, nil ? null : blockId));
    assert.ok(extended !== null);
    assert.equal(extended.commit.signatures[3]?.flag, nil ? CommitFlag.nil : CommitFlag.commit);
    verifyCommit(state.chainId, start.validators, blockId, 1, extended.commit, nativeBackend);
  }
});

test("nothing else extends a commit: other rounds, heights, blocks, prevotes, present or foreign places", () => {
  const { state, last, signers, blockId } = committed([0, 1, 2]);
  const vote = signers.vote(3, VoteType.precommit, 0, blockId);
  const refused = (changes: Partial<typeof vote>): void =>
    assert.equal(last.extend(state, { ...vote, ...changes }), null, JSON.stringify(Object.keys(changes)));
  refused({ round: 1 });
  refused({ height: 2 });
  refused({ type: VoteType.prevote });
  refused({ validatorIndex: 2 });
  refused({ validatorIndex: 9 });
  refused({ validatorAddress: addresses[0] });
  refused({ blockId: { ...blockId, hash: new Uint8Array(32) } });
});

test("regression: a precommit for the same hash with other parts does not spoil the commit", () => {
  const { state, last, signers, blockId } = committed([0, 1, 2]);
  const other = { ...blockId, parts: { ...blockId.parts, total: blockId.parts.total + 1 } };
  assert.equal(last.extend(state, signers.vote(3, VoteType.precommit, 0, other)), null);
});

test("a block that repeats the known signatures costs no second check; a changed one does", () => {
  const { state, last, signers, blockId } = committed([0, 1, 2]);
  const extended = last.extend(state, signers.vote(3, VoteType.precommit, 0, blockId)) ?? last;
  const [, second] = decidedChain(chain, 2);
  assert.ok(second !== undefined);
  const checks = validateBlock(state, second.made.block);
  assert.equal(checks.length, 4);
  assert.equal(extended.unverified(checks).length, 0);
  assert.equal(last.unverified(checks).length, 1);
  const [check] = checks;
  assert.ok(check !== undefined);
  assert.equal(extended.unverified([{ ...check, message: Uint8Array.of(1) }]).length, 1);
  assert.equal(extended.unverified([{ ...check, publicKey: new Uint8Array(32) }]).length, 1);
});

// --- failure policy ---------------------------------------------------------------------------------------------

test("what the disk refuses ends with 6, a second decided block with 7, anything else with 1", () => {
  const code = (cause: unknown): number => effectError("it", cause).exitCode;
  assert.equal(code(new WalError("WAL_IO", "x")), 6);
  assert.equal(code(new WalError("WAL_BACKLOG", "x")), 6);
  assert.equal(code(new WalError("WAL_DAMAGED", "x")), 6, "read back otherwise than written");
  assert.equal(code(new PrivvalError("SIGN_STATE_FULL", "x")), 6);
  assert.equal(code(new StoreError("STORE_FULL", "x")), 6);
  assert.equal(code(new StoreError("STORE_CONFLICT", "x")), 7);
  assert.equal(code(new StoreError("STORE_ORDER", "x")), 1);
  assert.equal(code(new WalError("WAL_RECORD", "x")), 1);
  assert.equal(code(new Error("x")), 1);
  const known = new NodeError({ exitCode: 5, code: "X", what: "w", do: "d" });
  assert.equal(effectError("it", known), known);
});

test("the state dump holds facts of every kind, and a fault of its own is told, not thrown", async () => {
  const dir = await mkdtemp(join(tmpdir(), "quorate-parts-"));
  try {
    const paths = homePaths(dir);
    const dump = {
      time: "t",
      exit: { code: 7, what: "w", do: "d" },
      height: 1,
      consensus: { power: 3n },
      execution: null,
      facts: { bytes: Uint8Array.of(171), map: new Map([[1, 2n]]), set: new Set([1]) },
      stack: null,
    };
    assert.equal(await writeStateDump(paths, dump), null);
    const read = JSON.parse(await readFile(paths.stateDump, "utf8"));
    assert.deepEqual(read.facts, { bytes: "ab", map: [[1, "2"]], set: [1] });
    await rm(paths.data, { recursive: true });
    await writeFile(paths.data, "a file");
    assert.match((await writeStateDump(paths, dump)) ?? "", /EEXIST|ENOTDIR/);
  } finally {
    await rm(dir, { recursive: true });
  }
});

// --- home -------------------------------------------------------------------------------------------------------

test("a home without a key is a full node's; a key out of reach is refused, not overlooked", async () => {
  const dir = await mkdtemp(join(tmpdir(), "quorate-parts-"));
  try {
    const paths = homePaths(dir);
    const disk = new MemoryDisk();
    assert.equal(await openPrivVal(paths, disk), null);
    await writeFile(join(dir, "config"), "not a directory");
    await assert.rejects(openPrivVal(paths, disk), { exitCode: 3, code: "FILE_UNREADABLE" });
  } finally {
    await rm(dir, { recursive: true });
  }
});

test("secrets that others can read, missing files and malformed keys are refused with exit 3 and what to do", async () => {
  const dir = await mkdtemp(join(tmpdir(), "quorate-parts-"));
  try {
    const file = join(dir, "node_key.json");
    await assert.rejects(requirePrivate(file), { exitCode: 3, code: "FILE_MISSING" });
    await assert.rejects(loadNodeKey(file), { exitCode: 3, code: "FILE_MISSING" });
    await writeFile(file, "{}", { mode: 0o644 });
    await assert.rejects(loadNodeKey(file), { exitCode: 3, code: "FILE_MODE" });
    await chmod(file, 0o600);
    await assert.rejects(loadNodeKey(file), { exitCode: 3, code: "NODE_KEY_INVALID" });
    await assert.rejects(loadGenesis(join(dir, "genesis.json")), { exitCode: 3, code: "FILE_MISSING" });
    await writeFile(join(dir, "genesis.json"), "{}");
    await assert.rejects(loadGenesis(join(dir, "genesis.json")), { exitCode: 3, code: "GENESIS_INVALID" });
  } finally {
    await rm(dir, { recursive: true });
  }
});

// --- upgrades ---------------------------------------------------------------------------------------------------

test("regression: an upgrade that this version does not know stops the node at its height, not before and not past it", () => {
  const at = (lastHeight: number, appVersion: number): ChainState => ({
    ...start,
    lastHeight,
    upgrades: [{ height: 10, appVersion, params: {} }],
  });
  requireSupported(at(0, 9));
  requireSupported(at(8, 9));
  for (const height of [9, 10, 50]) assert.throws(() => requireSupported(at(height, 9)), { exitCode: 8 });
  requireSupported(at(50, 1));
  assert.equal(unknownUpgrade(at(0, 9))?.height, 10, "known from the start, to be warned of");
  assert.equal(unknownUpgrade(at(0, 1)), null);
});

test("an upgrade that the registry's owner scheduled is warned of, and stops a node that does not know it", () => {
  const registry: ChainState["registry"] = {
    ...start.registry,
    scheduled: [{ kind: "upgrade", appVersion: 9, height: 10 }],
  };
  assert.equal(unknownUpgrade({ ...start, lastHeight: 3, registry })?.height, 10);
  requireSupported({ ...start, lastHeight: 8, registry });
  // At its height the plan no longer has it: the version itself tells.
  const inForce = { ...start, lastHeight: 9, appVersion: 9n };
  assert.throws(() => requireSupported(inForce), { exitCode: 8 });
});

// --- readiness --------------------------------------------------------------------------------------------------

test("ready: in consensus with the execution client at most one block behind; else every reason is told", () => {
  const ask = (changes: {
    readonly phase?: string;
    readonly catchingUp?: boolean;
    readonly status?: ElStatus;
    readonly executed?: number;
  }): readonly string[] => {
    const execution = new FakeExecution();
    execution.executedHeight = changes.executed ?? 10;
    execution.status = changes.status ?? { kind: "ready", client: "x" };
    const { ready, reasons } = readiness({
      execution,
      chain: () => ({ ...start, lastHeight: 10 }),
      catchingUp: () => changes.catchingUp ?? false,
      phase: () => changes.phase ?? "consensus",
    });
    assert.equal(ready, reasons.length === 0);
    return reasons;
  };
  assert.deepEqual(ask({}), []);
  assert.deepEqual(ask({ executed: 9 }), []);
  assert.equal(ask({ executed: 8 }).length, 1);
  assert.equal(ask({ phase: "starting" }).length, 1);
  assert.equal(ask({ phase: "stopping" }).length, 1);
  assert.equal(ask({ catchingUp: true }).length, 1);
  assert.match(ask({ status: { kind: "offline", reason: "refused", action: "start it" } }).join(), /refused/);
  assert.deepEqual(ask({ status: { kind: "replaying", head: 9, target: 10 } }), []);
});

// --- watermark --------------------------------------------------------------------------------------------------

test("the watermark rises to the own signature in the stored commit and to what the log holds; never for a full node", async () => {
  const raised: unknown[][] = [];
  const { state, last } = committed([0, 1, 2]);
  const privval = (index: number): Parameters<typeof raiseWatermark>[0] => ({
    address: addresses[index] ?? new Uint8Array(),
    pubKey: new Uint8Array(32),
    state: { generation: 0n, lastSigned: null, lock: null, dependency: { sequence: 0n, crc: 0 } },
    signVote: () => Promise.reject(new Error("not asked")),
    signProposal: () => Promise.reject(new Error("not asked")),
    raise: async (...place) => void raised.push(place),
    close: () => Promise.resolve(),
  });
  const lock = { round: 1, blockId: last.commit.blockId };
  const signed = [
    { height: 2, round: 1, step: 2, lock },
    { height: 2, round: 2, step: 1, lock: null },
  ] as const;
  const log = (of: typeof signed | readonly []): Parameters<typeof raiseWatermark>[3] => ({
    chainId: chain.genesis.chainId,
    replay: { signed: of, intents: [] },
    end: { sequence: 0n, crc: 0 },
  });
  await raiseWatermark(privval(0), state, last.commit, log(signed));
  assert.deepEqual(raised.splice(0), [
    [1, 0, 2],
    [2, 1, 2, lock],
    [2, 2, 1, undefined],
  ]);
  await raiseWatermark(privval(3), state, last.commit, log([]));
  await raiseWatermark(privval(0), start, EMPTY_COMMIT, log([]));
  await raiseWatermark(null, state, last.commit, log(signed));
  assert.deepEqual(raised, []);
});

// --- log keeper -------------------------------------------------------------------------------------------------

test("regression: the log does not grow with the chain: what lies 128 heights back may go, the sign state's cause stays", async () => {
  const asked: number[] = [];
  const keeper = new LogKeeper({ prune: async (before) => asked.push(Number(before)) }, null);
  for (let sequence = 1n; sequence <= 130n; sequence++) await keeper.ended({ sequence, crc: 0 });
  assert.deepEqual(asked, [1, 2]);
});

// --- vote trace -------------------------------------------------------------------------------------------------

test("a vote trace is NDJSON with the sign bytes; one that cannot be written says so once and costs nothing else", async () => {
  const dir = await mkdtemp(join(tmpdir(), "quorate-parts-"));
  const said: string[] = [];
  const log = { ...silent("x"), error: (message: string) => void said.push(message) };
  const vote = new Signers(chain, start).vote(0, VoteType.prevote, 0, null);
  try {
    const good = openVoteTrace(join(dir, "trace.ndjson"), "c", log);
    good.vote("out", vote);
    await good.close();
    const [line] = (await readFile(join(dir, "trace.ndjson"), "utf8")).split("\n");
    const { validator, sign_bytes, ...rest } = JSON.parse(line ?? "");
    assert.deepEqual(rest, { direction: "out", type: "prevote", height: 1, round: 0, block: null });
    assert.equal(validator, toHexUpper(addresses[0]));
    assert.match(sign_bytes, /^[0-9A-F]+$/);
    await mkdir(join(dir, "taken"));
    const bad = openVoteTrace(join(dir, "taken"), "c", log);
    bad.vote("out", vote);
    await bad.close();
    bad.vote("out", vote);
    assert.deepEqual(said, ["the vote trace ends here"]);
  } finally {
    await rm(dir, { recursive: true });
  }
});

// --- consensus view ---------------------------------------------------------------------------------------------

test("regression: a node in block sync tells nothing of the height that it left under the one it has reached", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    const view = createConsensusView({
      runner: rig.runner,
      elReady: () => true,
      leaving: () => false,
    });
    const block = rig.block();
    await rig.propose(block);
    await rig.votes(VoteType.prevote, null, rig.others);
    const [other = 0] = rig.others;
    assert.equal(view.roundState().votes.length > 0, true);
    assert.ok(view.vote(0, VoteType.prevote, other) !== null);
    assert.ok(view.certificate(0, VoteType.prevote) !== null);
    assert.equal(view.proposal(0)?.body?.length, block.bytes.length);
    assert.ok(view.part(block.blockId, 0) !== null);
    rig.runner.pause();
    const commit = rig.signers.commit(0, block.blockId, [0, 1, 2, 3]);
    await rig.runner.commitSynced([syncedBlock(rig.chain.start, block, commit)]);
    const said = view.roundState();
    assert.equal(summary(rig.runner.core()).height, 1);
    assert.deepEqual([said.height, said.round, said.step, said.proposal], [2, 0, 1, null]);
    assert.deepEqual([said.votes, said.maj23], [[], []]);
    assert.equal(view.vote(0, VoteType.prevote, other), null);
    assert.equal(view.certificate(0, VoteType.prevote), null);
    assert.equal(view.proposal(0), null);
    const last = view.lastCommit();
    assert.equal(last?.height, 1);
    assert.equal(bytesEqual(last?.certificate.blockId?.hash ?? new Uint8Array(), block.blockId.hash), true);
  });
});

test("the view knows the sets of the last, the current and the next height, and no others", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    const view = createConsensusView({
      runner: rig.runner,
      elReady: () => true,
      leaving: () => false,
    });
    assert.equal(view.height, 1);
    assert.ok(view.validators(1) !== null && view.validators(2) !== null);
    assert.deepEqual([view.validators(0), view.validators(3)], [null, null]);
    assert.deepEqual(view.proposer(1, 0), start.validators.proposer.pubKey);
    assert.equal(view.proposer(9, 0), null);
    assert.equal(view.lastCommit(), null);
  });
});

// --- memory -----------------------------------------------------------------------------------------------------

test("a node does not load undici, which any import of node:http does: 13 MB that it never uses", async () => {
  const program = 'await import("@quorate/node"); console.log(process.moduleLoadList.join("\\n"))';
  const args = [...process.execArgv.filter((arg) => arg.startsWith("--conditions")), "--input-type=module"];
  const { stdout } = await promisify(execFile)(process.execPath, [...args, "--eval", program], {
    cwd: import.meta.dirname,
    maxBuffer: 4 * 1_048_576,
  });
  assert.match(stdout, /NativeModule http$/m);
  assert.doesNotMatch(stdout, /undici/);
});
