import { type Command, JSON_FLAG } from "../command.ts";
import { ExitCode } from "../errors.ts";
import type { FlagSpec } from "../flags.ts";

export const UNBONDING_FLAG: FlagSpec = {
  name: "unbonding",
  kind: "integer",
  value: "S",
  min: 1,
  max: 315_360_000,
  help: "of a new chain: seconds that evidence counts, and stake that left is held (default 172800)",
};

export const init: Command = {
  words: ["init"],
  summary: "Make a home directory: keys, config.toml and the genesis of a one-validator chain",
  arguments: [{ name: "MONIKER", help: "name of the node (default: the host's name)" }],
  flags: [
    {
      name: "chain-id",
      kind: "string",
      value: "NAME",
      help: "name of a new chain (default: quorate- and six random digits)",
    },
    {
      name: "evm-chain-id",
      kind: "integer",
      value: "N",
      min: 1,
      help: "EIP-155 chain id of a new chain (default: random)",
    },
    {
      name: "initial-height",
      kind: "integer",
      value: "H",
      min: 1,
      help: "first height; above 1 needs --anchor-hash (default 1)",
    },
    {
      name: "anchor-hash",
      kind: "string",
      value: "0xHASH",
      help: "hash of EL block initial-height - 1 to build on",
    },
    {
      name: "execution",
      kind: "string",
      value: "engine|none",
      help: "none: a chain without EVM (default engine)",
    },
    {
      name: "block-interval",
      kind: "integer",
      value: "MS",
      help: "ms between blocks of a new chain (default 1000)",
    },
    {
      name: "gas-limit",
      kind: "integer",
      value: "GAS",
      min: 5000,
      help: "gas limit of a new chain (default 15000000)",
    },
    {
      name: "owner",
      kind: "string",
      value: "0xADDRESS",
      help: "receives this validator's fees (default: an account made here)",
    },
    {
      name: "registry-owner",
      kind: "string",
      value: "0xADDRESS",
      help: "administers the chain: holds the initial balance (default: the owner)",
    },
    {
      name: "stake",
      kind: "boolean",
      help: "a chain that whoever deposits validates, instead of one whose set an owner decides on",
    },
    UNBONDING_FLAG,
    {
      name: "genesis",
      kind: "string",
      value: "FILE",
      help: "join: copy this genesis.json, and the el-genesis.json beside it",
    },
    {
      name: "persistent-peers",
      kind: "list",
      value: "MULTIADDR",
      help: "written to config.toml: peers that are dialled for ever",
    },
    {
      name: "base-port",
      kind: "integer",
      value: "N",
      min: 1,
      max: 65_000,
      help: "ports N..N+4: p2p, RPC, metrics, EL, engine",
    },
    JSON_FLAG,
  ],
  details: `Creates only what is missing: a second run changes no byte. Beside an existing key it never makes a sign
state; see \`validator key state --help\`.

  validator init && validator start              a chain of one validator, blocks every second
  validator init --stake                          the same, in stake mode: its power is its stake, 32 ether
  validator init node5 --genesis genesis.json --persistent-peers /ip4/192.0.2.1/tcp/26656/p2p/12D3…
                                                  joins a network as a full node

--json prints {home, chain_id, validator_address, pub_key, peer_id, created, kept}.`,
  async run({ args, io, home }) {
    const { initHome } = await import("../home/init.ts");
    const result = await initHome({
      home,
      moniker: args.positionals[0],
      chainId: args.string("chain-id"),
      evmChainId: args.integer("evm-chain-id"),
      initialHeight: args.integer("initial-height"),
      anchorHash: args.string("anchor-hash"),
      execution: args.string("execution"),
      blockIntervalMs: args.integer("block-interval"),
      gasLimit: args.integer("gas-limit"),
      owner: args.string("owner"),
      registryOwner: args.string("registry-owner"),
      stake: args.boolean("stake"),
      unbondingS: args.integer("unbonding"),
      genesisFile: args.string("genesis"),
      persistentPeers: args.list("persistent-peers"),
      basePort: args.integer("base-port"),
    });
    if (args.boolean("json")) {
      io.out(`${JSON.stringify(result)}\n`);
      return ExitCode.ok;
    }
    const list = (label: string, paths: readonly string[]): string =>
      paths.length === 0 ? "" : `${label} ${paths.join(", ")}\n`;
    io.out(
      `home      ${result.home}\nchain     ${result.chain_id}\nvalidator ${result.validator_address}\npeer id   ${result.peer_id}\n` +
        list("created  ", result.created) +
        list("kept     ", result.kept) +
        `\nStart it with: validator start --home ${result.home}\n`,
    );
    return ExitCode.ok;
  },
};
