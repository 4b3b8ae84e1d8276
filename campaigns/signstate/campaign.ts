/**
 * R19, R22 (import): the sign state behind every step of its disk and in every state that a loss of power can leave;
 * every flipped bit and every cut of the file; every pair of a present and an imported state. The place of the last
 * signature never goes back behind one that was released, and no conflicting message is ever signed.
 */
import { type CampaignOptions, type CampaignReport, inShare, Tally } from "../support/report.ts";
import { importCases } from "./imports.ts";
import { lossCases } from "./losses.ts";
import { rotCases } from "./rot.ts";

/** A state of the file, or a pair of states, and what is wrong with what came of it. */
export interface Case {
  readonly class: string;
  readonly where: string;
  readonly check: () => Promise<{ readonly outcome: string; readonly faults: readonly string[] }>;
}

export async function signstateCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const tally = new Tally();
  let index = 0;
  for (const source of [lossCases, rotCases, importCases]) {
    for await (const each of source()) {
      if (tally.full || !inShare(index++, options)) continue;
      tally.cases++;
      const { outcome, faults } = await each.check();
      tally.count(`${each.class}: ${outcome}`);
      for (const fault of faults) tally.violation(each.where, fault);
    }
  }
  tally.count("cases in all", index);
  return tally.report("signstate", ["R19", "R22"], options);
}
