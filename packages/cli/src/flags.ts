import { CliError, ExitCode } from "./errors.ts";
import { nearest } from "./nearest.ts";

export type FlagKind = "string" | "integer" | "boolean" | "list";

export interface FlagSpec {
  /** Without the dashes. */
  readonly name: string;
  readonly kind: FlagKind;
  /** Placeholder of the value in the help text. */
  readonly value?: string;
  readonly help: string;
  /** Of integers, both ends included. */
  readonly min?: number;
  readonly max?: number;
}

export interface ArgumentSpec {
  readonly name: string;
  readonly help: string;
  readonly required?: boolean;
}

/** What the words after a command said. Every getter knows only flags of the command's own table. */
export interface ParsedArguments {
  readonly positionals: readonly string[];
  string(name: string): string | undefined;
  integer(name: string): number | undefined;
  boolean(name: string): boolean;
  /** Values of a list flag: repeated, or separated by commas. */
  list(name: string): readonly string[] | undefined;
  has(name: string): boolean;
}

type Value = string | number | boolean | readonly string[];

function usage(what: string, action: string): never {
  throw new CliError(ExitCode.usage, what, action);
}

/**
 * Strict: an unknown flag, a flag given twice, a missing or malformed value is refused (exit 2), with the nearest known
 * flag. `--flag value`, `--flag=value`; `--` ends the flags.
 */
export function parseArguments(
  words: readonly string[],
  specs: readonly FlagSpec[],
  positionalSpecs: readonly ArgumentSpec[],
  commandName: string,
): ParsedArguments {
  const byName = new Map(specs.map((spec) => [spec.name, spec]));
  const values = new Map<string, Value>();
  const positionals: string[] = [];
  const help = `run \`${commandName} --help\``;
  let index = 0;
  while (index < words.length) {
    const word = words[index++]!;
    if (word === "--") {
      positionals.push(...words.slice(index));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      positionals.push(word);
      continue;
    }
    const [given, attached] = splitFlag(word);
    const spec = byName.get(given);
    if (spec === undefined) {
      const match = nearest(given, byName.keys());
      usage(`unknown flag ${word.split("=", 1)[0]}`, match === null ? help : `did you mean --${match}?`);
    }
    let text = attached;
    if (spec.kind !== "boolean" && text === undefined) {
      text = words[index++];
      if (text === undefined) usage(`--${given} has no value`, `write --${given} ${spec.value ?? "VALUE"}`);
    }
    const value = flagValue(spec, text);
    const before = values.get(given);
    if (before === undefined) values.set(given, value);
    else if (Array.isArray(before) && Array.isArray(value)) values.set(given, [...before, ...value]);
    else usage(`--${given} is given twice`, "give it once");
  }
  checkPositionals(positionals, positionalSpecs, help);
  return parsed(byName, values, positionals);
}

function splitFlag(word: string): [name: string, value: string | undefined] {
  const bare = word === "-h" ? "help" : word.replace(/^--?/, word.startsWith("--") ? "" : "-");
  const at = bare.indexOf("=");
  return at < 0 ? [bare, undefined] : [bare.slice(0, at), bare.slice(at + 1)];
}

function flagValue(spec: FlagSpec, text: string | undefined): Value {
  switch (spec.kind) {
    case "boolean":
      if (text === undefined || text === "true") return true;
      if (text === "false") return false;
      return usage(`--${spec.name}=${text} is neither true nor false`, `write --${spec.name}`);
    case "integer":
      return integerOf(`--${spec.name}`, text ?? "", spec.min ?? 0, spec.max ?? Number.MAX_SAFE_INTEGER);
    case "list":
      return (text ?? "").split(",").filter((item) => item !== "");
    case "string":
      return text ?? "";
  }
}

/** @throws CliError usage, naming `label` and the range. */
export function integerOf(label: string, text: string, min: number, max: number): number {
  const value = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  const range = max === Number.MAX_SAFE_INTEGER ? `at least ${min}` : `from ${min} to ${max}`;
  return usage(
    `${label} ${JSON.stringify(text)} is not a whole number ${range}`,
    `write a whole number ${range}`,
  );
}

function checkPositionals(found: readonly string[], specs: readonly ArgumentSpec[], help: string): void {
  const missing = specs.find((spec, index) => spec.required === true && found[index] === undefined);
  if (missing !== undefined) usage(`${missing.name} is missing`, help);
  const extra = found[specs.length];
  if (extra !== undefined) usage(`unexpected argument ${JSON.stringify(extra)}`, help);
}

function parsed(
  byName: ReadonlyMap<string, FlagSpec>,
  values: ReadonlyMap<string, Value>,
  positionals: readonly string[],
): ParsedArguments {
  const get = (name: string, kind: FlagKind): Value | undefined => {
    if (byName.get(name)?.kind !== kind)
      throw new TypeError(`the command declares no ${kind} flag --${name}`);
    return values.get(name);
  };
  return {
    positionals,
    string: (name) => get(name, "string") as string | undefined,
    integer: (name) => get(name, "integer") as number | undefined,
    boolean: (name) => get(name, "boolean") === true,
    list: (name) => get(name, "list") as readonly string[] | undefined,
    has: (name) => values.has(name),
  };
}
