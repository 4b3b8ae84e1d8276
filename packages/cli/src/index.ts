export type { Command, CommandContext, Io } from "./command.ts";
export { CliError, ExitCode } from "./errors.ts";
export { run } from "./run.ts";
