/** Block sync and light verification of commits. */
import { killedBy, type Mutant } from "../types.ts";

const VERIFY = "packages/sync/src/verify.ts";
const SYNC = "packages/sync/src/block-sync.ts";
const RANGES = "packages/sync/src/ranges.ts";
const CREDIT = "packages/sync/src/credit.ts";
const COMMITS = "packages/chain/src/commit/verify.ts";
const CERTIFICATES = "packages/chain/src/commit/certificate.ts";
const SYNCING = "packages/sync/test/block-sync.test.ts";
const LIARS = "packages/sync/test/liars.test.ts";
const SPANS = "packages/sync/test/ranges.test.ts";
const BLOCKS = "packages/chain/test/state-block.test.ts";
const CHAIN_COMMITS = "packages/chain/test/commit.test.ts";
const LAWS = "packages/chain/test/commit-laws.test.ts";

export const SYNC_AND_COMMITS: readonly Mutant[] = [
  {
    name: "sync-without-commit-signatures",
    file: VERIFY,
    find: "    if (!hold(checks)) {\n",
    replace: "    if (checks.length === 0) {\n",
    bug: "a peer feeds a syncing node a chain that nobody signed",
    origin: "DESIGN §6; CometBFT block sync advisories",
    verdict: killedBy(
      SYNCING,
      "every signature that is not absent is verified",
      "another chain's blocks are refused",
    ),
  },
  {
    name: "sync-without-commit-power",
    file: COMMITS,
    find: "  if (power <= needed) throw notEnoughPower(power, needed);\n  return checks;\n}\n\n/**\n * The checks",
    replace:
      "  if (power <= 0n) throw notEnoughPower(power, needed);\n  return checks;\n}\n\n/**\n * The checks",
    bug: "a commit of one validator proves a block",
    origin: "CometBFT VerifyCommit",
    verdict: killedBy(BLOCKS, "a last commit with too little power"),
  },
  {
    name: "commit-of-exactly-two-thirds",
    file: COMMITS,
    find: "  if (power <= needed) throw notEnoughPower(power, needed);\n  return checks;\n}\n\n/**\n * The checks",
    replace:
      "  if (power < needed) throw notEnoughPower(power, needed);\n  return checks;\n}\n\n/**\n * The checks",
    bug: "2/3 of the power prove a block",
    origin: "CometBFT VerifyCommit: strictly more",
    verdict: killedBy(LAWS, "exactly two thirds of the power prove nothing"),
  },
  {
    name: "nil-votes-count-for-the-block",
    file: COMMITS,
    find: "    if (sig.flag === CommitFlag.commit) power += validator.power;\n",
    replace: "    power += validator.power;\n",
    bug: "precommits for nil add up to a proof of the block",
    origin: "CometBFT VerifyCommit: only votes for the block count",
    verdict: killedBy(CHAIN_COMMITS, "two of four are no quorum, with or without nil votes"),
  },
  {
    name: "commit-for-another-block",
    file: COMMITS,
    find: `  if (!blockIdEquals(commit.blockId, blockId)) throw refuse("wrong_block_id", "it is for another block");\n`,
    replace: "",
    bug: "a good commit of one block is served with another",
    origin: "CometBFT VerifyCommit",
    verdict: killedBy(LAWS, "a good commit of one block proves no other"),
  },
  {
    name: "commit-of-another-height",
    file: COMMITS,
    find: "  if (commit.height !== height) throw refuse",
    replace: "  if (commit.height < 0) throw refuse",
    bug: "a commit of another height passes for this one's",
    origin: "CometBFT VerifyCommit",
    verdict: killedBy(BLOCKS, "a last commit with too little power, of another height"),
  },
  {
    name: "commit-entry-of-another-validator",
    file: COMMITS,
    find: '    if (!bytesEqual(sig.validatorAddress, validator.address)) {\n      throw refuse("address_mismatch"',
    replace:
      '    if (sig.validatorAddress.length !== validator.address.length) {\n      throw refuse("address_mismatch"',
    bug: "a commit hashes differently and verifies all the same",
    origin: "CometBFT VerifyCommit",
    verdict: killedBy(LAWS, "an entry stands under the address of the validator at its index"),
  },
  {
    name: "commit-with-unchecked-nil-signatures",
    file: COMMITS,
    find: `    if (sig.flag === CommitFlag.absent || (mode !== "all" && sig.flag !== CommitFlag.commit)) continue;`,
    replace: "    if (sig.flag !== CommitFlag.commit) continue;",
    bug: "a proposer writes forged nil votes of others into the chain",
    origin: "CometBFT: VerifyCommit checks all signatures",
    verdict: killedBy(LAWS, "a signature for nil in a commit is asked for like any other"),
  },
  {
    name: "commit-light-where-all-are-asked",
    file: VERIFY,
    find: `commitChecks(state.chainId, state.validators, blockId, state.lastHeight + 1, commit, "all"),`,
    replace: `commitChecks(state.chainId, state.validators, blockId, state.lastHeight + 1, commit, "light"),`,
    bug: "forged signatures beyond 2/3 are stored and served as good ones",
    origin: "DESIGN §6: each commit in full",
    verdict: killedBy(SYNCING, "every signature that is not absent is verified, also beyond two thirds"),
  },
  {
    name: "sync-by-the-next-set",
    file: VERIFY,
    find: "commitChecks(state.chainId, state.validators, blockId",
    replace: "commitChecks(state.chainId, state.nextValidators, blockId",
    bug: "a height is proved by the set of the next one",
    origin: "CometBFT: validators of the height",
    verdict: killedBy(SYNCING, "a height is proved by its own set"),
  },
  {
    name: "sync-without-last-commit-signatures",
    file: VERIFY,
    find: "broken ?? (hold(inBlock) ? null",
    replace: "broken ?? (inBlock.length >= 0 ? null",
    bug: "+2/3 signed a block that breaks a rule and the node follows them",
    origin: "DESIGN §5.9",
    verdict: killedBy(SYNCING, "a block whose last commit holds a forged signature stops the sync"),
  },
  {
    name: "sync-without-chain-rules",
    file: VERIFY,
    find: "    broken: rules.ok ? null : rules.reason,\n",
    replace: "    broken: null,\n",
    bug: "a synced block that breaks the rules of the chain is applied",
    origin: "DESIGN §5.9",
    verdict: killedBy(SYNCING, "a block that +2/3 signed against the rules stops the sync"),
  },
  {
    name: "sync-of-heights-with-gaps",
    file: SYNC,
    find: "(item, index) => item.height === range.from + index && item.block.length <= maxBlockBytes,",
    replace: "(item) => item.height >= range.from && item.block.length <= maxBlockBytes,",
    bug: "a peer answers with other heights than it was asked for and is asked again for ever",
    origin: "Malachite 1541: non-contiguous heights",
    verdict: killedBy(LIARS, "do not keep a node from the tip"),
  },
  {
    name: "sync-over-an-own-decision",
    file: SYNC,
    find: "      if (modules.state().lastHeight !== first.height - 1) return;\n",
    replace: "",
    bug: "a height that the node decided meanwhile is applied again",
    origin: "Malachite ee57b7ba, fc2e63dd; Mainsail 1438",
    verdict: killedBy(SYNCING, "a height decided by the node itself meanwhile is not applied again"),
  },
  {
    name: "sync-does-not-wait-for-the-store",
    file: SYNC,
    find: "      await applied;\n",
    replace: "      applied.catch(() => undefined);\n",
    bug: "sync runs ahead of what is stored, and a failed write is swallowed",
    origin: "Malachite ee57b7ba: tell sync only after commit",
    verdict: killedBy(SYNCING, "an error of apply ends the run"),
  },
  {
    name: "liar-is-believed-for-ever",
    file: CREDIT,
    find: "return !credit.banned && (credit.strikes < this.#limits.strikes || now >= credit.notBefore);",
    replace: "return !credit.banned || now < 0;",
    bug: "a peer that claims heights and never delivers keeps the node in sync for ever",
    origin: "Malachite eb8cf0ae: infinite retry",
    verdict: killedBy(LIARS, "a lone peer that stalls for ever is reported and given up"),
  },
  {
    name: "liar-is-not-banned",
    file: SYNC,
    find: "    this.#credits.ban(peerId);\n",
    replace: "",
    bug: "a peer that serves forged blocks is asked again and again",
    origin: "CometBFT block sync advisories",
    verdict: killedBy(LIARS, "a banned peer is not asked again"),
  },
  {
    name: "liar-s-other-blocks-stay",
    file: RANGES,
    find: "return keep(ranges, (item) => item.peerId !== peerId);",
    replace: 'return keep(ranges, (item) => item.peerId !== "");',
    bug: "what a caught liar sent before is tried height after height",
    origin: "CometBFT pool.RemovePeer",
    verdict: killedBy(SYNCING, "a block with one changed byte is refused"),
  },
  {
    name: "applied-heights-come-back",
    file: RANGES,
    find: "const wanted = item.height >= ranges.next && item.height < ranges.next + limits.window;",
    replace: "const wanted = item.height < ranges.next + limits.window;",
    bug: "late answers of heights that are applied stay in memory for ever",
    origin: "Malachite fc2e63dd: sync height rolled back",
    verdict: killedBy(SPANS, "an answer that comes when its heights are applied leaves nothing behind"),
  },
  {
    name: "certificate-in-disorder",
    file: CERTIFICATES,
    find: "    if (i > 0 && sig.validatorIndex === signatures[i - 1]!.validatorIndex) {\n",
    replace: "    if (i > 0 && sig.validatorIndex < signatures[i - 1]!.validatorIndex) {\n",
    bug: "one validator's two votes make two signatures of a certificate",
    origin: "Malachite 961fa4e0",
    verdict: killedBy(CHAIN_COMMITS, "votes that differ, repeat, or are none make no certificate"),
  },
  {
    name: "failed-range-is-asked-again-for-its-first-height",
    file: RANGES,
    find: "inFlight: ranges.inFlight.filter((other) => other.id !== range.id) };",
    replace:
      "inFlight: ranges.inFlight\n      .map((other) => (other.id === range.id ? { ...other, from: other.from + 1, count: other.count - 1 } : other))\n      .filter(({ count }) => count > 0) };",
    bug: "behind the first height of a failed request nothing is asked for again: the node waits there for ever",
    origin: "Arc 214: a follower whose range request failed",
    verdict: killedBy(SPANS, "what a failed request did not bring is a gap again"),
  },
  {
    name: "sync-with-nobody-to-ask-runs-on",
    file: SYNC,
    find: "        if (useful.length === 0 && items.length === 0) break;\n",
    replace: "",
    bug: "a run that can ask nobody never ends, and the node never goes back to consensus",
    origin: "Mainsail 1437: the downloader looped when nothing could be started",
    verdict: killedBy(SYNCING, "without peers it ends at once"),
  },
];
