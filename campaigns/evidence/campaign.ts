/**
 * R37: a validator signs twice; honest ones lose their power at each call of their ports, one of them or all three, from the
 * first vote on until blocks after the conviction: while the double vote is seen, its evidence stored, told, proposed,
 * decided, and let go. Of what was not synced all is lost, all kept, or some. Exactly one block convicts it, every law of
 * the simulator holds, the chain goes on, and nobody's pool holds anything against it any more. Then the same without
 * crashes amid a flood of made-up evidence ([flood.ts](flood.ts)).
 */
import type { Boundary } from "../../simulator/src/cluster/process.ts";
import type { Survival } from "../../simulator/src/disk/file-system.ts";
import type { Fault } from "../../simulator/src/faults/fault.ts";
import { runSeed, type SimResult } from "../../simulator/src/run.ts";
import { type CampaignOptions, type CampaignReport, inShare, Tally } from "../support/report.ts";
import { quiet } from "./chain.ts";
import { floodCases, judgeFloodCase } from "./flood.ts";

/** The conviction is decided at height 2 or 3 unless a crash delays it. */
const HEIGHTS = 8;
/** Who loses power: one that proposes early, one that proposes late, or everybody honest. */
const VICTIMS: readonly (readonly number[])[] = [[0], [1], [0, 1, 2]];
/** Of some, two draws: sector by sector of files, a prefix of the index. */
const SURVIVALS: readonly Survival[] = ["none", "all", "some", "some"];
/** Calls of each port until after the conviction. */
const CALLS: Readonly<Partial<Record<Boundary, number>>> = {
  write: 30,
  fdatasync: 30,
  sign: 10,
  send: 60,
  index: 7,
};
const PROGRESS_EVERY = 50;

export interface EvidenceCase {
  readonly boundary: Boundary;
  readonly count: number;
  readonly survival: Survival;
  readonly victims: readonly number[];
}

/** All of them, always in the same order. */
export function* evidenceCases(): Generator<EvidenceCase> {
  for (const [boundary, calls] of Object.entries(CALLS) as [Boundary, number][])
    for (let count = 1; count <= calls; count++)
      for (const victims of VICTIMS)
        for (const survival of SURVIVALS) yield { boundary, count, survival, victims };
}

export async function evidenceCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const tally = new Tally();
  let index = 0;
  for (const each of evidenceCases()) {
    const mine = index++;
    if (!inShare(mine, options)) continue;
    if (tally.full) break;
    tally.cases++;
    await judgeEvidenceCase(each, mine, tally);
    if (tally.cases % PROGRESS_EVERY === 0) options.progress(`evidence: ${tally.cases} cases`);
  }
  for (const each of floodCases()) {
    const mine = index++;
    if (!inShare(mine, options) || tally.full) continue;
    tally.cases++;
    await judgeFloodCase(each, mine, tally);
    options.progress(`evidence: flood ${mine}`);
  }
  tally.count("cases in all", index);
  return tally.report("evidence", ["R37"], options);
}

/** Runs one case; `index`: its place in {@link evidenceCases}. */
export async function judgeEvidenceCase(each: EvidenceCase, index: number, tally: Tally): Promise<void> {
  const { boundary, count, survival, victims } = each;
  const where = `case ${index}: power of {${victims.join(",")}} lost at ${boundary} number ${count}, disk keeps ${survival}`;
  const faults = victims.map(
    (node, id): Fault => ({
      ...{ id, atMs: 0, forMs: 60, kind: "crash-at" as const },
      ...{ node, boundary, count, survival },
    }),
  );
  const result = await runSeed({
    // Decides what "some" leaves, and the order in which messages arrive.
    seed: 1 + index,
    validators: 4,
    heights: HEIGHTS,
    plan: (drawn) => quiet(drawn, faults),
  });
  tally.count(result.witness.crashes > 0 ? `power lost at ${boundary}` : `no such call: ${boundary}`);
  judgeOutcome(result, where, tally);
}

/** What a run shows must be one conviction, if anybody ever held both votes. */
export function judgeOutcome(
  {
    verdict,
    violations,
    witness,
  }: {
    readonly verdict: SimResult["verdict"];
    readonly violations: SimResult["violations"];
    readonly witness: Pick<SimResult["witness"], "convictions" | "duplicateVotes">;
  },
  where: string,
  tally: Tally,
): void {
  tally.count(`convictions ${witness.convictions}`);
  for (const { law, text } of violations) tally.violation(where, `${law}: ${text}`);
  if (verdict === "stall") tally.violation(where, "the chain did not go on");
  // Votes that were lost with the power of all who heard them are no evidence, and the offender may stop before it lies again.
  const unseen = witness.duplicateVotes === 0 && witness.convictions === 0;
  if (unseen) tally.count("nobody ever held both votes");
  if (verdict === "ok" && witness.convictions !== 1 && !unseen)
    tally.violation(where, `${witness.convictions} blocks convict the offender, not one`);
}
