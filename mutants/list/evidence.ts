/** Evidence: each rule from the two votes to the conviction left out in turn. */
import { killedBy, type Mutant } from "../types.ts";

const JUDGE = "packages/chain/src/evidence/judge.ts";
const AGE = "packages/chain/src/evidence/age.ts";
const VALIDATE = "packages/chain/src/state/validate.ts";
const APPLY = "packages/chain/src/state/block.ts";
const POOL = "packages/consensus/src/pool/pool.ts";
const COMMIT = "packages/consensus/src/commit.ts";
const KEEPER = "packages/node/src/evidence/keeper.ts";
const BATCH = "packages/store/src/commit-batch.ts";
const CHAIN_TEST = "packages/chain/test/evidence.test.ts";
const POOL_TEST = "packages/consensus/test/pool.test.ts";
const CORE_TEST = "packages/consensus/test/algorithm.test.ts";
const SIGNATURES_TEST = "packages/consensus/test/signatures.test.ts";
const NODE_TEST = "packages/node/test/evidence.test.ts";
const STORE_TEST = "packages/store/test/block-store.test.ts";

export const EVIDENCE: readonly Mutant[] = [
  {
    name: "convicted-key-is-convicted-again",
    file: JUDGE,
    find: "return entry !== null && entry.status !== 2;",
    replace: "return entry !== null;",
    bug: "the same evidence goes into block after block",
    origin: "cometbft#6030; DESIGN §8: tombstones",
    verdict: killedBy(CHAIN_TEST, "convicts once"),
  },
  {
    name: "evidence-time-is-not-compared",
    file: JUDGE,
    find: "if (evidence.timestamp !== past.time) {",
    replace: "if (evidence.timestamp < 0n) {",
    bug: "the sender chooses how old evidence is",
    origin: "CVE-2021-21271; CometBFT evidence/verify.go",
    verdict: killedBy(CHAIN_TEST, "does not fit the chain's own past"),
  },
  {
    name: "evidence-expires-by-either",
    file: AGE,
    find: "> params.evidenceMaxAgeBlocks &&",
    replace: "> params.evidenceMaxAgeBlocks ||",
    bug: "a fast chain lets offenders go within hours",
    origin: "CometBFT evidence/pool.go isExpired",
    verdict: killedBy(CHAIN_TEST, "when more blocks AND more time"),
  },
  {
    name: "evidence-bytes-are-not-counted",
    file: VALIDATE,
    find: "if (size > state.params.maxEvidenceBytes) {",
    replace: "if (size > state.params.maxBlockBytes) {",
    bug: "evidence crowds everything else out of a block",
    origin: "CometBFT evidence.max_bytes",
    verdict: killedBy(CHAIN_TEST, "is more than max_evidence_bytes"),
  },
  {
    name: "one-validator-is-accused-twice",
    file: VALIDATE,
    find: "    accused.add(address);\n",
    replace: "",
    bug: "a proposer fills its block with pairs of one offender",
    origin: "CometBFT evidence/pool.go CheckEvidence: duplicates",
    verdict: killedBy(CHAIN_TEST, "names one validator twice"),
  },
  {
    name: "conviction-costs-nothing",
    file: APPLY,
    find: "    return entry === null ? [] : [entry.pubKey];\n",
    replace: "    return entry === null ? [] : [];\n",
    bug: "evidence is committed and its signer goes on voting",
    origin: "DESIGN §8: power 0 at H+2",
    verdict: killedBy(CHAIN_TEST, "takes its signer's power two heights later"),
  },
  {
    name: "made-up-evidence-costs-all-its-checks",
    file: "packages/node/src/evidence/verify.ts",
    find: "  if (first === undefined || !verifier.verifyNow(first)) return false;\n  return rest.length === 0 || (await verifier.verify(rest, { priority: 2 })).every(Boolean);\n",
    replace:
      "  if (first === undefined) return false;\n  return (await verifier.verify([first, ...rest], { priority: 2 })).every(Boolean);\n",
    bug: "whoever hands made-up evidence to RPC costs the node every signature that it names, a whole commit for an attack",
    origin: "CometBFT evidence/verify.go: all signatures are verified before the verdict",
    verdict: killedBy(NODE_TEST, "bogus costs one signature"),
  },
  {
    name: "pool-proposes-what-is-too-large",
    file: POOL,
    find: "if (evidenceListSize([...chosen, evidence]) > most) continue;",
    replace: "if (evidenceListSize([evidence]) > most) continue;",
    bug: "the proposer's own block is refused by all for as long as the pool is full",
    origin: "CometBFT evidence.max_bytes",
    verdict: killedBy(POOL_TEST, "within the params' bytes"),
  },
  {
    name: "pool-has-no-bound-per-validator",
    file: POOL,
    find: "return against(pool, evidence.voteA.validatorAddress).length < POOL_LIMITS.perValidator ? null",
    replace: "return against(pool, evidence.voteA.validatorAddress).length >= 0 ? null",
    bug: "one offender fills the pool: the proof against the next finds no room",
    origin: "DESIGN §6: evidence pool 1 MiB",
    verdict: killedBy(POOL_TEST, "is bounded against each validator"),
  },
  {
    name: "late-contradiction-is-not-told",
    file: COMMIT,
    find: 'else if (contradicts) work.effects.push({ kind: "duplicate_vote", first: there, second: vote });',
    replace: "",
    bug: "who contradicts its precommit after the decision is never caught",
    origin: "CometBFT consensus/state.go: conflicts of the last height",
    verdict: killedBy(CORE_TEST, "a late precommit that contradicts the last commit"),
  },
  {
    name: "late-contradiction-by-the-own-key-is-somebodys",
    file: COMMIT,
    find: 'if (contradicts && isOwn(work, vote)) work.effects.push({ kind: "foreign_signature", vote });\n    else if',
    replace: "if",
    bug: "a second instance of the key that contradicts the last commit does not stop this one",
    origin: "DESIGN §5.7",
    verdict: killedBy(SIGNATURES_TEST, "a late precommit of the own key"),
  },
  {
    name: "evidence-is-not-kept",
    file: KEEPER,
    find: "    await store.putEvidence(evidence);\n",
    replace: "",
    bug: "a crash loses evidence that nobody else has",
    origin: "CometBFT evidence/pool.go: consensusBuffer lost on crash",
    verdict: killedBy(NODE_TEST, "evidence is the same to the byte"),
  },
  {
    name: "evidence-stays-pending-after-its-block",
    file: BATCH,
    find: "    operations.push(del(pendingKey(evidence)));\n",
    replace: "",
    bug: "after a crash the evidence of a decided block is pending again",
    origin: "cometbft#6030",
    verdict: killedBy(STORE_TEST, "cometbft#6030"),
  },
];
