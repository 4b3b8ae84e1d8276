/**
 * CometBFT's metric names (namespace `cometbft`, label `chain_id` on all), so that existing dashboards and alerts work.
 * Only what this node can say truthfully is here: no ABCI, no state sync, and nothing labelled by
 * peer, whose ids are without bound.
 */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** Eight buckets from 0.1 to 100, growing by a constant factor (Go: ExponentialBucketsRange(0.1, 100, 8)). */
const EXPONENTIAL_0_1_TO_100: number[] = Array.from({ length: 8 }, (_, i) => 0.1 * 1000 ** (i / 7));
const BLOCK_INTERVAL: number[] = [
  0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.25, 1.5, 2, 2.5, 5, 10, 30, 60,
];
const TIMELINESS: number[] = [-1.5, -1, -0.5, -0.2, 0, 0.2, 0.5, 1, 1.5, 2, 2.5, 4, 8];
const PROCESSING_MS: number[] = [1, 11, 21, 31, 41, 51, 61, 71, 81, 91];

export interface CometMetrics {
  readonly consensus: {
    readonly height: Gauge;
    readonly latestBlockHeight: Gauge;
    readonly rounds: Gauge;
    readonly roundDuration: Histogram;
    readonly stepDuration: Histogram<"step">;
    readonly roundIncrement: Counter<"step">;
    readonly validators: Gauge;
    readonly validatorsPower: Gauge;
    readonly validatorPower: Gauge<"validator_address">;
    readonly validatorLastSignedHeight: Gauge<"validator_address">;
    readonly validatorMissedBlocks: Gauge<"validator_address">;
    readonly missingValidators: Gauge;
    readonly missingValidatorsPower: Gauge;
    readonly byzantineValidators: Gauge;
    readonly byzantineValidatorsPower: Gauge;
    readonly blockInterval: Histogram;
    readonly numTxs: Gauge;
    readonly totalTxs: Gauge;
    readonly blockSize: Gauge;
    readonly chainSize: Counter;
    readonly duplicateVote: Counter;
    readonly lateVotes: Counter<"vote_type">;
    readonly proposalCreate: Counter;
    readonly proposalReceive: Counter<"status">;
    readonly proposalTimestampDifference: Histogram<"is_timely">;
    readonly quorumPrevoteDelay: Gauge<"proposer_address">;
    readonly fullPrevoteDelay: Gauge<"proposer_address">;
    readonly quorumPrecommitDelay: Gauge<"proposer_address">;
    readonly roundVotingPower: Gauge<"vote_type">;
  };
  readonly evidencePool: {
    readonly numEvidence: Gauge;
  };
  readonly mempool: {
    readonly size: Gauge;
    readonly sizeBytes: Gauge;
  };
  readonly p2p: {
    readonly peers: Gauge;
    readonly receiveBytes: Counter<"message_type">;
    readonly sendBytes: Counter<"message_type">;
  };
  readonly state: {
    readonly blockProcessingTime: Histogram;
    readonly consensusParamUpdates: Counter;
    readonly validatorSetUpdates: Counter;
    readonly blockStoreBaseHeight: Gauge;
  };
  readonly blocksync: {
    readonly syncing: Gauge;
    readonly latestBlockHeight: Gauge;
    readonly numTxs: Gauge;
    readonly totalTxs: Gauge;
    readonly blockSize: Gauge;
  };
}

export function createCometMetrics(registry: Registry): CometMetrics {
  const registers = [registry];
  const gauge = (name: string, help: string): Gauge =>
    new Gauge({ name: `cometbft_${name}`, help, registers });
  const labelled = <L extends string>(name: string, help: string, label: L): Gauge<L> =>
    new Gauge({ name: `cometbft_${name}`, help, labelNames: [label], registers });
  const counter = (name: string, help: string): Counter =>
    new Counter({ name: `cometbft_${name}`, help, registers });
  const counted = <L extends string>(name: string, help: string, label: L): Counter<L> =>
    new Counter({ name: `cometbft_${name}`, help, labelNames: [label], registers });
  const histogram = (name: string, help: string, buckets: number[]): Histogram =>
    new Histogram({ name: `cometbft_${name}`, help, buckets, registers });
  return {
    consensus: {
      height: gauge("consensus_height", "Height being decided."),
      latestBlockHeight: gauge("consensus_latest_block_height", "Height of the latest committed block."),
      rounds: gauge("consensus_rounds", "Round of the height being decided."),
      roundDuration: histogram(
        "consensus_round_duration_seconds",
        "Duration of rounds.",
        EXPONENTIAL_0_1_TO_100,
      ),
      stepDuration: new Histogram({
        name: "cometbft_consensus_step_duration_seconds",
        help: "Duration of each step, observed when the step ends.",
        labelNames: ["step"],
        buckets: EXPONENTIAL_0_1_TO_100,
        registers,
      }),
      roundIncrement: counted(
        "consensus_round_increment_total",
        "Rounds entered above the initial one, by the step that was left.",
        "step",
      ),
      validators: gauge("consensus_validators", "Number of validators."),
      validatorsPower: gauge("consensus_validators_power", "Total power of all validators."),
      validatorPower: labelled("consensus_validator_power", "Power of this validator.", "validator_address"),
      validatorLastSignedHeight: labelled(
        "consensus_validator_last_signed_height",
        "Last height of which a block carries this validator's signature.",
        "validator_address",
      ),
      validatorMissedBlocks: labelled(
        "consensus_validator_missed_blocks",
        "Commits in blocks that lack this validator's signature, since start.",
        "validator_address",
      ),
      missingValidators: gauge(
        "consensus_missing_validators",
        "Validators without a signature in the last commit that a block carries.",
      ),
      missingValidatorsPower: gauge("consensus_missing_validators_power", "Power of the missing validators."),
      byzantineValidators: gauge(
        "consensus_byzantine_validators",
        "Validators whom the last block convicts of signing twice.",
      ),
      byzantineValidatorsPower: gauge(
        "consensus_byzantine_validators_power",
        "Power of the byzantine validators.",
      ),
      blockInterval: histogram(
        "consensus_block_interval_seconds",
        "Time between this block and the last one, by header time.",
        BLOCK_INTERVAL,
      ),
      numTxs: gauge("consensus_num_txs", "Transactions in the latest block."),
      totalTxs: gauge("consensus_total_txs", "Transactions committed since this process started."),
      blockSize: gauge("consensus_block_size_bytes", "Size of the latest block."),
      chainSize: counter(
        "consensus_chain_size_bytes",
        "Bytes of blocks committed since this process started.",
      ),
      duplicateVote: counter("consensus_duplicate_vote", "Votes received that were known already."),
      lateVotes: counted(
        "consensus_late_votes",
        "Votes received for earlier heights or rounds.",
        "vote_type",
      ),
      proposalCreate: counter(
        "consensus_proposal_create_count",
        "Proposals created by this node since start.",
      ),
      proposalReceive: counted(
        "consensus_proposal_receive_count",
        "Proposals received, by validity.",
        "status",
      ),
      proposalTimestampDifference: new Histogram({
        name: "cometbft_consensus_proposal_timestamp_difference",
        help: "Local receive time of a proposal minus its timestamp, seconds.",
        labelNames: ["is_timely"],
        buckets: TIMELINESS,
        registers,
      }),
      quorumPrevoteDelay: labelled(
        "consensus_quorum_prevote_delay",
        "Seconds from proposal timestamp to the time of the prevote that gave +2/3, last height.",
        "proposer_address",
      ),
      fullPrevoteDelay: labelled(
        "consensus_full_prevote_delay",
        "Seconds from proposal timestamp to the time of the last prevote, when all prevoted, last height.",
        "proposer_address",
      ),
      quorumPrecommitDelay: labelled(
        "consensus_quorum_precommit_delay",
        "Seconds from proposal timestamp to the time of the precommit that gave +2/3, last height.",
        "proposer_address",
      ),
      roundVotingPower: labelled(
        "consensus_round_voting_power_percent",
        "Share of the power that voted in the present round, 0 to 1.",
        "vote_type",
      ),
    },
    evidencePool: {
      numEvidence: gauge("evidence_pool_num_evidence", "Pending evidence in the evidence pool."),
    },
    mempool: {
      size: gauge(
        "mempool_size",
        "Uncommitted transactions in the pool of a chain without execution client.",
      ),
      sizeBytes: gauge("mempool_size_bytes", "Bytes of these transactions."),
    },
    p2p: {
      peers: gauge("p2p_peers", "Number of peers."),
      receiveBytes: counted("p2p_message_receive_bytes_total", "Bytes received, by channel.", "message_type"),
      sendBytes: counted("p2p_message_send_bytes_total", "Bytes sent, by channel.", "message_type"),
    },
    state: {
      blockProcessingTime: histogram(
        "state_block_processing_time",
        "Time to check, store and apply a block, in ms (CometBFT's unit; seconds: quorate_block_apply_seconds).",
        PROCESSING_MS,
      ),
      consensusParamUpdates: counter("state_consensus_param_updates", "Changes of chain params since start."),
      validatorSetUpdates: counter(
        "state_validator_set_updates",
        "Changes of the validator set since start.",
      ),
      blockStoreBaseHeight: gauge(
        "state_block_store_base_height",
        "First height of which the block is held.",
      ),
    },
    blocksync: {
      syncing: gauge("blocksync_syncing", "1 while block sync runs."),
      latestBlockHeight: gauge("blocksync_latest_block_height", "Height of the latest synced block."),
      numTxs: gauge("blocksync_num_txs", "Transactions in the latest synced block."),
      totalTxs: gauge("blocksync_total_txs", "Transactions of synced blocks since start."),
      blockSize: gauge("blocksync_block_size_bytes", "Size of the latest synced block."),
    },
  };
}
