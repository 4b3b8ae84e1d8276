/**
 * `npm run chaos`: torments networks of real processes and says whether they bore it.
 *
 * Exit 0: everything held; 1: something did not; 2: wrong usage; 130: interrupted. The last line of stdout is a JSON
 * object with the campaign's name, unit, count, failed and the seed to go on with; with --json it is the only one, with
 * measures and problems. `npm run chaos -- NAME --seed S --scenes 1` repeats a scene.
 */
import { parseArgs } from "node:util";
import { abuse } from "./abuse.ts";
import { type Campaign, runCampaign } from "./campaign.ts";
import { clocks } from "./clocks.ts";
import { execution } from "./execution.ts";
import { kills } from "./kills.ts";
import { matrix } from "./matrix.ts";
import { soak } from "./soak.ts";
import { swarm } from "./swarm.ts";

const CAMPAIGNS: readonly Campaign[] = [swarm, kills, matrix, execution, clocks, abuse, soak];

const USAGE = `Usage: npm run chaos -- [CAMPAIGN] [flags]

${CAMPAIGNS.map(({ name, about }) => `  ${name.padEnd(11)}${about}`).join("\n")}

  --minutes M   end after the scene that runs then (default 5)
  --scenes N    at most so many scenes (default: as many as the time allows)
  --seed S      of the first scene; each later one has the next (default 0)
  --el CLIENT   embedded, geth or the path of a Geth (default embedded)
  --slack X     factor on every bound of time, for a machine that is busy otherwise (default 1)
  --keep        keep the home of a network that failed
  --json        one JSON document on stdout
  --help        this text
`;

const EXIT = { held: 0, failed: 1, usage: 2, interrupted: 130 } as const;

interface Wanted {
  readonly campaign: Campaign;
  readonly json: boolean;
  readonly minutes: number;
  readonly scenes: number;
  readonly seed: number;
  readonly el: string;
  readonly slack: number;
  readonly keep: boolean;
}

function wantedBy(argv: readonly string[]): Wanted | "help" {
  const string = { type: "string" } as const;
  const boolean = { type: "boolean" } as const;
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      ...{ minutes: string, scenes: string, seed: string, el: string, slack: string },
      ...{ keep: boolean, json: boolean, help: boolean },
    },
  });
  if (values.help === true) return "help";
  const [name = "swarm", ...more] = positionals;
  const campaign = CAMPAIGNS.find((known) => known.name === name);
  if (campaign === undefined || more.length > 0)
    throw new TypeError(`there is no campaign ${JSON.stringify(positionals.join(" "))}`);
  const number = (flag: "minutes" | "scenes" | "seed" | "slack", fallback: number, least: number): number => {
    const value = values[flag] === undefined ? fallback : Number(values[flag]);
    if (!(value >= least)) throw new TypeError(`--${flag} ${values[flag]} is not a number from ${least} on`);
    return value;
  };
  return {
    campaign,
    json: values.json ?? false,
    minutes: number("minutes", 5, 0),
    scenes: number("scenes", Number.POSITIVE_INFINITY, 1),
    seed: Math.floor(number("seed", 0, 0)),
    el: values.el ?? "embedded",
    slack: number("slack", 1, 0.1),
    keep: values.keep ?? false,
  };
}

async function main(): Promise<number> {
  let wanted: Wanted | "help";
  try {
    wanted = wantedBy(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return EXIT.usage;
  }
  if (wanted === "help") {
    process.stdout.write(USAGE);
    return EXIT.held;
  }
  const { campaign, json, ...options } = wanted;
  const interrupt = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => interrupt.abort());
  const progress = (line: string): void => void (json ? process.stderr : process.stdout).write(`${line}\n`);
  const verdict = await runCampaign(campaign, { ...options, signal: interrupt.signal, progress });
  if (!json) {
    for (const [name, { count, p50, p99, max }] of Object.entries(verdict.measures))
      progress(`${name}: ${count} samples, p50 ${p50}, p99 ${p99}, most ${max}`);
    for (const problem of verdict.problems) progress(`PROBLEM ${problem}`);
  }
  const { campaign: name, unit, count, failed, next_seed } = verdict;
  process.stdout.write(
    `${JSON.stringify(json ? verdict : { campaign: name, unit, count, failed, next_seed })}\n`,
  );
  if (!verdict.ok) return EXIT.failed;
  return interrupt.signal.aborted ? EXIT.interrupted : EXIT.held;
}

process.exitCode = await main();
