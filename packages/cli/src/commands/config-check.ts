import { existsSync, readFileSync, statSync } from "node:fs";
import { type Command, JSON_FLAG } from "../command.ts";
import { environmentValues, readConfigFile, resolveSettings, type Settings } from "../config/settings.ts";
import { ExitCode, failureOf } from "../errors.ts";

interface Problem {
  readonly what: string;
  readonly do: string;
}

export const configCheck: Command = {
  words: ["config", "check"],
  summary: "Judge config.toml, genesis, keys and sign state of this home without starting anything",
  arguments: [],
  flags: [JSON_FLAG],
  details: `Prints every problem with what to do; exit 3 when there is any. Warnings do not count. It changes nothing and
works beside a running node. --json prints {ok, problems, warnings, settings}.`,
  async run({ args, io, home }) {
    const problems: Problem[] = [];
    const warnings: Problem[] = [];
    const settings = await attempt(problems, () => {
      const environment = environmentValues(io.env);
      for (const { name, nearest } of environment.unknown) {
        warnings.push({
          what: `the environment variable ${name} has no meaning here`,
          do: nearest === null ? "remove it" : `did you mean ${nearest}?`,
        });
      }
      return resolveSettings(home, [environment.values, readConfigFile(home)]);
    });
    await checkGenesis(home, problems, warnings);
    await checkKeys(home, settings, problems);
    const ok = problems.length === 0;
    if (args.boolean("json")) {
      io.out(`${JSON.stringify({ ok, problems, warnings, settings: settings ?? null })}\n`);
    } else {
      for (const { what, do: action } of problems) io.out(`problem: ${what}\n         ${action}\n`);
      for (const { what, do: action } of warnings) io.out(`warning: ${what}\n         ${action}\n`);
      io.out(ok ? `${home}: in order\n` : `${home}: ${problems.length} problem(s)\n`);
    }
    return ok ? ExitCode.ok : ExitCode.config;
  },
};

async function attempt<T>(problems: Problem[], work: () => T | Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    const failure = failureOf(error);
    if (failure.exitCode === ExitCode.bug) throw error;
    problems.push({ what: failure.what, do: failure.do });
    return null;
  }
}

async function checkGenesis(home: string, problems: Problem[], warnings: Problem[]): Promise<void> {
  const { homePaths, loadGenesis } = await import("@quorate/node/home");
  const { elGenesisHash } = await import("@quorate/devnet-el");
  const paths = homePaths(home);
  const loaded = await attempt(problems, () => loadGenesis(paths.genesis));
  if (loaded === null || loaded.genesis.execution === "none") return;
  const { genesis } = loaded;
  if (!existsSync(paths.elGenesis)) {
    warnings.push({
      what: `${paths.elGenesis} does not exist`,
      do: "the embedded client needs it; an external one does not",
    });
    return;
  }
  await attempt(problems, async () => {
    const hash = await elGenesisHash(JSON.parse(readFileSync(paths.elGenesis, "utf8")));
    if (Buffer.compare(hash, genesis.elGenesisHash) === 0) return;
    problems.push({
      what: `${paths.elGenesis} has the hash 0x${Buffer.from(hash).toString("hex")}, but ${paths.genesis} names 0x${Buffer.from(genesis.elGenesisHash).toString("hex")}`,
      do: "take both files from the network",
    });
  });
}

async function checkKeys(home: string, settings: Settings | null, problems: Problem[]): Promise<void> {
  const { homePaths } = await import("@quorate/node/home");
  const { exportState } = await import("@quorate/privval");
  const { readIdentity } = await import("../home/keys.ts");
  const paths = homePaths(home);
  for (const file of [paths.validatorKey, paths.nodeKey, settings?.execution.jwtFile ?? paths.jwt]) {
    if (!existsSync(file)) {
      problems.push({ what: `${file} does not exist`, do: "run `validator init`, or restore it" });
      continue;
    }
    const mode = statSync(file).mode & 0o777;
    if ((mode & 0o077) === 0) continue;
    problems.push({
      what: `${file} has mode ${mode.toString(8).padStart(4, "0")}: others can read it`,
      do: `chmod 600 ${file}`,
    });
  }
  if (problems.some(({ what }) => what.startsWith(paths.validatorKey) || what.startsWith(paths.nodeKey)))
    return;
  await attempt(problems, () => readIdentity(home));
  await attempt(problems, () => exportState({ keyFile: paths.validatorKey, stateFile: paths.signState }));
}
