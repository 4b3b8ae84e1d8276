/** What a commit says in metrics. */
import {
  type Block,
  type ChainState,
  type Commit,
  CommitFlag,
  timeToMs,
  type ValidatorSet,
} from "@quorate/chain";
import { bytesEqual, toHexUpper } from "@quorate/crypto";
import type { Metrics } from "./index.ts";

export interface CommitFacts {
  /** State before the block. */
  readonly before: ChainState;
  readonly after: ChainState;
  readonly block: Block;
  /** Size of the encoded block. */
  readonly bytes: number;
  /** EVM transactions. */
  readonly txs: number;
  readonly source: "consensus" | "sync";
  /** Wall clock minus header time when it was durable here, ms. */
  readonly latencyMs: number;
  /** This node's address; `null` on a full node. */
  readonly own: Uint8Array | null;
}

export function recordCommit(metrics: Metrics, facts: CommitFacts): void {
  const { comet } = metrics;
  const { before, after, block, bytes, txs, source } = facts;
  showState(metrics, after);
  comet.consensus.latestBlockHeight.set(block.header.height);
  if (after.params !== before.params) comet.state.consensusParamUpdates.inc();
  if (!sameValidators(after.nextValidators, before.nextValidators)) comet.state.validatorSetUpdates.inc();
  recordConvictions(metrics, facts);
  if (before.lastValidators !== null) recordSigners(metrics, before, block.lastCommit, facts.own);
  if (source === "sync") {
    comet.blocksync.latestBlockHeight.set(block.header.height);
    comet.blocksync.numTxs.set(txs);
    comet.blocksync.totalTxs.inc(txs);
    comet.blocksync.blockSize.set(bytes);
    return;
  }
  comet.consensus.numTxs.set(txs);
  comet.consensus.totalTxs.inc(txs);
  comet.consensus.blockSize.set(bytes);
  comet.consensus.chainSize.inc(bytes);
  if (before.lastBlockId !== null) {
    const intervalMs = timeToMs(block.header.time) - timeToMs(before.lastTime);
    comet.consensus.blockInterval.observe(intervalMs / 1000);
  }
  metrics.own.commitLatency.observe(Math.max(0, facts.latencyMs) / 1000);
}

/** Height being decided and its set: also at start, before anything is committed. */
export function showState(metrics: Metrics, state: ChainState): void {
  const { consensus } = metrics.comet;
  consensus.height.set(state.lastHeight + 1);
  consensus.validators.set(state.validators.validators.length);
  consensus.validatorsPower.set(Number(state.validators.totalPower));
}

/**
 * Who signed the previous height, by the commit that this block carries: the one that all nodes agree on. The commit seen
 * here is no measure, since the node commits with the first +2/3 and the rest comes later.
 */
function recordSigners(metrics: Metrics, before: ChainState, commit: Commit, own: Uint8Array | null): void {
  const { consensus } = metrics.comet;
  const validators = before.lastValidators?.validators ?? [];
  const missing = validators.filter((_, index) => commit.signatures[index]?.flag === CommitFlag.absent);
  consensus.missingValidators.set(missing.length);
  consensus.missingValidatorsPower.set(Number(missing.reduce((sum, { power }) => sum + power, 0n)));
  const index = own === null ? -1 : validators.findIndex(({ address }) => bytesEqual(address, own));
  const mine = validators[index];
  if (mine === undefined) return;
  const label = { validator_address: toHexUpper(mine.address) };
  consensus.validatorPower.set(label, Number(mine.power));
  const missed = commit.signatures[index]?.flag === CommitFlag.absent;
  // Nothing missed is a sample too: increase() does not see the step from no sample to 1.
  consensus.validatorMissedBlocks.inc(label, missed ? 1 : 0);
  if (!missed) consensus.validatorLastSignedHeight.set(label, commit.height);
}

/** Keys and powers; priorities turn at every height. */
function sameValidators(a: ValidatorSet, b: ValidatorSet): boolean {
  return (
    a.validators.length === b.validators.length &&
    a.validators.every((validator, index) => {
      const other = b.validators[index];
      return (
        other !== undefined && other.power === validator.power && bytesEqual(other.pubKey, validator.pubKey)
      );
    })
  );
}

/** Whom the block convicts, with the power that the evidence says they had. */
function recordConvictions(metrics: Metrics, { block }: CommitFacts): void {
  const { consensus } = metrics.comet;
  const double = block.evidence.filter((each) => each.kind === "duplicate_vote");
  consensus.byzantineValidators.set(double.length);
  consensus.byzantineValidatorsPower.set(
    Number(double.reduce((sum, { validatorPower }) => sum + validatorPower, 0n)),
  );
  metrics.own.evidenceCommitted.inc(block.evidence.length);
}
