import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { isAbsolute, join } from "node:path";
import { CliError, ExitCode, errorCode, reasonOf } from "../errors.ts";
import { integerOf, type ParsedArguments } from "../flags.ts";
import { nearest } from "../nearest.ts";
import { type OptionValues, parseConfig } from "./file.ts";
import { environmentName, OPTIONS, type OptionSpec, type OptionValue } from "./options.ts";

/** The options of a node, each from the strongest source that names it. Files are absolute paths. */
export interface Settings {
  readonly moniker: string;
  readonly logLevel: string;
  readonly logFormat: "human" | "json";
  readonly haltHeight: number;
  readonly verifyWorkers: number;
  readonly voteTrace: string;
  readonly p2p: {
    readonly listen: readonly string[];
    readonly announce: readonly string[];
    readonly persistentPeers: readonly string[];
    readonly allow: readonly string[];
    readonly validatorPeers: Readonly<Record<string, string>>;
    readonly maxPeers: number;
    readonly gossipTxs: boolean;
  };
  readonly rpcListen: string;
  readonly metricsListen: string;
  readonly execution: {
    readonly embedded: boolean;
    readonly engineUrl: string;
    readonly ethUrl: string;
    readonly jwtFile: string;
    readonly buildWindowMs: number;
    readonly httpPort: number;
    readonly enginePort: number;
  };
}

/** Environment names that belong to the command itself, not to an option. */
const OWN_ENVIRONMENT = ["VALIDATOR_HOME"];

/** @throws CliError config when no home was made there. */
export function requireHome(home: string): void {
  readConfigFile(home);
}

/** Reads `config/config.toml` of the home. @throws CliError config when it is missing or wrong. */
export function readConfigFile(home: string): OptionValues {
  const file = join(home, "config", "config.toml");
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") {
      throw new CliError(
        ExitCode.config,
        `${file} does not exist`,
        `run \`validator init --home ${home}\` first`,
      );
    }
    throw new CliError(
      ExitCode.config,
      `${file} cannot be read (${reasonOf(error)})`,
      "check owner and permissions",
    );
  }
  return parseConfig(text, file);
}

/** Values that flags gave. */
export function flagValues(args: ParsedArguments): OptionValues {
  const values = new Map<string, OptionValue>();
  for (const { key, flag, kind } of OPTIONS) {
    if (flag === null || kind === "table" || !args.has(flag)) continue;
    const value = kind === "boolean" ? args.boolean(flag) : args[kind](flag);
    if (value !== undefined) values.set(key, value);
  }
  return values;
}

/** Values that VALIDATOR_* variables gave, and the variables that mean nothing (with what was probably meant). */
export function environmentValues(env: Readonly<Record<string, string | undefined>>): {
  readonly values: OptionValues;
  readonly unknown: readonly { readonly name: string; readonly nearest: string | null }[];
} {
  const byName = new Map(
    OPTIONS.filter(({ kind }) => kind !== "table").map((spec) => [environmentName(spec), spec]),
  );
  const values = new Map<string, OptionValue>();
  const unknown: { name: string; nearest: string | null }[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith("VALIDATOR_") || text === undefined || OWN_ENVIRONMENT.includes(name)) continue;
    const spec = byName.get(name);
    if (spec === undefined) unknown.push({ name, nearest: nearest(name, byName.keys()) });
    else values.set(spec.key, fromText(spec, name, text));
  }
  return { values, unknown };
}

function fromText(spec: OptionSpec, name: string, text: string): OptionValue {
  switch (spec.kind) {
    case "integer":
      return integerOf(name, text, spec.min ?? 0, spec.max ?? Number.MAX_SAFE_INTEGER);
    case "boolean":
      if (text === "true" || text === "false") return text === "true";
      throw new CliError(ExitCode.usage, `${name} is ${JSON.stringify(text)}`, "write true or false");
    case "list":
      return text.split(",").filter((item) => item !== "");
    case "string":
    case "table":
      return text;
  }
}

/** Flag > environment > file > default, with the checks that concern more than one value's kind. */
export function resolveSettings(home: string, sources: readonly OptionValues[]): Settings {
  const pick = (key: string): OptionValue => {
    for (const source of sources) {
      const value = source.get(key);
      if (value !== undefined) return value;
    }
    const spec = OPTIONS.find((option) => option.key === key);
    if (spec === undefined) throw new TypeError(`no option ${key}`);
    return spec.default;
  };
  const text = (key: string): string => String(pick(key));
  const integer = (key: string): number => Number(pick(key));
  const list = (key: string): readonly string[] => pick(key) as readonly string[];
  const inHome = (key: string): string => {
    const path = text(key);
    return path === "" || isAbsolute(path) ? path : join(home, path);
  };
  return {
    moniker: limited("moniker", text("moniker")),
    logLevel: text("log_level"),
    logFormat: oneOf("log_format", text("log_format"), ["human", "json"] as const),
    haltHeight: integer("halt_height"),
    verifyWorkers: integer("verify_workers"),
    voteTrace: inHome("vote_trace"),
    p2p: {
      listen: multiaddrs("p2p.listen", list("p2p.listen"), false),
      announce: multiaddrs("p2p.announce", list("p2p.announce"), false),
      persistentPeers: multiaddrs("p2p.persistent_peers", list("p2p.persistent_peers"), true),
      allow: list("p2p.allow"),
      validatorPeers: pick("p2p.validator_peers") as Readonly<Record<string, string>>,
      maxPeers: integer("p2p.max_peers"),
      gossipTxs: pick("p2p.gossip_txs") === true,
    },
    rpcListen: listenAddress("rpc.listen", text("rpc.listen")),
    metricsListen: listenAddress("metrics.listen", text("metrics.listen")),
    execution: executionSettings(text, integer, inHome("execution.jwt_file")),
  };
}

function executionSettings(
  text: (key: string) => string,
  integer: (key: string) => number,
  jwtFile: string,
): Settings["execution"] {
  const client = text("execution.client");
  const shared = {
    jwtFile,
    httpPort: integer("execution.http_port"),
    enginePort: integer("execution.engine_port"),
  };
  if (client === "embedded") {
    return {
      ...shared,
      embedded: true,
      engineUrl: `http://127.0.0.1:${shared.enginePort}`,
      ethUrl: `http://127.0.0.1:${shared.httpPort}`,
      buildWindowMs: 0,
    };
  }
  const engine = httpUrl("execution.client", client, 'write "embedded" or the Engine API\'s URL');
  const given = text("execution.eth_url");
  const eth = given === "" ? new URL(engine) : httpUrl("execution.eth_url", given, "write an http URL");
  if (given === "") eth.port = "8545";
  return {
    ...shared,
    embedded: false,
    engineUrl: plainUrl(engine),
    ethUrl: plainUrl(eth),
    buildWindowMs: integer("execution.build_window"),
  };
}

function plainUrl(url: URL): string {
  return url.href.replace(/\/$/, "");
}

function invalid(key: string, value: string, action: string): CliError {
  return new CliError(ExitCode.config, `option ${key} is ${JSON.stringify(value)}`, action);
}

function limited(key: string, value: string): string {
  if (value.length >= 1 && value.length <= 64 && /^[\x20-\x7e]+$/.test(value)) return value;
  throw invalid(key, value, "write 1 to 64 printable ASCII characters");
}

function oneOf<const T extends string>(key: string, value: string, known: readonly T[]): T {
  const found = known.find((item) => item === value);
  if (found !== undefined) return found;
  throw invalid(key, value, `write ${known.join(" or ")}`);
}

function multiaddrs(key: string, values: readonly string[], withPeerId: boolean): readonly string[] {
  for (const value of values) {
    const form = /^\/(ip4|ip6|dns|dns4|dns6)\/[^/]+\/tcp\/\d{1,5}(\/p2p\/[A-Za-z0-9]+)?$/.exec(value);
    if (form === null) throw invalid(key, value, "write a multiaddr such as /ip4/192.0.2.1/tcp/26656");
    if (withPeerId && form[2] === undefined) {
      throw invalid(
        key,
        value,
        "end it with /p2p/PEER_ID of that node (`validator key show` there shows it)",
      );
    }
  }
  return values;
}

/** `host:port` with a name, an IPv4 or a bracketed IPv6 address; "" = off. */
function listenAddress(key: string, value: string): string {
  if (value === "") return value;
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(value);
  const port = Number(match?.[3]);
  const bracketed = match?.[1];
  if (match !== null && port <= 65_535 && (bracketed === undefined || isIP(bracketed) === 6)) return value;
  throw invalid(key, value, 'write HOST:PORT, e.g. "127.0.0.1:26657"');
}

function httpUrl(key: string, value: string, action: string): URL {
  if (URL.canParse(value)) {
    const url = new URL(value);
    if (url.protocol === "http:" || url.protocol === "https:") return url;
  }
  throw invalid(key, value, action);
}
