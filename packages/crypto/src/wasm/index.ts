export { createWasmBackend } from "./backend.ts";
