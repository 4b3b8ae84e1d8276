import type { Target } from "../target.ts";
import { chainTargets } from "./chain.ts";
import { clientTargets } from "./clients.ts";
import { commits } from "./commits.ts";
import { consensusTargets } from "./consensus.ts";
import { diskTargets } from "./disk.ts";
import { ed25519 } from "./ed25519.ts";
import { ed25519Batches } from "./ed25519-batches.ts";
import { executionTargets } from "./execution.ts";
import { gossipTargets } from "./gossip.ts";
import { operatorTargets } from "./operator.ts";
import { secretTargets } from "./secrets.ts";
import { signBytes } from "./sign-bytes.ts";

/** Every decoder that takes bytes from outside, or from a disk that may have rotted; and everything signed. */
export const TARGETS: readonly Target[] = [
  ...chainTargets,
  ...consensusTargets,
  ...gossipTargets,
  ...diskTargets,
  ...executionTargets,
  ...operatorTargets,
  ...clientTargets,
  ...secretTargets,
  ed25519,
  ed25519Batches,
  signBytes,
  commits,
];
