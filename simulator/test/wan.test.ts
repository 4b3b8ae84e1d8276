/** The world of `--wan`: its table, its wires, its costs, and a small run over it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { CostsError, parseCosts, readCosts } from "../src/wan/costs.ts";
import { oneWayMs, REGIONS, regionsNamed, SAME_REGION_MS, spread } from "../src/wan/regions.ts";
import { wanText } from "../src/wan/report.ts";
import { runWan, spreadOf } from "../src/wan/run.ts";
import { Uplink, Window, wireBytes } from "../src/wan/transport.ts";

describe("the table of latencies", () => {
  it("is as far there as back, within three milliseconds, and never without a distance", () => {
    for (const from of REGIONS) {
      assert.equal(oneWayMs(from, from), SAME_REGION_MS);
      for (const to of REGIONS) {
        if (from === to) continue;
        assert.ok(oneWayMs(from, to) >= 5 && oneWayMs(from, to) <= 161, `${from} to ${to}`);
        assert.ok(Math.abs(oneWayMs(from, to) - oneWayMs(to, from)) <= 3, `${from} to ${to}`);
      }
    }
  });

  it("spreads validators evenly, and refuses a region that it does not know by name", () => {
    const counts = Map.groupBy(spread(100), (region) => region);
    assert.equal(counts.size, 13);
    for (const list of counts.values()) assert.ok(list.length === 7 || list.length === 8);
    assert.deepEqual(regionsNamed(["tokyo", "London"]), ["Tokyo", "London"]);
    assert.throws(() => regionsNamed(["Atlantis"]), /"Atlantis" is no region; there are N_Virginia/);
  });
});

describe("a sender's wire", () => {
  it("takes as long for a broadcast of bodies as their bytes take, for every receiver", () => {
    const uplink = new Uplink(1000, 10);
    const outs = Array.from({ length: 10 }, (_, to) => uplink.send(to, 1_000_000, 5));
    const all = (10 * wireBytes(1_000_000)) / 125_000;
    for (const out of outs) assert.ok(Math.abs(out - 5 - all) < 1e-6, `${out} instead of ${5 + all}`);
  });

  it("lets small messages pass a broadcast", () => {
    const uplink = new Uplink(1000, 10);
    for (let to = 0; to < 10; to++) uplink.send(to, 1_000_000, 0);
    assert.ok(uplink.send(3, 200, 1) < 1.01);
  });

  it("is free again when a broadcast is out", () => {
    const uplink = new Uplink(1000, 2);
    const first = uplink.send(0, 1_000_000, 0);
    assert.ok(Math.abs(uplink.send(0, 1_000_000, first + 1) - (first + 1) - first) < 1e-6);
  });
});

describe("a connection's window", () => {
  const SEGMENT = 1448;

  it("lets ten segments go at once, and what is beyond a round trip later, twice as much each time", () => {
    assert.equal(new Window(true).wait(10 * SEGMENT, 0, 100), 0);
    assert.equal(new Window(true).wait(10 * SEGMENT + 1, 0, 100), 100);
    assert.equal(new Window(true).wait(30 * SEGMENT, 0, 100), 100);
    assert.equal(new Window(true).wait(31 * SEGMENT, 0, 100), 200);
    assert.equal(new Window(true).wait(70 * SEGMENT, 0, 100), 200);
  });

  it("opens with what was sent, and closes again when the connection rested, unless told otherwise", () => {
    for (const restarts of [true, false]) {
      const window = new Window(restarts);
      window.wait(1_000_000, 0, 100);
      assert.equal(window.wait(200_000, 5_000, 100), restarts ? 300 : 0, `restarts: ${restarts}`);
    }
  });

  it("never lets more go without waiting than with it, and never waits for less than nothing", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(400_000), fc.nat(500)), { maxLength: 20 }), (sends) => {
        const window = new Window(true);
        let now = 0;
        for (const [bytes, pause] of sends) {
          const waited = window.wait(bytes, now, 100);
          assert.ok(waited >= 0 && Number.isFinite(waited));
          now += waited + pause;
        }
      }),
    );
  });
});

describe("measured costs", () => {
  it("are read as the benchmark wrote them, and grow with messages, bodies and validators", () => {
    const costs = readCosts();
    assert.ok(costs.crypto.signMs > 0.005 && costs.crypto.verifyMs > 0.02);
    assert.ok(costs.send(true, 10_000) > costs.send(true, 100));
    assert.ok(costs.receive(false, 100) > 0);
    assert.ok(costs.bodyMs(100, 1_000_000) > costs.bodyMs(100, 0));
    assert.ok(costs.bodyMs(100, 0) > costs.bodyMs(4, 0));
  });

  it("that lack a figure are refused with its name and what to do", () => {
    assert.throws(
      () => parseCosts('{"costs": {"sign": {"us": 30}}}'),
      (error: unknown) => error instanceof CostsError && /lack "verify".*bench:costs/.test(error.message),
    );
    assert.throws(() => readCosts("/nowhere/costs.json"), CostsError);
  });
});

describe("a height over the world", () => {
  const small = { seed: 5, validators: 5, heights: 4 } as const;

  it("takes at least three ways between far regions and at most a few more, in round 0", async () => {
    const result = await runWan({
      ...small,
      regions: ["Tokyo", "London", "S_Paulo", "Sydney", "N_Virginia"],
    });
    assert.equal(result.verdict, "ok");
    assert.equal(result.later_rounds, 0);
    // Of four other regions the two nearest make a quorum with oneself: three ways of 57 ms or more.
    assert.ok(result.finality_ms.p50 > 3 * 57, `${result.finality_ms.p50} ms`);
    assert.ok(result.finality_ms.p95 < 5 * 155, `${result.finality_ms.p95} ms`);
    assert.ok(result.cpu_ms.mean > 1 && result.cpu_ms.mean < 100);
    assert.match(wanText(result), /finality .* ms .*\n.*finality of \+2\/3/);
  });

  it("sends nearly nothing again where nothing is lost: distance is no loss", async () => {
    const { ways } = await runWan({ seed: 5, validators: 13, heights: 4 });
    assert.ok(ways.repair.bytes < ways.direct.bytes / 2, JSON.stringify(ways));
    // Two votes to each of the twelve others, and a proposal by one of thirteen: each on the link itself, and nothing twice.
    assert.ok(ways.direct.messages > 24, JSON.stringify(ways));
    assert.ok(ways.direct.messages + ways.gossip.messages < 30, JSON.stringify(ways));
  });

  it("is the same for the same seed, and another for another", async () => {
    const [a, b, c] = [await runWan(small), await runWan(small), await runWan({ ...small, seed: 6 })];
    assert.deepEqual({ ...a, wall_ms: 0 }, { ...b, wall_ms: 0 });
    assert.notDeepEqual(a.finality_ms, c.finality_ms);
  });

  it("with a megabyte of transactions costs the megabyte's way and work", async () => {
    const empty = await runWan(small);
    const full = await runWan({ ...small, blockBytes: 1_000_000 });
    assert.equal(full.verdict, "ok");
    assert.ok(full.finality_ms.p50 > empty.finality_ms.p50 + 30);
    assert.ok(full.ways.body.bytes > 750_000, `${full.ways.body.bytes} bytes of bodies per height and node`);
    assert.ok(full.cpu_ms.mean > empty.cpu_ms.mean + 10);
  });

  it("spreads are of the numbers, whatever their order", () => {
    assert.deepEqual(spreadOf([3, 1, 2]), { p50: 2, p95: 3, mean: 2 });
    assert.deepEqual(spreadOf([]), { p50: 0, p95: 0, mean: 0 });
  });
});
