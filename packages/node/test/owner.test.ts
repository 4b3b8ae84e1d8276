/** The one owner of the life cycle: when the round is left for block sync, and how the node comes back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Certificate, type Commit, CommitFlag, timeFromMs } from "@quorate/chain";
import { type BlockSync, ForkFound, SyncError, type SyncedBlock } from "@quorate/sync";
import type { NodeError } from "../src/errors.ts";
import { Owner } from "../src/lifecycle/owner.ts";
import type { NodePhase } from "../src/types.ts";
import { decidedChain, syncedBlock } from "./support/chain.ts";
import { silent } from "./support/homes.ts";
import { settled } from "./support/pace.ts";
import { type Rig, withRig } from "./support/rig.ts";

class FakeSync implements BlockSync {
  target = 0;
  runs = 0;
  private finish: PromiseWithResolvers<number> | null = null;

  run(signal: AbortSignal): Promise<number> {
    this.runs++;
    const finish = Promise.withResolvers<number>();
    this.finish = finish;
    signal.addEventListener("abort", () => finish.resolve(0), { once: true });
    return finish.promise;
  }

  end(height: number): Promise<void> {
    this.finish?.resolve(height);
    return settled();
  }

  fail(error: Error): Promise<void> {
    this.finish?.reject(error);
    return settled();
  }
}

/** The node ends after this height. */
const END = 4;

/** The first `count` heights, as block sync hands them on. */
function syncedRun(rig: Rig, count: number): readonly SyncedBlock[] {
  return decidedChain(rig.chain, count).map(({ made, commit }, i, all) =>
    syncedBlock(all[i - 1]?.state ?? rig.chain.start, made, commit),
  );
}

async function withOwner(
  run: (parts: {
    /** Resolves when the execution client was started; at once unless it is replaced. */
    readonly client: { started: Promise<boolean> };
    readonly rig: Rig;
    readonly owner: Owner;
    readonly sync: FakeSync;
    readonly phases: NodePhase[];
    readonly fatals: NodeError[];
    /** Height `height` arrives by block sync. */
    readonly bring: (height: number) => Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  await withRig({}, async (rig) => {
    const sync = new FakeSync();
    const phases: NodePhase[] = [];
    const fatals: NodeError[] = [];
    const client = { started: Promise.resolve(true) };
    const owner = new Owner({
      clock: rig.clock,
      log: silent("test"),
      metrics: rig.metrics,
      runner: rig.runner,
      sync,
      privval: rig.privval,
      executing: () => client.started,
      endsAfter: ({ lastHeight }) => lastHeight === END,
      fatal: (error) => void fatals.push(error),
      onPhase: (phase) => void phases.push(phase),
    });
    const blocks = decidedChain(rig.chain, 5);
    const bring = async (height: number): Promise<void> => {
      const made = blocks[height - 1];
      assert.ok(made !== undefined);
      const before = blocks[height - 2]?.state ?? rig.chain.start;
      await owner.applySynced([syncedBlock(before, made.made, made.commit)]);
    };
    await rig.begin();
    owner.enterConsensus();
    await run({ client, rig, owner, sync, phases, fatals, bring });
    await owner.stop();
    assert.equal(owner.phase, "stopping");
  });
}

test("more than two heights behind: block sync begins at once; fewer: only when it lasts", async () => {
  await withOwner(async ({ rig, owner, sync }) => {
    sync.target = 3;
    owner.peerChanged();
    assert.equal(sync.runs, 1);
    owner.peerChanged();
    assert.equal(sync.runs, 1, "one at a time");
    await sync.end(0);
    sync.target = 1;
    owner.peerChanged();
    await rig.pass(1400);
    assert.equal(sync.runs, 1);
    await rig.pass(1600);
    assert.equal(sync.runs, 2);
    assert.equal(owner.catchingUp, false, "one behind is a round, not a distance");
  });
});

test("a claim alone does not pull the node out of its round; a block with its commit does, and the tip brings it back", async () => {
  await withOwner(async ({ rig, owner, sync, phases, bring }) => {
    sync.target = 1000;
    owner.peerChanged();
    assert.equal(owner.phase, "consensus");
    assert.equal(rig.runner.running, true);
    assert.equal(owner.catchingUp, true);
    await bring(1);
    assert.equal(owner.phase, "syncing");
    assert.equal(rig.runner.running, false);
    await bring(2);
    sync.target = 2;
    await sync.end(2);
    assert.deepEqual(phases, ["consensus", "syncing", "consensus"]);
    assert.equal(rig.runner.running, true);
    assert.equal(rig.runner.chain().lastHeight, 2);
    assert.deepEqual(
      rig.commits.map(({ height, source }) => [height, source]),
      [
        [1, "sync"],
        [2, "sync"],
      ],
    );
  });
});

test("a node at the tip whose execution client still starts takes part when that is there, after what was decided meanwhile", async () => {
  await withOwner(async ({ client, rig, owner, sync, bring }) => {
    const started = Promise.withResolvers<boolean>();
    client.started = started.promise;
    sync.target = 3;
    owner.peerChanged();
    await bring(1);
    sync.target = 1;
    await sync.end(1);
    assert.equal(owner.phase, "syncing");
    sync.target = 2;
    started.resolve(true);
    await settled();
    assert.equal(sync.runs, 2);
    await bring(2);
    await sync.end(2);
    assert.equal(owner.phase, "consensus");
    assert.equal(rig.runner.running, true);
  });
});

test("a node whose execution client could not be started takes no part", async () => {
  await withOwner(async ({ client, rig, owner, sync, bring }) => {
    client.started = Promise.resolve(false);
    sync.target = 3;
    owner.peerChanged();
    await bring(1);
    sync.target = 1;
    await sync.end(1);
    assert.equal(rig.runner.running, false);
  });
});

test("an own signature in a synced commit raises the sign state before the block is taken", async () => {
  await withOwner(async ({ rig, owner, sync, bring }) => {
    sync.target = 3;
    owner.peerChanged();
    await bring(1);
    const { lastSigned } = rig.privval?.state ?? {};
    assert.deepEqual([lastSigned?.height, lastSigned?.round, lastSigned?.step], [1, 0, 2]);
    const generation = rig.privval?.state.generation;
    await owner.raise({ ...rig.runner.lastCommit().commit, height: 4, signatures: [] });
    assert.equal(rig.privval?.state.generation, generation, "not for the commits of others");
  });
});

test("heights that block sync verified together become durable as one group: bodies, one write of the store, one of the sign state", async () => {
  await withOwner(async ({ rig, owner, sync }) => {
    sync.target = 3;
    owner.peerChanged();
    const generation = rig.privval?.state.generation ?? 0n;
    const blocks = syncedRun(rig, 3);
    const from = rig.journal.length;
    await owner.applySynced(blocks);
    const disk = rig.journal.slice(from).filter((event) => /^(body|store)/.test(event));
    assert.deepEqual(
      disk.map((event) => event.replace(/ [0-9a-f]{8}$/, "")),
      ["body.sync", "body.sync", "body.sync", "store.commit 1 2 3"],
    );
    assert.equal(rig.privval?.state.generation, generation + 1n);
    assert.equal(rig.privval?.state.lastSigned?.height, 3);
    assert.deepEqual(
      rig.commits.map(({ height, source }) => [height, source]),
      [1, 2, 3].map((height) => [height, "sync"]),
    );
    const last = blocks[2];
    assert.ok(last !== undefined);
    assert.deepEqual(rig.runner.chain(), last.state);
    assert.deepEqual(rig.runner.lastCommit().commit, last.commit);
    assert.ok(rig.runner.bodies.get(last.blockId) !== null, "for peers one height behind");
  });
});

test("a group that reaches beyond where the node is to end is taken up to there: no height is stored by rules that are not known", async () => {
  await withOwner(async ({ rig, owner, sync }) => {
    sync.target = 6;
    owner.peerChanged();
    await owner.applySynced(syncedRun(rig, 6));
    assert.equal(rig.store.height, END);
    assert.equal(rig.runner.chain().lastHeight, END);
  });
});

test("a group whose heights the node decided itself meanwhile is taken from the tip on, and one that does not follow it not at all", async () => {
  await withOwner(async ({ rig }) => {
    const blocks = syncedRun(rig, 3);
    rig.runner.pause();
    await rig.runner.commitSynced(blocks.slice(1));
    assert.equal(rig.store.height, 0);
    await rig.runner.commitSynced(blocks.slice(0, 2));
    await rig.runner.commitSynced(blocks);
    assert.equal(rig.store.height, 3);
    assert.deepEqual(
      rig.commits.map(({ height }) => height),
      [1, 2, 3],
    );
    assert.deepEqual(rig.fatals, []);
  });
});

test("a group that cannot be stored is a durability failure, and none of it counts", async () => {
  await withOwner(async ({ rig }) => {
    const blocks = syncedRun(rig, 3);
    rig.runner.pause();
    rig.store.break();
    await rig.runner.commitSynced(blocks);
    assert.deepEqual([rig.runner.chain().lastHeight, rig.commits.length], [0, 0]);
    assert.deepEqual(new Set(rig.fatals.map(({ exitCode }) => exitCode)), new Set([6]));
  });
});

test("an own signature in a synced commit that is newer than this process, and not its own, stops the node: another one signs", async () => {
  await withOwner(async ({ rig, owner, fatals }) => {
    const [made] = decidedChain(rig.chain, 1);
    assert.ok(made !== undefined);
    const at = (ms: number): Commit => {
      const timestamp = timeFromMs(rig.clock.wallMs() + ms);
      return { ...made.commit, signatures: made.commit.signatures.map((s) => ({ ...s, timestamp })) };
    };
    await owner.raise({ ...at(-60_000), height: 1 });
    assert.deepEqual(fatals, [], "signed before this process: by itself, in an earlier life");
    await rig.privval?.raise(2, 0, 2);
    await owner.raise({ ...at(1), height: 2 });
    assert.deepEqual(fatals, [], "known to the sign state");
    await owner.raise({ ...at(1), height: 3 });
    assert.deepEqual(
      fatals.map(({ exitCode, code }) => [exitCode, code]),
      [[5, "DOUBLE_INSTANCE"]],
    );
    assert.equal(rig.privval?.state.lastSigned?.height, 2);
  });
});

test("before anything is signed the node takes what its peers have; a claim without a block costs a bounded time", async () => {
  await withOwner(async ({ rig, owner, sync, bring }) => {
    await owner.catchUp(1_000);
    assert.equal(sync.runs, 0, "nobody is ahead");
    sync.target = 2;
    let over = false;
    const claimed = owner.catchUp(1_000).then(() => {
      over = true;
    });
    await rig.pass(900);
    assert.equal(over, false);
    await rig.pass(200);
    await claimed;
    await sync.end(0);
    const catching = owner.catchUp(1_000);
    await bring(1);
    await rig.pass(5_000);
    await bring(2);
    sync.target = 2;
    await sync.end(2);
    await catching;
    assert.equal(rig.runner.chain().lastHeight, 2);
    assert.equal(owner.phase, "consensus");
  });
});

test("a block that the node decided itself meanwhile is skipped without leaving the round", async () => {
  await withOwner(async ({ rig, owner, sync, phases, bring }) => {
    sync.target = 3;
    owner.peerChanged();
    const [first] = decidedChain(rig.chain, 1);
    assert.ok(first !== undefined);
    const body = rig.runner.bodies.add(1, first.made.blockId, first.made.bytes);
    assert.ok(body !== null);
    await rig.runner.commitBlock(body, first.commit);
    await bring(1);
    assert.deepEqual(phases, ["consensus"]);
    assert.equal(rig.commits.length, 1);
  });
});

test("a block that +2/3 signed and the rules refuse is a safety halt; any other failure of sync is a bug", async () => {
  await withOwner(async ({ owner, sync, fatals }) => {
    sync.target = 3;
    owner.peerChanged();
    await sync.fail(new SyncError("DIVERGED", "diverged", {}));
    assert.deepEqual(
      fatals.map(({ exitCode }) => exitCode),
      [7],
    );
    owner.peerChanged();
    await sync.fail(new Error("other"));
    assert.deepEqual(
      fatals.map(({ exitCode }) => exitCode),
      [7, 1],
    );
  });
});

test("a second block that +2/3 signed at the last height is a fork: it is named so, with both certificates", async () => {
  await withOwner(async ({ rig, owner, sync, fatals, bring }) => {
    sync.target = 3;
    owner.peerChanged();
    await bring(1);
    const { commit: ours } = rig.runner.lastCommit();
    const hash = new Uint8Array(32).fill(9);
    const theirs = { ...ours, blockId: { hash, parts: { total: 1, hash } } };
    await sync.fail(new ForkFound(theirs));
    const [fatal] = fatals;
    assert.deepEqual([fatal?.exitCode, fatal?.code], [7, "FORK"]);
    assert.match(fatal?.what ?? "", /a second block with a valid commit exists at height 1/);
    const facts = fatal?.facts as {
      ours: Commit;
      theirs: Certificate;
      signed_both: string[];
      evidence: unknown[];
    };
    assert.deepEqual([facts.ours.blockId, facts.theirs.blockId], [ours.blockId, theirs.blockId]);
    const signers = ours.signatures.filter(({ flag }) => flag === CommitFlag.commit).length;
    assert.deepEqual([facts.signed_both.length, facts.evidence.length], [signers, signers]);
  });
});

test("a stop during sync ends it, refuses further blocks, and is no fault", async () => {
  await withOwner(async ({ rig, owner, sync, fatals, bring }) => {
    sync.target = 3;
    owner.peerChanged();
    await bring(1);
    await owner.stop();
    await assert.rejects(bring(2), /stopping/);
    assert.deepEqual(fatals, []);
    assert.equal(rig.runner.chain().lastHeight, 1);
    assert.equal(rig.runner.running, false);
    owner.enterConsensus();
    owner.peerChanged();
    assert.equal(owner.phase, "stopping");
    assert.equal(sync.runs, 1);
  });
});
