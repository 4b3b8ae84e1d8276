export { createNode } from "./create-node.ts";
export { ExitCode, NodeError, type NodeErrorFacts } from "./errors.ts";
export { type HomePaths, homePaths, loadGenesis, requirePrivate } from "./home.ts";
export { createLogger, LOG_LEVELS, type LoggerOptions, type LogLevel, parseLogLevel } from "./log.ts";
export { setUpOwnProcess } from "./own-process.ts";
export * from "./types.ts";
