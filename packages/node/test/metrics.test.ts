import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ChainState,
  ChangeKind,
  DEFAULT_PARAMS,
  heldPayout,
  makeValidatorSet,
  STANDARD_DEPOSIT_CONTRACT,
  stateFromGenesis,
  type Time,
  timeFromMs,
  type ValidatorSet,
  type Vote,
  VoteType,
} from "@quorate/chain";
import { ed25519Keygen } from "@quorate/crypto";
import type { QuorateNode } from "@quorate/node";
import { createMetrics } from "../src/metrics/index.ts";
import { showRegistry } from "../src/metrics/registry.ts";
import { voteDelays } from "../src/metrics/vote-delays.ts";
import { type Commits, makeNetwork, startNode } from "./support/homes.ts";
import { metricsLinter, runTool } from "./support/prometheus.ts";

interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
}

function familiesOf(text: string): readonly Family[] {
  const helps = new Map([...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name, help]) => [name, help]));
  return [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type = ""]) => ({
    name,
    type,
    help: helps.get(name) ?? "",
  }));
}

async function emptyText(): Promise<string> {
  const metrics = createMetrics("quorate-test", "1.2.3");
  try {
    return await metrics.text();
  } finally {
    metrics.close();
  }
}

/** Value of the one sample of this name whose labels include all of `labels`. */
function sample(text: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const lines = text
    .split("\n")
    .filter(
      (line) =>
        line.startsWith(`${name}{`) &&
        Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`)),
    );
  assert.equal(lines.length, 1, `samples of ${name} ${JSON.stringify(labels)}: ${lines.length}`);
  return Number(lines[0]?.split(" ").at(-1));
}

/** The metrics of a node from the moment on at which they say what is `wanted`, and the height before the scrape. */
async function scraped(
  node: QuorateNode,
  commits: Commits,
  wanted: (text: string) => boolean,
): Promise<{ readonly height: number; readonly text: string }> {
  for (;;) {
    const { height } = commits;
    const text = await (await fetch(node.started.metrics)).text();
    if (wanted(text)) return { height, text };
    await commits.reached(height + 1);
  }
}

test("every metric has a help text, a lower-case name and a known prefix", async () => {
  for (const { name, help } of familiesOf(await emptyText())) {
    assert.match(name, /^(cometbft|quorate|process|nodejs)_[a-z][a-z0-9_]*$/, name);
    assert.ok(help.length > 5, name);
  }
});

test("only counters end in _total, unless the name is CometBFT's and therefore untyped", async () => {
  for (const { name, type } of familiesOf(await emptyText())) {
    if (type === "untyped") assert.match(name, /^cometbft_/);
    else assert.equal(name.endsWith("_total"), type === "counter", `${name} is a ${type}`);
  }
});

test("the names that public dashboards and alert rules of CometBFT rely on exist", async () => {
  const names = new Set(familiesOf(await emptyText()).map(({ name }) => name));
  const relied = [
    "consensus_height consensus_latest_block_height consensus_rounds consensus_validators",
    "consensus_validators_power consensus_missing_validators consensus_missing_validators_power",
    "consensus_byzantine_validators consensus_byzantine_validators_power consensus_block_interval_seconds",
    "consensus_block_size_bytes consensus_num_txs consensus_total_txs consensus_step_duration_seconds",
    "consensus_validator_power consensus_validator_missed_blocks consensus_validator_last_signed_height",
    "consensus_round_duration_seconds consensus_late_votes consensus_duplicate_vote",
    "consensus_proposal_create_count consensus_proposal_receive_count consensus_chain_size_bytes",
    "consensus_quorum_prevote_delay consensus_full_prevote_delay consensus_round_voting_power_percent",
    "consensus_proposal_timestamp_difference p2p_peers p2p_message_send_bytes_total",
    "p2p_message_receive_bytes_total state_block_processing_time state_validator_set_updates",
    "state_consensus_param_updates blocksync_syncing blocksync_latest_block_height mempool_size",
  ]
    .join(" ")
    .split(" ");
  for (const name of relied) assert.ok(names.has(`cometbft_${name}`), name);
});

test("every sample carries the chain id, and no label holds a peer id", async () => {
  const samples = (await emptyText()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  assert.ok(samples.length > 0);
  for (const line of samples) {
    assert.match(line, /chain_id="quorate-test"/);
    assert.doesNotMatch(line, /peer_id=/);
  }
});

test("what an alert must not miss begins at zero", async () => {
  const text = await emptyText();
  for (const type of ["prevote", "precommit", "proposal"]) {
    assert.equal(sample(text, "quorate_equivocations_total", { type }), 0);
  }
  assert.equal(sample(text, "quorate_peer_offences_total", { offence: "bad_signature" }), 0);
});

test("the fill of a queue is the highest since the last scrape", async () => {
  const metrics = createMetrics("quorate-test", "1.2.3");
  try {
    metrics.queues.note("verifier", 3, 4);
    metrics.queues.note("verifier", 1, 4);
    assert.equal(sample(await metrics.text(), "quorate_queue_fill_ratio", { queue: "verifier" }), 0.75);
    assert.equal(sample(await metrics.text(), "quorate_queue_fill_ratio", { queue: "verifier" }), 0);
  } finally {
    metrics.close();
  }
});

test("the lag of the event loop is how late a look at it came: little at rest, all of a standstill", {
  timeout: 600_000,
}, async () => {
  const metrics = createMetrics("quorate-test", "1.2.3");
  const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 60));
  /** Of the looks before and after `work`. */
  const lag = async (work: () => void): Promise<{ readonly p50: number; readonly max: number }> => {
    await pause();
    work();
    await pause();
    const text = await metrics.text();
    const [p50 = 0, max = 0] = ["p50", "max"].map((statistic) =>
      sample(text, "quorate_event_loop_lag_seconds", { statistic }),
    );
    return { p50, max };
  };
  try {
    // As often as a busy machine needs: counted with the time between two looks, it would never be so little.
    for (;;) {
      const { p50, max } = await lag(() => undefined);
      if (max > 0 && p50 < 0.01) break;
    }
    const standstill = new Int32Array(new SharedArrayBuffer(4));
    while ((await lag(() => void Atomics.wait(standstill, 0, 0, 100))).max < 0.07);
  } finally {
    metrics.close();
  }
});

test("the registry's metrics count validators, what waits, what is held and which upgrade comes", async () => {
  const keys = [1, 2, 3, 4].map(() => ed25519Keygen().publicKey);
  const genesis = stateFromGenesis({
    chainId: "registry-metrics",
    genesisTime: timeFromMs(0),
    initialHeight: 1,
    execution: "engine",
    evmChainId: 1,
    elGenesisHash: new Uint8Array(32).fill(1),
    anchorNumber: 0,
    anchorHash: new Uint8Array(32).fill(1),
    depositContractAddress: STANDARD_DEPOSIT_CONTRACT,
    params: DEFAULT_PARAMS,
    validators: keys.map((pubKey) => ({ pubKey, power: 40n, name: "", owner: new Uint8Array(20).fill(1) })),
    upgrades: [{ height: 900, appVersion: 77, params: {} }],
  });
  const [first, second, third] = genesis.registry.entries;
  const owed = heldPayout(second!.pubKey, second!.owner, 1_500_000_000n);
  const { pubKey, owner } = first!;
  const state: ChainState = {
    ...genesis,
    lastHeight: 10,
    registry: {
      ...genesis.registry,
      entries: [
        { ...first!, stakeGwei: 40_250_000_000n },
        { ...second!, status: 1, power: 0n, stakeGwei: 0n },
        { ...third!, status: 2, power: 0n, stakeGwei: 0n },
        genesis.registry.entries[3]!,
      ],
      changes: Array.from({ length: 1024 }, () => ({
        ...{ pubKey, owner, kind: ChangeKind.deposit, value: 1n, height: 9 },
      })),
      payouts: [owed, { ...owed, gwei: 0n }],
      scheduled: [{ kind: "param", name: "precision", value: 400, height: 12 }],
    },
  };
  const metrics = createMetrics("quorate-test", "1.2.3");
  try {
    showRegistry(metrics.registry, state);
    const text = await metrics.text();
    const expected: readonly (readonly [name: string, labels: Record<string, string>, value: number])[] = [
      ["validators", { status: "active" }, 2],
      ["validators", { status: "leaving" }, 1],
      ["validators", { status: "tombstoned" }, 1],
      ["power", {}, 80],
      ["waiting", { kind: "change" }, 1024],
      ["waiting", { kind: "payout" }, 2],
      ["waiting", { kind: "param" }, 1],
      ["waiting", { kind: "upgrade" }, 0],
      ["fill_ratio", { queue: "changes" }, 0.25],
      ["fill_ratio", { queue: "payouts" }, 2 / 8192],
      ["stake_ether", { state: "active" }, 80.25],
      ["stake_ether", { state: "held" }, 1.5],
    ];
    for (const [name, labels, value] of expected) {
      assert.equal(sample(text, `quorate_registry_${name}`, labels), value, name);
    }
    assert.equal(sample(text, "quorate_upgrade_height"), 900);
    assert.equal(sample(text, "quorate_upgrade_unknown_height"), 900);
  } finally {
    metrics.close();
  }
});

function voteAt(index: number, validators: ValidatorSet, timestamp: Time): Vote {
  return {
    type: VoteType.prevote,
    height: 1,
    round: 0,
    blockId: null,
    timestamp,
    validatorAddress: validators.validators[index]!.address,
    validatorIndex: index,
    signature: new Uint8Array(64),
  };
}

test("the quorum delay ends with the vote that passes 2/3 in order of time, the full one with the last", () => {
  const validators = makeValidatorSet(
    [1, 2, 3, 4].map(() => ({ pubKey: ed25519Keygen().publicKey, power: 10n })),
  );
  const at = (ms: number): Time => timeFromMs(1_000_000 + ms);
  const votes = [at(400), at(100), at(300), at(200)].map((time, index) => voteAt(index, validators, time));
  assert.deepEqual(voteDelays(votes, validators, 1_000_000), { quorumSeconds: 0.3, fullSeconds: 0.4 });
  const [first, second, third] = votes;
  assert.ok(first && second && third);
  assert.deepEqual(voteDelays([first, second, third, null], validators, 1_000_000), {
    quorumSeconds: 0.4,
    fullSeconds: null,
  });
  assert.deepEqual(voteDelays([first, null, null, null], validators, 1_000_000), {
    quorumSeconds: null,
    fullSeconds: null,
  });
});

test("a running network tells its heights, signers, votes, syncs and verdicts, and promtool has nothing to object to", async (t) => {
  const network = await makeNetwork(4, 50);
  try {
    const nodes = await Promise.all(network.configs.map((config) => startNode(config)));
    await Promise.all(nodes.map(({ commits }) => commits.reached(6)));
    const { node, commits } = nodes[0]!;
    await fetch(`${node.started.rpc}/health`);
    // Three of four decide without the last link, on a busy machine one node may have to sync at first, and a scrape is
    // no snapshot: a commit may fall into it.
    const { height, text } = await scraped(
      node,
      commits,
      (text) =>
        sample(text, "cometbft_p2p_peers") === 3 &&
        sample(text, "cometbft_consensus_height") ===
          sample(text, "cometbft_consensus_latest_block_height") + 1 &&
        /^quorate_node_phase\{.*phase="consensus".*\} 1$/m.test(text) &&
        /^quorate_proposal_delay_seconds\{proposer_address="[0-9A-F]{40}"/m.test(text) &&
        /^cometbft_consensus_quorum_prevote_delay\{proposer_address="[0-9A-F]{40}"/m.test(text),
    );
    await Promise.all(nodes.map((each) => each.node.stop()));

    assert.ok(sample(text, "cometbft_consensus_latest_block_height") >= height);
    assert.equal(sample(text, "cometbft_consensus_validators"), 4);
    assert.equal(sample(text, "cometbft_consensus_validators_power"), 40);
    assert.equal(sample(text, "quorate_registry_validators", { status: "active" }), 4);
    assert.equal(sample(text, "quorate_registry_power"), 40);
    assert.equal(sample(text, "quorate_upgrade_height"), 0);
    assert.equal(sample(text, "cometbft_blocksync_syncing"), 0);
    assert.equal(sample(text, "cometbft_state_block_store_base_height"), 1);
    const own = { validator_address: node.started.validatorAddress ?? "" };
    assert.equal(sample(text, "cometbft_consensus_validator_power", own), 10);
    assert.ok(sample(text, "cometbft_consensus_validator_missed_blocks", own) < height);
    for (const name of [
      "quorate_wal_sync_seconds_count",
      "quorate_store_commit_seconds_count",
      "quorate_store_body_sync_seconds_count",
      "quorate_sign_seconds_count",
      "quorate_verify_signatures_total",
      "quorate_wal_bytes_total",
      "quorate_executed_height",
      "quorate_disk_free_bytes",
    ]) {
      assert.ok(sample(text, name) > 0, name);
    }
    for (const vote_type of ["prevote", "precommit"]) {
      const share = sample(text, "cometbft_consensus_round_voting_power_percent", { vote_type });
      assert.ok(share >= 0 && share <= 1);
    }
    assert.equal(sample(text, "quorate_el_status", { status: "ready" }), 1);
    assert.equal(sample(text, "quorate_rpc_call_seconds_count", { method: "health" }), 1);

    await t.test("promtool check metrics", async (inner) => {
      const linter = await metricsLinter();
      if (linter.kind === "absent") return inner.skip(linter.reason);
      assert.deepEqual(await runTool(linter.path, linter.args, text), { code: 0, output: "" });
    });
  } finally {
    await network.free();
  }
});
