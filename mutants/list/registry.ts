/** The validator registry: what execution requests may do to the set, and what they may not. */
import { killedBy, type Mutant } from "../types.ts";

const REQUESTED = "packages/chain/src/registry/requested.ts";
const CHANGES = "packages/chain/src/registry/changes.ts";
const STAKE = "packages/chain/src/registry/stake.ts";
const PAYOUTS = "packages/chain/src/registry/payouts.ts";
const APPLY = "packages/chain/src/registry/apply.ts";
const BOUNDS = "packages/chain/src/registry/bounds.ts";
const RULES = "packages/chain/test/registry-rules.test.ts";
const MODEL = "packages/chain/test/registry-model.test.ts";
const STAKING = "packages/chain/test/registry-stake.test.ts";
const STATES = "packages/chain/test/registry-state.test.ts";

export const REGISTRY: readonly Mutant[] = [
  {
    name: "anybody-takes-a-validator-out",
    file: REQUESTED,
    find: "  if (entry === null || entry.status !== 0 || !bytesEqual(entry.owner, request.source)) return registry;\n",
    replace: "  if (entry === null || entry.status !== 0) return registry;\n",
    bug: "a stranger's withdrawal request removes any validator for the price of a transaction",
    origin: "EIP-7002 leaves the check of the source to the consensus layer",
    verdict: killedBy(RULES, "is the only one who may: a stranger"),
  },
  {
    name: "possession-is-not-asked",
    file: REQUESTED,
    find: "  return provesPossession(possession, deposit.signatureField.subarray(0, 64)) ? owner : null;\n",
    replace: "  return possession.pubKey.length === 32 ? owner : null;\n",
    bug: "a key is registered whose holder does not know of it: its power is absent for ever",
    origin: "DESIGN §8",
    verdict: killedBy(RULES, "a wrong proof of possession"),
  },
  {
    name: "replayed-deposits-count",
    file: REQUESTED,
    find: "    if (deposit.index !== next.nextDepositIndex || deposit.index === MAX_INDEX) return;\n",
    replace: "    if (deposit.index === MAX_INDEX) return;\n",
    bug: "events of a replaced contract, or of one that counts anew, change the set again",
    origin: "DESIGN §8",
    verdict: killedBy(RULES, "has a replayed or skipped index"),
  },
  {
    name: "last-validator-leaves",
    file: CHANGES,
    find: "  if (wanted === 0n && isLast(registry, current)) return dropped(stays(registry, entry));\n",
    replace: "",
    bug: "a chain of one removes itself: no set is left to decide anything",
    origin: "DESIGN §8",
    verdict: killedBy(RULES, "never removes the last validator"),
  },
  {
    name: "changes-know-no-bound",
    file: BOUNDS,
    find: "  const third = total / 3n;\n",
    replace: "  const third = total;\n",
    bug: "the set is exchanged within one height: a light client that trusts a third of the old one is lost",
    origin: "DESIGN §8",
    verdict: killedBy(RULES, "moves at most a third of the total in a height"),
  },
  {
    name: "who-left-is-forgotten-at-once",
    file: PAYOUTS,
    find: "  const unlockHeight = Math.min(MAX_HEIGHT, height + params.evidenceMaxAgeBlocks + 2);\n",
    replace: "  const unlockHeight = Math.min(MAX_HEIGHT, height + 1);\n",
    bug: "who equivocates and leaves is not found any more when the evidence comes",
    origin: "CometBFT evidence age; DESIGN §8",
    verdict: killedBy(RULES, "is held for evidence until it is too old by blocks and by time"),
  },
  {
    name: "withdrawn-stake-is-not-owed",
    file: STAKE,
    find: "  return { registry: withChanged(registry, next, owed), moved, rest };\n",
    replace: "  return { registry: withChanged(registry, next), moved, rest };\n",
    bug: "a partial withdrawal takes the power and pays nothing",
    origin: "DESIGN §8",
    verdict: killedBy(STAKING, "makes and loses no gwei"),
  },
  {
    name: "last-change-never-acts",
    file: APPLY,
    find: "  if (next.changes.length > 0) next = applyQueue(next, changeBound(input.totalPower));\n",
    replace: "  if (next.changes.length > 1) next = applyQueue(next, changeBound(input.totalPower));\n",
    bug: "the last change of the queue never acts",
    origin: "DESIGN §8: every change completes",
    verdict: killedBy(MODEL, "does what the naive model does"),
  },
  {
    name: "set-of-the-next-height-changes",
    file: "packages/chain/src/state/block.ts",
    find: "    nextValidators: incrementProposerPriority(nextValidators, 1),\n",
    replace: "    nextValidators: incrementProposerPriority(validators, 1),\n",
    bug: "registry and set part: what was asked for never governs",
    origin: "CometBFT updateState: changes of H act at H+2",
    verdict: killedBy(STATES, "is that of H+2, with the priorities of CometBFT's update"),
  },
];
