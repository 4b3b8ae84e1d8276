/** Four validators in virtual time under trouble: what they sign and decide is judged by the harness as it happens. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CALM, type Faults, Network } from "./harness/network.ts";

const ROUGH: Faults = {
  loss: 0.2,
  duplicate: 0.1,
  maxDelayMs: 800,
  crash: 0.3,
  lateVerdict: 0.1,
  wrongInvalid: 0.05,
  failBuild: 0.1,
  cut: 0.2,
};

const MINUTE = 60_000;

function seeds(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}

test("a calm network decides every height in round 0, one block interval apart", () => {
  const network = new Network({ seed: 1, faults: CALM });
  assert.ok(network.runTo(20, MINUTE));
  assert.equal(network.witnesses.get("later_round") ?? 0, 0);
  const elapsed = network.clock.now;
  assert.ok(elapsed < 22_000, `20 heights took ${elapsed} ms of virtual time`);
});

test("late precommits extend the commit of the height before", () => {
  const network = new Network({ seed: 3, faults: CALM });
  assert.ok(network.runTo(10, MINUTE));
  assert.ok((network.witnesses.get("extend_last_commit") ?? 0) > 0);
});

test("loss, delay, duplicates, reordering, cuts, crashes and bad verdicts break neither agreement nor locks, and after they end the chain goes on", () => {
  const seen = new Map<string, number>();
  for (const seed of seeds(16)) {
    const network = new Network({ seed, faults: ROUGH });
    network.runFor(MINUTE / 3);
    network.heal();
    const target = Math.max(...network.nodes.map(({ height }) => height)) + 2;
    assert.ok(network.runTo(target, 2 * MINUTE), `seed ${seed}: no height ${target} after healing`);
    for (const [name, count] of network.witnesses) seen.set(name, (seen.get(name) ?? 0) + count);
  }
  for (const name of [
    "crash",
    "later_round",
    "caught_up",
    "recover_replay",
    "recover_snapshot",
    "recover_sign_state",
  ]) {
    assert.ok((seen.get(name) ?? 0) > 5, `the schedules never showed ${name}`);
  }
});

test("a validator that equivocates with votes, proposals and far rounds breaks neither agreement nor progress", () => {
  const seen = new Map<string, number>();
  for (const seed of seeds(16)) {
    const faults = { ...ROUGH, crash: 0, cut: 0, maxDelayMs: 300 };
    const network = new Network({ seed: 100 + seed, byzantine: seed % 4, faults });
    network.runFor(MINUTE / 3);
    network.heal();
    const target = Math.max(...network.honest().map(({ height }) => height)) + 2;
    assert.ok(network.runTo(target, 3 * MINUTE), `seed ${seed}: no height ${target} after healing`);
    for (const [name, count] of network.witnesses) seen.set(name, (seen.get(name) ?? 0) + count);
  }
  for (const name of ["duplicate_vote", "duplicate_proposal", "later_round"]) {
    assert.ok((seen.get(name) ?? 0) > 5, `the schedules never showed ${name}`);
  }
});

test("all validators killed at once, again and again, resume without help from whatever their logs kept", () => {
  for (const seed of seeds(12)) {
    const network = new Network({ seed: 200 + seed, faults: { ...CALM, maxDelayMs: 200 } });
    for (let times = 0; times < 4; times++) {
      network.runFor(1_500 + network.random.below(2_000));
      network.crashAll();
      const how = (["replay", "snapshot", "sign_state", "replay"] as const)[(times + seed) % 4]!;
      for (const node of network.nodes) node.recover(how);
    }
    const target = Math.max(...network.nodes.map(({ height }) => height)) + 2;
    assert.ok(network.runTo(target, 5 * MINUTE), `seed ${seed}: no height ${target}`);
  }
});

test("validators of unequal power agree and go on", () => {
  for (const seed of seeds(6)) {
    const network = new Network({
      seed: 300 + seed,
      powers: [5n, 4n, 3n, 3n, 1n],
      faults: { ...ROUGH, crash: 0 },
    });
    network.runFor(MINUTE / 3);
    network.heal();
    const target = Math.max(...network.nodes.map(({ height }) => height)) + 2;
    assert.ok(network.runTo(target, 2 * MINUTE), `seed ${seed}: no height ${target}`);
  }
});
