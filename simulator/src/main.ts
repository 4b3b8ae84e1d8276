/** `npm run sim`: runs seeds, prints verdicts, witnesses, and how to replay what failed. */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { LINK_SHAPES, type LinkShape } from "./network/links.ts";
import { runText, summarise, summaryText } from "./report.ts";
import { chosenFaults, type RunOptions, runSeed, type SimResult } from "./run.ts";
import { shrink } from "./shrink.ts";
import { runSeeds, type SeedOptions } from "./swarm.ts";
import { renderTracePage } from "./trace-page/render.ts";
import { WAN_USAGE, wanCommand } from "./wan/command.ts";

const USAGE = `npm run sim -- [--seed N] [--seeds K] [--validators N] [--heights N] [--faults LIST] [--crypto hash|real]
               [--byzantine] [--churn] [--links SHAPE] [--json] [--trace FILE.html] [--log] [--no-shrink]

  --seed N         first seed, default 1; a seed decides everything that is not said here
  --seeds K        so many seeds, on all cores; default 1
  --validators N   instead of the seed's own number
  --heights N      heights that every honest node has to reach, default 50
  --faults LIST    which faults of the seed happen: groups or kinds by name, single ones by number, all, none
  --byzantine      in every seed as many nodes equivocate as the protocol bears, instead of in half of them
  --churn          the validator set changes at every height: joins, leaves, powers, reports of double votes
  --links SHAPE    who has a link to whom, instead of the seed's own (a quarter of the seeds with four validators or more
                   have less than a full mesh): ${LINK_SHAPES.join(", ")}
  --crypto real    Ed25519 instead of keyed hashes
  --json           one JSON document on stdout, the same for the same seed but for fields named wall_ms
  --trace FILE     one self-contained page that shows the (first) seed
  --log            the nodes' own log lines on stderr, with one seed
  --no-shrink      show a failing seed as it is

Exit 0: all laws held and the chains went on; 1: a violation or a stall; 2: usage.

${WAN_USAGE}`;

class UsageError extends Error {}

function whole(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new UsageError(`--${name} is a whole number, not "${text}"`);
  return Number(text);
}

function cryptoOf(text: string): "hash" | "real" {
  if (text === "hash" || text === "real") return text;
  throw new UsageError(`--crypto is hash or real, not "${text}"`);
}

function linksOf(text: string): LinkShape {
  const shape = LINK_SHAPES.find((each) => each === text);
  if (shape === undefined) throw new UsageError(`--links is one of ${LINK_SHAPES.join(", ")}, not "${text}"`);
  return shape;
}

function faultsOf(text: string): readonly string[] {
  const names = text.split(",");
  try {
    chosenFaults([], names);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  return names;
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        seed: { type: "string" },
        seeds: { type: "string" },
        validators: { type: "string" },
        heights: { type: "string" },
        faults: { type: "string" },
        crypto: { type: "string" },
        byzantine: { type: "boolean", default: false },
        churn: { type: "boolean", default: false },
        links: { type: "string" },
        json: { type: "boolean", default: false },
        trace: { type: "string" },
        log: { type: "boolean", default: false },
        "no-shrink": { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function main(): Promise<number> {
  const startedAt = performance.now();
  const args = process.argv.slice(2);
  if (args.includes("--wan") && !args.includes("--help")) return wanCommand(args);
  const values = parse(args.filter((arg) => arg !== "--wan"));
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const validators = whole("validators", values.validators);
  const heights = whole("heights", values.heights);
  if (validators === 0 || heights === 0)
    throw new UsageError("there is at least one validator and one height");
  const first = whole("seed", values.seed) ?? 1;
  const count = whole("seeds", values.seeds) ?? 1;
  if (count === 0) throw new UsageError("there is at least one seed");
  const seeds = Array.from({ length: count }, (_, i) => first + i);
  const options: SeedOptions = {
    ...(validators === undefined ? {} : { validators }),
    ...(heights === undefined ? {} : { heights }),
    ...(values.faults === undefined ? {} : { faults: faultsOf(values.faults) }),
    ...(values.crypto === undefined ? {} : { crypto: cryptoOf(values.crypto) }),
    ...(values.byzantine ? { byzantine: true } : {}),
    ...(values.churn ? { churn: true } : {}),
    ...(values.links === undefined ? {} : { links: linksOf(values.links) }),
    hash: seeds.length === 1,
  };
  const results =
    values.log && seeds.length === 1
      ? [await runSeed({ ...options, seed: first, log: (line) => void process.stderr.write(`${line}\n`) })]
      : await runSeeds(seeds, options, (result) => {
          if (!values.json && seeds.length > 1 && result.verdict !== "ok")
            process.stdout.write(runText(result));
        });
  const failed = results.filter(({ verdict }) => verdict !== "ok");
  const [worst] = failed;
  const smaller =
    worst === undefined || values["no-shrink"] ? null : await shrink({ ...options, seed: worst.seed }, worst);
  if (values.trace !== undefined) {
    await writeTrace(values.trace, smaller?.options ?? { ...options, seed: first });
  }
  tell(values.json, results, smaller?.result ?? null, Math.round(performance.now() - startedAt));
  return failed.length === 0 ? 0 : 1;
}

async function writeTrace(file: string, options: RunOptions): Promise<void> {
  const { trace, replay } = await runSeed({ ...options, trace: true });
  if (trace === null) return;
  writeFileSync(file, renderTracePage(trace.header, trace.events, { replay }));
  process.stderr.write(`trace of ${trace.events.length} events written to ${file}\n`);
}

function tell(json: boolean, results: readonly SimResult[], shrunk: SimResult | null, wallMs: number): void {
  const [only] = results;
  if (json) {
    const document =
      results.length === 1 && only !== undefined
        ? { ...withoutTrace(only), shrunk: shrunk === null ? null : withoutTrace(shrunk) }
        : {
            ...summarise(results),
            failed: results.filter(({ verdict }) => verdict !== "ok").map(withoutTrace),
            shrunk: shrunk === null ? null : withoutTrace(shrunk),
            wall_ms: wallMs,
          };
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  if (results.length === 1 && only !== undefined) process.stdout.write(runText(only));
  else process.stdout.write(summaryText(summarise(results), wallMs));
  if (shrunk !== null) process.stdout.write(`smaller, it fails in the same way:\n${runText(shrunk)}`);
}

function withoutTrace(result: SimResult): Omit<SimResult, "trace"> {
  const { trace: _trace, ...rest } = result;
  return rest;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
