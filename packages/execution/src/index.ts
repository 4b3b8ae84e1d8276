export { needsRebuild } from "./builder.ts";
export { createEngineClient } from "./client.ts";
export { ExecutionError, type ExecutionErrorCode } from "./errors.ts";
export { type GethArgs, gethArgs, gethInitArgs } from "./geth/args.ts";
export {
  type BuildGethOptions,
  buildGeth,
  type FoundGeth,
  findGeth,
  GETH_VERSION,
  gethCachePath,
} from "./geth/find.ts";
export { createNoExecution, type OpaquePool } from "./none.ts";
export { payloadOf } from "./payload/to-engine.ts";
export {
  DEFAULT_TIMING,
  type EngineModules,
  type EngineOptions,
  type EngineTiming,
  type ExecutionClock,
  type ExecutionLog,
  type ExecutionMetrics,
  type NoExecutionModules,
} from "./ports.ts";
export * from "./types.ts";
