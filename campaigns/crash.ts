/**
 * `npm run crash -- wal|effects|disk|signstate|schedules|trace|evidence [--all] [--seed N] [--json]`: crash and corruption, enumerated.
 * Without `--all` a sixteenth of the cases runs, chosen by the seed: sixteen seeds in a row cover all of them. Exit 0 = every
 * case held, 1 = one did not, 2 = wrong usage.
 */
import { parseArgs } from "node:util";
import { diskCampaign } from "./disk/campaign.ts";
import { effectsCampaign } from "./effects/campaign.ts";
import { evidenceCampaign } from "./evidence/campaign.ts";
import { schedulesCampaign } from "./schedules/campaign.ts";
import { signstateCampaign } from "./signstate/campaign.ts";
import type { Campaign, CampaignReport } from "./support/report.ts";
import { traceCampaign } from "./trace/campaign.ts";
import { walCampaign } from "./wal/campaign.ts";

const CAMPAIGNS: Readonly<Record<string, Campaign>> = {
  wal: walCampaign,
  effects: effectsCampaign,
  disk: diskCampaign,
  signstate: signstateCampaign,
  schedules: schedulesCampaign,
  trace: traceCampaign,
  evidence: evidenceCampaign,
};

const USAGE = `usage: npm run crash -- ${Object.keys(CAMPAIGNS).join("|")} [--all] [--seed N] [--json]`;

function usage(what: string): never {
  process.stderr.write(`${what}\n${USAGE}\n`);
  process.exit(2);
}

function show(report: CampaignReport): string {
  const lines = [
    `${report.campaign} (${report.bars.join(", ")}): ${report.cases} cases, share ${report.share}, seed ${report.seed}`,
    ...Object.entries(report.counts).map(([name, count]) => `  ${String(count).padStart(8)}  ${name}`),
    ...report.violations.map(({ where, what }) => `  violation at ${where}: ${what}`),
    `${report.violated === 0 ? "holds" : `${report.violated} VIOLATIONS`} after ${(report.wall_ms / 1000).toFixed(1)} s`,
  ];
  return `${lines.join("\n")}\n`;
}

/** One line for whoever adds up many runs. */
function lineOf(report: CampaignReport): object {
  const { campaign, cases: count, violated: failed, seed, ...rest } = report;
  return { campaign, unit: "cases", count, failed, next_seed: seed + 1, seed, ...rest };
}

function parse(): {
  readonly names: string[];
  readonly all: boolean;
  readonly seed: number;
  readonly json: boolean;
} {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        all: { type: "boolean", default: false },
        seed: { type: "string", default: String(Date.now() % 2 ** 31) },
        json: { type: "boolean", default: false },
      },
    });
    const seed = Number(values.seed);
    if (!Number.isSafeInteger(seed) || seed < 0) usage("--seed takes a whole number");
    const names = positionals.length === 0 ? Object.keys(CAMPAIGNS) : positionals;
    return { names, all: values.all, seed, json: values.json };
  } catch (error) {
    usage(error instanceof Error ? error.message : String(error));
  }
}

if (process.argv.includes("--help")) {
  console.log(USAGE);
  process.exit(0);
}
const { names, all, seed, json } = parse();
const progress = (line: string): void => void process.stderr.write(`${line}\n`);
const reports: CampaignReport[] = [];
for (const name of names) {
  const campaign = CAMPAIGNS[name];
  if (campaign === undefined) usage(`there is no campaign ${name}`);
  const report = await campaign({ all, seed, progress });
  reports.push(report);
  process.stdout.write(json ? `${JSON.stringify(lineOf(report))}\n` : show(report));
}
process.exitCode = reports.every(({ violated }) => violated === 0) ? 0 : 1;
