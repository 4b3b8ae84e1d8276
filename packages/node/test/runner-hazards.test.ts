/** Whatever the order in which disk, signer, execution client and builder answer: what is signed stays consistent. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { proposalSignBytes, type Vote, VoteType, voteSignBytes } from "@quorate/chain";
import { decodeInput } from "@quorate/consensus";
import fc, { type Scheduler } from "fast-check";
import { WalRecordType } from "../src/wal-records.ts";
import { type MadeBlock, proposerIndex } from "./support/chain.ts";
import { atOnce, type Pace, settled } from "./support/pace.ts";
import { makeRig, type Rig } from "./support/rig.ts";

type Event =
  | { readonly kind: "propose"; readonly round: number; readonly block: number }
  | {
      readonly kind: "vote";
      readonly type: VoteType;
      readonly round: number;
      readonly voters: readonly number[];
      readonly block: number | null;
    }
  | { readonly kind: "time"; readonly ms: number }
  | { readonly kind: "answer" };

// Mostly the first block of the first round, so that locks and decisions happen.
const rounds = fc.constantFrom(0, 0, 0, 1, 2);
const blocks = fc.constantFrom(0, 0, 0, 1);
const events: fc.Arbitrary<readonly Event[]> = fc.array(
  fc.oneof(
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("propose" as const), round: rounds, block: blocks }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("vote" as const),
        type: fc.constantFrom(VoteType.prevote, VoteType.precommit),
        round: rounds,
        voters: fc.constantFrom([0], [1], [2], [0, 1, 2]),
        block: fc.option(blocks, { freq: 6 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("time" as const), ms: fc.constantFrom(0, 600, 2000) }),
    },
    { weight: 4, arbitrary: fc.constant({ kind: "answer" as const }) },
  ),
  { minLength: 10, maxLength: 50 },
);

class Story {
  private readonly rig: Rig;
  private readonly made = new Map<string, MadeBlock>();

  constructor(rig: Rig) {
    this.rig = rig;
  }

  /** The same two blocks for a round of a height, however often they are asked for. */
  private block(round: number, number: number): MadeBlock {
    const key = `${this.rig.runner.chain().lastHeight}/${round}/${number}`;
    const known = this.made.get(key);
    const block = known ?? this.rig.block({ round, txs: [Uint8Array.of(number)] });
    this.made.set(key, block);
    return block;
  }

  async apply(event: Event, scheduler: Scheduler): Promise<void> {
    const { rig } = this;
    switch (event.kind) {
      case "propose":
        if (proposerIndex(rig.runner.chain(), event.round) === rig.own) return;
        await rig.propose(this.block(event.round, event.block), event.round);
        return;
      case "vote": {
        const blockId = event.block === null ? null : this.block(event.round, event.block).blockId;
        const voters = event.voters.flatMap((voter) => rig.others[voter] ?? []);
        await rig.votes(event.type, blockId, voters, event.round);
        return;
      }
      case "time":
        await rig.advance(event.ms);
        return;
      case "answer":
        if (scheduler.count() > 0) await scheduler.waitOne();
        await settled();
    }
  }
}

/** One sign-bytes per (height, round, kind), apart from the time of a vote. */
function assertOneMessageEach({ published }: Rig): void {
  const seen = new Map<string, string>();
  const check = (key: string, bytes: Uint8Array): void => {
    const text = Buffer.from(bytes).toString("hex");
    assert.equal(seen.get(key) ?? text, text, `two messages for ${key}`);
    seen.set(key, text);
  };
  const plain = (vote: Vote): Uint8Array => voteSignBytes("any", { ...vote, timestamp: 0n });
  for (const vote of published.votes) check(`${vote.height}/${vote.round}/${vote.type}`, plain(vote));
  for (const { proposal } of published.proposals)
    check(`${proposal.height}/${proposal.round}/p`, proposalSignBytes("any", proposal));
}

/** Every answer in the log is one for the height and round it was asked for. */
async function assertAnswersMatch({ wal }: Rig): Promise<void> {
  for await (const record of wal.replay(1n)) {
    if (record.type !== WalRecordType.input) continue;
    const input = decodeInput(record.payload);
    if (input.kind === "signed_vote")
      assert.deepEqual([input.vote.height, input.vote.round], [input.height, input.round]);
    if (input.kind === "signed_proposal")
      assert.deepEqual([input.proposal.height, input.proposal.round], [input.height, input.round]);
  }
}

/** A precommit of a block leaves only behind its body; an own proposal names a block of its own round. */
function assertFounded({ published, journal, runner, own, chain }: Rig): void {
  journal.forEach((event, at) => {
    const id = /^publish precommit \d+ (?!nil)(\w+)/.exec(event)?.[1];
    if (id === undefined) return;
    const body = journal.indexOf(`body.sync ${id}`);
    assert.equal(body >= 0 && body < at, true, `${event} without its body`);
  });
  for (const { proposal } of published.proposals) {
    if (proposal.height !== 1 || proposal.polRound >= 0) continue;
    assert.equal(proposerIndex(chain.start, proposal.round), own);
    const body = runner.bodies.get(proposal.blockId);
    if (body !== null) assert.equal(body.block.header.time, proposal.timestamp);
  }
}

for (const own of ["follower", "proposer"] as const) {
  test(`any order of answers, as ${own}: one message per round and kind, each for what was asked, nothing unfounded`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), events, async (scheduler, story) => {
        let pace: Pace = atOnce;
        const rig = await makeRig({ own, pace: (operation) => pace(operation) });
        try {
          pace = (operation) => scheduler.schedule(Promise.resolve(), operation);
          await rig.begin();
          const teller = new Story(rig);
          for (const event of story) await teller.apply(event, scheduler);
          while (scheduler.count() > 0) {
            await scheduler.waitOne();
            await settled();
          }
          assert.deepEqual(rig.fatals, []);
          assertOneMessageEach(rig);
          assertFounded(rig);
          pace = atOnce;
          await assertAnswersMatch(rig);
        } finally {
          pace = atOnce;
          await Promise.all([rig.free(), scheduler.waitFor(rig.runner.stop())]);
        }
      }),
      { numRuns: 40 },
    );
  });
}

test("whenever the node halts, nothing leaves afterwards, whatever was under way", async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), events, fc.nat(), async (scheduler, story, when) => {
      let pace: Pace = atOnce;
      const rig = await makeRig({ own: "proposer", pace: (operation) => pace(operation) });
      pace = (operation) => scheduler.schedule(Promise.resolve(), operation);
      await rig.begin();
      const teller = new Story(rig);
      for (const event of story.slice(0, when % story.length)) await teller.apply(event, scheduler);
      rig.runner.halt();
      const { votes, proposals, certificates } = rig.published;
      const before = [votes.length, proposals.length, certificates.length];
      while (scheduler.count() > 0) {
        await scheduler.waitOne();
        await settled();
      }
      await rig.advance(120_000);
      assert.deepEqual([votes.length, proposals.length, certificates.length], before);
      assert.equal(rig.clock.pending, 0);
      pace = atOnce;
      await rig.free();
    }),
    { numRuns: 20 },
  );
});
