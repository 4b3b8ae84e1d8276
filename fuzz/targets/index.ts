import type { Target } from "../target.ts";
import { chainTargets } from "./chain.ts";
import { consensusTargets } from "./consensus.ts";
import { diskTargets } from "./disk.ts";
import { executionTargets } from "./execution.ts";
import { gossipTargets } from "./gossip.ts";
import { operatorTargets } from "./operator.ts";
import { signatureTargets } from "./signatures.ts";

/** Every decoder that takes bytes from outside, or from a disk that may have rotted; and everything signed. */
export const TARGETS: readonly Target[] = [
  ...chainTargets,
  ...consensusTargets,
  ...gossipTargets,
  ...diskTargets,
  ...executionTargets,
  ...operatorTargets,
  ...signatureTargets,
];
