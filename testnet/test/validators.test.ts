/** Validators come, change and go by transactions alone, while the chain goes on: processes, commands and embedded clients. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { findOracle, run } from "../../packages/rpc/test/oracle.ts";
import { ethChain } from "./support/eth.ts";
import { LiveNetwork } from "./support/live.ts";
import { judgeVotes } from "./support/votes.ts";
import { rpc, validator } from "./support.ts";

const oracle = await findOracle();

interface InForce {
  readonly height: number;
  readonly power: string;
  readonly in_force: number;
}

interface SetPage {
  readonly validators: readonly { readonly address: string; readonly voting_power: string }[];
}

describe("a validator set that changes", { timeout: 600_000 }, () => {
  let net: LiveNetwork;
  let ownerKey: string;
  before(async () => {
    net = await LiveNetwork.start("--validators", "4", "--full", "1", "--load", "1");
    ownerKey = join(net.home, "registry-owner.json");
    writeFileSync(ownerKey, JSON.stringify(net.accounts[0]), { mode: 0o600 });
  });
  afterEach((context) => {
    if ("diagnostic" in context && "passed" in context && context.passed === false) {
      context.diagnostic(net.logTails());
    }
  });
  after(async () => {
    await net?.dispose();
  });

  const powers = async (height: number, of = "node0"): Promise<ReadonlyMap<string, string>> => {
    const { rpc: url } = await net.node(of);
    const { validators } = await rpc<SetPage>(url, `validators?height=${height}`);
    return new Map(validators.map((row) => [row.address, row.voting_power]));
  };
  const command = async (name: string, ...words: readonly string[]): Promise<InForce> => {
    const [first = "", ...rest] = words;
    const { home } = await net.node(name);
    const ended = await validator(first, ...rest, "--home", home, "--json", "--timeout", "180");
    assert.equal(ended.code, 0, ended.err);
    return JSON.parse(ended.out) as InForce;
  };

  test("a full node's key is registered, validates two heights later, and its votes are in the commits", async () => {
    const { address } = await net.node("node4");
    const joined = await command("node4", "join", "--power", "5", "--key", ownerKey);
    assert.equal((await powers(joined.height + 1)).get(address), undefined);
    assert.equal((await powers(joined.height + 2)).get(address), "5");
    await net.advances(2);
    await net.signs("node4");
  });

  test("who is not the registry's owner is told who is, and what to hand over", async () => {
    const { home } = await net.node("node4");
    const refused = await validator("join", "--home", home);
    assert.equal(refused.code, 3, refused.err);
    assert.match(refused.err, /0x[0-9a-f]{40} is/);
    const printed = await validator("join", "--home", home, "--print");
    assert.equal(printed.code, 0, printed.err);
    const { call } = JSON.parse(printed.out) as { call: { data: string; to: string } };
    assert.match(call.data, /^0x[0-9a-f]{8}/);
  });

  test("its power rises above that of the others by the registry owner's word", async () => {
    const { address } = await net.node("node4");
    const raised = await command("node0", "power", address, "12", "--key", ownerKey);
    assert.equal((await powers(raised.height + 2)).get(address), "12");
    const proposers = async (): Promise<boolean> => {
      await net.advances(1);
      return net.commitsOf("node0").some((commit) => commit.proposer === address);
    };
    while (!(await proposers()));
  });

  test("one leaves by its owner's withdrawal request and goes on as a full node", async () => {
    const { address, rpc: url } = await net.node("node3");
    const left = await command("node3", "exit");
    assert.equal((await powers(left.height + 2, "node3")).get(address), undefined);
    await net.advances(4);
    const listed = await validator("validators", "--node", url);
    assert.equal(listed.code, 0, listed.err);
    assert.match(listed.out, new RegExp(`${address} +0 +leaving`));
    const again = await validator("exit", "--home", (await net.node("node3")).home);
    assert.equal(again.code, 3, again.err);
  });

  test("all nodes and clients have the same blocks", async (t) => {
    const height = (await net.advances(2)) - 1;
    const late = net.commitsOf("node0").filter(({ round }) => round > 0);
    t.diagnostic(`${late.length} of ${net.commitsOf("node0").length} heights took more than one round`);
    assert.deepEqual(net.divergedHeights(), []);
    const chains = await Promise.all((await net.nodes()).map(({ eth_rpc }) => ethChain(eth_rpc, height)));
    for (const chain of chains) assert.deepEqual(chain, chains[0]);
  });

  test("CometBFT's light client follows through all changes, with a second node as witness", {
    skip: "absent" in oracle ? `CometBFT's library does not judge here: ${oracle.absent}` : false,
  }, async () => {
    const [{ rpc: primary }, { rpc: witness }] = [await net.node("node0"), await net.node("node4")];
    const path = "path" in oracle ? oracle.path : "";
    const verdict = await run(path, ["rpc", "-witness", witness, primary]);
    assert.equal(verdict.code, 0, verdict.output);
    assert.match(verdict.output, /OK \d+\s*$/);
  });

  test("nobody ever signed two different messages for one height, round and type", async () => {
    const nodes = await net.nodes();
    const { code } = await net.network.stop();
    assert.equal(code, 0);
    assert.deepEqual(judgeVotes(nodes.map(({ home }) => home)).conflicts, []);
  });
});
