import { parseArgs } from "node:util";
import { DevnetElError, reasonOf } from "./errors.ts";
import type { LogFormat } from "./log.ts";

/** The command line, checked. */
export interface Options {
  readonly genesisFile: string;
  readonly dataDir: string;
  readonly httpAddr: string;
  readonly httpPort: number;
  readonly enginePort: number;
  readonly jwtFile: string;
  /** gas limit that blocks move to; default that of genesis */
  readonly gasLimit: bigint | undefined;
  readonly exitWithParent: boolean;
  readonly logFormat: LogFormat;
  readonly corsOrigins: readonly string[];
  readonly virtualHosts: readonly string[];
  /** milliseconds of execution of an eager build */
  readonly buildBudget: number;
  /** milliseconds after which newPayload answers SYNCING while it goes on */
  readonly validationBudget: number;
  /** mebibytes of the trie node cache */
  readonly cacheMiB: number;
}

export const USAGE = `devnet-el: execution client for development networks. Not for production: use Geth there.

Usage: devnet-el --genesis FILE --datadir DIR --jwt FILE [flags]

  --genesis FILE          genesis in Geth's format
  --datadir DIR           data directory, created when missing
  --jwt FILE              shared secret of the Engine API, 32 bytes in hex
  --http-addr ADDR        address of both ports (default 127.0.0.1)
  --http-port N           JSON-RPC port, 0 for any free one (default 8545)
  --engine-port N         Engine API port, 0 for any free one (default 8551)
  --gas-limit N           gas limit that blocks move to (default: that of genesis)
  --exit-with-parent      stop when stdin ends
  --log-format FORMAT     json or human (default human)
  --http-cors ORIGINS     comma-separated origins that browsers may call from, * for any (default none)
  --http-vhosts NAMES     comma-separated Host names accepted besides IP addresses, * for any (default localhost)
  --build-budget MS       execution time of one block being built (default 500)
  --validation-budget MS  newPayload answers SYNCING after this time and goes on (default 8000)
  --cache MIB             trie node cache (default 16)
  --help                  this text
`;

function usage(message: string): never {
  throw new DevnetElError("USAGE", `${message}; --help shows all flags`);
}

function integer(
  value: string | undefined,
  flag: string,
  fallback: number,
  low: number,
  high: number,
): number {
  if (value === undefined) return fallback;
  const parsed = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
  if (!(parsed >= low && parsed <= high))
    usage(`--${flag} must be an integer between ${low} and ${high}, it is ${value}`);
  return parsed;
}

/** Reads the command line; undefined when it asks for help. Throws DevnetElError USAGE. */
export function parseOptions(argv: readonly string[]): Options | undefined {
  const string = { type: "string" } as const;
  const boolean = { type: "boolean" } as const;
  const read = () =>
    parseArgs({
      args: [...argv],
      options: {
        genesis: string,
        datadir: string,
        jwt: string,
        "http-addr": string,
        "http-port": string,
        "engine-port": string,
        "gas-limit": string,
        "exit-with-parent": boolean,
        "log-format": string,
        "http-cors": string,
        "http-vhosts": string,
        "build-budget": string,
        "validation-budget": string,
        cache: string,
        help: boolean,
      },
    }).values;
  let flags: ReturnType<typeof read>;
  try {
    flags = read();
  } catch (thrown) {
    usage(reasonOf(thrown).split(". ")[0] ?? "invalid flags");
  }
  if (flags.help === true) return undefined;
  const required = (value: string | undefined, flag: string): string =>
    value ?? usage(`--${flag} is required`);
  const list = (value: string | undefined): string[] =>
    (value ?? "").split(",").flatMap((one) => one.trim() || []);
  const logFormat = flags["log-format"] ?? "human";
  if (logFormat !== "json" && logFormat !== "human")
    usage(`--log-format must be json or human, it is ${logFormat}`);
  const gasLimit = flags["gas-limit"];
  return {
    genesisFile: required(flags.genesis, "genesis"),
    dataDir: required(flags.datadir, "datadir"),
    jwtFile: required(flags.jwt, "jwt"),
    httpAddr: flags["http-addr"] ?? "127.0.0.1",
    httpPort: integer(flags["http-port"], "http-port", 8545, 0, 65535),
    enginePort: integer(flags["engine-port"], "engine-port", 8551, 0, 65535),
    gasLimit:
      gasLimit === undefined ? undefined : BigInt(integer(gasLimit, "gas-limit", 0, 5000, 1_000_000_000)),
    exitWithParent: flags["exit-with-parent"] ?? false,
    logFormat,
    corsOrigins: list(flags["http-cors"]),
    virtualHosts: list(flags["http-vhosts"] ?? "localhost").map((name) => name.toLowerCase()),
    buildBudget: integer(flags["build-budget"], "build-budget", 500, 10, 60_000),
    validationBudget: integer(flags["validation-budget"], "validation-budget", 8000, 100, 600_000),
    cacheMiB: integer(flags.cache, "cache", 16, 1, 4096),
  };
}
