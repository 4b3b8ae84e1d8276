/**
 * A proposer that is gone costs the others little; one that is slow, or whose connections break, keeps its turn: only what
 * it says of itself, or that nobody has a link to it, shortens the wait for it, and no shortened wait can split the chain.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DEFAULT_PARAMS } from "@quorate/chain";
import { type ConsensusState, heightRoundStep } from "@quorate/consensus";
import { bytesEqual, toHex } from "@quorate/crypto";
import type { CommitInfo } from "@quorate/node";
import type { Cluster, ClusterOptions } from "../src/cluster/cluster.ts";
import { makeGenesis } from "../src/cluster/genesis.ts";
import { Path } from "../src/network/paths.ts";
import { cluster, KEYS } from "./support.ts";

const PROPOSE_MS = DEFAULT_PARAMS.timeoutProposeMs;
/** P9 (DESIGN §4): after kill -9, and after SIGTERM beyond the block interval, ms. */
const KILL_MS = 1_000;
const TERM_MS = 300;
/** What a turn costs that nobody waits for: the votes for nil and a round, by links of a few ms. */
const SKIPPED_MS = 150;
/** Whose turn it is that something happens in; the first that comes from this height on. */
const VICTIM = 2;
const FROM = 5;

interface Decided {
  readonly height: number;
  readonly round: number;
  readonly hash: string;
  readonly proposer: number;
  /** When the first node committed it, virtual ms. */
  readonly atMs: number;
}

interface Scene {
  readonly cluster: Cluster;
  /** In order of heights; all nodes agreed on each. */
  readonly decided: readonly Decided[];
  /** The height of the turn. */
  readonly turn: number;
  /** When the victim began that height, virtual ms. */
  readonly turnAtMs: number;
}

/** The product's own timeouts; `happens` at the moment in which the victim begins a height that it is to propose. */
async function scene(
  blockIntervalMs: number,
  happens: (cluster: Cluster) => void,
  more: Partial<ClusterOptions> = {},
  execution: "none" | "engine" = "none",
): Promise<Scene> {
  const {
    timeoutProposeMs: proposeMs,
    timeoutPrevoteMs: prevoteMs,
    timeoutPrecommitMs: precommitMs,
  } = DEFAULT_PARAMS;
  const genesis = makeGenesis(
    {
      powers: [10, 10, 10, 10],
      blockIntervalMs,
      timeouts: { proposeMs, prevoteMs, precommitMs },
      execution,
    },
    KEYS,
  );
  const decided = new Map<number, Decided>();
  let turn = 0;
  let turnAtMs = 0;
  const made: Cluster = cluster(
    {
      step: (node, input, _before, { state }) => {
        if (turn > 0 || node !== VICTIM || input.kind !== "start_height") return;
        if (input.height < FROM || proposerOfCore(state) !== VICTIM) return;
        turn = input.height;
        turnAtMs = made.scheduler.now;
        happens(made);
      },
      committed: (_node, commit) => note(decided, commit, made.scheduler.now),
    },
    execution,
    { genesis, ...more },
  );
  await made.begin();
  const how = await made.scheduler.run(60_000, () => turn > 0 && decided.has(turn + 9));
  assert.equal(how, "done", "the chain goes on");
  return {
    cluster: made,
    decided: [...decided.values()].sort((a, b) => a.height - b.height),
    turn,
    turnAtMs,
  };
}

function note(decided: Map<number, Decided>, commit: CommitInfo, atMs: number): void {
  const { height, round, proposer } = commit;
  const hash = toHex(commit.blockHash);
  const known = decided.get(height);
  if (known === undefined) decided.set(height, { height, round, hash, proposer: indexOf(proposer), atMs });
  else assert.equal(hash, known.hash, `height ${height}`);
}

function proposerOfCore(state: ConsensusState): number {
  assert.ok(heightRoundStep(state).round === 0);
  return state.proposer === null ? -1 : indexOf(state.proposer.address);
}

function indexOf(address: Uint8Array): number {
  return KEYS.findIndex((key) => bytesEqual(key.address, address));
}

/** The longest time between two commits from the one before the turn on, ms. */
function longestGap({ decided, turn }: Scene): number {
  const from = decided.filter(({ height }) => height >= turn - 1);
  return Math.max(...from.slice(1).map(({ atMs }, index) => atMs - (from[index]?.atMs ?? Number.NaN)));
}

function at({ decided }: Scene, height: number): Decided {
  const found = decided.find((each) => each.height === height);
  assert.ok(found !== undefined, `height ${height}`);
  return found;
}

describe("a proposer that ends in its turn", () => {
  for (const intervalMs of [0, 1_000]) {
    it(`by kill -9 costs the others less than a second beyond a block interval of ${intervalMs} ms, at this turn and the next`, async () => {
      const told = await scene(intervalMs, (made) => made.crash(VICTIM, "kill -9", false, null));
      assert.ok(at(told, told.turn).round > 0);
      assert.ok(longestGap(told) <= intervalMs + KILL_MS, `${longestGap(told)} ms`);
    });

    it(`by SIGTERM is not waited for, at this turn and the next, with a block interval of ${intervalMs} ms`, async () => {
      const told = await scene(intervalMs, (made) => made.stop(VICTIM));
      assert.ok(at(told, told.turn).round > 0);
      assert.ok(at(told, told.turn + 4).round > 0);
      assert.ok(longestGap(told) <= intervalMs + SKIPPED_MS, `${longestGap(told)} ms`);
    });
  }

  it("by SIGTERM costs one build window with execution clients: the next one's client begins as the turn is given up", async () => {
    const told = await scene(1_000, (made) => made.stop(VICTIM), {}, "engine");
    assert.ok(at(told, told.turn).round > 0);
    const gap = at(told, told.turn).atMs - at(told, told.turn - 1).atMs;
    assert.ok(gap <= 1_000 + SKIPPED_MS, `${gap} ms`);
  });

  it("by SIGTERM and is back before its next turn has that turn", async () => {
    const told = await scene(1_000, (made) => {
      made.stop(VICTIM);
      made.scheduler.after(1_500, () => made.start(VICTIM));
    });
    assert.ok(at(told, told.turn).round > 0);
    const { round, proposer } = at(told, told.turn + 4);
    assert.deepEqual({ round, proposer }, { round: 0, proposer: VICTIM });
  });

  it("without a word on the wire is waited for once, and its next turn costs as little as a kill", async () => {
    const told = await scene(1_000, (made) => made.crash(VICTIM, "its machine is gone", true, null));
    assert.ok(at(told, told.turn).atMs - told.turnAtMs >= PROPOSE_MS);
    const next = told.turn + 4;
    const gap = at(told, next).atMs - at(told, next - 1).atMs;
    assert.ok(gap <= 1_000 + TERM_MS, `${gap} ms`);
  });
});

describe("an honest proposer that is slow", () => {
  /** From the first that something happens in. */
  const turns = (told: Scene): readonly Decided[] =>
    told.decided.filter(({ height }) => height >= told.turn && (height - told.turn) % 4 === 0);

  it("is given its turn, every time, when each of its links takes 200 ms", async () => {
    const far = { minMs: 200, jitterMs: 0, loss: 0, duplication: 0, reorder: false, bytesPerMs: 10_000 };
    const near = { ...far, minMs: 1 };
    const path: ClusterOptions["path"] = (from, to, random) =>
      new Path(from === VICTIM || to === VICTIM ? far : near, random);
    // Blocks of a faster chain would be decided before it heard of the last.
    const told = await scene(1_000, () => undefined, { path });
    assert.ok(turns(told).length >= 3);
    for (const { round, proposer, height } of turns(told))
      assert.deepEqual({ height, round, proposer }, { height, round: 0, proposer: VICTIM });
  });

  it("is given its turn when it sleeps through six tenths of timeout_propose", async () => {
    const told = await scene(0, (made) => made.pause(VICTIM, 0.6 * PROPOSE_MS));
    for (const { round, proposer, height } of turns(told))
      assert.deepEqual({ height, round, proposer }, { height, round: 0, proposer: VICTIM });
  });

  it("is given its turn when its connections break at its beginning and are made again", async () => {
    const told = await scene(0, (made) => {
      for (const other of [0, 1, 3]) made.internet.disconnect(`peer${VICTIM}`, `peer${other}`, "disconnect");
    });
    for (const { round, proposer, height } of turns(told).slice(1))
      assert.deepEqual({ height, round, proposer }, { height, round: 0, proposer: VICTIM });
  });
});
