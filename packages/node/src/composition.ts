/** The composition for hosts that bring ports of their own (the simulator); what is not needed for that stays inside. */
export type { Clock } from "./clock.ts";
export { decidedBlocks, openNoExecution } from "./compose/execution.ts";
export { loadPeerBinding } from "./compose/peer-binding.ts";
export { openPrivValWith, openStoreOf } from "./compose/storage.ts";
export { composeNode } from "./compose-node.ts";
export { ExitCode, NodeError } from "./errors.ts";
export { homePaths } from "./home.ts";
export { createMetrics, type Metrics } from "./metrics/index.ts";
export type { Node } from "./node.ts";
export type { CreateGossip, NodePorts, OpenedExecution } from "./ports.ts";
export * from "./types.ts";
export type { VoteTrace } from "./vote-trace.ts";
