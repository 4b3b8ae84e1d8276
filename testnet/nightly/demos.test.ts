/**
 * The demos that `npm test` has no time for: over real Geth, and in stake mode. `npm run test:nightly -- --only demos` runs
 * them; testnet/test/validators.test.ts plays the first one on the embedded clients.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { findOracle, run } from "../../packages/rpc/test/oracle.ts";
import { RunningDemo } from "../test/support/demo.ts";
import { ethCall } from "../test/support/eth.ts";
import { provideGeth } from "../test/support/geth.ts";

const geth = await provideGeth();
const skip = "absent" in geth ? geth.absent : false;

describe("a validator set that lives over five Geths", { skip, timeout: 600_000 }, () => {
  test("one joins, its power changes, one equivocates and is punished, one leaves, a param changes; CometBFT's light client follows", async (t) => {
    const demo = await RunningDemo.start(
      "validators",
      "--el",
      "path" in geth ? geth.path : "",
      "--load",
      "1",
    );
    t.after(() => demo.dispose());
    const { rpc: url, eth_rpc } = demo.node("node0");
    assert.match(await ethCall<string>(eth_rpc, "web3_clientVersion", []), /^Geth\//);
    await demo.step("exit");
    const oracle = await findOracle();
    if ("absent" in oracle) t.diagnostic(`CometBFT's library does not judge here: ${oracle.absent}`);
    else {
      const words = ["rpc", "-witness", demo.node("node4").rpc, url];
      const verdict = await demo.during(() => run(oracle.path, words));
      assert.equal(verdict.code, 0, verdict.output);
    }
    const { code, err } = await demo.network.ended;
    assert.equal(code, 0, err);
    assert.deepEqual(
      demo.steps.map(({ step, ok }) => [step, ok]),
      ["join", "power", "punishment", "exit", "params", "light-client", "agreement", "pace"].map((step) => [
        step,
        true,
      ]),
    );
    const ends = demo.network.events.flatMap((event) =>
      event.event === "node" && event.state === "dead" ? [[event.name, event.exit]] : [],
    );
    assert.deepEqual(ends, [["node1", 5]]);
  });
});

describe("stake mode before the user's eyes", { timeout: 600_000 }, () => {
  test("one deposits and joins, adds stake, one equivocates and a twentieth burns, one leaves and is paid", async (t) => {
    const demo = await RunningDemo.start("stake", "--load", "1");
    t.after(() => demo.dispose());
    const { code, err } = await demo.network.ended;
    assert.equal(code, 0, err);
    assert.deepEqual(
      demo.steps.map(({ step, ok }) => [step, ok]),
      ["join", "power", "punishment", "exit", "light-client", "agreement", "pace"].map((step) => [
        step,
        true,
      ]),
    );
    assert.match(err, /1\.6 ether burnt, 30\.4 ether of/);
    assert.match(err, /paid 32 ether to 0x[0-9a-f]{40}/);
  });
});
