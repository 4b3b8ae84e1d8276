import { setTimeout as delay } from "node:timers/promises";
import { type Command, type CommandContext, JSON_FLAG } from "../command.ts";
import { environmentValues, readConfigFile, resolveSettings } from "../config/settings.ts";
import { CliError, ExitCode } from "../errors.ts";
import { at, nodeGet, numberAt, printable, textAt } from "../rpc-client.ts";

const POLL_MS = 100;

export const status: Command = {
  words: ["status"],
  summary: "Show where a node stands, or wait until it gets somewhere",
  arguments: [],
  flags: [
    {
      name: "node",
      kind: "string",
      value: "URL",
      help: "RPC of the node (default: rpc.listen of this home)",
    },
    {
      name: "wait",
      kind: "string",
      value: "COND",
      help: "height=H, height+=N or synced; exit 10 when not in time",
    },
    { name: "timeout", kind: "integer", value: "S", min: 1, help: "seconds to wait (default 60)" },
    { name: "offline", kind: "boolean", help: "read the store of this home; the node must not run" },
    JSON_FLAG,
  ],
  details: `--json prints CometBFT's /status result with consensus, execution and upgrades added.

  validator status --wait height+=3 --timeout 30
  validator status --node http://127.0.0.1:26601 --wait synced

Exit codes: 9 when the node does not answer, 10 when the condition does not come true in time, 4 when --offline finds the
home in use.`,
  async run(context) {
    const { args, io } = context;
    const document = args.boolean("offline")
      ? await offlineStatus(context.home)
      : await onlineStatus(context);
    io.out(args.boolean("json") ? `${JSON.stringify(document)}\n` : statusText(document));
    return ExitCode.ok;
  },
};

async function onlineStatus({ args, io, home }: CommandContext): Promise<unknown> {
  const url = args.string("node") ?? rpcOfHome(home, io.env);
  const wait = args.string("wait");
  if (wait === undefined) return await nodeGet(url, "status");
  const condition = parseCondition(wait);
  const seconds = args.integer("timeout") ?? 60;
  const deadline = performance.now() + seconds * 1000;
  let first: number | null = null;
  let lastError: CliError | null = null;
  let last: unknown = null;
  while (performance.now() < deadline) {
    try {
      last = await nodeGet(url, "status");
      lastError = null;
      const height = numberAt(last, "sync_info", "latest_block_height");
      first ??= height;
      if (await holds(condition, url, last, height, first)) return last;
    } catch (error) {
      // It may be starting: an unreachable node is waited for like any other condition.
      if (!(error instanceof CliError) || error.exitCode !== ExitCode.unreachable) throw error;
      lastError = error;
    }
    await delay(POLL_MS);
  }
  if (lastError !== null && last === null) throw lastError;
  throw new CliError(
    ExitCode.unmet,
    `${wait} did not come true within ${seconds} s (height ${numberAt(last, "sync_info", "latest_block_height")}, round ${numberAt(last, "consensus", "round")}, step ${textAt(last, "consensus", "step")})`,
    "see consensus.missing in `validator status`, and the node's log",
  );
}

type Condition = { readonly kind: "height" | "more"; readonly value: number } | { readonly kind: "synced" };

export function parseCondition(text: string): Condition {
  if (text === "synced") return { kind: "synced" };
  const match = /^height(\+?)=(\d{1,15})$/.exec(text);
  if (match !== null) return { kind: match[1] === "+" ? "more" : "height", value: Number(match[2]) };
  throw new CliError(
    ExitCode.usage,
    `--wait ${JSON.stringify(text)} is no condition`,
    "write height=H, height+=N or synced",
  );
}

async function holds(
  condition: Condition,
  url: string,
  document: unknown,
  height: number,
  first: number,
): Promise<boolean> {
  switch (condition.kind) {
    case "height":
      return height >= condition.value;
    case "more":
      return height >= first + condition.value;
    case "synced": {
      if (at(document, "sync_info", "catching_up") !== false) return false;
      const response = await fetch(`${url.replace(/\/$/, "")}/ready`);
      await response.body?.cancel();
      return response.status === 200;
    }
  }
}

function rpcOfHome(home: string, env: CommandContext["io"]["env"]): string {
  const { rpcListen } = resolveSettings(home, [environmentValues(env).values, readConfigFile(home)]);
  if (rpcListen === "") {
    throw new CliError(ExitCode.unreachable, "this node's RPC is switched off (rpc.listen)", "use --offline");
  }
  return `http://${rpcListen.replace(/^(0\.0\.0\.0|\[::\])/, "127.0.0.1")}`;
}

async function offlineStatus(home: string): Promise<unknown> {
  const { homePaths, loadGenesis } = await import("@quorate/node/home");
  const { openStore } = await import("@quorate/store");
  const { formatTime, genesisHash } = await import("@quorate/chain");
  const { existsSync } = await import("node:fs");
  const paths = homePaths(home);
  const { genesis } = await loadGenesis(paths.genesis);
  const upper = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex").toUpperCase();
  const none = { height: 0, base: 0, hash: "", app: "", time: "", executed: 0 };
  const read = async (): Promise<typeof none> => {
    if (!existsSync(paths.data)) return none;
    const store = await openStore({ dir: paths.store });
    try {
      const [meta, state] = [await store.meta(store.height), await store.state()];
      return {
        height: store.height,
        base: store.base,
        hash: meta === null ? "" : upper(meta.blockId.hash),
        app: state === null ? "" : upper(state.appHash),
        time: state === null ? "" : formatTime(state.lastTime),
        executed: await store.executedHeight(),
      };
    } finally {
      await store.close();
    }
  };
  const found = await read();
  return {
    node_info: { network: genesis.chainId },
    sync_info: {
      latest_block_hash: found.hash,
      latest_block_height: String(found.height),
      latest_block_time: found.time,
      earliest_block_height: String(found.base),
      catching_up: true,
    },
    genesis_hash: upper(genesisHash(genesis)),
    next_app_hash: found.app,
    execution: { executed_height: String(found.executed) },
  };
}

/** The result of /status for people; from whatever a node answers. */
export function statusText(document: unknown): string {
  const height = numberAt(document, "sync_info", "latest_block_height");
  const catching = at(document, "sync_info", "catching_up") === true ? ", catching up" : "";
  const rows: [string, string][] = [
    ["chain", textAt(document, "node_info", "network")],
    [
      "node",
      [textAt(document, "node_info", "moniker"), textAt(document, "node_info", "id")]
        .filter(Boolean)
        .join(" "),
    ],
    ["height", `${height}${catching}, ${textAt(document, "sync_info", "latest_block_time")}`],
    ["block", textAt(document, "sync_info", "latest_block_hash")],
  ];
  if (at(document, "consensus") !== undefined) {
    const consensus = at(document, "consensus");
    const missing = at(consensus, "missing");
    rows.push([
      "consensus",
      `height ${textAt(consensus, "height")} round ${numberAt(consensus, "round")} ${textAt(consensus, "step")}; prevotes ${textAt(consensus, "prevotes_power")}, precommits ${textAt(consensus, "precommits_power")} of ${textAt(consensus, "total_power")}`,
    ]);
    if (Array.isArray(missing) && missing.length > 0) {
      rows.push(["missing", missing.filter((each) => typeof each === "string").join(" ")]);
    }
  }
  const execution = at(document, "execution");
  rows.push([
    "execution",
    `${textAt(execution, "client")} executed height ${textAt(execution, "executed_height")} ${textAt(execution, "detail")}`.trim(),
  ]);
  return `${rows
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `${name.padEnd(11)}${printable(value)}`)
    .join("\n")}\n`;
}
