/** Counting: tallies, certificates, thresholds of the vote keeper. */
import { killedBy, type Mutant } from "../types.ts";

const KEEPER = "packages/consensus/src/vote-keeper.ts";
const TALLY = "packages/consensus/src/tally.ts";
const SET = "packages/chain/src/validators/set.ts";
const ALGORITHM = "packages/consensus/test/algorithm.test.ts";
const REGRESSIONS = "packages/consensus/test/regressions.test.ts";
const LAWS = "packages/consensus/test/laws.test.ts";
const VALIDATORS = "packages/chain/test/validators.test.ts";
const QUORUM = "a quorum is strictly more than two thirds";

export const VOTES: readonly Mutant[] = [
  {
    name: "quorum-at-two-thirds",
    file: SET,
    find: "return (total * 2n) / 3n + 1n;",
    replace: "return (total * 2n + 2n) / 3n;",
    bug: "exactly 2/3 decide: with n = 3f two halves that share only faulty nodes can disagree",
    origin: "DESIGN §1: strictly more than 2/3",
    verdict: killedBy(VALIDATORS, QUORUM),
  },
  {
    name: "quorum-at-one-third",
    file: SET,
    find: "return (total * 2n) / 3n + 1n;",
    replace: "return total / 3n + 1n;",
    bug: "f + 1 votes decide",
    origin: "the paper: 2f + 1",
    verdict: killedBy(VALIDATORS, QUORUM),
  },
  {
    name: "third-at-one-third",
    file: SET,
    find: "return total / 3n + 1n;",
    replace: "return (total + 2n) / 3n;",
    bug: "faulty nodes alone pull everybody to a higher round",
    origin: "L55: f + 1",
    verdict: killedBy(VALIDATORS, QUORUM),
  },
  {
    name: "skip-by-one-vote",
    file: KEEPER,
    find: "if (sum >= electorate.third) return each.round;",
    replace: "if (sum > 0n) return each.round;",
    bug: "one faulty node pulls everybody to any round it likes",
    origin: "L55: f + 1; Malachite aeb7e736",
    verdict: killedBy(ALGORITHM, "L55-56: more than 1/3 in a higher round pulls the node there"),
  },
  {
    name: "skip-needs-quorum",
    file: KEEPER,
    find: "if (sum >= electorate.third) return each.round;",
    replace: "if (sum >= electorate.quorum) return each.round;",
    bug: "nodes spread over rounds come together only when +2/3 are in one",
    origin: "L55: f + 1; CometBFT 7642",
    verdict: killedBy(ALGORITHM, "L55-56: more than 1/3 in a higher round pulls the node there"),
  },
  {
    name: "skip-counts-each-round-alone",
    file: KEEPER,
    find: "    sum += each.power;\n",
    replace: "    sum = each.power;\n",
    bug: "faulty or spread-out nodes in different higher rounds do not add up",
    origin: "L55; CometBFT 7642",
    verdict: killedBy(
      ALGORITHM,
      "L55: a node is pulled to the highest round that more than 1/3 have reached",
    ),
  },
  {
    name: "heads-are-counted-not-power",
    file: KEEPER,
    find: "  const index = vote.validatorIndex;\n  const power = electorate.validators.validators[index]?.power ?? 0n;\n  const before",
    replace: "  const index = vote.validatorIndex;\n  const power = 1n;\n  const before",
    bug: "small validators outvote large ones, or nobody ever gets +2/3",
    origin: "DESIGN §1: voting power",
    verdict: killedBy(REGRESSIONS, "[M 4794a193]"),
  },
  {
    name: "who-went-on-is-not-counted",
    file: KEEPER,
    find: "if (reached >= point) power",
    replace: "if (reached === point) power",
    bug: "a round hangs on a vote that is lost for good",
    origin: "our rule for L34 and L47",
    verdict: killedBy(REGRESSIONS, "a round does not hang on a message that is lost for good"),
  },
  {
    name: "vote-counts-twice",
    file: TALLY,
    find: "  if (first) {\n",
    replace: "  if (first && blockIdKey(first.blockId) !== key) {\n",
    bug: "a repeated vote adds its power again",
    origin: "Malachite a233b8ce; Mainsail 1124",
    verdict: killedBy(REGRESSIONS, "[M a233b8ce]"),
  },
  {
    name: "equivocator-counts-twice",
    file: TALLY,
    find: "  if (first) {\n",
    replace: "  if (first && blockIdKey(first.blockId) === key) {\n",
    bug: "one faulty node votes for both values",
    origin: "the paper: one vote per node and round",
    verdict: killedBy(LAWS, "a tally counts each validator once"),
  },
  {
    name: "equivocation-is-not-told",
    file: TALLY,
    find: `counted: { kind: "conflict", first },`,
    replace: `counted: { kind: "duplicate" },`,
    bug: "double votes leave no evidence",
    origin: "DESIGN §8: duplicate-vote evidence",
    verdict: killedBy(REGRESSIONS, "[M 103] equivocation is reported once"),
  },
  {
    name: "certificate-power-is-not-asked",
    file: KEEPER,
    find: "if (certificatePower(certificate, electorate.validators) < electorate.quorum) {",
    replace: "if (certificate.signatures.length === 0) {",
    bug: "a certificate of a few signers makes a polka or a decision",
    origin: "Malachite 961fa4e0, 974",
    verdict: killedBy(REGRESSIONS, "[M 961fa4e0]"),
  },
  {
    name: "certificate-signer-counts-twice",
    file: TALLY,
    find: "if (!validator || seen.has(validatorIndex)) return 0n;",
    replace: "if (!validator) return 0n;",
    bug: "a certificate reaches +2/3 by repeating a signature",
    origin: "Malachite 961fa4e0; CometBFT: double vote in a commit",
    verdict: killedBy(REGRESSIONS, "[M 961fa4e0]"),
  },
  {
    name: "certificate-loses-to-first-votes",
    file: KEEPER,
    find: "  if (tally.quorum === null) {\n",
    replace: "  if (next === keeper) {\n",
    bug: "an equivocator whose other vote came first keeps a node from the polka for ever",
    origin: "Malachite 103",
    verdict: killedBy(REGRESSIONS, "[M 103] the first vote of an equivocator counts"),
  },
  {
    name: "future-rounds-without-bound",
    file: KEEPER,
    find: "if (buffered.length < LIMITS.futureRoundsPerValidator) return { keeper, admitted: true };",
    replace: "if (buffered.length < 1_000_000) return { keeper, admitted: true };",
    bug: "one validator fills the memory with votes of ever higher rounds",
    origin: "Malachite aeb7e736, 967314ba",
    verdict: killedBy(REGRESSIONS, "[M aeb7e736]"),
  },
  {
    name: "quorum-round-is-evicted",
    file: KEEPER,
    find: "      each.prevotes.quorum === null &&\n      each.precommits.quorum === null &&\n",
    replace: "",
    bug: "a later vote of its sender takes a vote out of a future round that is decided already",
    origin: "Malachite 1480",
    verdict: killedBy(REGRESSIONS, "a vote of a decided later round is not given up"),
  },
  {
    name: "sums-wrap-at-64-bits",
    file: TALLY,
    find: "      power: tally.power + power,\n",
    replace: "      power: BigInt.asIntN(64, tally.power + power),\n",
    bug: "powers overflow",
    origin: "Malachite 4794a193",
    verdict: {
      kind: "equivalent",
      because:
        "each validator counts once and the total power of a set is at most 2^63 / 8: no sum reaches 2^63",
    },
  },
];
