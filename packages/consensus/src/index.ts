export { decodeInput, encodeInput } from "./encoding/input.ts";
export { decodeSnapshot, encodeSnapshot } from "./encoding/snapshot.ts";
export * from "./errors.ts";
export { LIMITS } from "./limits.ts";
export * from "./selectors.ts";
export { type ConsensusState, initialState, type StepResult } from "./state.ts";
export { step } from "./step.ts";
export * from "./types.ts";
export { CORE_VERSION } from "./version.ts";
