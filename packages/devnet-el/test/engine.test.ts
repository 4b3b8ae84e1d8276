import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  acceptBlock,
  attributes,
  type BuiltEnvelope,
  type ForkchoiceAnswer,
  forkchoice,
  type Json,
  jwt,
  type PayloadStatus,
  produceBlock,
  RemoteError,
  ROOT,
  ZERO,
} from "./support/client.ts";
import { type Child, SECRET, startEl, testGenesis, type Workspace, workspace } from "./support/process.ts";
import { Signers } from "./support/transactions.ts";

const UNKNOWN = `0x${"0f".repeat(32)}`;

let space: Workspace;
let el: Child;
const signers = new Signers();

before(async () => {
  space = workspace(testGenesis());
  el = await startEl(space);
  await produceBlock(el.engine);
});

after(async () => {
  await el.stop();
  space.remove();
});

interface Head {
  readonly hash: string;
  readonly number: string;
  readonly timestamp: string;
  readonly parentHash: string;
}

const head = (): Promise<Head> => el.engine<Head>("eth_getBlockByNumber", "latest", false);

async function build(changes: Parameters<typeof attributes>[1] = {}, after = 1): Promise<BuiltEnvelope> {
  const { hash, timestamp } = await head();
  const { payloadId } = await el.engine<ForkchoiceAnswer>(
    "engine_forkchoiceUpdatedV3",
    forkchoice(hash),
    attributes(Number(timestamp) + after, changes),
  );
  return el.engine<BuiltEnvelope>("engine_getPayloadV5", payloadId);
}

const newPayload = (built: BuiltEnvelope, changes: Json = {}): Promise<PayloadStatus> =>
  el.engine<PayloadStatus>(
    "engine_newPayloadV4",
    { ...built.executionPayload, ...changes },
    [],
    ROOT,
    built.executionRequests,
  );

async function codeOf(call: Promise<unknown>): Promise<number> {
  const error: unknown = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof RemoteError, `expected an error, got ${String(error)}`);
  return error.code;
}

describe("newPayload", () => {
  test("says SYNCING for an unknown parent, with its hash right", async () => {
    const fork = await build();
    const other = await startEl(space, "other");
    try {
      await produceBlock(other.engine, { prevRandao: `0x${"22".repeat(32)}` });
      const status = await other.engine<PayloadStatus>(
        "engine_newPayloadV4",
        fork.executionPayload,
        [],
        ROOT,
        fork.executionRequests,
      );
      assert.deepEqual(status, { status: "SYNCING", latestValidHash: null, validationError: null });
    } finally {
      await other.stop();
    }
  });

  test("computes the hash anew even for a block that it knows", async () => {
    const built = await build();
    assert.equal((await newPayload(built)).status, "VALID");
    const tampered = await newPayload(built, { feeRecipient: `0x${"bb".repeat(20)}` });
    assert.equal(tampered.status, "INVALID");
    assert.equal(tampered.latestValidHash, null);
    assert.match(tampered.validationError ?? "", /blockhash mismatch/);
  });

  test("refuses requests that are absent, empty, unordered or of the wrong shape with -32602", async () => {
    const { executionPayload } = await build();
    for (const requests of [null, ["0x00"], ["0x01ff", "0x00ff"], ["0x01ff", "0x01ff"], "0x", [1]]) {
      const call = el.engine("engine_newPayloadV4", executionPayload, [], ROOT, requests);
      assert.equal(await codeOf(call), -32602, JSON.stringify(requests));
    }
    const stripped = await el.engine<PayloadStatus>("engine_newPayloadV4", executionPayload, [], ROOT, [
      "0x00ff",
    ]);
    assert.equal(stripped.status, "INVALID");
  });

  test("refuses a payload with missing or malformed fields with -32602", async () => {
    const { executionPayload } = await build();
    for (const [field, value] of [
      ["stateRoot", "0x12"],
      ["blockNumber", "12"],
      ["transactions", null],
      ["withdrawals", undefined],
      ["gasLimit", "0x1ffffffffffffffff"],
    ] as const) {
      const call = el.engine("engine_newPayloadV4", { ...executionPayload, [field]: value }, [], ROOT, []);
      assert.equal(await codeOf(call), -32602, field);
    }
    assert.equal(await codeOf(el.engine("engine_newPayloadV4")), -32602);
  });

  test("says INVALID for blob hashes, as no block here has blobs", async () => {
    const { executionPayload } = await build();
    const status = await el.engine<PayloadStatus>(
      "engine_newPayloadV4",
      executionPayload,
      [UNKNOWN],
      ROOT,
      [],
    );
    assert.equal(status.status, "INVALID");
  });
});

describe("forkchoiceUpdated", () => {
  test("says SYNCING for an unknown head and INVALID for the zero head", async () => {
    const unknown = await el.engine<ForkchoiceAnswer>(
      "engine_forkchoiceUpdatedV3",
      forkchoice(UNKNOWN),
      null,
    );
    assert.deepEqual(unknown, {
      payloadStatus: { status: "SYNCING", latestValidHash: null, validationError: null },
      payloadId: null,
    });
    const zero = await el.engine<ForkchoiceAnswer>("engine_forkchoiceUpdatedV3", forkchoice(ZERO), null);
    assert.equal(zero.payloadStatus.status, "INVALID");
  });

  test("refuses an unknown safe or finalized block with -38002 and leaves the head", async () => {
    const built = await build();
    const { hash } = await head();
    for (const field of ["safeBlockHash", "finalizedBlockHash"]) {
      const state = { ...forkchoice(built.executionPayload.blockHash), [field]: UNKNOWN };
      assert.equal(await codeOf(el.engine("engine_forkchoiceUpdatedV3", state, null)), -38002);
      assert.equal((await head()).hash, hash);
    }
  });

  test("ignores an ancestor of the head: VALID, nothing built", async () => {
    const { hash, parentHash, timestamp } = await head();
    const answer = await el.engine<ForkchoiceAnswer>(
      "engine_forkchoiceUpdatedV3",
      { headBlockHash: parentHash, safeBlockHash: ZERO, finalizedBlockHash: ZERO },
      attributes(Number(timestamp) + 5),
    );
    assert.equal(answer.payloadStatus.status, "VALID");
    assert.equal(answer.payloadId, null);
    assert.equal((await head()).hash, hash);
  });

  test("never leaves a finalized block for its sibling", async () => {
    const one = await build({ prevRandao: `0x${"01".repeat(32)}` });
    const two = await build({ prevRandao: `0x${"02".repeat(32)}` });
    assert.equal((await newPayload(one)).status, "VALID");
    assert.equal((await newPayload(two)).status, "VALID");
    await acceptBlock(el.engine, one);
    // A block that can no longer be decided is forgotten, so its head is as unknown as any other.
    const answer = await el.engine<ForkchoiceAnswer>(
      "engine_forkchoiceUpdatedV3",
      { ...forkchoice(two.executionPayload.blockHash), finalizedBlockHash: ZERO, safeBlockHash: ZERO },
      null,
    );
    assert.equal(answer.payloadStatus.status, "SYNCING");
    assert.equal((await head()).hash, one.executionPayload.blockHash);
  });

  test("refuses attributes that are incomplete or not later than the parent with -38003, the head stays moved", async () => {
    const built = await build();
    const { executionPayload } = built;
    assert.equal((await newPayload(built)).status, "VALID");
    const early = el.engine(
      "engine_forkchoiceUpdatedV3",
      forkchoice(executionPayload.blockHash),
      attributes(Number(executionPayload.timestamp)),
    );
    assert.equal(await codeOf(early), -38003);
    assert.equal((await head()).hash, executionPayload.blockHash);
    for (const field of ["withdrawals", "parentBeaconBlockRoot"]) {
      const incomplete = { ...attributes(Number(executionPayload.timestamp) + 1), [field]: null };
      assert.equal(
        await codeOf(
          el.engine("engine_forkchoiceUpdatedV3", forkchoice(executionPayload.blockHash), incomplete),
        ),
        -38003,
      );
    }
  });

  test("moves between siblings while neither is final, and back", async () => {
    const one = await build({ prevRandao: `0x${"03".repeat(32)}` });
    const raw = await signers.sign(2, { to: signers.address(3), value: 1n });
    const hash = await el.eth<string>("eth_sendRawTransaction", raw);
    const two = await build({ prevRandao: `0x${"04".repeat(32)}` });
    assert.equal(two.executionPayload.transactions.length, 1);
    const move = async (built: BuiltEnvelope): Promise<void> => {
      assert.equal((await newPayload(built)).status, "VALID");
      const state = {
        ...forkchoice(built.executionPayload.blockHash),
        finalizedBlockHash: ZERO,
        safeBlockHash: ZERO,
      };
      const answer = await el.engine<ForkchoiceAnswer>("engine_forkchoiceUpdatedV3", state, null);
      assert.equal(answer.payloadStatus.status, "VALID");
      assert.equal((await head()).hash, built.executionPayload.blockHash);
    };
    await move(two);
    assert.notEqual(await el.eth("eth_getTransactionReceipt", hash), null);
    await move(one);
    assert.equal(await el.eth("eth_getTransactionReceipt", hash), null);
    assert.equal((await el.eth<Json>("eth_getTransactionByHash", hash))["blockHash"], null);
    await move(two);
    assert.equal(
      (await el.eth<Json>("eth_getTransactionReceipt", hash))["blockHash"],
      two.executionPayload.blockHash,
    );
    await acceptBlock(el.engine, two);
  });

  test("gives equal attributes the same payload, other attributes another", async () => {
    const first = await build();
    const again = await build();
    const other = await build({ prevRandao: `0x${"77".repeat(32)}` });
    assert.deepEqual(again, first);
    assert.notEqual(other.executionPayload.blockHash, first.executionPayload.blockHash);
  });
});

describe("getPayload", () => {
  test("knows only its own ids and the version of the fork", async () => {
    assert.equal(await codeOf(el.engine("engine_getPayloadV5", "0x0300000000000000")), -38001);
    assert.equal(await codeOf(el.engine("engine_getPayloadV5", "0x0100000000000000")), -38005);
    assert.equal(await codeOf(el.engine("engine_getPayloadV4", "0x0300000000000000")), -38005);
    assert.equal(await codeOf(el.engine("engine_newPayloadV3", {})), -38005);
    assert.equal(await codeOf(el.engine("engine_getPayloadV5", "0x03")), -32602);
  });

  test("includes a transaction that arrives after the build began", async () => {
    const { hash, timestamp } = await head();
    const { payloadId } = await el.engine<ForkchoiceAnswer>(
      "engine_forkchoiceUpdatedV3",
      forkchoice(hash),
      attributes(Number(timestamp) + 9),
    );
    const sent = await el.eth(
      "eth_sendRawTransaction",
      await signers.sign(0, { to: signers.address(1), value: 1n }),
    );
    const built = await el.engine<BuiltEnvelope>("engine_getPayloadV5", payloadId);
    assert.equal(built.executionPayload.transactions.length, 1);
    await acceptBlock(el.engine, built);
    assert.equal((await el.eth<Json>("eth_getTransactionReceipt", sent))["status"], "0x1");
  });

  test("is not held up by a transaction whose fee cap is below the base fee", async () => {
    const cheap = await signers.accounts[6]!.signTransaction({
      type: "eip1559",
      chainId: 31337001,
      nonce: 0,
      to: signers.address(1),
      gas: 21_000n,
      maxFeePerGas: 1n,
      maxPriorityFeePerGas: 1n,
    });
    await el.eth("eth_sendRawTransaction", cheap);
    await el.eth("eth_sendRawTransaction", await signers.sign(1, { to: signers.address(1), value: 1n }));
    const built = await produceBlock(el.engine);
    assert.equal(built.executionPayload.transactions.length, 1);
    assert.deepEqual(await el.eth("txpool_status"), { pending: "0x1", queued: "0x0" });
  });
});

describe("the rest of the Engine API", () => {
  test("advertises what it serves", async () => {
    const capabilities = await el.engine<string[]>("engine_exchangeCapabilities", []);
    assert.deepEqual(capabilities.sort(), [
      "engine_forkchoiceUpdatedV3",
      "engine_getClientVersionV1",
      "engine_getPayloadBodiesByHashV1",
      "engine_getPayloadBodiesByRangeV1",
      "engine_getPayloadV5",
      "engine_newPayloadV4",
    ]);
    const [version] = await el.engine<Json[]>("engine_getClientVersionV1", {
      code: "QU",
      name: "q",
      version: "1",
      commit: "0x00000000",
    });
    assert.equal(version?.["name"], "quorate-devnet-el");
  });

  test("serves bodies by range and hash, trimmed at the head, within bounds", async () => {
    const { number, hash } = await head();
    const bodies = await el.engine<Json[]>("engine_getPayloadBodiesByRangeV1", "0x1", "0x20");
    assert.equal(bodies.length, Number(number));
    const byHash = await el.engine<unknown[]>("engine_getPayloadBodiesByHashV1", [hash, UNKNOWN]);
    assert.equal(byHash[1], null);
    assert.equal(await codeOf(el.engine("engine_getPayloadBodiesByRangeV1", "0x0", "0x1")), -32602);
    assert.equal(await codeOf(el.engine("engine_getPayloadBodiesByRangeV1", "0x1", "0x401")), -38004);
  });
});

describe("authentication", () => {
  const post = (headers: Record<string, string>): Promise<Response> =>
    fetch(el.engineUrl, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] }),
    });
  const now = (): number => Math.floor(Date.now() / 1000);

  test("refuses every wrong token with 401 and plain text", async () => {
    const other = new Uint8Array(32).fill(8);
    const cases: Record<string, string | undefined> = {
      "missing token": undefined,
      "signature is invalid": jwt(other),
      "stale token": jwt(SECRET, { iat: now() - 62 }),
      "future token": jwt(SECRET, { iat: now() + 65 }),
      "missing issued-at": jwt(SECRET, {}),
      "signing method none is invalid": jwt(SECRET, { iat: now() }, "none"),
      // Once a name that no String() gets through ended the process.
      "signing method of no name is invalid": `${Buffer.from('{"alg":{"toString":null}}').toString("base64url")}.e30.AA`,
      "token is expired": jwt(SECRET, { iat: now(), exp: now() - 5 }),
    };
    for (const [reason, token] of Object.entries(cases)) {
      const response = await post(token === undefined ? {} : { authorization: `Bearer ${token}` });
      assert.equal(response.status, 401, reason);
      assert.equal((await response.text()).trim(), reason);
    }
  });

  test("accepts a clock within a minute and unknown claims", async () => {
    for (const iat of [now() - 55, now() + 55]) {
      const response = await post({ authorization: `bearer ${jwt(SECRET, { iat, id: "x", clv: "y" })}` });
      assert.equal(response.status, 200);
    }
  });
});
