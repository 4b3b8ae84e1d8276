/** A chain that is to begin later begins then. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { timeToMs } from "@quorate/chain";
import { makeGenesis } from "../src/cluster/genesis.ts";
import { EPOCH_MS } from "../src/core/machine.ts";
import { cluster, KEYS } from "./support.ts";

const BEGINS_MS = 20_000;
const genesis = makeGenesis(
  {
    powers: [10, 10, 10, 10],
    blockIntervalMs: 0,
    timeouts: { proposeMs: 300, prevoteMs: 150, precommitMs: 150 },
    execution: "none",
    genesisMs: BEGINS_MS,
  },
  KEYS,
);

interface Begun {
  /** Virtual ms of the first signature of each node, and of its first block. */
  readonly signed: readonly number[];
  readonly decided: readonly number[];
  /** Rounds of first blocks, and their times, ms after the start. */
  readonly rounds: readonly number[];
  readonly times: readonly number[];
  /** Warnings and errors. */
  readonly said: readonly string[];
}

async function begun(offsetsMs: readonly number[]): Promise<Begun> {
  const [signed, decided, rounds, times] = [[], [], [], []] as [number[], number[], number[], number[]];
  const said: string[] = [];
  const nothing = (): void => undefined;
  const say = (line: string): void => void said.push(line);
  const made = cluster(
    {
      signed: (node) => {
        signed[node] ??= made.scheduler.now;
      },
      committed: (node, { height, round, time }) => {
        if (height > 1) return;
        decided[node] = made.scheduler.now;
        rounds[node] = round;
        times[node] = timeToMs(time) - EPOCH_MS;
      },
    },
    "none",
    {
      genesis,
      skews: offsetsMs.map((offsetMs) => ({ offsetMs, drift: 0 })),
      log: () => ({ debug: nothing, info: nothing, warn: say, error: say }),
    },
  );
  await made.begin();
  await made.scheduler.run(60_000, () => KEYS.every((_, node) => decided[node] !== undefined));
  return { signed, decided, rounds, times, said };
}

describe("regression: a genesis time that is still to come", () => {
  it("is waited for: nothing is signed before, no round fails, no clock is blamed", async () => {
    const { signed, decided, rounds, times, said } = await begun([0, 0, 0, 0]);
    for (const node of KEYS.keys()) {
      assert.ok(signed[node]! >= BEGINS_MS && decided[node]! < BEGINS_MS + 500, `${signed} ${decided}`);
    }
    assert.deepEqual(rounds, [0, 0, 0, 0]);
    assert.ok(times.every((time) => time >= BEGINS_MS && time < BEGINS_MS + 300));
    assert.deepEqual(said, []);
  });

  it("does not keep a node waiting whose clock is late, once the others have a block", async () => {
    const { decided, signed } = await begun([0, 0, 0, -3_600_000]);
    assert.ok(Math.max(...decided) < BEGINS_MS + 3_000, `${decided}`);
    assert.ok(Math.min(...signed) >= BEGINS_MS);
  });
});
