/** What the node's clients read from servers that may lie: the pool of an execution client, and the CLI from a node's RPC. */
import type { HttpEndpoint } from "@quorate/execution";
import { parseCondition, statusText } from "../../packages/cli/src/commands/status.ts";
import { CliError } from "../../packages/cli/src/errors.ts";
import { numberAt, textAt } from "../../packages/cli/src/rpc-client.ts";
import { openJsonRpc } from "../../packages/execution/src/engine/rpc.ts";
import { LIMITS } from "../../packages/execution/src/limits.ts";
import { TxPool } from "../../packages/execution/src/pool.ts";
import { mutateJson, mutateText } from "../mutate.ts";
import type { Random } from "../random.ts";
import { type Outcome, refusable, type Target, Violation } from "../target.ts";

const utf8 = new TextEncoder();
const text = new TextDecoder();

const CLOCK = { wallMs: () => 1_700_000_000_000, monotonicMs: () => 0, timer: () => () => undefined };
const TIMING = {
  executeTimeoutMs: 1000,
  callTimeoutMs: 1000,
  retryMinMs: 1,
  retryMaxMs: 1,
  probeMs: 1000,
  buildWindowMaxMs: 1,
};

const hash = (random: Random): string => `0x${Buffer.from(random.bytes(32)).toString("hex")}`;
const raw = (random: Random): string =>
  `0x${random.pick(["02", "03", "f8", ""])}${Buffer.from(random.bytes(random.below(200))).toString("hex")}`;
const ERROR = { code: -32000, message: "already known" };

/** In the place of an answer's id: that of the request. */
const ID = "$";

/** Answers by method; `eth_…[]` stands for one item of a batch. */
type Answers = Readonly<Record<string, unknown>>;

function someAnswers(random: Random): Answers {
  const content = Object.fromEntries(
    Array.from({ length: random.below(4) }, (_, sender) => [
      `0x${sender}`,
      Object.fromEntries(
        Array.from({ length: random.below(4) }, (_, nonce) => [nonce, { hash: hash(random) }]),
      ),
    ]),
  );
  const item = (result: unknown): object =>
    random.oneIn(6) ? { jsonrpc: "2.0", id: ID, error: ERROR } : { jsonrpc: "2.0", id: ID, result };
  return {
    eth_newPendingTransactionFilter: item(random.oneIn(3) ? null : "0x1"),
    eth_getFilterChanges: item(Array.from({ length: random.below(5) }, () => hash(random))),
    txpool_content: item({ pending: content, queued: {} }),
    eth_getRawTransactionByHash: item(random.oneIn(5) ? null : raw(random)),
    eth_sendRawTransaction: item(hash(random)),
  };
}

/** An HTTP body for a request: its answers by method, with its ids. */
function replyTo(answers: Answers, body: Buffer): Buffer {
  const request: unknown = JSON.parse(body.toString("utf8"));
  const one = (call: { readonly id: number; readonly method: string }): unknown => {
    const answer = answers[call.method];
    return typeof answer === "object" && answer !== null && "id" in answer && answer.id === ID
      ? { ...answer, id: call.id }
      : (answer ?? null);
  };
  const calls = request as { readonly id: number; readonly method: string }[];
  return Buffer.from(
    JSON.stringify(Array.isArray(request) ? calls.map(one) : one(request as (typeof calls)[0])),
  );
}

const isAnswers = (value: unknown): value is Answers =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const pool: Target = {
  name: "el-pool",
  what: "answers about the pool of an execution client",
  valid: (random) => utf8.encode(JSON.stringify(someAnswers(random))),
  mutate: mutateJson,
  run: async (input): Promise<Outcome> => {
    let answers: unknown = null;
    try {
      answers = JSON.parse(text.decode(input));
    } catch {
      // The body itself is what the client gets.
    }
    const endpoint: HttpEndpoint = {
      label: "fuzz",
      post: async ({ body }) => ({
        kind: "reply",
        status: 200,
        body: isAnswers(answers) ? replyTo(answers, body) : Buffer.from(input),
        date: null,
      }),
      close: () => undefined,
    };
    const said: string[] = [];
    const say = (message: string, facts: object = {}): void => {
      said.push(`${message} ${Object.values(facts).join(" ")}`);
    };
    const log = { debug: say, info: say, warn: say, error: say };
    const txs = new TxPool(openJsonRpc(endpoint, null, CLOCK, null), TIMING, log);
    let handed = 0;
    for (let call = 0; call < 3; call++) {
      for (const tx of await txs.pending()) {
        handed++;
        if (tx.length === 0 || tx.length > LIMITS.txBytes || tx[0] === 0x03)
          throw new Violation(`a transaction of ${tx.length} bytes and type ${tx[0]} is handed out`);
      }
    }
    const { accepted, reason = "" } = await txs.submit(Uint8Array.of(2, 1));
    for (const line of [reason, ...said]) {
      if (line.length > 2_000 || !/^[\x20-\x7e]*$/.test(line))
        throw new Violation(`a line for the log of ${line.length} characters, or unprintable`);
    }
    if (said.length > 1) throw new Violation(`${said.length} lines in the log for one trouble`);
    return accepted || handed > 0 ? "accepted" : "refused";
  },
};

function someStatus(random: Random): object {
  return {
    node_info: { network: "chain", moniker: "node0", id: "12D3KooW" },
    sync_info: {
      latest_block_height: String(random.below(1000)),
      latest_block_hash: hash(random).slice(2).toUpperCase(),
      latest_block_time: "2026-01-01T00:00:00Z",
      catching_up: random.oneIn(2),
    },
    consensus: {
      height: "8",
      round: 0,
      step: "Propose",
      prevotes_power: "10",
      precommits_power: "0",
      total_power: "40",
      missing: [hash(random), hash(random)],
    },
    execution: { client: "Geth/v1.17.8", executed_height: "7", detail: "ready" },
  };
}

const status: Target = {
  name: "cli-status",
  what: "a node's /status as the CLI shows it",
  valid: (random) => utf8.encode(JSON.stringify(someStatus(random))),
  mutate: mutateJson,
  run: (input) => {
    let document: unknown;
    try {
      document = JSON.parse(text.decode(input));
    } catch {
      return "refused";
    }
    const shown = statusText(document);
    if (/[^\P{C}\n]/u.test(shown)) throw new Violation("what a node says moves the terminal's cursor");
    const height = numberAt(document, "sync_info", "latest_block_height");
    if (typeof height !== "number") throw new Violation("a height that is no number");
    return Number.isNaN(height) || textAt(document, "node_info", "network") === "" ? "refused" : "accepted";
  },
};

const condition: Target = {
  name: "wait",
  what: "conditions of status --wait",
  valid: (random) =>
    utf8.encode(random.pick(["synced", `height=${random.below(10_000)}`, `height+=${random.below(100)}`])),
  mutate: mutateText,
  run: (input) =>
    refusable([CliError], () => {
      const parsed = parseCondition(text.decode(input));
      if (parsed.kind !== "synced" && !Number.isSafeInteger(parsed.value))
        throw new Violation(`waits for height ${parsed.value}`);
    }),
};

export const clientTargets: readonly Target[] = [pool, status, condition];
