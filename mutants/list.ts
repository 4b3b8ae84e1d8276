/** Every mutant, by the part of the product that it breaks. */
import { CHAIN } from "./list/chain.ts";
import { DRIVER } from "./list/driver.ts";
import { EXECUTION } from "./list/execution.ts";
import { GOSSIP } from "./list/gossip.ts";
import { HEIGHTS } from "./list/heights.ts";
import { ORDER_OF_EVENTS } from "./list/order.ts";
import { SIGN_STATE } from "./list/privval.ts";
import { ROUND_MACHINE } from "./list/round-machine.ts";
import { RUNNING } from "./list/runner.ts";
import { SYNC_AND_COMMITS } from "./list/sync.ts";
import { VOTES } from "./list/votes.ts";
import { WRITE_AHEAD_LOG } from "./list/wal.ts";
import type { Mutant } from "./types.ts";

export const MUTANTS: readonly Mutant[] = [
  ...ROUND_MACHINE,
  ...DRIVER,
  ...VOTES,
  ...HEIGHTS,
  ...WRITE_AHEAD_LOG,
  ...SIGN_STATE,
  ...ORDER_OF_EVENTS,
  ...RUNNING,
  ...EXECUTION,
  ...SYNC_AND_COMMITS,
  ...CHAIN,
  ...GOSSIP,
];
