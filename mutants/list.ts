/** Every mutant, by the part of the product that it breaks. */
import { CHAIN } from "./list/chain.ts";
import { DRIVER } from "./list/driver.ts";
import { EVIDENCE } from "./list/evidence.ts";
import { EXECUTION } from "./list/execution.ts";
import { GOSSIP } from "./list/gossip.ts";
import { HEIGHTS } from "./list/heights.ts";
import { ORDER_OF_EVENTS } from "./list/order.ts";
import { SIGN_STATE } from "./list/privval.ts";
import { REGISTRY } from "./list/registry.ts";
import { ROUND_MACHINE } from "./list/round-machine.ts";
import { RUNNING } from "./list/runner.ts";
import { SYNC_AND_COMMITS } from "./list/sync.ts";
import { VERIFICATION } from "./list/verification.ts";
import { VOTES } from "./list/votes.ts";
import { WRITE_AHEAD_LOG } from "./list/wal.ts";
import type { Mutant } from "./types.ts";

/** Parts of the list, by the name of their file in list/. */
export const PARTS: Readonly<Record<string, readonly Mutant[]>> = {
  "round-machine": ROUND_MACHINE,
  driver: DRIVER,
  votes: VOTES,
  heights: HEIGHTS,
  wal: WRITE_AHEAD_LOG,
  privval: SIGN_STATE,
  order: ORDER_OF_EVENTS,
  runner: RUNNING,
  evidence: EVIDENCE,
  execution: EXECUTION,
  sync: SYNC_AND_COMMITS,
  chain: CHAIN,
  registry: REGISTRY,
  gossip: GOSSIP,
  verification: VERIFICATION,
};

export const MUTANTS: readonly Mutant[] = Object.values(PARTS).flat();
