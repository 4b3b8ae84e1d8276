/**
 * Every option of config.toml in one table: its key, flag, default and the comment that documents it. The file that
 * `init` writes, the flags of `start`, the VALIDATOR_* names and docs/config.md come from here.
 */
import type { FlagKind, FlagSpec } from "../flags.ts";

export type OptionValue = string | number | boolean | readonly string[] | Readonly<Record<string, string>>;

export interface OptionSpec {
  /** As in config.toml, section first: `p2p.listen`. */
  readonly key: string;
  /** `table` = a TOML table of strings; it has no flag. */
  readonly kind: FlagKind | "table";
  readonly flag: string | null;
  readonly value?: string;
  readonly default: OptionValue;
  readonly min?: number;
  readonly max?: number;
  /** Lines of the comment above the key; the first one is the flag's help. */
  readonly comment: readonly string[];
}

export const SECTIONS: Readonly<Record<string, string>> = {
  p2p: "Peers: the only part that listens beyond this machine by default.",
  rpc: "JSON-RPC and /health, /ready. It can do no harm, but it can be made to work: keep it on loopback or behind a proxy.",
  metrics: "Prometheus metrics on /metrics.",
  execution:
    "The execution client (EL). The Engine API port must never be reachable from outside this machine.",
};

export const OPTIONS: readonly OptionSpec[] = [
  {
    key: "moniker",
    kind: "string",
    flag: "moniker",
    value: "NAME",
    default: "validator",
    comment: ["Name of this node as others see it; it proves nothing."],
  },
  {
    key: "log_level",
    kind: "string",
    flag: "log-level",
    value: "LEVEL",
    default: "info",
    comment: [
      "Lowest level that is logged: debug, info, warn, error or silent.",
      'Per module: "consensus:debug,gossip:warn,*:info".',
    ],
  },
  {
    key: "log_format",
    kind: "string",
    flag: "log-format",
    value: "FORMAT",
    default: "human",
    comment: ["human or json (one object per line). Logs go to stderr."],
  },
  {
    key: "halt_height",
    kind: "integer",
    flag: "halt-height",
    value: "H",
    default: 0,
    comment: ["Stop cleanly after this height; 0 = never."],
  },
  {
    key: "verify_workers",
    kind: "integer",
    flag: "verify-workers",
    value: "N",
    default: 0,
    max: 64,
    comment: ["Threads that verify signatures; 0 = one less than there are cores, at least 1."],
  },
  {
    key: "vote_trace",
    kind: "string",
    flag: "vote-trace",
    value: "FILE",
    default: "",
    comment: [
      'For tests: append every vote and proposal sent or received to this file (relative to the home). "" = off.',
      "It grows without bound.",
    ],
  },
  {
    key: "p2p.listen",
    kind: "list",
    flag: "p2p-listen",
    value: "MULTIADDR",
    default: ["/ip4/0.0.0.0/tcp/26656"],
    comment: ["Multiaddrs to listen on."],
  },
  {
    key: "p2p.announce",
    kind: "list",
    flag: "p2p-announce",
    value: "MULTIADDR",
    default: [],
    comment: [
      "Multiaddrs told to peers instead of the listening ones, e.g. behind NAT:",
      '["/ip4/203.0.113.5/tcp/26656"].',
    ],
  },
  {
    key: "p2p.persistent_peers",
    kind: "list",
    flag: "persistent-peers",
    value: "MULTIADDR",
    default: [],
    comment: [
      "Peers that are dialled for ever: multiaddrs that end in /p2p/PEER_ID, as `validator status` of the other",
      "node shows them. One that is reachable is enough to join.",
    ],
  },
  {
    key: "p2p.allow",
    kind: "list",
    flag: "p2p-allow",
    value: "PEER_ID",
    default: [],
    comment: ["Permissioned mode: only these peer ids are admitted. Empty = everybody on this chain."],
  },
  {
    key: "p2p.max_peers",
    kind: "integer",
    flag: "max-peers",
    value: "N",
    default: 50,
    min: 1,
    max: 1000,
    comment: ["Connected peers at most. Persistent and validator peers are kept when the limit is reached."],
  },
  {
    key: "p2p.gossip_txs",
    kind: "boolean",
    flag: "gossip-txs",
    default: true,
    comment: [
      "Exchange pending transactions with other nodes, for execution clients without peers of their own.",
    ],
  },
  {
    key: "p2p.validator_peers",
    kind: "table",
    flag: null,
    default: {},
    comment: [
      "Peer ids of validators by validator address (hex): their connections are protected, nothing more.",
    ],
  },
  {
    key: "rpc.listen",
    kind: "string",
    flag: "rpc-listen",
    value: "HOST:PORT",
    default: "127.0.0.1:26657",
    comment: ['Address of the RPC server; "" = off.'],
  },
  {
    key: "metrics.listen",
    kind: "string",
    flag: "metrics-listen",
    value: "HOST:PORT",
    default: "127.0.0.1:26660",
    comment: ['Address of the metrics server; "" = off.'],
  },
  {
    key: "execution.client",
    kind: "string",
    flag: "el",
    value: "URL|embedded",
    default: "embedded",
    comment: [
      '"embedded": the node runs its own development EL as a child process.',
      'Otherwise the Engine API of a running one, e.g. "http://127.0.0.1:8551".',
    ],
  },
  {
    key: "execution.eth_url",
    kind: "string",
    flag: "el-rpc",
    value: "URL",
    default: "",
    comment: ['eth_* JSON-RPC of the EL; "" = the engine\'s host with port 8545.'],
  },
  {
    key: "execution.jwt_file",
    kind: "string",
    flag: "jwt",
    value: "FILE",
    default: "config/jwt.hex",
    comment: [
      "Secret shared with the EL (32 bytes in hex), relative to the home; readable by its owner only.",
    ],
  },
  {
    key: "execution.build_window",
    kind: "integer",
    flag: "build-window",
    value: "MS",
    default: 300,
    max: 10_000,
    comment: [
      "ms that an external EL gets to fill a block before it is proposed (Geth: above its --miner.recommit).",
    ],
  },
  {
    key: "execution.http_port",
    kind: "integer",
    flag: "el-http-port",
    value: "PORT",
    default: 8545,
    min: 1,
    max: 65_535,
    comment: ["eth_* port of the embedded EL, on 127.0.0.1: what wallets and tools connect to."],
  },
  {
    key: "execution.engine_port",
    kind: "integer",
    flag: "el-engine-port",
    value: "PORT",
    default: 8551,
    min: 1,
    max: 65_535,
    comment: ["Engine API port of the embedded EL, on 127.0.0.1."],
  },
];

export function optionSpec(key: string): OptionSpec {
  const spec = OPTIONS.find((option) => option.key === key);
  if (spec === undefined) throw new TypeError(`no option ${key}`);
  return spec;
}

/** `p2p.persistent_peers` -> `VALIDATOR_P2P_PERSISTENT_PEERS`. */
export function environmentName(spec: OptionSpec): string {
  return `VALIDATOR_${spec.key.toUpperCase().replaceAll(".", "_")}`;
}

/** Flags of `start`: all options that have one, except those that every command takes. */
export function optionFlags(): FlagSpec[] {
  return OPTIONS.flatMap((spec) => {
    if (spec.flag === null || spec.kind === "table" || spec.flag.startsWith("log-")) return [];
    return [
      {
        name: spec.flag,
        kind: spec.kind,
        help: spec.comment.join(" "),
        ...(spec.value === undefined ? {} : { value: spec.value }),
        ...(spec.min === undefined ? {} : { min: spec.min }),
        ...(spec.max === undefined ? {} : { max: spec.max }),
      },
    ];
  });
}
