/** The effect runner and the node's life around it: answers, verdicts, replay, sync. */
import { killedBy, type Mutant } from "../types.ts";

const RUNNER = "packages/node/src/runner/runner.ts";
const VALIDATE = "packages/node/src/runner/validate.ts";
const BUILD = "packages/node/src/runner/build.ts";
const SIGN = "packages/node/src/runner/sign.ts";
const SIGN_STATE = "packages/node/src/runner/sign-state.ts";
const COMMIT = "packages/node/src/runner/commit.ts";
const LAST_COMMIT = "packages/node/src/runner/last-commit.ts";
const BODIES = "packages/node/src/runner/bodies.ts";
const REPLAY = "packages/node/src/lifecycle/replay.ts";
const RECOVER = "packages/node/src/lifecycle/recovery.ts";
const WATERMARK = "packages/node/src/lifecycle/watermark.ts";
const LINKS = "packages/node/src/lifecycle/links.ts";
const OWNER = "packages/node/src/lifecycle/owner.ts";
const TIMERS = "packages/node/src/runner/timers.ts";
const CLOCK = "packages/node/src/clock.ts";
const HOME_LOCK = "packages/store/src/home-lock.ts";
const ANSWERS = "packages/node/test/runner-answers.test.ts";
const ORDER = "packages/node/test/runner-order.test.ts";
const RECOVERY = "packages/node/test/recovery.test.ts";
const PARTS = "packages/node/test/parts.test.ts";
const OWNERS = "packages/node/test/owner.test.ts";
const TIMING = "packages/node/test/timers.test.ts";

export const RUNNING: readonly Mutant[] = [
  {
    name: "unknown-is-valid",
    file: VALIDATE,
    find: `    if (verdict.kind === "unknown") return false;\n    metrics`,
    replace: `    if (verdict.kind === "unknown") {
      ctx.submit({ kind: "verdict", height, blockId, verdict: "valid" });
      return true;
    }
    metrics`,
    bug: "a block is prevoted although the execution client is syncing or away",
    origin: "DESIGN §4: UNKNOWN is no verdict",
    verdict: killedBy(ANSWERS, "UNKNOWN is no verdict"),
  },
  {
    name: "unknown-is-invalid",
    file: VALIDATE,
    find: `    if (verdict.kind === "unknown") return false;\n    metrics`,
    replace: `    if (verdict.kind === "unknown") {
      ctx.submit({ kind: "verdict", height, blockId, verdict: "invalid" });
      return true;
    }
    metrics`,
    bug: "an execution client that restarts earns every block a nil",
    origin: "DESIGN §4: UNKNOWN is no verdict",
    verdict: killedBy(ANSWERS, "UNKNOWN is no verdict"),
  },
  {
    name: "invalid-is-submitted-as-valid",
    file: VALIDATE,
    find: `    ctx.submit({ kind: "verdict", height, blockId, verdict: verdict.kind });`,
    replace: `    ctx.submit({ kind: "verdict", height, blockId, verdict: verdict ? "valid" : "invalid" });`,
    bug: "a verdict is tested for being there: INVALID blocks are prevoted",
    origin: "Mainsail 1314",
    verdict: killedBy(ANSWERS, "INVALID by the execution client earns nil at once"),
  },
  {
    name: "last-commit-is-not-verified",
    file: VALIDATE,
    find: "    if (checks.length === 0) return { ok: true };\n",
    replace: "    if (checks.length >= 0) return { ok: true };\n",
    bug: "a proposer puts forged precommits into the last commit",
    origin: "CometBFT: validateBlock verifies LastCommit",
    verdict: killedBy(ANSWERS, "a block whose last commit holds one forged signature"),
  },
  {
    name: "one-good-signature-vouches-for-all",
    file: VALIDATE,
    find: "if (verdicts.every(Boolean)) return { ok: true };",
    replace: "if (verdicts.some(Boolean)) return { ok: true };",
    bug: "one right signature carries forged ones into the last commit",
    origin: "Malachite 961fa4e0",
    verdict: killedBy(ANSWERS, "a block whose last commit holds one forged signature"),
  },
  {
    name: "chain-rules-are-not-asked",
    file: VALIDATE,
    find: "    if (!check.ok) {\n      log.warn",
    replace: `    if (!check.ok && check.code === "") {\n      log.warn`,
    bug: "a block that breaks a rule of the chain is shown to the execution client and prevoted",
    origin: "DESIGN §7: fields in our code, then newPayload",
    verdict: killedBy(ANSWERS, "a body that breaks a chain rule earns nil"),
  },
  {
    name: "verdict-of-an-old-height",
    file: RUNNER,
    find: `return this.mode === "running" && height === this.chainState.lastHeight + 1;`,
    replace: `return this.mode === "running" && height >= 0;`,
    bug: "answers that were asked for at a height that is over are taken, signed and sent",
    origin: "Mainsail 1482: capture (h, r) before the await",
    verdict: killedBy(ANSWERS, "a verdict that comes when its height is over"),
  },
  {
    name: "build-is-answered-for-the-round-of-now",
    file: BUILD,
    find: `ctx.submit({ kind: "built", height, round, value });`,
    replace: `ctx.submit({ kind: "built", height, round: ctx.core().machine.round, value });`,
    bug: "a value built for one round is proposed in another",
    origin: "Mainsail 1482: round read after the await",
    verdict: killedBy(ANSWERS, "each of two builds is answered for the round"),
  },
  {
    name: "proposes-while-its-client-is-behind",
    file: BUILD,
    find: `return execution.status.kind === "ready" && execution.executedHeight >= state.lastHeight;`,
    replace: `return execution.status.kind === "ready" || state.lastHeight >= 0;`,
    bug: "a proposer asks an execution client that is behind, and proposes on a stale head or holds up its round",
    origin: "DESIGN §5.5: a node whose EL lags does not propose",
    verdict: killedBy(ANSWERS, "a proposer whose execution client is behind stays silent"),
  },
  {
    name: "refused-signature-is-an-error",
    file: SIGN,
    find: "    if (answer.ok) {\n",
    replace:
      "    if (answer !== null && answer.ok !== undefined && !answer.ok) throw new Error(answer.reason);\n    if (answer.ok) {\n",
    bug: "what the sign state refuses ends the node instead of costing a vote",
    origin: "DESIGN §5.3",
    verdict: killedBy(ANSWERS, "a refused signature is an abstention"),
  },
  {
    name: "own-precommit-is-late-for-its-commit",
    file: SIGN,
    find: "    if (!ctx.isRecent(height)) return;\n",
    replace: "    if (!ctx.isCurrent(height)) return;\n",
    bug: "an own precommit that was being written when the others decided never reaches the commit",
    origin: "CometBFT: late precommits of LastCommit",
    verdict: killedBy(ORDER, "regression: an own precommit whose slot was being written"),
  },
  {
    name: "lock-of-another-height",
    file: SIGN_STATE,
    find: "const lock = signed?.lock?.height === height ? signed.lock : null;",
    replace: "const lock = signed?.lock ?? null;",
    bug: "the lock of a decided height binds the next one: the node refuses every block",
    origin: "DESIGN §5.2",
    verdict: killedBy(ORDER, "a decided block: body, batch", "the next height"),
  },
  {
    name: "amnesia-lock-is-not-handed-over",
    file: SIGN_STATE,
    find: "lock: lock === null ? null : { round: lock.round, blockId: lock.blockId },",
    replace: "lock: null,",
    bug: "amnesia: after a restart without a log another value is prevoted",
    origin: "DESIGN §5.2",
    verdict: killedBy(RECOVERY, "a crash after the lock"),
  },
  {
    name: "committed-twice",
    file: COMMIT,
    find: "  if (height <= before.lastHeight) {\n",
    replace: "  if (height < before.lastHeight) {\n",
    bug: "sync and consensus bring the same block: the second is a gap, a conflict or another start of the height",
    origin: "Mainsail 1438: height <= committed is a success without effect",
    verdict: killedBy(
      ANSWERS,
      "consensus may decide what block sync is storing just now",
      "consensus decides another block than the one that block sync is storing",
    ),
  },
  {
    name: "synced-after-it-was-decided",
    file: "packages/node/src/runner/commit-synced.ts",
    find: "    if (height > before.lastHeight) {\n",
    replace: "    if (height >= before.lastHeight) {\n",
    bug: "a group whose first heights consensus has decided meanwhile is taken for one that does not follow the tip",
    origin: "Mainsail 1438: height <= committed is a success without effect",
    verdict: killedBy(
      ANSWERS,
      "sync and consensus may bring the same block at once",
      "a second block with a valid commit",
    ),
  },
  {
    name: "late-precommits-are-forgotten",
    file: "packages/node/src/runner/last-height.ts",
    find: "    this.add(this.late.splice(0));\n",
    replace: "    this.late.splice(0);\n",
    bug: "precommits that come while the block is stored are missing in the next commit",
    origin: "CometBFT: late precommits of LastCommit",
    verdict: killedBy(ORDER, "regression: precommits that come while the block is being stored"),
  },
  {
    name: "late-precommit-for-other-parts",
    file: LAST_COMMIT,
    find: "    if (vote.blockId !== null && !blockIdEquals(vote.blockId, commit.blockId)) return null;\n",
    replace: "",
    bug: "one faulty precommit for the same hash with other parts makes this node's next proposal invalid",
    origin: "CometBFT: BlockID is hash and parts",
    verdict: killedBy(PARTS, "regression: a precommit for the same hash with other parts"),
  },
  {
    name: "known-signature-vouches-for-another-message",
    file: LAST_COMMIT,
    find: "        !bytesEqual(known.message, check.message) ||\n",
    replace: "",
    bug: "a known signature is accepted over another message: a forged last commit passes",
    origin: "CometBFT: signature cache advisories",
    verdict: killedBy(PARTS, "a block that repeats the known signatures costs no second check"),
  },
  {
    name: "body-of-another-id",
    file: BODIES,
    find: "  return bytesEqual(headerHash(header), blockId.hash);\n",
    replace: "  return headerHash(header).length === blockId.hash.length;\n",
    bug: "any block of the height passes for the one that is asked for",
    origin: "DESIGN §5.4",
    verdict: killedBy(ANSWERS, "a body whose header is not the one that its id names"),
  },
  {
    name: "replay-is-skipped",
    file: REPLAY,
    find: "if (inputs.length > 0 && replayable) {",
    replace: "if (inputs.length < 0 && replayable) {",
    bug: "a restart forgets the votes it has seen and given in this height",
    origin: "DESIGN §5.1; Malachite: RestartHeight resets the WAL",
    verdict: killedBy(RECOVERY, "a replayed height is the height as it was"),
  },
  {
    name: "replay-breaks-at-every-start",
    file: REPLAY,
    find: "    if (!(error instanceof ConsensusError)) throw error;\n",
    replace: "    throw error;\n",
    bug: "an input of the log that breaks the core refuses every later start of its home",
    origin: "CometBFT: a consensus failure that its log repeats",
    verdict: killedBy("packages/node/test/replay-broken.test.ts", "does not refuse every later start"),
  },
  {
    name: "replay-of-another-chain",
    file: REPLAY,
    find: "        inside = input.height === height && isSameChain(input, state);\n",
    replace: "        inside = input.height === height;\n",
    bug: "a log of another genesis is replayed by its own validators and rules",
    origin: "DESIGN §5.6",
    verdict: killedBy(RECOVERY, "regression: a log that began the height on another chain"),
  },
  {
    name: "replay-loses-early-messages",
    file: REPLAY,
    find: `      if (input.kind === "start_height") inputs.push(...early.splice(0));\n`,
    replace: `      if (input.kind === "start_height") early.splice(0);\n`,
    bug: "messages that came before the height began are missing in its replay: another state than before",
    origin: "DESIGN §5.1",
    verdict: killedBy(RECOVERY, "regression: messages that came early for the next height"),
  },
  {
    name: "replay-of-a-lost-body",
    file: REPLAY,
    find: `      return (await isStored(input.blockId, modules)) ? input : null;\n`,
    replace: `      return (await isStored(input.blockId, modules)) ? input : { ...input };\n`,
    bug: "the replay believes a body that the disk lost: it is decided and cannot be stored",
    origin: "DESIGN §5.4",
    verdict: killedBy(RECOVERY, "a value built here whose body did not survive was never built"),
  },
  {
    name: "replayed-decision-is-not-committed",
    file: REPLAY,
    find: `...(at === "Commit" && decide !== null ? [decide] : [])`,
    replace: `...(at !== "Commit" && decide !== null ? [decide] : [])`,
    bug: "a crash between decision and batch leaves the node in Commit for ever",
    origin: "DESIGN §5.6; Malachite 850: stuck after restart",
    verdict: killedBy(RECOVERY, "a crash between the decision and the batch"),
  },
  {
    name: "watermark-of-the-log-is-not-raised",
    file: WATERMARK,
    find: "    await privval.raise(height, round, step, lock ?? undefined);\n",
    replace: "    if (height < 0) await privval.raise(height, round, step, lock ?? undefined);\n",
    bug: "a rotten newest slot steps back by one signature",
    origin: "DESIGN §5.6; EIP-3076",
    verdict: killedBy(PARTS, "the watermark rises"),
  },
  {
    name: "watermark-of-the-log-without-its-lock",
    file: WATERMARK,
    find: "    await privval.raise(height, round, step, lock ?? undefined);\n",
    replace: "    await privval.raise(height, round, step, lock === null ? undefined : undefined);\n",
    bug: "amnesia: a rotten newest slot costs the lock",
    origin: "DESIGN §5.2",
    verdict: killedBy(PARTS, "the watermark rises"),
  },
  {
    name: "intents-are-not-fulfilled",
    file: WATERMARK,
    find: "  for (const intent of replay.intents) await fulfil(privval, chainId, intent, end);\n",
    replace:
      "  if (chainId === end.toString()) for (const intent of replay.intents) await fulfil(privval, chainId, intent, end);\n",
    bug: "a rotten slot of the sign state, and a vote is signed a second time with another time",
    origin: "ADR 0005",
    verdict: killedBy(RECOVERY, "a rotten newest slot behind a loss of power"),
  },
  {
    name: "an-intent-is-not-logged",
    file: SIGN,
    find: "      wal.append(WalRecordType.signIntent, record);\n",
    replace: "",
    bug: "a prevote whose block and slot are lost is followed by another",
    origin: "ADR 0005",
    verdict: killedBy(RECOVERY, "is not followed by another"),
  },
  {
    name: "sign-state-has-not-the-last-word",
    file: RUNNER,
    find: `    this.submit({ kind: "sign_state", height, ...signStateAt(this.modules.privval, height) });\n`,
    replace: "",
    bug: "a replayed log that lacks the last signature lets the node ask for another",
    origin: "DESIGN §5.2",
    verdict: killedBy(RECOVERY, "the restarted node never prevotes another value"),
  },
  {
    name: "resumed-without-bodies",
    file: RECOVER,
    find: "      for (const blockId of replay.bodies) await runner.findBody(runner.chain().lastHeight + 1, blockId);\n",
    replace: "",
    bug: "a restarted node cannot serve, precommit or decide the blocks of its height",
    origin: "DESIGN §5.6",
    verdict: killedBy(RECOVERY, "a replayed height is the height as it was"),
  },
  {
    name: "synced-signature-does-not-raise",
    file: OWNER,
    find: "    await this.raise(...run.map(({ commit }) => commit));\n",
    replace: "",
    bug: "a key whose home was restored from a backup signs again what a synced commit shows signed",
    origin: "DESIGN §5.6",
    verdict: killedBy(OWNERS, "an own signature in a synced commit raises the sign state"),
  },
  {
    name: "sync-without-leaving-the-round",
    file: OWNER,
    find: "      runner.pause();\n",
    replace: "",
    bug: "consensus and block sync run at once: both write the tip",
    origin: "DESIGN §6: leaves the round; Malachite ee57b7ba",
    verdict: killedBy(OWNERS, "a claim alone does not pull the node out of its round"),
  },
  {
    name: "claim-pulls-the-node-out",
    file: OWNER,
    find: '    if (this.syncing !== null || this.current === "stopping") return;\n',
    replace:
      '    if (this.syncing !== null || this.current === "stopping") return;\n    this.modules.runner.pause();\n    this.setPhase("syncing");\n',
    bug: "one peer that claims to be ahead stops a validator",
    origin: "DESIGN §6; CometBFT block sync advisories",
    verdict: killedBy(OWNERS, "a claim alone does not pull the node out of its round"),
  },
  {
    name: "replay-forgets-open-questions",
    file: REPLAY,
    find: "    ...outstanding(core),\n",
    replace: "",
    bug: "after a restart no timer runs and no verdict is asked for: the node stays in its round",
    origin: "Mainsail 618, 1483: what was open was not taken up again; Malachite 850",
    verdict: killedBy(RECOVERY, "a restarted node sets the timers of its height again"),
  },
  {
    name: "timer-clears-its-successor",
    file: TIMERS,
    find: "      this.running.delete(key);\n      this.fire(timeout);\n    });",
    replace: "      this.fire(timeout);\n      this.running.delete(key);\n    });",
    bug: "a timer that was set again while it fired can no longer be cancelled",
    origin: "Mainsail: the callback cleared the handle of a timer started meanwhile",
    verdict: killedBy(TIMING, "a timer that is set again while it fires can still be cancelled"),
  },
  {
    name: "stop-waits-for-ever",
    file: CLOCK,
    find: "const cancel = clock.timer(ms, () => resolve(false));",
    replace: "const cancel = clock.timer(ms, () => undefined);",
    bug: "a node that must stop waits for what does not end",
    origin: "Mainsail 1490: the stop waited for a lock that its own caller held",
    verdict: killedBy(TIMING, "a stop that hangs is over when its time is"),
  },
  {
    name: "home-of-two-processes",
    file: HOME_LOCK,
    find: `    if (codeOf(error) !== "LEVEL_LOCKED") throw storageError("lock", location, error);\n`,
    replace: `    if (codeOf(error) !== "LEVEL_LOCKED") throw storageError("lock", location, error);
    if (location !== "") return { release: () => Promise.resolve() };
`,
    bug: "two processes work on one home: one key signs twice",
    origin: "Mainsail 1365, 923: one data base opened twice",
    verdict: killedBy("packages/store/test/processes.test.ts", "the same process cannot take a home twice"),
  },
  {
    name: "far-proposers-are-absent",
    file: LINKS,
    find: `return isHeard(facts, address) ? null : "absent";`,
    replace: `return "absent";`,
    bug: "in a line or behind sentries the turns of all who are further than a neighbour's neighbour are given up too early",
    origin:
      "Quorate: with all peer ids known, four validators behind sentries took nine seconds and more per height",
    verdict: killedBy("packages/node/test/links.test.ts", "a proposer whose votes come is there"),
  },
  {
    name: "old-votes-keep-a-proposer-there",
    file: LINKS,
    find: `return last > (lost.get(toHexUpper(address)) ?? Number.NEGATIVE_INFINITY);`,
    replace: `return lost.size >= 0;`,
    bug: "a proposer that was killed after it voted is waited for in its turn",
    origin: "Quorate: P9",
    verdict: killedBy("packages/node/test/links.test.ts", "a proposer whose votes come is there"),
  },
];
