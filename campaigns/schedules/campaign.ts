/**
 * R44: proposals built, answers of execution client and signer, acknowledgements of log, sign state, bodies and batch, in
 * orders that fast-check's scheduler chooses, over the real runner. Every message sent is one that the core asked for, at the
 * height and round it was asked for, the only one of its kind there, and nothing rejects unhandled.
 */
import fc from "fast-check";
import { drained, faultsOf, Story, scheduledRig, stories } from "../../packages/node/test/support/hazards.ts";
import { type CampaignOptions, type CampaignReport, SHARES, Tally } from "../support/report.ts";

const SCHEDULES = 10_000;
/** Between two lines of progress; also what one counterexample is searched in. */
const BATCH = 250;

export async function schedulesCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const tally = new Tally();
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", note);
  try {
    const runs = options.all ? SCHEDULES : SCHEDULES / SHARES;
    for (let from = 0; from < runs && !tally.full; from += BATCH) {
      const numRuns = Math.min(BATCH, runs - from);
      const seed = (options.seed + from) | 0;
      const details = await fc.check(property(tally), { numRuns, seed });
      if (details.failed)
        tally.violation(`fast-check seed ${seed}`, fc.defaultReportMessage(details) ?? "failed");
      options.progress(`schedules: ${from + numRuns}`);
    }
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.off("unhandledRejection", note);
  }
  for (const reason of unhandled) tally.violation("unhandled rejection", String(reason));
  return tally.report("schedules", ["R44"], options);
}

function property(tally: Tally): fc.IAsyncPropertyWithHooks<[fc.Scheduler, Parameters<typeof told>[1], Own]> {
  return fc.asyncProperty(
    fc.scheduler(),
    stories,
    fc.constantFrom<Own>("follower", "proposer"),
    async (scheduler, story, own) => {
      tally.cases++;
      const faults = await told(scheduler, story, own, tally);
      if (faults.length > 0) throw new Error(faults.join("; "));
    },
  );
}

type Own = "follower" | "proposer";

async function told(
  scheduler: fc.Scheduler,
  story: typeof stories extends fc.Arbitrary<infer T> ? T : never,
  own: Own,
  tally: Tally,
): Promise<string[]> {
  const { rig, atOnce } = await scheduledRig(own, scheduler);
  try {
    await rig.begin();
    const teller = new Story(rig);
    for (const event of story) await teller.apply(event, scheduler);
    await drained(scheduler);
    atOnce();
    tally.count("votes sent", rig.published.votes.length);
    tally.count("proposals sent", rig.published.proposals.length);
    tally.count("heights decided", rig.runner.chain().lastHeight);
    return await faultsOf(rig);
  } finally {
    atOnce();
    await Promise.all([rig.free(), scheduler.waitFor(rig.runner.stop())]);
  }
}
