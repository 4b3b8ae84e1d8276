/**
 * Names that CometBFT gave against Prometheus' naming rules (a counter without `_total`, a `_count` that is no
 * histogram's). Dashboards and alert rules know these names, so they stay; they are exposed as `untyped`, to which the
 * rules do not apply and which every query function treats as it treats a counter.
 */
const INHERITED: ReadonlySet<string> = new Set([
  "cometbft_consensus_chain_size_bytes",
  "cometbft_consensus_duplicate_vote",
  "cometbft_consensus_late_votes",
  "cometbft_consensus_proposal_create_count",
  "cometbft_consensus_proposal_receive_count",
  "cometbft_state_consensus_param_updates",
  "cometbft_state_validator_set_updates",
]);

/** prom-client's text with the inherited names untyped: `promtool check metrics` has nothing to say. */
export function exposition(text: string): string {
  return text.replaceAll(/^# TYPE (\S+) \w+$/gm, (line, name: string) =>
    INHERITED.has(name) ? `# TYPE ${name} untyped` : line,
  );
}
