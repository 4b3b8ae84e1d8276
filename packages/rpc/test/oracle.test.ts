import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { encodeBlock, encodeEvidence, validatorJson } from "@quorate/chain";
import { toHex } from "@quorate/crypto";
import { createRpcServer, type RpcServer } from "@quorate/rpc";
import { MemoryChain, recordingLog, viewOf } from "./memory-chain.ts";
import { findOracle, run } from "./oracle.ts";

const HEIGHTS = 30;
const oracle = await findOracle();
const skip = "absent" in oracle ? `CometBFT's library does not judge here: ${oracle.absent}` : false;
const path = "path" in oracle ? oracle.path : "";

describe("CometBFT's Go library, unmodified, as judge of our chain", { skip }, () => {
  /** Genesis an hour ago: inside the trusting period, every header in the past. */
  const chain = new MemoryChain(Math.floor(Date.now() / 1000) * 1000 - 3_600_000);
  chain.grow(HEIGHTS);
  let server: RpcServer;
  let directory: string;

  before(async () => {
    server = await createRpcServer({ listen: "127.0.0.1:0" }, viewOf(chain), {
      log: recordingLog().log,
      metrics: null,
    });
    directory = await mkdtemp(join(tmpdir(), "quorate-oracle-"));
  });
  after(async () => {
    await server.close();
    await rm(directory, { recursive: true, force: true });
  });

  const call = async (target: string): Promise<unknown> => {
    const reply = (await (await fetch(server.url + target)).json()) as { readonly result: unknown };
    return reply.result;
  };

  it("follows it with its light client over RPC, sequentially and by skipping", async () => {
    const verdict = await run(path, ["rpc", server.url]);
    assert.equal(verdict.code, 0, verdict.output);
    assert.match(verdict.output, new RegExp(`OK ${HEIGHTS}\\s*$`));
  });

  it("verifies every signature, link, skip and proposer of the light blocks that RPC shows", async () => {
    const blocks: unknown[] = [];
    for (let height = 1; height <= HEIGHTS; height++) {
      const { signed_header } = (await call(`/commit?height=${height}`)) as {
        readonly signed_header: unknown;
      };
      blocks.push({ signed_header, validator_set: await call(`/validators?height=${height}&per_page=100`) });
    }
    const file = join(directory, "light-blocks.json");
    await writeFile(file, JSON.stringify(blocks));
    const verdict = await run(path, ["light-blocks", file]);
    assert.equal(verdict.code, 0, verdict.output);
    assert.match(verdict.output, new RegExp(`OK ${HEIGHTS}\\s*$`));
  });

  it("refuses the same light blocks when one signature is changed", async () => {
    const one = (await call("/commit?height=1")) as {
      readonly signed_header: { readonly commit: { readonly signatures: { signature: string }[] } };
    };
    const [first, second] = one.signed_header.commit.signatures;
    first!.signature = second!.signature;
    const file = join(directory, "forged.json");
    const validators = await call("/validators?height=1&per_page=100");
    await writeFile(file, JSON.stringify([{ signed_header: one.signed_header, validator_set: validators }]));
    const verdict = await run(path, ["light-blocks", file]);
    assert.equal(verdict.code, 1, verdict.output);
  });

  it("decodes every block, finds it valid and encodes it to the same bytes", async () => {
    const file = join(directory, "blocks.hex");
    const lines = [...chain.blocks.values()].map(({ block }) => toHex(encodeBlock(block)));
    await writeFile(file, `${lines.join("\n")}\n`);
    const verdict = await run(path, ["block", file]);
    assert.equal(verdict.code, 0, verdict.output);
    assert.match(verdict.output, /OK/);
  });

  it("takes the evidence that our blocks carry, and follows the chain past the convictions", async () => {
    const judged = new MemoryChain(Math.floor(Date.now() / 1000) * 1000 - 3_600_000);
    judged.grow(4);
    const [first, second] = [judged.doubleVote(2, 1), judged.doubleVote(4, 3)];
    judged.convict([first], 3);
    judged.convict([second], 6);
    assert.deepEqual(
      judged.blocks.get(5)?.block.evidence.map(({ kind }) => kind),
      ["duplicate_vote"],
    );
    assert.equal(judged.state.validators.validators.length, 2);
    const cases = [first, second].map((evidence) => ({
      chain_id: judged.genesis.chainId,
      evidence: toHex(encodeEvidence(evidence)),
      validators: judged.validators(evidence.voteA.height)!.validators.map(validatorJson),
    }));
    const file = join(directory, "evidence.json");
    await writeFile(file, JSON.stringify(cases));
    const taken = await run(path, ["evidence", file]);
    assert.equal(taken.code, 0, taken.output);
    const blocks = join(directory, "convicting.hex");
    const lines = [...judged.blocks.values()].map(({ block }) => toHex(encodeBlock(block)));
    await writeFile(blocks, `${lines.join("\n")}\n`);
    const valid = await run(path, ["block", blocks]);
    assert.equal(valid.code, 0, valid.output);
    const other = await createRpcServer({ listen: "127.0.0.1:0" }, viewOf(judged), {
      log: recordingLog().log,
      metrics: null,
    });
    try {
      const followed = await run(path, ["rpc", other.url]);
      assert.equal(followed.code, 0, followed.output);
    } finally {
      await other.close();
    }
  });

  it("reads the other answers of RPC with its own client", async () => {
    const verdict = await run(path, ["rpc-client", "-no-broadcast", "-events", "0", server.url], {
      // What follows needs a transaction index and events, which this server does not have.
      until: /^num_unconfirmed_txs/m,
    });
    const answered = new Map(
      verdict.output.split("\n").flatMap((line) => {
        const match = /^(.{20}) (ok|ERR) /.exec(line);
        return match === null ? [] : [[match[1]!.trim(), match[2]!] as const];
      }),
    );
    for (const name of [
      "status",
      "health",
      "genesis",
      "genesis_chunked",
      "net_info",
      "abci_info",
      "block",
      "block (latest)",
      "block_by_hash",
      "header",
      "header_by_hash",
      "blockchain",
      "consensus_params",
      "commit, validators",
      "height too high",
      "consensus_state",
      "dump_consensus_state",
    ]) {
      assert.equal(answered.get(name), "ok", `${name}\n${verdict.output}`);
    }
  });
});
