/** Whatever the order in which disk, signer, execution client and builder answer: what is signed stays consistent. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { drained, faultsOf, Story, scheduledRig, stories } from "./support/hazards.ts";

for (const own of ["follower", "proposer"] as const) {
  test(`any order of answers, as ${own}: one message per round and kind, each for what was asked, nothing unfounded`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), stories, async (scheduler, story) => {
        const { rig, atOnce } = await scheduledRig(own, scheduler);
        try {
          await rig.begin();
          const teller = new Story(rig);
          for (const event of story) await teller.apply(event, scheduler);
          await drained(scheduler);
          atOnce();
          assert.deepEqual(await faultsOf(rig), []);
        } finally {
          atOnce();
          await Promise.all([rig.free(), scheduler.waitFor(rig.runner.stop())]);
        }
      }),
      { numRuns: 40 },
    );
  });
}

test("whenever the node halts, nothing leaves afterwards, whatever was under way", async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), stories, fc.nat(), async (scheduler, story, when) => {
      const { rig, atOnce } = await scheduledRig("proposer", scheduler);
      await rig.begin();
      const teller = new Story(rig);
      for (const event of story.slice(0, when % story.length)) await teller.apply(event, scheduler);
      rig.runner.halt();
      const { votes, proposals, certificates } = rig.published;
      const before = [votes.length, proposals.length, certificates.length];
      await drained(scheduler);
      await rig.advance(120_000);
      assert.deepEqual([votes.length, proposals.length, certificates.length], before);
      assert.equal(rig.clock.pending, 0);
      atOnce();
      await rig.free();
    }),
    { numRuns: 20 },
  );
});
