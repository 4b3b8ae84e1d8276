/**
 * Two scenes of `npm run chaos` on one network, with the campaigns' own judge. The bounds of time are wide here: other
 * tests may have the machine; the command holds them.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { recovery } from "../chaos/bounds.ts";
import { judge, Report } from "../chaos/campaign.ts";
import { killOnce } from "../chaos/kills.ts";
import { type ChaosNetwork, startChaosNetwork } from "../chaos/network.ts";
import { Pace } from "../chaos/pace.ts";
import { suffer, torment } from "../chaos/torments.ts";
import { seededRandom } from "./support/random.ts";

const SLACK = 10;
/** So long without a block the chain stands: it makes one every 500 ms. */
const STANDSTILL_MS = 3_000;
const SEED = Number(process.env["QUORATE_SEED"] ?? Date.now() % 2 ** 32);

describe(`a network in chaos (QUORATE_SEED=${SEED})`, { timeout: 600_000 }, () => {
  let net: ChaosNetwork;
  let pace: Pace;
  const report = new Report(SLACK, (line) => process.stderr.write(`${line}\n`));
  before(async () => {
    net = await startChaosNetwork({ el: "embedded", blockIntervalMs: 500, load: 5 });
    pace = new Pace(net.live);
  });
  after(async () => {
    const ended = await net?.close(false);
    assert.equal(ended?.code, 0, ended?.err);
  });

  /** What was under way may still come first: votes that arrived before, commits on their way to this process. */
  const standstill = (): Promise<true> => {
    let { height } = net.live;
    let since = performance.now();
    return net.live.network.until("a standstill", () => {
      if (net.live.height !== height) {
        height = net.live.height;
        since = performance.now();
      }
      return performance.now() - since >= STANDSTILL_MS ? true : undefined;
    });
  };

  test("two halves that cannot hear each other decide nothing, and go on together when they can", async () => {
    report.what = "partition";
    const from = performance.now();
    try {
      for (const one of ["node0", "node1"])
        for (const other of ["node2", "node3"]) net.links.set(one, other, { silent: true });
      await standstill();
    } finally {
      net.links.heal();
    }
    await recovery(net, pace, report, { nodes: ["node0", "node3"], fromMs: from, stopped: true });
    assert.deepEqual(report.problems, []);
  });

  test("a slow disk, a clock an hour behind and a death at a sync, one after the other, leave no mark", async () => {
    report.what = "disk, clock, sync";
    const from = performance.now();
    await suffer(net, [{ node: "node1", torment: { ...torment("slow-disk"), holdMs: 3_000 } }]);
    net.live.fault("node2", { clockOffsetMs: -3_600_000 });
    await net.live.advances(2, net.live.others("node2"));
    net.live.fault("node2", {});
    await killOnce({ net, pace, report, seed: SEED, random: seededRandom(SEED) }, "node3", "at a sync");
    await recovery(net, pace, report, { nodes: ["node1", "node2", "node3"], fromMs: from, stopped: false });
    assert.deepEqual(report.problems, []);
  });

  test("afterwards all nodes and clients have the same blocks, and nobody signed twice", async () => {
    report.what = "the end";
    await judge(net, pace, report, new AbortController().signal);
    assert.deepEqual(report.problems, []);
  });
});
