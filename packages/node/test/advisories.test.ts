/** Published faults of other nodes, tried on this one: docs/security/advisories.md. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VoteType } from "@quorate/chain";
import { createRpcServer, type RpcView } from "@quorate/rpc";
import { createRpcView } from "../src/rpc-view.ts";
import { silent } from "./support/homes.ts";
import { makeRig, type Rig, shortId, withRig } from "./support/rig.ts";

const { prevote, precommit } = VoteType;

function viewOf(rig: Rig): RpcView {
  return createRpcView({
    genesis: rig.chain.genesis,
    genesisDocument: {},
    store: rig.store,
    execution: rig.execution,
    mempool: null,
    chain: () => rig.runner.chain(),
    core: () => rig.runner.core(),
    heightStartedMs: () => 0,
    nodeInfo: () => ({
      id: "id",
      listenAddress: "",
      network: rig.chain.genesis.chainId,
      version: "1",
      moniker: "node",
      genesisHash: "00",
      validator: null,
      rpcAddress: "",
      catchingUp: false,
      startedAtMs: 0,
    }),
    peers: () => [],
    catchingUp: () => false,
    phase: () => "consensus",
    submitEvidence: () => Promise.resolve(null),
    pendingEvidence: () => [],
  });
}

test("CVE-2023-34450: the state of consensus can be dumped at any moment and by many at once; heights are decided meanwhile", async () => {
  await withRig({}, async (rig) => {
    const modules = { log: silent("rpc"), metrics: null };
    const server = await createRpcServer({ listen: "127.0.0.1:0" }, viewOf(rig), modules);
    try {
      let dumps = 0;
      const dump = async (): Promise<void> => {
        const answers = await Promise.all(
          ["dump_consensus_state", "consensus_state", "status", "net_info"].map(async (path) => {
            const response = await fetch(`${server.url}/${path}`);
            return [response.status, (await response.json()) as object] as const;
          }),
        );
        for (const [status, body] of answers) {
          assert.equal(status, 200, JSON.stringify(body));
          dumps++;
        }
      };
      await rig.begin();
      for (let height = 1; height <= 3; height++) {
        const block = rig.block();
        const asked: Promise<void>[] = [];
        const hammer = (): void => {
          for (let i = 0; i < 12; i++) asked.push(dump());
        };
        hammer();
        await rig.propose(block);
        hammer();
        for (const type of [prevote, precommit]) {
          for (const index of rig.others) {
            await rig.votes(type, block.blockId, [index]);
            hammer();
          }
        }
        await Promise.all(asked);
        assert.equal(rig.runner.chain().lastHeight, height);
        await rig.pass(2_000);
      }
      assert.ok(dumps >= 1_000, `${dumps} dumps`);
      assert.deepEqual(rig.fatals, []);
    } finally {
      await server.close();
    }
  });
});

test("MAL#864: a proposer that crashes after it asked for a value proposes that value again or none, whatever it is given now", async () => {
  const rig = await makeRig({ own: "proposer", checkpoints: true });
  await rig.begin();
  const [made] = rig.published.proposals;
  assert.ok(made !== undefined);
  const { blockId } = made.proposal;
  await rig.votes(prevote, blockId, rig.others);
  await rig.pass(0);
  assert.ok(rig.checkpoints.length >= 3, "proposal, prevote and precommit");
  let again = 0;
  for (const { disk, store } of rig.checkpoints) {
    await withRig({ own: "proposer", after: { disk, store } }, async (restarted) => {
      restarted.execution.payload = [Uint8Array.of(42)];
      await restarted.recover();
      await restarted.pass(5_000);
      const first = restarted.published.proposals.filter(({ proposal }) => proposal.round === 0);
      for (const { proposal } of first) assert.equal(shortId(proposal.blockId), shortId(blockId));
      again += first.length;
      const voted = restarted.published.votes.filter(({ round, blockId: id }) => round === 0 && id !== null);
      for (const vote of voted) assert.equal(shortId(vote.blockId), shortId(blockId));
      assert.deepEqual(restarted.fatals, []);
    });
  }
  assert.ok(again > 0, "the proposal was sent again");
  await rig.free();
});
