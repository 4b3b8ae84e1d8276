import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";
import { RPC, RpcError } from "../src/errors.ts";
import { type HttpServer, serveHttp } from "../src/server/http.ts";

let server: HttpServer;

before(async () => {
  server = await serveHttp({
    host: "127.0.0.1",
    port: 0,
    methods: {
      echo: (params) => params,
      nothing: () => undefined,
      refuse: () => {
        throw new RpcError(RPC.EXECUTION_REVERTED, "no", "0x12");
      },
      broken: () => {
        throw new TypeError("a bug");
      },
      long: () => "x".repeat(600),
    },
    maxBodyBytes: 2000,
    maxBatch: 3,
    maxResponseBytes: 1000,
    corsOrigins: ["https://wallet.example"],
    virtualHosts: ["localhost"],
    fatal: () => assert.fail("nothing here is fatal"),
  });
});

after(() => server.close());

async function send(
  body: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string; headers: Headers }> {
  const response = await fetch(server.url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

const call = (method: unknown, params: unknown = [], id: unknown = 1): string =>
  JSON.stringify({ jsonrpc: "2.0", id, method, params });

async function codeOf(body: string): Promise<number> {
  const answer = JSON.parse((await send(body)).text) as { error: { code: number } };
  return answer.error.code;
}

describe("JSON-RPC", () => {
  test("answers results, null for nothing, errors with code and data", async () => {
    assert.deepEqual(JSON.parse((await send(call("echo", [1, "a"], "id"))).text), {
      jsonrpc: "2.0",
      id: "id",
      result: [1, "a"],
    });
    assert.equal(JSON.parse((await send(call("nothing"))).text).result, null);
    assert.deepEqual(JSON.parse((await send(call("refuse"))).text).error, {
      code: 3,
      message: "no",
      data: "0x12",
    });
  });

  test("has the code of the specification for each malformed request", async () => {
    assert.equal(await codeOf("{"), RPC.PARSE);
    assert.equal(await codeOf("3"), RPC.INVALID_REQUEST);
    assert.equal(await codeOf("[]"), RPC.INVALID_REQUEST);
    assert.equal(await codeOf(call(5)), RPC.INVALID_REQUEST);
    assert.equal(await codeOf(call("absent")), RPC.METHOD_NOT_FOUND);
    assert.equal(await codeOf(call("constructor")), RPC.METHOD_NOT_FOUND);
    assert.equal(await codeOf(call("echo", { a: 1 })), RPC.INVALID_PARAMS);
    assert.equal(await codeOf(call("broken")), RPC.INTERNAL);
  });

  test("answers batches in order, without notifications, within bounds", async () => {
    const notification = JSON.stringify({ jsonrpc: "2.0", method: "echo" });
    const answers = JSON.parse(
      (await send(`[${call("echo", [], 1)},${notification},${call("absent", [], 2)}]`)).text,
    );
    assert.deepEqual(
      answers.map((answer: { id: number }) => answer.id),
      [1, 2],
    );
    assert.equal((await send(notification)).text, "");
    const four = `[${Array.from({ length: 4 }, (_, i) => call("echo", [], i)).join(",")}]`;
    assert.equal(await codeOf(four), RPC.INVALID_REQUEST);
    const long = JSON.parse((await send(`[${call("long")},${call("long")},${call("long")}]`)).text);
    assert.equal(long[2].error.message, "response too large");
  });
});

describe("HTTP", () => {
  test("refuses other content types and bodies beyond the bound", async () => {
    assert.equal((await send(call("echo"), { "content-type": "text/plain" })).status, 415);
    assert.equal((await send(call("echo", ["x".repeat(2000)]))).status, 413);
    assert.equal((await fetch(server.url, { method: "DELETE" })).status, 405);
    assert.equal((await fetch(server.url)).status, 200);
  });

  test("lets browsers in only from configured origins", async () => {
    const allowed = await send(call("echo"), { origin: "https://wallet.example" });
    assert.equal(allowed.headers.get("access-control-allow-origin"), "https://wallet.example");
    const other = await send(call("echo"), { origin: "https://evil.example" });
    assert.equal(other.headers.get("access-control-allow-origin"), null);
  });

  test("refuses Host names that it was not given, so that no web page can rebind to it", async () => {
    const status = (host: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const { port } = new URL(server.url);
        const sent = request({ host: "127.0.0.1", port, method: "GET", headers: { host } }, (response) => {
          response.resume();
          resolve(response.statusCode);
        });
        sent.on("error", reject);
        sent.end();
      });
    assert.equal(await status("localhost:8545"), 200);
    assert.equal(await status("192.0.2.7:8545"), 200);
    assert.equal(await status("evil.example"), 403);
  });

  test("says which port is taken", async () => {
    const { port } = new URL(server.url);
    const again = serveHttp({
      host: "127.0.0.1",
      port: Number(port),
      methods: {},
      maxBodyBytes: 1,
      maxBatch: 1,
      maxResponseBytes: 1,
      corsOrigins: [],
      virtualHosts: [],
      fatal: () => undefined,
    });
    await assert.rejects(again, { code: "BUSY", message: new RegExp(`port 127.0.0.1:${port} is in use`) });
  });
});
