/** The execution adapter: verdicts, finality, exactly once and in order. */
import { killedBy, type Mutant } from "../types.ts";

const JUDGE = "packages/execution/src/judge.ts";
const FOLLOWER = "packages/execution/src/follower/follower.ts";
const FINALITY = "packages/execution/src/follower/finality.ts";
const LOCATE = "packages/execution/src/follower/locate.ts";
const HANDSHAKE = "packages/execution/src/follower/handshake.ts";
const BUILDER = "packages/execution/src/builder.ts";
const FROM_ENGINE = "packages/execution/src/payload/from-engine.ts";
const TO_ENGINE = "packages/execution/src/payload/to-engine.ts";
const VERDICTS = "packages/execution/test/judge.test.ts";
const FEEDING = "packages/execution/test/follower.test.ts";
const BUILDING = "packages/execution/test/builder.test.ts";
const LADDER = "packages/execution/test/ladder.test.ts";
const ERRORS = "packages/execution/test/error-table.test.ts";

export const EXECUTION: readonly Mutant[] = [
  {
    name: "syncing-is-valid",
    file: JUDGE,
    find: `      return { kind: "unknown", reason: status };`,
    replace: `      return status === "SYNCING" ? { kind: "valid" } : { kind: "unknown", reason: status };`,
    bug: "a node whose execution client has not executed a block votes for it",
    origin: "DESIGN §4: SYNCING is UNKNOWN; Emerald: SYNCING taken for valid",
    verdict: killedBy(VERDICTS, "SYNCING", "is no verdict"),
  },
  {
    name: "accepted-is-valid",
    file: JUDGE,
    find: `      return { kind: "unknown", reason: status };`,
    replace: `      return status === "ACCEPTED" ? { kind: "valid" } : { kind: "unknown", reason: status };`,
    bug: "a block on a side chain that was never executed earns a vote",
    origin: "DESIGN §4: ACCEPTED is UNKNOWN",
    verdict: killedBy(VERDICTS, "is no verdict"),
  },
  {
    name: "invalid-is-valid",
    file: JUDGE,
    find: `      return { kind: "invalid", reason: error === "" ? "INVALID" : error };`,
    replace: `      return error === "" ? { kind: "invalid", reason: "INVALID" } : { kind: "valid" };`,
    bug: "an INVALID block earns a vote",
    origin: "Mainsail 1314",
    verdict: killedBy(VERDICTS, "INVALID is a verdict with the EL's reason"),
  },
  {
    name: "trouble-is-invalid",
    file: JUDGE,
    find: `  return { kind: "unknown", reason };\n}`,
    replace: `  return { kind: "invalid", reason };\n}`,
    bug: "a time-out or a broken connection earns a good block a nil, and its proposer the blame",
    origin: "DESIGN §4: a transport error is UNKNOWN",
    verdict: killedBy(VERDICTS, "is no verdict", "a call that times out is no verdict"),
  },
  {
    name: "invalid-without-parent",
    file: JUDGE,
    find: `if (answer.kind === "invalid" && hadParent) return answer;`,
    replace: `if (answer.kind === "invalid") return answer;`,
    bug: "a client that only lacks the parent earns every block a nil",
    origin: "Engine API: INVALID for unknown parents, as Besu answers",
    verdict: killedBy(VERDICTS, "INVALID from an EL that lacks the parent is no verdict"),
  },
  {
    name: "unasked-payload-is-taken",
    file: JUDGE,
    find: `  if (refused !== null) return { kind: "invalid", reason: refused };\n`,
    replace: `  if (refused === "") return { kind: "invalid", reason: refused };\n`,
    bug: "blobs and unordered requests reach the execution client, which may take them",
    origin: "DESIGN §7: no blobs, requests strictly ascending",
    verdict: killedBy(VERDICTS, "refused without asking the EL"),
  },
  {
    name: "valid-by-block-hash",
    file: TO_ENGINE,
    find: "      ...payload.transactions,\n    ),",
    replace: "    ),",
    bug: "a false body under the hash of a block that was VALID is taken for valid",
    origin: "DESIGN §4: a fact about (height, block hash) of these bytes",
    verdict: killedBy(VERDICTS, "a false body under the hash of a block that was VALID"),
  },
  {
    name: "finality-goes-back",
    file: FINALITY,
    find: "  if (head.height < cursor.height) {\n",
    replace: "  if (head.height < 0) {\n",
    bug: "one forkchoice call moves the execution client below a finalized block",
    origin: "DESIGN §7: the adapter alone guards finality",
    verdict: killedBy(LADDER, "finality: a head is the cursor itself or above it"),
  },
  {
    name: "finality-goes-aside",
    file: FINALITY,
    find: "  if (head.height === cursor.height && !bytesEqual(head.hash, cursor.hash)) {\n",
    replace: "  if (head.height === cursor.height && head.hash.length !== cursor.hash.length) {\n",
    bug: "a sibling replaces a finalized block",
    origin: "DESIGN §7: the adapter alone guards finality",
    verdict: killedBy(LADDER, "finality: a head is the cursor itself or above it"),
  },
  {
    name: "head-is-not-final",
    file: FOLLOWER,
    find: "return this.#ports.api.forkchoiceUpdated({ head: hash, safe: hash, finalized: hash }, attributes, signal);",
    replace:
      "return this.#ports.api.forkchoiceUpdated({ head: hash, safe: hash, finalized: this.#cursor.hash }, attributes, signal);",
    bug: "a decided block is not final at the execution client: it may be reorganised away",
    origin: "DESIGN §7: head = safe = finalized",
    verdict: killedBy(FEEDING, "each decided block goes to the EL as head, safe and finalized"),
  },
  {
    name: "block-is-skipped",
    file: FOLLOWER,
    find: "    const height = this.#cursor.height + 1;\n    for (;;) {",
    replace:
      "    const height = Math.max(this.#cursor.height + 1, this.#ports.modules.store.height - 1);\n    for (;;) {",
    bug: "a client that is behind is fed the newest blocks only",
    origin: "DESIGN §5.5: every block once and in order",
    verdict: killedBy(FEEDING, "decided blocks go to the EL one after the other"),
  },
  {
    name: "adopted-without-verdict",
    file: FOLLOWER,
    find: "    const judged = await this.#judge(decided, height);\n    if (judged !== null) return judged;\n",
    replace: "    await this.#judge(decided, height);\n",
    bug: "a decided block that the client has not executed becomes its head",
    origin: "DESIGN §5.5: newPayload if not yet VALID here -> forkchoiceUpdated",
    verdict: killedBy(FEEDING, "SYNCING for a block whose parent the EL has", "INVALID for a decided block"),
  },
  {
    name: "cursor-before-the-client",
    file: FOLLOWER,
    find: `    if (answer.value.status !== "VALID") {
      return { kind: "trouble", trouble: "forkchoice_refused", detail: answer.value.status };
    }
`,
    replace: "",
    bug: "the execution cursor passes a block that the client refused to adopt",
    origin: "DESIGN §5.5: forkchoiceUpdated -> execution cursor",
    verdict: killedBy(FEEDING, "a refused forkchoice leaves the cursor"),
  },
  {
    name: "head-that-stays-is-not-noticed",
    file: FOLLOWER,
    find: "    if (moved.value !== number) {\n",
    replace: "    if (moved.value > number) {\n",
    bug: "a client that says VALID and does not move stays behind unnoticed",
    origin: "DESIGN §7; Geth after a crash",
    verdict: killedBy(FEEDING, "VALID without a moved head"),
  },
  {
    name: "valid-survives-a-restart-of-the-client",
    file: FOLLOWER,
    find: "    checks.forget();\n    this.#suspected = false;\n",
    replace: "    this.#suspected = false;\n",
    bug: "what a client called VALID before it lost its database is not sent to it again",
    origin: "DESIGN §7: stock Geth loses up to five blocks",
    verdict: killedBy(FEEDING, "an EL that comes back without its last"),
  },
  {
    name: "undecided-head-is-adopted",
    file: LOCATE,
    find: "return theirs.value !== null && bytesEqual(theirs.value.hash, blockHash)",
    replace: "return theirs.value !== null && theirs.value.hash.length === blockHash.length",
    bug: "a client that stands on an undecided block is taken for up to date",
    origin: "DESIGN §5.6: start-up reconciles every combination",
    verdict: killedBy(FEEDING, "an EL that someone moved to an undecided block"),
  },
  {
    name: "client-of-another-genesis",
    file: HANDSHAKE,
    find: "if (first.value === null || !bytesEqual(first.value.hash, genesis.elGenesisHash)) {",
    replace: "if (first.value === null) {",
    bug: "a client of another chain is fed and believed",
    origin: "DESIGN §7: checked at start; Mainsail 1309",
    verdict: killedBy(ERRORS, "another genesis block"),
  },
  {
    name: "client-of-another-chain-id",
    file: HANDSHAKE,
    find: "if (chainId.value !== BigInt(genesis.evmChainId)) {",
    replace: "if (chainId.value < 0n) {",
    bug: "a client with another chain id signs off transactions that replay elsewhere",
    origin: "DESIGN §7: checked at start",
    verdict: killedBy(ERRORS, "another chain id"),
  },
  {
    name: "own-payload-is-not-checked",
    file: BUILDER,
    find: `return verdict.kind === "valid" ? { txs, validationMs`,
    replace: `return verdict.kind !== "unknown" ? { txs, validationMs`,
    bug: "a proposer offers what its own client calls INVALID",
    origin: "DESIGN §7: own payload checked with newPayload before it is proposed",
    verdict: killedBy(BUILDING, "a payload that its own EL calls INVALID is not proposed"),
  },
  {
    name: "build-for-other-attributes",
    file: FROM_ENGINE,
    find: `  if (envelope.timestamp !== attributes.timestamp) return other("timestamp");\n`,
    replace: "",
    bug: "a payload of another timestamp is proposed, and everybody refuses it",
    origin: "DESIGN §3: all attributes are checked by equality",
    verdict: killedBy(BUILDING, "is not proposed, and the log says what to do"),
  },
  {
    name: "build-on-another-head",
    file: BUILDER,
    find: "if (follower.cursor.height > head.height || finalityBreach(follower.cursor, head) !== null) {",
    replace: "if (follower.cursor.height > head.height) {",
    bug: "a build is asked for on a block that is not the decided head",
    origin: "DESIGN §7",
    verdict: killedBy(BUILDING, "no build on a state that is not the decided head"),
  },
];
