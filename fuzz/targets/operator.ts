/** What operators and clients write: RPC requests, config.toml, flags, listen addresses, exported sign states. */
import { CliError } from "@quorate/cli";
import { RpcError } from "@quorate/rpc";
import { parseConfig, renderConfig } from "../../packages/cli/src/config/file.ts";
import { OPTIONS } from "../../packages/cli/src/config/options.ts";
import { environmentValues, resolveSettings } from "../../packages/cli/src/config/settings.ts";
import { parseArguments } from "../../packages/cli/src/flags.ts";
import { Dispatcher } from "../../packages/rpc/src/dispatch.ts";
import { parseListen } from "../../packages/rpc/src/listen.ts";
import { createMethods } from "../../packages/rpc/src/methods.ts";
import { MemoryChain, viewOf } from "../../packages/rpc/test/memory-chain.ts";
import { mutateJson, mutateText } from "../mutate.ts";
import type { Random } from "../random.ts";
import { refusable, type Target, Violation } from "../target.ts";

const utf8 = new TextEncoder();
const text = new TextDecoder();

const QUIET = { debug: () => undefined, info: () => undefined, warn: () => undefined };

interface Served {
  readonly dispatcher: Dispatcher;
  readonly names: readonly string[];
  /** Unexpected failures, which the server only logs. */
  readonly faults: string[];
}

/** A server's inside over a real chain of a few blocks, made when the first request comes. */
function server(): () => Served {
  let served: Served | null = null;
  return () => {
    if (served !== null) return served;
    const chain = new MemoryChain(1_700_000_000_000);
    chain.grow(6);
    const faults: string[] = [];
    const log = {
      ...QUIET,
      error: (message: string, facts?: object) => void faults.push(`${message} ${JSON.stringify(facts)}`),
    };
    const methods = createMethods(viewOf(chain), log);
    served = {
      dispatcher: new Dispatcher(methods, { log, metrics: null }),
      names: [...methods.keys()],
      faults,
    };
    return served;
  };
}

const posted = server();
const got = server();

function request(random: Random, names: readonly string[]): object {
  const params = random.pick<unknown>([
    undefined,
    [],
    {},
    { height: random.pick(["1", 3, "0", "-1", "99"]) },
    { minHeight: "1", maxHeight: "6" },
    { hash: `0x${"ab".repeat(32)}` },
    { page: "1", per_page: "2", height: "2" },
    ["2"],
    { chunk: "0" },
  ]);
  return { jsonrpc: "2.0", id: random.pick<unknown>([1, "a", -1]), method: random.pick(names), params };
}

function judgeFaults(faults: string[]): void {
  const [first] = faults.splice(0);
  if (first !== undefined)
    throw new Violation(`an unexpected failure behind the answer: ${first.slice(0, 600)}`);
}

const isAnswer = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  "jsonrpc" in value &&
  ("result" in value || "error" in value);

const rpcPost: Target = {
  name: "rpc-post",
  what: "JSON-RPC requests by POST",
  valid: (random) => {
    const { names } = posted();
    const one = request(random, names);
    return utf8.encode(JSON.stringify(random.oneIn(3) ? [one, request(random, names)] : one));
  },
  mutate: mutateJson,
  run: async (input) => {
    const { dispatcher, faults } = posted();
    const { status, text: answer } = await dispatcher.post(text.decode(input));
    judgeFaults(faults);
    if (status === 204) return "accepted";
    const value: unknown = JSON.parse(answer);
    const list = Array.isArray(value) ? value : [value];
    if (!list.every(isAnswer)) throw new Violation(`no JSON-RPC answer: ${answer.slice(0, 200)}`);
    const errors = list.some((each) => typeof each === "object" && each !== null && "error" in each);
    return status === 200 && !errors ? "accepted" : "refused";
  },
};

const rpcGet: Target = {
  name: "rpc-get",
  what: "RPC requests by URI",
  valid: (random) => {
    const { names } = got();
    const query = random.pick([
      "",
      "?height=2",
      "?height=%222%22",
      "?hash=0xabcd",
      "?page=1&per_page=100",
      "?chunk=0",
    ]);
    return utf8.encode(`/${random.pick(names)}${query}`);
  },
  mutate: mutateText,
  run: async (input) => {
    const { dispatcher, faults } = got();
    const target = text.decode(input);
    // As the server takes an URL apart.
    if (!URL.canParse(target, "http://localhost")) return "refused";
    const url = new URL(target, "http://localhost");
    const { status, text: answer } = await dispatcher.get(url.pathname.slice(1), url.searchParams);
    judgeFaults(faults);
    if (!isAnswer(JSON.parse(answer))) throw new Violation(`no JSON-RPC answer: ${answer.slice(0, 200)}`);
    return status === 200 ? "accepted" : "refused";
  },
};

const config: Target = {
  name: "config",
  what: "config.toml",
  valid: () => utf8.encode(renderConfig(new Map())),
  mutate: mutateText,
  run: (input) =>
    refusable([CliError], () => {
      const values = parseConfig(text.decode(input), "config.toml");
      for (const key of values.keys()) {
        if (!OPTIONS.some((option) => option.key === key))
          throw new Violation(`an option that does not exist: ${key}`);
      }
      resolveSettings("/home", [values]);
      const again = parseConfig(renderConfig(values), "config.toml");
      for (const [key, value] of values) {
        if (JSON.stringify(again.get(key)) !== JSON.stringify(value)) {
          throw new Violation(`${key} changes when the file is written and read again`);
        }
      }
    }),
};

const SPECS = [
  { name: "home", kind: "string", help: "" },
  { name: "count", kind: "integer", help: "", min: 0, max: 99 },
  { name: "json", kind: "boolean", help: "" },
  { name: "peers", kind: "list", help: "" },
] as const;

const flags: Target = {
  name: "flags",
  what: "flags and VALIDATOR_* variables",
  valid: (random) =>
    utf8.encode(
      Array.from({ length: random.below(5) }, () =>
        random.pick([
          "--home",
          "x",
          "--count=7",
          "--count",
          "7",
          "--json",
          "--peers=a,b",
          "-h",
          "--",
          "word",
        ]),
      ).join("\n"),
    ),
  mutate: mutateText,
  run: (input) => {
    const words = text.decode(input).split("\n");
    return refusable([CliError], () => {
      parseArguments(words, SPECS, [{ name: "WORD", help: "" }], "validator x");
      environmentValues(Object.fromEntries(words.map((word) => [`VALIDATOR_${word}`, word])));
    });
  },
};

const listen: Target = {
  name: "listen",
  what: "addresses to listen on",
  valid: (random) =>
    utf8.encode(random.pick(["127.0.0.1:26657", "[::1]:1", "tcp://0.0.0.0:26657", ":0", "host:65535"])),
  mutate: mutateText,
  run: (input) => refusable([RpcError], () => void parseListen(text.decode(input))),
};

export const operatorTargets: readonly Target[] = [rpcPost, rpcGet, config, flags, listen];
