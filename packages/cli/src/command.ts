import type { ArgumentSpec, FlagSpec, ParsedArguments } from "./flags.ts";

/** Where a command's words go and what it sees of the process. Tests give their own. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdoutIsTty: boolean;
  readonly columns: () => number;
  out(text: string): void;
  err(text: string): void;
}

export interface CommandContext {
  readonly args: ParsedArguments;
  readonly io: Io;
  /** Absolute path. */
  readonly home: string;
  /** Whether --home or VALIDATOR_HOME named it. */
  readonly homeGiven: boolean;
}

export interface Command {
  /** Words after `validator`, e.g. `["key", "state", "import"]`. */
  readonly words: readonly string[];
  readonly summary: string;
  readonly arguments: readonly ArgumentSpec[];
  /** Besides --home, --log-level, --log-format and --help, which every command takes. */
  readonly flags: readonly FlagSpec[];
  /** Paragraphs of the help: what it does, what it touches, examples. */
  readonly details: string;
  /** Resolves with the exit code. */
  run(context: CommandContext): Promise<number>;
}

export const COMMON_FLAGS: readonly FlagSpec[] = [
  { name: "home", kind: "string", value: "DIR", help: "home directory (VALIDATOR_HOME; default ~/.quorate)" },
  {
    name: "log-level",
    kind: "string",
    value: "LEVEL",
    help: "debug, info, warn, error or silent; per module: consensus:debug,*:info",
  },
  { name: "log-format", kind: "string", value: "FORMAT", help: "human or json" },
  { name: "help", kind: "boolean", help: "show this text" },
];

export const JSON_FLAG: FlagSpec = {
  name: "json",
  kind: "boolean",
  help: "print one JSON document on stdout",
};

export function commandHelp(command: Command): string {
  const positionals = command.arguments.map(({ name, required }) => (required === true ? name : `[${name}]`));
  const usage = ["validator", ...command.words, ...positionals, "[flags]"].join(" ");
  const rows = (entries: readonly (readonly [string, string])[]): string => {
    const width = Math.max(...entries.map(([left]) => left.length)) + 2;
    return entries.map(([left, right]) => `  ${left.padEnd(width)}${right}`).join("\n");
  };
  const flagRow = (spec: FlagSpec): [string, string] => [
    `--${spec.name}${spec.kind === "boolean" ? "" : ` ${spec.value ?? "VALUE"}`}`,
    spec.help,
  ];
  const sections = [`${command.summary}\n\nUsage: ${usage}`, command.details.trim()];
  if (command.arguments.length > 0) {
    sections.push(`Arguments:\n${rows(command.arguments.map(({ name, help }) => [name, help]))}`);
  }
  sections.push(`Flags:\n${rows([...command.flags, ...COMMON_FLAGS].map(flagRow))}`);
  return `${sections.join("\n\n")}\n`;
}
