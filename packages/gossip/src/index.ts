export * from "./core.ts";
export { createGossip } from "./gossip.ts";
export { createNodeKey, nodeKeyFromSeed, peerIdOf } from "./host/node-key.ts";
export { createVerifier, type VerifierMetrics, type VerifierOptions } from "./verification/pool.ts";
export { type SamplingOptions, sampledBackend } from "./verification/sampling.ts";
