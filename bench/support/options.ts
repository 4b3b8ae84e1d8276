/** What a benchmark is called with. */
import { type ParseArgsOptionsConfig, parseArgs } from "node:util";

/** `--name` of a switch, `--name DEFAULT` of what has a value. */
function usageOf(command: string, options: ParseArgsOptionsConfig): string {
  const each = Object.entries(options).map(([name, option]) =>
    option.type === "boolean" ? `[--${name}]` : `[--${name} ${option.default ?? name.toUpperCase()}]`,
  );
  return `usage: npm run ${command} -- ${each.join(" ")}`;
}

/** The options' values. `--help` says what there is and ends with 0; what is not there ends with 2 and the same. */
export function optionsOf<const T extends ParseArgsOptionsConfig>(
  command: string,
  options: T,
): ReturnType<typeof parseArgs<{ options: T }>>["values"] {
  if (process.argv.includes("--help")) {
    console.log(usageOf(command, options));
    process.exit(0);
  }
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    process.stderr.write(`${error.message}\n${usageOf(command, options)}\n`);
    process.exit(2);
  }
}
