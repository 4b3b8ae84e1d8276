import { parse, stringify, TomlError } from "smol-toml";
import { CliError, ExitCode } from "../errors.ts";
import { hint } from "../nearest.ts";
import { environmentName, OPTIONS, type OptionSpec, type OptionValue, SECTIONS } from "./options.ts";

export type OptionValues = ReadonlyMap<string, OptionValue>;

const HEADER = `# Configuration of a validator node. A flag beats a VALIDATOR_* environment variable beats this file.
# Changes act at the next start; \`validator config check\` judges the file without starting anything.
`;

/** The file as `init` writes it: every option with its comment; `values` replace defaults. */
export function renderConfig(values: OptionValues): string {
  const top = OPTIONS.filter(({ key }) => !key.includes("."));
  const sections = Object.entries(SECTIONS).map(([name, comment]) => {
    const options = OPTIONS.filter(({ key }) => key.startsWith(`${name}.`));
    // A table must come last: what follows its header would belong to it.
    const ordered = [
      ...options.filter(({ kind }) => kind !== "table"),
      ...options.filter(({ kind }) => kind === "table"),
    ];
    return `# ${comment}\n[${name}]\n\n${ordered.map((option) => renderOption(option, values)).join("\n")}`;
  });
  return [HEADER, ...top.map((option) => renderOption(option, values)), ...sections].join("\n");
}

function renderOption(spec: OptionSpec, values: OptionValues): string {
  const value = values.get(spec.key) ?? spec.default;
  const ways = [
    ...(spec.flag === null ? [] : [`--${spec.flag}`]),
    ...(spec.kind === "table" ? [] : [environmentName(spec)]),
  ];
  const comment = [...spec.comment, ...(ways.length > 0 ? [`(${ways.join(", ")})`] : [])];
  const name = spec.key.slice(spec.key.indexOf(".") + 1);
  const lines = comment.map((line) => `# ${line}`).join("\n");
  if (spec.kind === "table") {
    const body = stringify(value).trimEnd();
    return `${lines}\n[${spec.key}]\n${body === "" ? "" : `${body}\n`}`;
  }
  return `${lines}\n${stringify({ [name]: value }).trimEnd()}\n`;
}

/**
 * Reads config.toml strictly. @throws CliError config, naming file, key and line: syntax, an unknown key (with the
 * nearest known one), a value of the wrong kind or out of range.
 */
export function parseConfig(text: string, file: string): OptionValues {
  let document: Record<string, unknown>;
  try {
    document = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [first = ""] = error.message.split("\n");
    throw invalid(`${file}:${error.line}:${error.column}: ${first}`, "repair the line");
  }
  const values = new Map<string, OptionValue>();
  const visit = (table: Record<string, unknown>, prefix: string): void => {
    for (const [name, value] of Object.entries(table)) {
      const key = `${prefix}${name}`;
      const spec = OPTIONS.find((option) => option.key === key);
      if (spec !== undefined) values.set(key, checkValue(spec, value, file));
      else if (prefix === "" && Object.hasOwn(SECTIONS, name) && isTable(value)) visit(value, `${name}.`);
      else throw unknownKey(key, prefix, file);
    }
  };
  visit(document, "");
  return values;
}

function unknownKey(key: string, prefix: string, file: string): CliError {
  const known = [...OPTIONS.map((option) => option.key), ...Object.keys(SECTIONS)];
  const section = prefix === "" ? "" : ` in [${prefix.slice(0, -1)}]`;
  return invalid(
    `${file}: unknown key ${JSON.stringify(key.slice(prefix.length))}${section}${hint(key, known)}`,
    "correct or remove it; `validator start --help` lists the options",
  );
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function checkValue(spec: OptionSpec, value: unknown, file: string): OptionValue {
  const wrong = (wanted: string): CliError =>
    invalid(`${file}: ${spec.key} is ${JSON.stringify(value) ?? String(value)}`, `write ${wanted}`);
  switch (spec.kind) {
    case "string":
      if (typeof value === "string") return value;
      throw wrong("a string in quotes");
    case "boolean":
      if (typeof value === "boolean") return value;
      throw wrong("true or false");
    case "integer": {
      const min = spec.min ?? 0;
      const max = spec.max ?? Number.MAX_SAFE_INTEGER;
      if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max)
        return value;
      throw wrong(
        max === Number.MAX_SAFE_INTEGER
          ? `a whole number, at least ${min}`
          : `a whole number from ${min} to ${max}`,
      );
    }
    case "list":
      if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
      throw wrong('a list of strings: ["…", "…"]');
    case "table":
      if (isTable(value) && Object.values(value).every((item) => typeof item === "string")) {
        return { ...value } as Record<string, string>;
      }
      throw wrong("a table of strings");
  }
}

function invalid(what: string, action: string): CliError {
  return new CliError(ExitCode.config, what, action);
}
