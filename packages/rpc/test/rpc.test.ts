import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, describe, it } from "node:test";
import {
  type Evidence,
  evidenceId,
  evidenceJson,
  genesisHash,
  genesisToJson,
  toBase64,
} from "@quorate/chain";
import { sha256, toHex, toHexUpper, utf8Encode } from "@quorate/crypto";
import { createRpcServer, type RpcServer, type RpcView } from "@quorate/rpc";
import { Client, quiet, START_MS, withServer } from "./client.ts";
import { MemoryChain, memoryPool, viewOf } from "./memory-chain.ts";

const chain = new MemoryChain(START_MS);
chain.grow(26);
const TIP = 26;
const pool = memoryPool();
let server: RpcServer;
let client: Client;

before(async () => {
  server = await createRpcServer({ listen: "127.0.0.1:0" }, viewOf(chain, { mempool: pool }), quiet());
  client = new Client(server.url);
});
after(() => server.close());

describe("answers about the chain", () => {
  it("give the same result over POST with an object, POST with an array, and GET", async () => {
    const byObject = await client.post("block", { height: "5" });
    const byArray = await client.post("block", ["5"]);
    const byNumber = await client.post("block", { height: 5 });
    const byUri = await client.get("/block?height=5");
    const quoted = await client.get('/block?height="5"');
    for (const reply of [byArray, byNumber, byUri, quoted]) assert.deepEqual(reply.result, byObject.result);
    assert.equal(byObject.id, 7);
    assert.equal(byUri.id, -1);
    assert.equal(byObject.result.block?.header.height, "5");
    assert.equal(byObject.result.block_id.hash, toHexUpper(chain.blocks.get(5)!.blockId.hash));
  });

  it("mean the latest height when none, null or nothing is given", async () => {
    for (const reply of [
      await client.get("/block"),
      await client.get("/block?height="),
      await client.post("block"),
      await client.post("block", { height: null }),
    ]) {
      assert.equal(reply.result.block?.header.height, String(TIP));
    }
  });

  it("find blocks and headers by hash in hex, 0x-hex and base64, and say null for unknown ones", async () => {
    const { hash } = chain.blocks.get(9)!.blockId;
    const spellings = [toHexUpper(hash), toHex(hash), `0x${toHex(hash)}`, toBase64(hash)];
    for (const spelling of spellings) {
      const block = await client.post("block_by_hash", { hash: spelling });
      assert.equal(block.result.block?.header.height, "9");
      const header = await client.post("header_by_hash", { hash: spelling });
      assert.equal(header.result.header?.height, "9");
    }
    assert.equal((await client.get(`/header_by_hash?hash=0x${toHex(hash)}`)).result.header?.height, "9");
    const unknown = await client.post("block_by_hash", { hash: "00".repeat(32) });
    assert.equal(unknown.result.block, null);
    assert.equal((await client.post("header_by_hash", { hash: "00".repeat(32) })).result.header, null);
    assert.equal((await client.post("block_by_hash", { hash: "12" })).error?.code, -32602);
    assert.equal((await client.post("block_by_hash")).error?.code, -32602);
  });

  it("say in CometBFT's words that a height is too high, too low or pruned", async () => {
    const high = await client.post("commit", { height: "1000" });
    assert.deepEqual(high.error, {
      code: -32603,
      message: "Internal error",
      data: "height 1000 must be less than or equal to the current blockchain height 26",
    });
    const zero = await client.get("/commit?height=0");
    assert.equal(zero.error?.data, "height must be greater than 0, but got 0");
    const pruned = new MemoryChain(START_MS);
    pruned.grow(6);
    pruned.prune(4);
    await withServer(viewOf(pruned), async (other) => {
      const reply = await other.post("commit", { height: "3" });
      assert.equal(reply.error?.data, "height 3 is not available, lowest height is 4");
      assert.equal((await other.get("/status")).result.sync_info.earliest_block_height, "4");
    });
  });

  it("show commits with their header, canonical up to the one before the tip", async () => {
    const five = (await client.get("/commit?height=5")).result;
    assert.equal(five.canonical, true);
    assert.equal(five.signed_header.commit.round, 1);
    assert.equal(five.signed_header.header.height, "5");
    const absent = (await client.get("/commit?height=3")).result.signed_header.commit.signatures[3];
    assert.deepEqual(absent, {
      block_id_flag: 1,
      validator_address: "",
      timestamp: "0001-01-01T00:00:00Z",
      signature: null,
    });
    assert.equal((await client.get("/commit")).result.canonical, false);
  });

  it("take evidence in CometBFT's JSON, of both kinds, and say why not; list what is held and what blocks carry", async () => {
    const told = new MemoryChain(START_MS);
    told.grow(4);
    const double = told.doubleVote(2, 1);
    const stored = told.blocks.get(3)!;
    const attack: Evidence = {
      kind: "light_client_attack",
      conflictingBlock: {
        signedHeader: { header: stored.block.header, commit: stored.commit },
        validators: told.validators(3)!,
      },
      commonHeight: 2,
      byzantineValidators: told.validators(2)!.validators.slice(0, 2),
      totalVotingPower: told.validators(2)!.totalPower,
      timestamp: stored.block.header.time,
    };
    const taken: Evidence[] = [];
    const evidence: RpcView["evidence"] = {
      submit: async (given) => {
        taken.push(given);
        return given.kind === "duplicate_vote" ? null : "it is too old";
      },
      pending: () => [attack],
      committed: async () => [{ height: 4, evidence: double }],
    };
    await withServer(viewOf(told, { evidence }), async (other) => {
      const ok = await other.post("broadcast_evidence", { evidence: evidenceJson(double) });
      assert.deepEqual(ok.result, { hash: toHexUpper(evidenceId(double)) });
      const bad = await other.post("broadcast_evidence", { evidence: evidenceJson(attack) });
      assert.equal(bad.error?.data, "failed to add evidence: it is too old");
      const uri = encodeURIComponent(JSON.stringify(evidenceJson(double)));
      assert.equal((await other.get(`/broadcast_evidence?evidence=${uri}`)).error, undefined);
      assert.deepEqual(taken, [double, attack, double]);
      for (const wrong of [
        undefined,
        7,
        {},
        { type: "x", value: {} },
        { ...evidenceJson(double), type: 1 },
      ]) {
        const reply = await other.post("broadcast_evidence", { evidence: wrong });
        assert.equal(reply.error?.code, -32602, JSON.stringify(wrong));
      }
      const held: unknown = (await other.get("/evidence")).result;
      assert.deepEqual(held, {
        pending: [{ hash: toHexUpper(evidenceId(attack)), height: "2", evidence: evidenceJson(attack) }],
        committed: [
          {
            block_height: "4",
            hash: toHexUpper(evidenceId(double)),
            height: "2",
            evidence: evidenceJson(double),
          },
        ],
      });
    });
  });

  it("page validators and know the set of the next height", async () => {
    const all = (await client.get("/validators")).result;
    assert.equal(all.block_height, String(TIP + 1));
    assert.equal(all.total, "4");
    assert.equal(all.count, "4");
    assert.deepEqual(
      all.validators.map((v) => v.voting_power),
      ["13", "12", "11", "10"],
    );
    const second = (await client.get("/validators?height=3&page=2&per_page=3")).result;
    assert.equal(second.count, "1");
    assert.equal(second.validators[0]?.voting_power, "10");
    const beyond = await client.get("/validators?page=3&per_page=3");
    assert.match(beyond.error!.data, /within \[1, 2\] range, given 3/);
    const sum = (await client.get("/validators?height=9")).result.validators
      .map((v) => BigInt(v.proposer_priority))
      .reduce((a, b) => a + b, 0n);
    assert.ok(sum > -4n && sum < 4n);
  });

  it("list at most 20 block metas, newest first", async () => {
    const all = (await client.get("/blockchain")).result;
    assert.equal(all.last_height, String(TIP));
    assert.equal(all.block_metas.length, 20);
    assert.equal(all.block_metas[0]?.header.height, "26");
    assert.equal(all.block_metas[0]?.num_txs, "2");
    const some = (await client.get("/blockchain?minHeight=3&maxHeight=5")).result;
    assert.deepEqual(
      some.block_metas.map((m) => m.header.height),
      ["5", "4", "3"],
    );
    assert.match((await client.get("/blockchain?minHeight=9&maxHeight=5")).error!.data, /can't be greater/);
    assert.match((await client.get("/blockchain?minHeight=-1")).error!.data, /non-negative/);
  });

  it("show genesis whole and in chunks, and the params of a height", async () => {
    const document = JSON.parse(genesisToJson(chain.genesis));
    assert.deepEqual((await client.get("/genesis")).result.genesis, document);
    const chunk = (await client.get("/genesis_chunked?chunk=0")).result;
    assert.equal(chunk.total, "1");
    assert.deepEqual(JSON.parse(Buffer.from(chunk.data, "base64").toString()), document);
    assert.match((await client.get("/genesis_chunked?chunk=1")).error!.data, /1 chunks/);
    const params = (await client.get("/consensus_params?height=2")).result;
    assert.equal(params.block_height, "2");
    assert.equal(params.consensus_params.block.max_bytes, "10485760");
  });

  it("answer before the first block as a chain that has none", async () => {
    await withServer(viewOf(new MemoryChain(START_MS)), async (other) => {
      const status = (await other.get("/status")).result;
      assert.equal(status.sync_info.latest_block_height, "0");
      assert.equal(status.sync_info.latest_block_hash, "");
      assert.match((await other.get("/commit")).error!.data, /must be less than or equal to/);
      assert.match((await other.get("/blockchain")).error!.data, /can't be greater/);
      assert.equal((await other.get("/validators")).result.block_height, "1");
    });
  });
});

describe("answers about the node", () => {
  it("extend CometBFT's status by consensus, execution and upgrades", async () => {
    const { result } = await client.get("/status");
    assert.equal(result.node_info.network, "rpc-test");
    assert.equal(result.sync_info.latest_block_height, "26");
    assert.equal(result.sync_info.latest_block_hash, toHexUpper(chain.blocks.get(26)!.blockId.hash));
    assert.equal(result.sync_info.earliest_block_height, "1");
    assert.equal(result.validator_info.voting_power, "10");
    assert.equal(result.genesis_hash, toHexUpper(genesisHash(chain.genesis)));
    assert.equal(result.consensus.height, "27");
    assert.equal(result.consensus.step, "Prevote");
    assert.equal(result.consensus.prevotes_power, "21");
    assert.equal(result.consensus.missing.length, 1);
    assert.equal(result.execution.el_ready, true);
    assert.equal(result.execution.executed_height, "26");
    assert.deepEqual(result.upgrades.scheduled, []);
  });

  it("cover health, net_info, abci_info and both consensus states", async () => {
    assert.deepEqual((await client.get("/health")).result, {});
    const net = (await client.get("/net_info")).result;
    assert.equal(net.n_peers, "1");
    assert.equal(net.peers[0]?.remote_ip, "10.0.0.7");
    const info = (await client.get("/abci_info")).result.response;
    assert.equal(info.last_block_height, "26");
    assert.equal(info.last_block_app_hash, toBase64(chain.state.appHash));
    const simple = (await client.get("/consensus_state")).result.round_state;
    assert.equal(simple["height/round/step"], "27/0/4");
    const dump = (await client.get("/dump_consensus_state")).result;
    assert.equal(dump.round_state.validators.validators.length, 4);
    assert.equal(dump.peers.length, 1);
  });

  it("say on /ready with 200 or 503 and reasons whether the node is ready", async () => {
    const yes = await fetch(`${client.url}/ready`);
    assert.equal(yes.status, 200);
    assert.deepEqual(await yes.json(), { ready: true, reasons: [] });
    const readiness = (): { ready: boolean; reasons: string[] } => ({ ready: false, reasons: ["syncing"] });
    await withServer(viewOf(chain, { readiness }), async (other) => {
      const no = await fetch(`${other.url}/ready`);
      assert.equal(no.status, 503);
      assert.deepEqual(await no.json(), { ready: false, reasons: ["syncing"] });
      assert.equal((await other.get("/health")).status, 200);
    });
  });

  it("show people a page without scripts or assets from elsewhere, everything escaped", async () => {
    const response = await fetch(client.url);
    const text = await response.text();
    assert.match(response.headers.get("content-type")!, /^text\/html/);
    assert.match(response.headers.get("content-security-policy")!, /default-src 'none'/);
    assert.match(text, /&lt;node&gt;/);
    assert.doesNotMatch(text, /<node>|<script|src=|https?:/);
    assert.match(text, /dump_consensus_state/);
  });

  it("cometbft#5921: answer the same page and the same JSON whatever the client says the host is", async () => {
    const { port } = new URL(client.url);
    const hosts = [
      "localhost",
      "<script>alert(1)</script>",
      '"><img src=x onerror=alert(1)>',
      "evil.example:1",
    ];
    for (const path of ["/", "/nothing<script>", "/status", "/health"]) {
      const answers = await Promise.all(hosts.map((host) => rawGet(Number(port), path, host)));
      for (const [i, answer] of answers.entries()) {
        assert.ok(!answer.includes(hosts[i]!) || hosts[i] === "localhost", `${path} gives back ${hosts[i]}`);
        assert.doesNotMatch(answer, /<script|<img|evil\.example/);
      }
    }
  });
});

/** The body of an answer to a request with this Host header, which fetch would not send. */
async function rawGet(port: number, path: string, host: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.end(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  await new Promise((resolve) => socket.once("close", resolve));
  return Buffer.concat(chunks).toString("utf8");
}

describe("transactions", () => {
  it("go into the pool by broadcast_tx_sync and _async, and are listed while they wait", async () => {
    const tx = utf8Encode("hello");
    const sync = await client.post("broadcast_tx_sync", { tx: toBase64(tx) });
    assert.deepEqual(sync.result, {
      code: 0,
      data: "",
      log: "",
      codespace: "",
      hash: toHexUpper(sha256(tx)),
    });
    assert.equal((await client.get('/broadcast_tx_async?tx="abc"')).result.code, 0);
    assert.equal((await client.get("/broadcast_tx_sync?tx=0x6465")).result.code, 0);
    assert.deepEqual(
      pool.txs.map((bytes) => Buffer.from(bytes).toString()),
      ["hello", "abc", "de"],
    );
    const refused = await client.post("broadcast_tx_sync", { tx: "" });
    assert.equal(refused.result.code, 1);
    assert.equal(refused.result.log, "empty transaction");
    const waiting = (await client.get("/unconfirmed_txs?limit=2")).result;
    assert.deepEqual(waiting, {
      n_txs: "2",
      total: "3",
      total_bytes: "10",
      txs: [toBase64(tx), toBase64(utf8Encode("abc"))],
    });
    assert.deepEqual((await client.get("/num_unconfirmed_txs")).result, {
      n_txs: "3",
      total: "3",
      total_bytes: "10",
      txs: null,
    });
    assert.equal((await client.post("broadcast_tx_sync", { tx: "*" })).error?.code, -32602);
    assert.equal((await client.get("/broadcast_tx_sync?tx=abc")).error?.code, -32602);
  });

  it("are no method where the chain takes them through its execution client", async () => {
    await withServer(viewOf(chain), async (other) => {
      assert.equal((await other.post("broadcast_tx_sync", { tx: "AA==" })).error?.code, -32601);
    });
  });
});
