/**
 * R15, R16: every flipped bit and every cut of a log of at least 64 KiB with three heights. Each case is scanned and
 * classified; a node is restarted on one case of every outcome (what a start does depends on nothing else: the kept
 * records are shown to be the written bytes), and on a spread of the others.
 */
import { type CampaignOptions, type CampaignReport, inShare, Tally } from "../support/report.ts";
import { type Case, DamagedLog, everyCase, nameOfCase } from "./enumerate.ts";
import { restartOn } from "./restart.ts";
import { MIN_BYTES, makeSpecimen } from "./specimen.ts";

/** Besides one restart per outcome. */
const SPREAD_RESTARTS = { all: 256, share: 16 };
const PROGRESS_EVERY = 100_000;

export async function walCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const tally = new Tally();
  const specimen = await makeSpecimen();
  if (specimen.liveBytes < MIN_BYTES)
    tally.violation("specimen", `its log has only ${specimen.liveBytes} bytes`);
  const log = new DamagedLog(specimen);
  tally.count("log bytes", specimen.bytes);
  tally.count("log bytes in records", specimen.liveBytes);
  tally.count("records", specimen.places.length);
  const total = specimen.bytes * 9;
  const spread = Math.floor(total / (options.all ? SPREAD_RESTARTS.all : SPREAD_RESTARTS.share));
  const offset = (options.seed * 7919) % spread;
  const restarts = new Map<string, Case>();
  let index = 0;
  for (const given of everyCase(specimen)) {
    if (!tally.full && inShare(index, options)) {
      const outcome = await log.judge(given);
      tally.cases++;
      tally.count(`${given.kind}s ${outcome.class}`);
      if (outcome.fault !== null) tally.violation(nameOfCase(given), outcome.fault);
      const key = `${given.kind} ${outcome.class} ${outcome.kept}`;
      if (!restarts.has(key)) restarts.set(key, given);
      if (tally.cases % PROGRESS_EVERY === 0) options.progress(`wal: ${tally.cases} cases`);
    }
    if (index % spread === offset) restarts.set(`spread ${index}`, given);
    index++;
  }
  if (index !== total) tally.violation("enumeration", `${index} cases instead of ${total}`);
  for (const given of restarts.values()) {
    const { class: kind, faults } = await restartOn(specimen, log.bytesOf(given));
    tally.count(`restarts ${kind}`);
    for (const fault of faults) tally.violation(nameOfCase(given), fault);
  }
  return tally.report("wal", ["R15", "R16"], options);
}
