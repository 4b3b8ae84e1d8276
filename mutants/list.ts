/** Every mutant, by the part of the product that it breaks. */
import { DRIVER } from "./list/driver.ts";
import { HEIGHTS } from "./list/heights.ts";
import { ROUND_MACHINE } from "./list/round-machine.ts";
import { VOTES } from "./list/votes.ts";
import type { Mutant } from "./types.ts";

export const MUTANTS: readonly Mutant[] = [...ROUND_MACHINE, ...DRIVER, ...VOTES, ...HEIGHTS];
