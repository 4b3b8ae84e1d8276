/** What goes wrong with a simulated execution client is really met by the node: it says so, and the chain goes on. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Block, decodeEnvelope, type EnvelopeV1 } from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import type { LogPort } from "@quorate/gossip/core";
import type { CommitBatch } from "@quorate/store";
import { makeGenesis } from "../src/cluster/genesis.ts";
import { EL_EDGES, type ElEdge } from "../src/el/edges.ts";
import type { Fault } from "../src/faults/fault.ts";
import { runSeed, type SimResult } from "../src/run.ts";
import { cluster, KEYS, quiet } from "./support.ts";

/** Whose client suffers. */
const NODE = 1;
const FROM_MS = 2_500;

type ElFault = Extract<Fault, { readonly kind: `el-${string}` }>;
type What<F> = F extends ElFault ? Omit<F, "id" | "atMs" | "forMs" | "node"> : never;

/** Lines of the node's own log, from warnings on, and what was told when it was over. */
async function suffered(what: What<ElFault>): Promise<{ readonly result: SimResult; readonly said: string }> {
  const lines: string[] = [];
  const fault = { id: 0, atMs: FROM_MS, forMs: 6_000, node: NODE, ...what };
  const result = await runSeed({
    seed: 1,
    validators: 4,
    heights: 12,
    log: (line) => lines.push(line),
    plan: quiet([fault], { execution: "engine", blockIntervalMs: 1000, faultsForMs: 20_000 }),
  });
  assert.equal(result.verdict, "ok", JSON.stringify(result.violations));
  const said = lines.filter((line) => {
    const [at, who] = line.split(" ");
    return Number(at) > FROM_MS && who === `node${NODE}` && / execution: | consensus: (not|the) /.test(line);
  });
  return { result, said: said.join("\n") };
}

const BEHIND = /execution client is behind: feeding it the decided blocks \{"head":(\d+),"target":\d+\}/;

describe("a node whose execution client", () => {
  it("takes a thousand times longer says that it is too slow, does not propose, and catches up", async () => {
    const { said } = await suffered({ kind: "el-slow", times: 1_000 });
    assert.match(said, /too slow to validate blocks in time: this node falls behind/);
    assert.match(said, /not proposing: the execution client is not ready/);
    assert.match(said, BEHIND);
    assert.match(said, /validates blocks in time again/);
  });

  it("answers SYNCING tries what it can, says what to do, and goes on where the client was", async () => {
    const { said } = await suffered({ kind: "el-syncing" });
    assert.match(said, /answers SYNCING to decided block (\d+) .*: opening the client with its own head/);
    assert.match(said, /answers SYNCING to decided block \d+ .*: reading the client's head anew/);
    assert.match(said, /restart the execution client; the node feeds it from its store/);
    assert.match(said, BEHIND);
  });

  it("calls valid payloads INVALID prevotes nil, does not believe it of decided blocks, and feeds it again", async () => {
    const { said, result } = await suffered({ kind: "el-lies", share: 1 });
    assert.match(said, /the execution client refuses a proposed block .*a consensus rule of another chain/);
    assert.match(said, /answers INVALID to decided block/);
    assert.match(said, BEHIND);
    assert.ok(result.witness.invalidVerdicts > 0);
  });

  it("crashes and loses its newest blocks is fed them again from where it stands", async () => {
    const { said } = await suffered({ kind: "el-crash", lost: 2 });
    assert.match(said, /does not answer at http:\/\/engine \(ECONNREFUSED\)/);
    assert.match(said, /not proposing: the execution client is not ready .*offline/);
    assert.equal(BEHIND.exec(said)?.[1], "1", "two of the three blocks that it had are lost");
  });

  it("loses everything is fed all blocks from the first", async () => {
    const { said } = await suffered({ kind: "el-wipe" });
    assert.equal(BEHIND.exec(said)?.[1], "0");
  });

  it("cannot be reached says so, and goes on where the client was", async () => {
    const { said } = await suffered({ kind: "el-away" });
    assert.match(said, /does not answer at http:\/\/engine \(ECONNREFUSED\)/);
    assert.equal(BEHIND.exec(said)?.[1], "3");
  });
});

const HEIGHTS = 9;

interface Edged {
  /** What the node of that client proposed and all decided. */
  readonly decided: readonly { readonly block: Block; readonly payload: EnvelopeV1 }[];
  readonly genesis: ReturnType<typeof makeGenesis>;
  /** What that node's log said, from warnings on. */
  readonly said: string;
}

async function edged(edge: ElEdge): Promise<Edged> {
  const genesis = makeGenesis(
    {
      powers: [10, 10, 10, 10],
      blockIntervalMs: 1000,
      timeouts: { proposeMs: 300, prevoteMs: 150, precommitMs: 150 },
      execution: "engine",
      maxBlockBytes: 65_536,
    },
    KEYS,
  );
  const said: string[] = [];
  const say = (message: string, facts: object = {}): void =>
    void said.push(`${message} ${JSON.stringify(facts)}`);
  const nothing = (): void => undefined;
  const log = (node: number): LogPort =>
    node === NODE
      ? { debug: nothing, info: nothing, warn: say, error: say }
      : { debug: nothing, info: nothing, warn: nothing, error: nothing };
  const reached = [0, 0, 0, 0];
  const stored: CommitBatch[] = [];
  const made = cluster(
    {
      stored: (node, batch) => void (node === NODE && stored.push(batch)),
      committed: (node, { height }) => {
        reached[node] = height;
      },
    },
    "engine",
    { genesis, log },
  );
  await made.begin();
  const { client } = made.member(NODE);
  assert.ok(client !== null);
  client.mood.edge = edge;
  const how = await made.scheduler.run(60_000, () => Math.min(...reached) >= HEIGHTS);
  assert.equal(how, "done", "the chain goes on");
  const decided = stored.flatMap(({ block }) => {
    const payload = decodeEnvelope(block.txs[0] ?? new Uint8Array(0));
    const own = bytesEqual(block.header.proposerAddress, KEYS[NODE]!.address);
    return own && payload.version === 1 ? [{ block, payload }] : [];
  });
  return { decided, genesis, said: said.join("\n") };
}

/** Payloads that all must take: what a decided one of that client looks like. */
const TAKEN: Partial<Record<ElEdge, (each: Edged["decided"][number], edged: Edged) => void>> = {
  full: ({ block }, { genesis: { params, validators } }) => {
    const bytes = block.txs.reduce((sum, tx) => sum + tx.length + 6, 0);
    assert.equal(bytes, params.maxBlockBytes - 1024 - 112 * validators.length);
  },
  "gas-spent": ({ payload }) => assert.equal(payload.gasUsed, payload.gasLimit),
  requests: ({ payload }) => assert.equal(payload.executionRequests.length, 16),
};

/** Payloads that nobody would take: what their own node says of them, instead of proposing them. */
const REFUSED: Partial<Record<ElEdge, RegExp>> = {
  overfull: /built a payload above max_block_bytes .*"bytes":64065,"limit":64064/,
  "gas-limit": /built a payload with gas limit 60000001, the chain's is 60000000/,
  "requests-too-many": /gave no payload .*executionRequests: no list of at most 16/,
  "request-empty": /gave no payload .*executionRequests: out of order or empty/,
};

describe("a payload at the edge", () => {
  for (const [edge, holds] of Object.entries(TAKEN)) {
    it(`of what a chain takes is decided: ${edge}`, async () => {
      const run = await edged(edge as ElEdge);
      // The first height knows of no last commit: its payload may be a little larger.
      const later = run.decided.filter(({ block }) => block.header.height > 1);
      assert.ok(later.length > 0);
      for (const each of later) holds(each, run);
      assert.equal(run.said, "");
    });
  }

  for (const [edge, why] of Object.entries(REFUSED)) {
    it(`that goes beyond it is not proposed, its node says why, and others propose: ${edge}`, async () => {
      const { decided, said } = await edged(edge as ElEdge);
      assert.match(said, why);
      assert.match(said, /not proposing: the execution client built nothing/);
      assert.deepEqual(decided, []);
    });
  }

  it("is of a kind that is above", () => {
    assert.deepEqual(new Set([...Object.keys(TAKEN), ...Object.keys(REFUSED)]), new Set(EL_EDGES));
  });
});
