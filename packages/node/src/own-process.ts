import { flushCompileCache } from "node:module";

/**
 * Bytes of the blocks that Node cuts small buffers from, instead of its 64 KiB. A digest that is kept for some heights
 * keeps its whole block: with Node's, tens of MB in a process of 140.
 */
const POOL_BYTES = 8 * 1024;

/**
 * What a process that runs one node and little else sets for itself, once all modules are loaded and before the node is
 * created. What was compiled is written to Node's cache, if there is one: else only a process that ends in order would do
 * so, and a killed validator's next start needs it most. What was read from the cache is freed with it.
 */
export function setUpOwnProcess(): void {
  Buffer.poolSize = POOL_BYTES;
  flushCompileCache();
}
