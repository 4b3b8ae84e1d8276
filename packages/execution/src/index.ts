export { needsRebuild } from "./builder.ts";
export { createEngineClient, engineClientOver } from "./client.ts";
export type { Failure } from "./engine/failure.ts";
export type { HttpEndpoint, HttpReply, HttpRequest } from "./engine/http.ts";
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
  type EngineTransport,
  type ExecutionClock,
  type ExecutionLog,
  type ExecutionMetrics,
  type NoExecutionModules,
} from "./ports.ts";
export * from "./types.ts";
