import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, describe, it } from "node:test";
import { createRpcServer, RpcError, type RpcServer, type RpcView } from "@quorate/rpc";
import fc from "fast-check";
import { Client, quiet, type Reply, START_MS, withServer } from "./client.ts";
import { MemoryChain, memoryPool, recordingLog, recordingMetrics, viewOf } from "./memory-chain.ts";

const chain = new MemoryChain(START_MS);
chain.grow(26);
const pool = memoryPool();
const log = recordingLog();
const meter = recordingMetrics();
let server: RpcServer;
let client: Client;

before(async () => {
  server = await createRpcServer({ listen: "127.0.0.1:0" }, viewOf(chain, { mempool: pool }), {
    log: log.log,
    metrics: meter.metrics,
  });
  client = new Client(server.url);
});
after(() => server.close());

describe("the protocol", () => {
  it("answers a batch in order, without its notifications", async () => {
    const { text } = await client.raw(
      JSON.stringify([
        { jsonrpc: "2.0", id: "a", method: "health" },
        { jsonrpc: "2.0", method: "health" },
        { jsonrpc: "2.0", id: 2, method: "nothing" },
        5,
        { jsonrpc: "2.0", id: 3 },
      ]),
    );
    const replies = JSON.parse(text) as Reply[];
    assert.deepEqual(
      replies.map((reply) => [reply.id, reply.error?.code ?? 0]),
      [
        ["a", 0],
        [2, -32601],
        [null, -32600],
        [3, -32600],
      ],
    );
  });

  it("answers notifications with no content", async () => {
    const { status, text } = await client.raw('{"jsonrpc":"2.0","method":"health"}');
    assert.equal(status, 204);
    assert.equal(text, "");
  });

  it("refuses unknown methods with the nearest name, and CometBFT's others with the place to turn to", async () => {
    assert.match((await client.post("comit")).error!.data, /did you mean commit\?/);
    assert.match((await client.post("zzzzzzzz")).error!.data, /no method/);
    assert.match((await client.post("tx_search")).error!.data, /eth_getLogs/);
    assert.match((await client.post("subscribe")).error!.data, /WebSocket/);
    const uri = await client.get("/abci_query");
    assert.equal(uri.status, 404);
    assert.equal(uri.error?.code, -32601);
    assert.equal((await client.get("/__proto__")).error?.code, -32601);
    assert.equal((await client.post("constructor")).error?.code, -32601);
  });

  it("regression: refuses numbers as ids that it could not give back: two calls would share an answer", async () => {
    for (const id of ["9007199254740993", "1e400", "1.5", "-9007199254740993"]) {
      const { status, text } = await client.raw(`{"jsonrpc":"2.0","id":${id},"method":"health"}`);
      assert.equal(status, 200);
      const { error, ...rest } = JSON.parse(text) as Reply;
      assert.deepEqual([error?.code, rest], [-32600, { jsonrpc: "2.0", id: null }], id);
    }
    for (const id of ["9007199254740991", '"9007199254740993"', "-1", "0"]) {
      const { text } = await client.raw(`{"jsonrpc":"2.0","id":${id},"method":"health"}`);
      assert.ok(text.startsWith(`{"jsonrpc":"2.0","id":${id},"result":`), text);
    }
  });

  it("regression: a method named like something that every object has is no method, without a hint from inside", async () => {
    for (const name of ["constructor", "toString", "__proto__"]) {
      const { error } = await client.post(name);
      assert.equal(error?.code, -32601);
      assert.match(error?.data ?? "", new RegExp(`^"${name}" is no method`));
    }
  });

  it("refuses params of a wrong shape and surplus ones", async () => {
    for (const params of ["x", 5, ["1", "2"], { height: "x" }, { height: 1.5 }, { height: {} }]) {
      assert.equal((await client.post("block", params)).error?.code, -32602, JSON.stringify(params));
    }
    assert.equal((await client.get("/block?height=x")).status, 400);
  });

  it("gives JSON with an error, or an answer, for any body and any path", async () => {
    const anything = fc.oneof(
      fc.string({ maxLength: 60 }),
      fc.json({ maxDepth: 3 }),
      fc
        .record({
          jsonrpc: fc.constant("2.0"),
          id: fc.anything(),
          method: fc.constantFrom("block", "validators"),
          params: fc.anything(),
        })
        .map((value) => {
          try {
            return JSON.stringify(value);
          } catch {
            return "[]";
          }
        }),
    );
    await fc.assert(
      fc.asyncProperty(anything, async (body) => {
        const { status, text } = await client.raw(body);
        if (status === 204) return;
        const value = JSON.parse(text) as Reply | Reply[];
        for (const reply of Array.isArray(value) ? value : [value]) {
          assert.notEqual((reply.error === undefined) === (reply.result === undefined), true);
          assert.doesNotMatch(JSON.stringify(reply), /\.ts:|at async|node_modules/);
        }
      }),
      { numRuns: 150 },
    );
    await fc.assert(
      fc.asyncProperty(fc.webPath(), fc.webQueryParameters(), async (path, query) => {
        const response = await fetch(`${client.url}/${path.replace(/^\/+/, "")}?${query}`);
        await response.text();
        assert.ok([200, 400, 404, 500].includes(response.status), String(response.status));
      }),
      { numRuns: 60 },
    );
    assert.deepEqual(
      log.entries.filter((entry) => entry.level === "error"),
      [],
    );
  });

  it("counts calls by method, unknown ones under one name", () => {
    const methods = new Set(meter.calls.map(([method]) => method));
    assert.ok(methods.has("unknown") && methods.has("block"));
    assert.ok(![...methods].some((method) => method === "comit"));
  });

  it("logs an unexpected failure with its cause and tells the caller only its number", async () => {
    const recorded = recordingLog();
    const view = viewOf(chain, {
      block: async () => {
        throw new Error("secret detail");
      },
    });
    const broken = await createRpcServer({ listen: "127.0.0.1:0" }, view, {
      log: recorded.log,
      metrics: null,
    });
    try {
      const reply = await new Client(broken.url).post("block");
      assert.equal(reply.error?.code, -32603);
      assert.match(reply.error!.data, /unexpected failure 1/);
      assert.doesNotMatch(JSON.stringify(reply), /secret/);
      const entry = recorded.entries.find(({ level }) => level === "error");
      assert.match(JSON.stringify(entry?.facts), /secret detail/);
    } finally {
      await broken.close();
    }
  });
});

describe("bounds", () => {
  it("refuse bodies above 1 MiB, announced or not", async () => {
    const large = await client.raw(" ".repeat(1_048_577));
    assert.equal(large.status, 413);
    const chunks = async function* (): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 20; i++) yield new Uint8Array(65_536).fill(0x20);
    };
    const outcome = await fetch(client.url, { method: "POST", body: chunks(), duplex: "half" }).then(
      (response) => response.status,
      () => "closed",
    );
    assert.ok(outcome === 413 || outcome === "closed", String(outcome));
    assert.equal((await client.get("/health")).status, 200);
  });

  it("refuse batches above 100 calls, empty ones, and JSON nested deeper than 32", async () => {
    const call = { jsonrpc: "2.0", id: 1, method: "health" };
    const full = await client.raw(JSON.stringify(Array.from({ length: 100 }, () => call)));
    assert.equal((JSON.parse(full.text) as Reply[]).length, 100);
    for (const body of [
      JSON.stringify(Array.from({ length: 101 }, () => call)),
      "[]",
      "[".repeat(33) + "]".repeat(33),
      `{"jsonrpc":"2.0","id":1,"method":"health","params":${'{"a":'.repeat(40)}1${"}".repeat(40)}}`,
    ]) {
      const { status, text } = await client.raw(body);
      assert.equal(status, 400);
      assert.equal((JSON.parse(text) as Reply).error?.code, -32600);
    }
    const deep = '{"a":'.repeat(40) + 1 + "}".repeat(40);
    const escaped = await client.raw(
      `{"jsonrpc":"2.0","id":1,"method":"health","params":{"a":"\\\\","b":${deep}}}`,
    );
    assert.equal(
      escaped.status,
      400,
      "a backslash that is escaped itself does not hide the end of its string",
    );
    for (const text of ['\\"[', '"[', "\\["]) {
      const hidden = await client.post("health", { text: text.repeat(1000) });
      assert.ok(hidden.result, "brackets behind an escaped quote are inside the string");
    }
    const brackets = await client.post("health", { text: "[".repeat(1000) });
    assert.deepEqual(brackets.result, {});
  });

  it("refuse other HTTP methods and POST to other paths", async () => {
    assert.equal((await fetch(client.url, { method: "PUT", body: "x" })).status, 405);
    assert.equal((await client.raw("{}", "/status")).status, 404);
    const head = await fetch(`${client.url}/health`, { method: "HEAD" });
    assert.equal(head.status, 200);
    assert.equal(await head.text(), "");
  });

  it("survive bytes that are no HTTP", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
        await new Promise<void>((resolve) => {
          const socket = connect(Number(new URL(client.url).port), "127.0.0.1", () => socket.end(bytes));
          socket.resume();
          socket.on("error", () => undefined);
          socket.on("close", () => resolve());
        });
      }),
      { numRuns: 20 },
    );
    assert.equal((await client.get("/health")).status, 200);
  });

  it("answer 503 while too many requests are under way, probes excepted, then go on", async () => {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let waiting = 0;
    let full: () => void = () => undefined;
    const allWait = new Promise<void>((resolve) => {
      full = resolve;
    });
    const block: RpcView["block"] = async (height) => {
      waiting++;
      if (waiting === 64) full();
      await gate;
      return chain.blocks.get(height) ?? null;
    };
    await withServer(viewOf(chain, { block }), async (other) => {
      const slow = Array.from({ length: 64 }, () => other.get("/block?height=1"));
      await allWait;
      assert.equal((await other.get("/status")).status, 503);
      assert.equal((await other.get("/health")).status, 200);
      assert.equal((await fetch(`${other.url}/ready`)).status, 200);
      release();
      for (const reply of await Promise.all(slow)) assert.equal(reply.status, 200);
      assert.equal((await other.get("/status")).status, 200);
    });
  });
});

describe("listening", () => {
  it("refuses an address that is none, and one that is taken, saying what to do", async () => {
    for (const listen of ["", "nowhere", "127.0.0.1:99999", "a b:1"]) {
      await assert.rejects(createRpcServer({ listen }, viewOf(chain), quiet()), (error: unknown) => {
        return error instanceof RpcError && error.code === "LISTEN" && /write host:port/.test(error.message);
      });
    }
    const taken = new URL(client.url).host;
    await assert.rejects(
      createRpcServer({ listen: taken }, viewOf(chain), quiet()),
      /another process listens/,
    );
  });

  it("takes CometBFT's tcp:// form and closes with connections open", async () => {
    const other = await createRpcServer({ listen: "tcp://127.0.0.1:0" }, viewOf(chain), quiet());
    assert.equal((await fetch(`${other.url}/health`)).status, 200);
    const socket = connect(Number(new URL(other.url).port), "127.0.0.1");
    await new Promise((resolve) => socket.once("connect", resolve));
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => undefined);
    await other.close();
    await closed;
    await assert.rejects(fetch(`${other.url}/health`));
  });
});
