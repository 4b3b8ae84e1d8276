import { composeNode } from "./compose-node.ts";
import { systemPorts } from "./system-ports.ts";
import type { NodeConfig, NodeModules, QuorateNode } from "./types.ts";

/**
 * Starts a node in `config.home` on this machine. Resolves when it runs (it may still wait for peers or its EL).
 * @throws NodeError with the exit code of the operator's contract; nothing stays open then.
 */
export function createNode(config: NodeConfig, modules: NodeModules): Promise<QuorateNode> {
  return composeNode(config, modules, systemPorts(config, modules));
}
