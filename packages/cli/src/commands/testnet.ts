import { homedir } from "node:os";
import { join } from "node:path";
import { type Command, type CommandContext, JSON_FLAG } from "../command.ts";
import { CliError, ExitCode } from "../errors.ts";
import type { FlagSpec } from "../flags.ts";
import { hint } from "../nearest.ts";
import { DEMOS, type DemoName } from "../testnet/demo/names.ts";
import type { TestnetOptions } from "../testnet/run.ts";
import { UNBONDING_FLAG } from "./init.ts";

const NETWORK_FLAGS: readonly FlagSpec[] = [
  {
    name: "validators",
    kind: "integer",
    value: "N",
    min: 1,
    max: 32,
    help: "validators of a new network (default 4)",
  },
  { name: "full", kind: "integer", value: "N", max: 31, help: "full nodes beside them (default 0)" },
  {
    name: "el",
    kind: "string",
    value: "EL",
    help: "embedded, geth (found or built once) or the path of a Geth (default embedded)",
  },
  {
    name: "base-port",
    kind: "integer",
    value: "N",
    min: 1024,
    max: 64_000,
    help: "node i uses N+10i.. (default 26600)",
  },
  {
    name: "block-interval",
    kind: "integer",
    value: "MS",
    min: 1,
    max: 3_600_000,
    help: "of a new network (default 1000)",
  },
  {
    name: "gas-limit",
    kind: "integer",
    value: "GAS",
    min: 5000,
    help: "of a new network (default 15000000, Geth 60000000)",
  },
  { name: "stake", kind: "boolean", help: "a new network in stake mode: 32 ether each, deposits decide" },
  UNBONDING_FLAG,
];

/** Without --home a network lies beside single nodes, never in one's home. */
function networkHome({ home, homeGiven }: CommandContext): string {
  return homeGiven ? home : join(homedir(), ".quorate", "testnet");
}

/** A demo leaves the network that lies there alone. */
function runHome(context: CommandContext): string {
  const home = networkHome(context);
  return context.homeGiven || !context.args.has("demo") ? home : join(home, "demo");
}

function options(context: CommandContext, command: "run" | "init"): TestnetOptions {
  const { args } = context;
  const running = command === "run";
  const validators = args.integer("validators") ?? 4;
  const full = args.integer("full") ?? 0;
  const highest = (args.integer("base-port") ?? 26_600) + 10 * (validators + full);
  if (highest > 65_535) {
    throw new CliError(
      ExitCode.usage,
      `ports up to ${highest} would be needed`,
      "choose a lower --base-port",
    );
  }
  const demo = running ? demoOf(args) : undefined;
  return {
    home: running ? runHome(context) : networkHome(context),
    validators: args.integer("validators"),
    full: args.integer("full"),
    el: args.string("el"),
    basePort: args.integer("base-port"),
    blockIntervalMs: args.integer("block-interval"),
    gasLimit: args.integer("gas-limit"),
    stake: args.boolean("stake") ? true : undefined,
    unbondingS: args.integer("unbonding"),
    load: running ? (args.integer("load") ?? 2) : 0,
    txs: running ? args.integer("txs") : undefined,
    heights: running ? args.integer("heights") : undefined,
    timeoutS: running ? args.integer("timeout") : undefined,
    json: args.boolean("json"),
    clean: running && args.boolean("clean"),
    ...(demo === undefined ? {} : { demo }),
  };
}

/** @throws CliError usage. */
function demoOf(args: CommandContext["args"]): DemoName | undefined {
  const name = args.string("demo");
  if (name === undefined) return undefined;
  const goal = ["heights", "txs"].find((flag) => args.has(flag));
  if (goal !== undefined) {
    throw new CliError(
      ExitCode.usage,
      `--demo ends by itself, and so does --${goal}`,
      "leave one of them out",
    );
  }
  if ((args.integer("validators") ?? 4) < 4 || args.integer("full") === 0) {
    throw new CliError(
      ExitCode.usage,
      "a demo needs four validators and a full node",
      "leave --validators and --full out",
    );
  }
  if (args.boolean("stake") && name !== "stake") {
    throw new CliError(
      ExitCode.usage,
      `--demo ${name} has an owner who decides`,
      "play --demo stake instead",
    );
  }
  const found = DEMOS.find((demo) => demo === name);
  if (found !== undefined) return found;
  throw new CliError(
    ExitCode.usage,
    `no demo ${JSON.stringify(name)}${hint(name, DEMOS)}`,
    `there is ${DEMOS.join(", ")}`,
  );
}

export const testnet: Command = {
  words: ["testnet"],
  summary: "Run a local network: validators with an execution client each, under load, watched",
  arguments: [],
  flags: [
    ...NETWORK_FLAGS,
    {
      name: "load",
      kind: "integer",
      value: "TPS",
      max: 10_000,
      help: "signed transfers per second, 0 = none (default 2)",
    },
    { name: "txs", kind: "integer", value: "N", min: 1, help: "send N transfers, end when all are mined" },
    { name: "heights", kind: "integer", value: "N", min: 1, help: "end when every node has N more heights" },
    {
      name: "timeout",
      kind: "integer",
      value: "S",
      min: 1,
      help: "end after S seconds; 10 when a goal is not met by then",
    },
    { name: "demo", kind: "string", value: "NAME", help: "play a story and end: validators or stake" },
    { name: "clean", kind: "boolean", help: "remove the network of this home first and start anew" },
    { ...JSON_FLAG, help: "NDJSON events on stdout: ready, commit, node, demo, done" },
  ],
  details: `Makes a network in the home if there is none, otherwise resumes it. Runs until SIGINT, or until --heights or
--txs is met (exit 0). A validator that dies is reported and left dead; 60 s without a commit end with 10, two nodes that
differ with 7. It leaves no process behind. \`npm run testnet\` is this command with --home .testnet.

--demo validators plays on a network of its own and ends by itself within five minutes: a fifth validator joins, its power
changes, one signs two blocks and is punished, one leaves, a param changes; the chain goes on and a light client follows.
--demo stake plays it in stake mode: by deposits, with stake that burns and stake that is paid back. Exit 0 when every step
held, 10 when one did not, 7 when nodes disagree. With --json each step is an event; the story is on stderr.

Each node's home has its log in node.log; prometheus.yml in the network's home names all targets.

  validator testnet --validators 7 --load 50
  validator testnet --stake --unbonding 60
  validator testnet --el geth --heights 20 --json
  validator testnet --demo validators`,
  async run(context) {
    const { runTestnet } = await import("../testnet/run.ts");
    return await runTestnet(options(context, "run"), context.io);
  },
};

export const testnetInit: Command = {
  words: ["testnet", "init"],
  summary: "Write the homes of a local network and a compose file, start nothing",
  arguments: [],
  flags: [...NETWORK_FLAGS, JSON_FLAG],
  details: `The homes are those that \`validator testnet\` starts; compose.yaml starts them under docker compose instead.
A network that is there already is kept. --json prints {home, chain_id, genesis_hash, nodes:[{name,home,peer_id,validator}]}.`,
  async run(context) {
    const { prepareNetwork } = await import("../testnet/run.ts");
    const { nodeHome } = await import("../testnet/manifest.ts");
    const asked = options(context, "init");
    const progress = (line: string): void => context.io.err(`${line}\n`);
    const { manifest } = await prepareNetwork(asked, progress, new AbortController().signal);
    const nodes = manifest.nodes.map(({ name, peerId, validator }) => ({
      name,
      home: nodeHome(asked.home, name),
      peer_id: peerId,
      validator,
    }));
    if (asked.json) {
      const { chainId, genesisHash } = manifest;
      context.io.out(
        `${JSON.stringify({ home: asked.home, chain_id: chainId, genesis_hash: genesisHash, nodes })}\n`,
      );
    } else {
      for (const { name, home, peer_id } of nodes) context.io.out(`${name}  ${home}  ${peer_id}\n`);
      context.io.out(`\nStart it with: validator testnet --home ${asked.home}\n`);
    }
    return ExitCode.ok;
  },
};

async function ask(
  context: CommandContext,
  command: "status" | "kill" | "restart" | "add-node",
): Promise<unknown> {
  const { askControl } = await import("../testnet/control.ts");
  return await askControl(networkHome(context), { command, name: context.args.positionals[0] ?? "" });
}

const NAME = { name: "NAME", help: "node0, node1, …", required: true } as const;
const RUNNING = "Acts on the network that runs in this --home; exit 9 when none does.";

export const testnetStatus: Command = {
  words: ["testnet", "status"],
  summary: "Show the nodes of the running network",
  arguments: [],
  flags: [JSON_FLAG],
  details: RUNNING,
  async run(context) {
    const nodes = await ask(context, "status");
    if (context.args.boolean("json")) {
      context.io.out(`${JSON.stringify(nodes)}\n`);
      return ExitCode.ok;
    }
    const { numberAt, textAt } = await import("../rpc-client.ts");
    for (const node of Array.isArray(nodes) ? nodes : []) {
      context.io.out(
        `${textAt(node, "name").padEnd(7)}  ${textAt(node, "state").padEnd(10)}  height ${numberAt(node, "height")}  pid ${numberAt(node, "pid")}  ${textAt(node, "rpc")}  ${textAt(node, "eth_rpc")}\n`,
      );
    }
    return ExitCode.ok;
  },
};

function acting(command: "kill" | "restart" | "add-node", summary: string, details: string): Command {
  return {
    words: ["testnet", command],
    summary,
    arguments: command === "add-node" ? [] : [NAME],
    flags: [JSON_FLAG],
    details: `${details} ${RUNNING}`,
    async run(context) {
      const result = await ask(context, command);
      if (context.args.boolean("json")) context.io.out(`${JSON.stringify(result)}\n`);
      else {
        const { textAt } = await import("../rpc-client.ts");
        const verb = { kill: "killed", restart: "restarted", "add-node": "added" }[command];
        context.io.out(`${textAt(result, "name")} ${verb}\n`);
      }
      return ExitCode.ok;
    },
  };
}

export const testnetKill: Command = acting(
  "kill",
  "kill -9 a validator of the running network",
  "Its embedded EL ends with it.",
);
export const testnetRestart: Command = acting(
  "restart",
  "Start a dead node again, or stop and start a living one",
  "Returns when the node answers /health; what it then catches up with goes on in the running command's output.",
);
export const testnetAddNode: Command = acting(
  "add-node",
  "Add a full node to the running network",
  "It gets the next free ports, joins through the validators and syncs; it stays part of the network.",
);
