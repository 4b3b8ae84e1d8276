/** The order of durable events: each rule left out in turn. */
import { killedBy, type Mutant } from "../types.ts";

const COMMITS = "packages/node/src/runner/commits.ts";
const COMMIT_SYNCED = "packages/node/src/runner/commit-synced.ts";
const RUNNER = "packages/node/src/runner/runner.ts";
const SIGN = "packages/node/src/runner/sign.ts";
const COMMIT = "packages/node/src/runner/commit.ts";
const FATAL = "packages/node/src/runner/fatal.ts";
const STORE = "packages/store/src/block-store.ts";
const BODIES = "packages/store/src/body-log.ts";
const ORDER = "packages/node/test/runner-order.test.ts";
const ANSWERS = "packages/node/test/runner-answers.test.ts";
const RECOVERY = "packages/node/test/recovery.test.ts";
const STORE_TEST = "packages/store/test/block-store.test.ts";

export const ORDER_OF_EVENTS: readonly Mutant[] = [
  {
    name: "step-before-the-log",
    file: RUNNER,
    find: `    const { sequence } = this.log(WalRecordType.input, encodeInput(input));
    if (input.kind === "start_height") this.begun = { height: input.height, sequence };
`,
    replace: `    setImmediate(() => {
      const { sequence } = this.log(WalRecordType.input, encodeInput(input));
      if (input.kind === "start_height") this.begun = { height: input.height, sequence };
    });
`,
    bug: "a signature's cause is not yet in the log when the log is synced for it: a replay comes to another state",
    origin: "DESIGN §5.1: appended before step sees it",
    verdict: killedBy(ORDER, "the log that a signature depends on holds what the signature was given for"),
  },
  {
    name: "input-is-not-logged",
    file: RUNNER,
    find: "    const { sequence } = this.log(WalRecordType.input, encodeInput(input));\n",
    replace: `    const { sequence } =
      input.kind === "certificate" || input.kind === "verdict"
        ? this.modules.wal.position
        : this.log(WalRecordType.input, encodeInput(input));
`,
    bug: "certificates and verdicts are missing in the replay: the restarted node is in another state than before",
    origin: "DESIGN §5.1: every input; Malachite 1445",
    verdict: killedBy(RECOVERY, "a replayed height is the height as it was"),
  },
  {
    name: "snapshot-is-not-logged",
    file: RUNNER,
    find: "        this.log(WalRecordType.snapshot, encodeSnapshot(effect.snapshot));\n",
    replace: "        encodeSnapshot(effect.snapshot);\n",
    bug: "a newer binary finds inputs that it cannot replay and nothing else",
    origin: "DESIGN §5.1: a snapshot record follows each lock or valid change",
    verdict: killedBy(RECOVERY, "a log of another core version: its last snapshot is restored"),
  },
  {
    name: "signature-before-the-log-is-synced",
    file: SIGN,
    find: "    const [answer] = await Promise.all([request.sign(privval, intent, cause), logged]);\n",
    replace:
      "    logged.catch(() => undefined);\n    const answer = await request.sign(privval, intent, cause);\n",
    bug: "a vote leaves while its cause is only in memory",
    origin: "DESIGN §5.3: WAL synced up to the cause; Mainsail 1489",
    verdict: killedBy(ORDER, "a signature waits for the log also where the signer has a disk of its own"),
  },
  {
    name: "slot-overtakes-the-log",
    file: SIGN,
    find: "    if (!direct) {\n      await logged;\n      if (!ctx.isCurrent(height)) return;\n    }\n",
    replace: "    if (direct) clock.monotonicMs();\n",
    bug: "a slot is on disk before its cause: after a power loss the whole log counts as damaged",
    origin: "DESIGN §5.3: WAL synced -> slot synced",
    verdict: killedBy(ORDER, "regression: a slot is never on disk before its cause"),
  },
  {
    name: "cause-is-not-named",
    file: SIGN,
    find: "    const cause = wal.position;\n",
    replace: "    const cause = { sequence: 0n, crc: 0 };\n",
    bug: "the sign state does not know which log it rests on: a log that was removed goes unnoticed",
    origin: "DESIGN §5.2",
    verdict: killedBy(RECOVERY, "a crash after the lock"),
  },
  {
    name: "precommit-before-its-body",
    file: SIGN,
    find: "durable: () => (precommit && blockId !== null ? bodySynced(ctx, unsigned) : Promise.resolve()),",
    replace: "durable: () => (precommit && blockId !== null ? Promise.resolve() : Promise.resolve()),",
    bug: "+2/3 precommit a block that a power loss takes from all of them: decided, and nobody has it",
    origin: "DESIGN §5.4",
    verdict: killedBy(ORDER, "a precommit of a block is not even signed before its body is on disk"),
  },
  {
    name: "body-is-acknowledged-without-sync",
    file: BODIES,
    find: "await Promise.all([this.#disk.write(file, start, bytes), this.#disk.fdatasync(file)]);",
    replace: "await Promise.all([this.#disk.write(file, start, bytes)]);",
    bug: "the store says that a body is on disk when it is in the page cache",
    origin: "DESIGN §5.4",
    verdict: killedBy(STORE_TEST, "after a power loss every body that was acknowledged is there"),
  },
  {
    name: "commit-before-its-body",
    file: COMMIT,
    find: "    const ref = await body.synced;\n",
    replace: "    const ref = { segment: 1, offset: 0, length: body.bytes.length };\n",
    bug: "the index points at a body that is not there",
    origin: "DESIGN §5.5: body synced -> commit",
    verdict: killedBy(ANSWERS, "a body or a batch that cannot be stored ends the process with 6"),
  },
  {
    name: "commit-batch-without-sync",
    file: STORE,
    find: "      await this.#write(operations, true);\n      this.#tip = tip;\n",
    replace: "      await this.#write(operations, false);\n      this.#tip = tip;\n",
    bug: "EndHeight is in the log, the block is not in the store: the height is lost in a power loss",
    origin: "DESIGN §5.5: in one synced batch",
    verdict: killedBy(STORE_TEST, "a decided block goes into the index in one write, which is synced"),
  },
  {
    name: "end-height-before-the-batch",
    file: COMMIT,
    find: `    await store.commit({ height, blockId, body: ref, block, seenCommit: commit, state });
    metrics.own.storeCommit.observe((clock.monotonicMs() - batchAt) / 1000);
    endHeight = wal.append(WalRecordType.endHeight, encodeEndHeight({ height, began: ctx.began(height) }));
`,
    replace: `    endHeight = wal.append(WalRecordType.endHeight, encodeEndHeight({ height, began: ctx.began(height) }));
    await wal.sync();
    await store.commit({ height, blockId, body: ref, block, seenCommit: commit, state });
    metrics.own.storeCommit.observe((clock.monotonicMs() - batchAt) / 1000);
`,
    bug: "a crash in between leaves a log that says the height is over and a store that lacks it",
    origin: "DESIGN §5.5: batch -> EndHeight",
    verdict: killedBy(ORDER, "a decided block: body, batch, EndHeight"),
  },
  {
    name: "no-end-height",
    file: COMMIT,
    find: "    endHeight = wal.append(WalRecordType.endHeight, encodeEndHeight({ height, began: ctx.began(height) }));\n",
    replace: "    endHeight = wal.position;\n",
    bug: "every start replays the log from its beginning, and nothing of it can ever go",
    origin: "DESIGN §5.5",
    verdict: killedBy(ORDER, "a decided block: body, batch, EndHeight"),
  },
  {
    name: "execution-before-the-store",
    file: COMMITS,
    find: "    const checked = validation.checked(body.height, body.blockId);\n",
    replace:
      "    ctx.modules.execution.decided(body.height);\n    const checked = validation.checked(body.height, body.blockId);\n",
    bug: "the execution client finalises a block that a crash takes from the store",
    origin: "DESIGN §5.5: the EL is a follower",
    verdict: killedBy(ORDER, "a decided block: body, batch, EndHeight"),
  },
  {
    name: "next-height-before-the-batch",
    file: COMMIT,
    find: "    await store.commit({ height, blockId, body: ref, block, seenCommit: commit, state });\n",
    replace:
      "    store.commit({ height, blockId, body: ref, block, seenCommit: commit, state }).catch(() => undefined);\n",
    bug: "votes of the next height leave while this one is not stored, and a failed batch is swallowed",
    origin: "DESIGN §5.5, §5.8",
    verdict: killedBy(ORDER, "the next height does not begin before the batch is synced"),
  },
  {
    name: "foreign-vote-is-ignored",
    file: RUNNER,
    find: `      case "foreign_signature":
        this.modules.fatal(`,
    replace: `      case "foreign_signature":
        void String(`,
    bug: "a second instance signs with this key and the node goes on",
    origin: "DESIGN §5.7; CometBFT 5668",
    verdict: killedBy(ANSWERS, "a vote of the own key that this node did not sign ends the process with 5"),
  },
  {
    name: "foreign-proposal-is-ignored",
    file: RUNNER,
    find: `      case "foreign_proposal":
        this.modules.fatal(`,
    replace: `      case "foreign_proposal":
        void String(`,
    bug: "a second instance proposes with this key and the node goes on",
    origin: "DESIGN §5.7",
    verdict: killedBy(
      ANSWERS,
      "a proposal of the own key that this node did not sign ends the process with 5",
    ),
  },
  {
    name: "failed-durability-is-swallowed",
    file: SIGN,
    find: "  } catch (error) {\n    fatal(effectError(",
    replace: "  } catch (error) {\n    void String(effectError(",
    bug: "a node whose disk fails stays up, voting never again or, worse, unlogged",
    origin: "DESIGN §5.8; Mainsail 1490",
    verdict: killedBy(ANSWERS, "a failed sync ends the process with 6"),
  },
  {
    name: "goes-on-while-it-dies",
    file: RUNNER,
    find: "        this.halt();\n        given.fatal(error);\n",
    replace: "        given.fatal(error);\n",
    bug: "between the failure and the end of the process votes still leave",
    origin: "DESIGN §5.8: never sends what it could not make durable",
    verdict: killedBy(ANSWERS, "a vote of the own key that this node did not sign ends the process with 5"),
  },
  {
    name: "failed-effect-is-swallowed",
    file: RUNNER,
    find: `task.catch((error: unknown) => this.modules.fatal(effectError("an effect failed", error)));`,
    replace: `task.catch((error: unknown) => this.modules.log.error("an effect failed", { error }));`,
    bug: "an unhandled failure in the background leaves the node up without what it was to do",
    origin: "DESIGN §5.8; Mainsail 1482: background rejections unhandled",
    verdict: killedBy(ORDER, "what fails in the background ends the process"),
  },
  {
    name: "full-disk-is-called-a-bug",
    file: FATAL,
    find: `  "WAL_FULL",\n`,
    replace: "",
    bug: "the operator is told to report a bug when the disk is full",
    origin: "DESIGN §5.8: exit 6",
    verdict: killedBy(ANSWERS, "a full disk is a durability failure too"),
  },
  {
    name: "fork-goes-unnoticed",
    file: COMMIT,
    find: "    if (meta !== null && !blockIdEquals(meta.blockId, commit.blockId)) {\n",
    replace: "    if (meta === null && !blockIdEquals(blockId, commit.blockId)) {\n",
    bug: "a second decided block at a height is dropped without a word",
    origin: "DESIGN §5.9",
    verdict: killedBy(ANSWERS, "consensus decides another block than the one that block sync is storing"),
  },
  {
    name: "fork-from-sync-goes-unnoticed",
    file: COMMIT_SYNCED,
    find: "    if (meta === null || blockIdEquals(meta.blockId, synced.blockId)) continue;\n",
    replace: "    if (meta === null || !blockIdEquals(meta.blockId, null)) continue;\n",
    bug: "peers serve another block with a valid commit for a height that is decided here, and nothing happens",
    origin: "DESIGN §5.9",
    verdict: killedBy(
      ANSWERS,
      "a second block with a valid commit at a decided height ends the process with 7",
    ),
  },
  {
    name: "fork-proof-goes-unnoticed",
    file: FATAL,
    find: "if (theirs.blockId === null || blockIdEquals(theirs.blockId, lastBlockId)) return null;",
    replace: "if (theirs.blockId === null || theirs.blockId !== lastBlockId) return null;",
    bug: "a commit certificate for another block at the last height is dropped without a word",
    origin: "DESIGN §5.9",
    verdict: killedBy(ANSWERS, "a commit certificate for another block at the last height is a fork"),
  },
  {
    name: "rules-are-not-asked-of-decided-blocks",
    file: COMMIT,
    find: "  if (!check.ok) {\n",
    replace: `  if (!check.ok && check.code === "") {\n`,
    bug: "a node whose app hash differs from what +2/3 signed goes on with its own",
    origin: "DESIGN §5.9: an app hash that differs stops the process",
    verdict: killedBy(ANSWERS, "a decided block that breaks a chain rule ends the process with 7"),
  },
  {
    name: "own-messages-are-not-logged",
    file: RUNNER,
    find: "    const { sequence } = this.log(WalRecordType.input, encodeInput(input));\n",
    replace: `    const { sequence } =
      input.kind === "signed_vote" || input.kind === "signed_proposal"
        ? this.modules.wal.position
        : this.log(WalRecordType.input, encodeInput(input));
`,
    bug: "the log does not tell what the key signed: with a rotten slot it is signed again",
    origin: "DESIGN §5.3: the own message is appended to the log",
    verdict: killedBy(RECOVERY, "the log tells what the key signed"),
  },
];
