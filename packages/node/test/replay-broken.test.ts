/** A log with an input that breaks the core: the node comes back all the same, and stays bound by what it signed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { blockIdKey, VoteType } from "@quorate/chain";
import { ConsensusError, type Input, step, summary } from "@quorate/consensus";
import { takeUp } from "../src/lifecycle/recovery.ts";
import { type Replay, replayHeight } from "../src/lifecycle/replay.ts";
import { silent } from "./support/homes.ts";
import { makeRig, nameOf, type Rig, shortId, withRig } from "./support/rig.ts";

const { prevote, precommit } = VoteType;

/** The core with a bug: a precommit of the first validator breaks an invariant. */
const broken: typeof step = (state, input) => {
  if (isPoison(input)) {
    throw new ConsensusError("INVARIANT", 'invariant "round never falls" does not hold');
  }
  return step(state, input);
};

function isPoison(input: Input): boolean {
  return input.kind === "vote" && input.vote.type === precommit && input.vote.validatorIndex === 0;
}

function replayWith(core: typeof step, rig: Rig): Promise<Replay> {
  return replayHeight(rig.runner.chain(), {
    wal: rig.wal,
    store: rig.store,
    lastCommit: null,
    own: rig.privval?.address ?? null,
    log: silent("test"),
    step: core,
  });
}

const afterCrash = (rig: Rig) => ({ after: { disk: rig.disk.copy("synced"), store: rig.store.copy() } });

test("regression: an input that broke the core does not refuse every later start of its home", async () => {
  const rig = await makeRig();
  await rig.begin();
  const block = rig.block();
  await rig.propose(block);
  await rig.votes(prevote, block.blockId, rig.others);
  await rig.votes(precommit, null, rig.others.slice(0, 1));
  await rig.wal.sync();
  await withRig(afterCrash(rig), async (again) => {
    assert.equal((await replayWith(step, again)).kind, "resumed", "without the bug the log is sound");
    const replay = await replayWith(broken, again);
    assert.equal(replay.kind, "snapshot");
    assert.deepEqual(
      replay.signed.map(({ round, step: at }) => [round, at]),
      [
        [0, 2],
        [0, 2],
      ],
      "what the log says was signed is known all the same",
    );
    await takeUp(again.runner, replay);
    await again.pass(0);
    assert.deepEqual(summary(again.runner.core()).locked, { round: 0, blockId: block.blockId });

    await again.votes(precommit, null, again.others.slice(1));
    await again.pass(60_000);
    const other = again.block({ round: 1, txs: [Uint8Array.of(99)] });
    assert.notEqual(blockIdKey(other.blockId), blockIdKey(block.blockId));
    await again.propose(other, 1);
    await again.pass(0);
    const votes = again.published.votes.map(nameOf);
    assert.equal(votes.includes("prevote 1 nil"), true, votes.join());
    assert.equal(
      votes.some((vote) => vote.endsWith(shortId(other.blockId))),
      false,
    );
    assert.deepEqual(again.fatals, []);

    await again.wal.sync();
    await withRig(afterCrash(again), async (third) => {
      assert.equal((await replayWith(broken, third)).kind, "resumed", "it stays behind in the log");
    });
  });
  await rig.free();
});

test("an error that is not the core's is not taken for a broken log", async () => {
  const rig = await makeRig();
  await rig.begin();
  await rig.propose(rig.block());
  const failing: typeof step = () => {
    throw new RangeError("out of memory");
  };
  await assert.rejects(replayWith(failing, rig), RangeError);
  await rig.free();
});
