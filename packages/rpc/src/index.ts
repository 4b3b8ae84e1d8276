export { RpcCode, RpcError } from "./errors.ts";
export { createRpcServer } from "./server.ts";
export * from "./types.ts";
