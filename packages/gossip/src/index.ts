export * from "./core.ts";
export { createGossip } from "./gossip.ts";
export { createNodeKey, nodeKeyFromSeed, peerIdOf } from "./host/node-key.ts";
export { AuditedBackend, type AuditOptions, type Disagreement } from "./verification/audit.ts";
export { createVerifier, type VerifierMetrics, type VerifierOptions } from "./verification/pool.ts";
