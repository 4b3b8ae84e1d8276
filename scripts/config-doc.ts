/**
 * `npm run docs:config`: writes docs/config.md from the table of options, so that the reference cannot say anything
 * else than config.toml, the flags and the environment do.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { environmentName, OPTIONS, type OptionSpec, SECTIONS } from "../packages/cli/src/config/options.ts";

const INTRODUCTION = `# Configuration

Every option of \`config/config.toml\` in a node's home. A flag of \`validator start\` beats the environment variable, the
variable beats the file; changes act at the next start. \`validator config check\` judges the file without starting
anything. What belongs to the chain and not to one node stands in genesis: [protocol.md](protocol.md).

In the environment a list is written with commas between its items, a boolean as true or false.
\`VALIDATOR_HOME\` names the home itself.

This file is generated from \`packages/cli/src/config/options.ts\` by \`npm run docs:config\`.
`;

const COLUMNS: readonly string[] = ["key", "flag", "environment", "default", "meaning"];

/** Content of docs/config.md. */
export function configReference(): string {
  const top = OPTIONS.filter(({ key }) => !key.includes("."));
  const sections = Object.entries(SECTIONS).map(([name, comment]) => {
    const options = OPTIONS.filter(({ key }) => key.startsWith(`${name}.`));
    return `## ${name}\n\n${comment}\n\n${table(options)}`;
  });
  return [INTRODUCTION, `## Top of the file\n\n${table(top)}`, ...sections].join("\n");
}

function table(options: readonly OptionSpec[]): string {
  const rows = [COLUMNS, ...options.map(cells)];
  const widths = COLUMNS.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |\n`;
  const [head = [], ...body] = rows;
  return [head, widths.map((width) => "-".repeat(width)), ...body].map(line).join("");
}

function cells(spec: OptionSpec): string[] {
  const flag =
    spec.flag === null ? "" : code(`--${spec.flag}${spec.value === undefined ? "" : ` ${spec.value}`}`);
  const environment = spec.kind === "table" ? "" : code(environmentName(spec));
  return [code(spec.key), flag, environment, code(JSON.stringify(spec.default)), meaning(spec)].map(escaped);
}

function meaning({ comment, min = 0, max, kind }: OptionSpec): string {
  const range = kind !== "integer" ? "" : max === undefined ? ` At least ${min}.` : ` ${min} to ${max}.`;
  return `${comment.join(" ")}${range}`;
}

function code(text: string): string {
  return `\`${text}\``;
}

/** A bar ends a cell of a table, also within code; `<` and `*` would be markup outside of it. */
function escaped(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll(/(?<!`)\*(?!`)/g, "\\*");
}

if (import.meta.main) writeFileSync(join(import.meta.dirname, "..", "docs", "config.md"), configReference());
