/** From words to a command: resolution, help, exit codes. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { COMMON_FLAGS, type Command, commandHelp, type Io } from "./command.ts";
import { COMMANDS } from "./commands/index.ts";
import { CliError, ExitCode, failureOf } from "./errors.ts";
import { parseArguments } from "./flags.ts";
import { hint } from "./nearest.ts";
import { reportFailure } from "./report.ts";

/** Runs one command line; resolves with the exit code of the process. Never rejects. */
export async function run(words: readonly string[], io: Io): Promise<number> {
  let home: string | null = null;
  try {
    if (words.length === 0 || isHelp(words[0])) {
      io.out(overview(COMMANDS));
      return words.length === 0 ? ExitCode.usage : ExitCode.ok;
    }
    if (words[0] === "--version") return await run(["version", ...words.slice(1)], io);
    const { command, rest } = resolveCommand(words, COMMANDS);
    if (command === null) {
      io.out(overview(COMMANDS.filter(({ words: [group] }) => group === words[0])));
      return rest.some(isHelp) ? ExitCode.ok : ExitCode.usage;
    }
    if (rest.slice(0, rest.includes("--") ? rest.indexOf("--") : undefined).some(isHelp)) {
      io.out(commandHelp(command));
      return ExitCode.ok;
    }
    const name = ["validator", ...command.words].join(" ");
    const args = parseArguments(rest, [...command.flags, ...COMMON_FLAGS], command.arguments, name);
    const given = args.string("home") ?? (io.env["VALIDATOR_HOME"] || undefined);
    home = resolve(given ?? join(homedir(), ".quorate"));
    return await command.run({ args, io, home, homeGiven: given !== undefined });
  } catch (error) {
    const failure = failureOf(error);
    if (
      failure.exitCode === ExitCode.bug &&
      error instanceof Error &&
      io.env["VALIDATOR_LOG_LEVEL"] === "debug"
    ) {
      io.err(`${error.stack}\n`);
    }
    reportFailure(failure, home, io);
    return failure.exitCode;
  }
}

function isHelp(word: string | undefined): boolean {
  return word === "--help" || word === "-h" || word === "help";
}

/**
 * The longest command whose words lead the line. A group that is a command itself (`testnet`) may have its subcommand
 * after flags: `testnet --home X status`.
 */
export function resolveCommand(
  words: readonly string[],
  commands: readonly Command[],
): { readonly command: Command | null; readonly rest: readonly string[] } {
  const first = words[0] ?? "";
  const group = commands.filter((command) => command.words[0] === first);
  if (group.length === 0) {
    const names = new Set(commands.map((command) => command.words[0] ?? ""));
    throw new CliError(
      ExitCode.usage,
      `unknown command ${JSON.stringify(first)}${hint(first, names)}`,
      "`validator --help` lists the commands",
    );
  }
  const found = descend([first], words.slice(1), group);
  if (found.command === null) {
    const depth = found.path.length;
    const next = found.rest.find((word) => !word.startsWith("-"));
    if (next !== undefined && !isHelp(next)) {
      const known = group.flatMap((command) => command.words.slice(depth, depth + 1));
      throw new CliError(
        ExitCode.usage,
        `unknown command ${JSON.stringify([...found.path, next].join(" "))}${hint(next, known)}`,
        `\`validator ${first} --help\` lists the commands`,
      );
    }
  }
  return found;
}

function descend(
  path: readonly string[],
  rest: readonly string[],
  group: readonly Command[],
): { readonly command: Command | null; readonly path: readonly string[]; readonly rest: readonly string[] } {
  const at = path.length;
  const under = group.filter((command) => path.every((word, index) => command.words[index] === word));
  const subcommands = new Set(under.flatMap((command) => command.words.slice(at, at + 1)));
  const index = subcommandIndex(rest, subcommands, under);
  if (index >= 0) {
    return descend([...path, rest[index]!], [...rest.slice(0, index), ...rest.slice(index + 1)], group);
  }
  return { command: under.find(({ words }) => words.length === at) ?? null, path, rest };
}

/** Index of the first word that is no flag and no flag's value, if it names a subcommand; else -1. */
function subcommandIndex(
  rest: readonly string[],
  subcommands: ReadonlySet<string>,
  group: readonly Command[],
): number {
  const takesValue = new Set(
    [...COMMON_FLAGS, ...group.flatMap(({ flags }) => flags)]
      .filter(({ kind }) => kind !== "boolean")
      .map(({ name }) => `--${name}`),
  );
  for (let index = 0; index < rest.length; index++) {
    const word = rest[index]!;
    if (takesValue.has(word)) index++;
    else if (!word.startsWith("-")) return subcommands.has(word) ? index : -1;
  }
  return -1;
}

function overview(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ words }) => words.join(" ").length)) + 2;
  const rows = commands.map(({ words, summary }) => `  ${words.join(" ").padEnd(width)}${summary}`);
  return `validator: a BFT validator node for unmodified Ethereum execution clients

Usage: validator COMMAND [flags]

${rows.join("\n")}

\`validator COMMAND --help\` shows a command's flags and examples. Exit codes: 0 ok, 1 bug, 2 usage, 3 config or genesis
invalid, 4 home or port in use, 5 sign state or double instance, 6 disk, 7 safety halt, 8 upgrade needed, 9 node
unreachable, 10 condition not met in time.
`;
}
