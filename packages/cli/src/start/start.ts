import { join } from "node:path";
import type { Genesis } from "@quorate/chain";
import { devnetElEntry } from "@quorate/devnet-el";
import {
  createLogger,
  createNode,
  homePaths,
  type NodeConfig,
  parseLogLevel,
  type QuorateNode,
  setUpOwnProcess,
} from "@quorate/node";
import type { CommandContext } from "../command.ts";
import {
  environmentValues,
  flagValues,
  readConfigFile,
  resolveSettings,
  type Settings,
} from "../config/settings.ts";
import { CliError, ExitCode, failureOf, reasonOf } from "../errors.ts";
import { reportFailure } from "../report.ts";
import { packageVersion } from "../version.ts";
import { EmbeddedEl } from "./embedded-el.ts";
import { commitEvent } from "./events.ts";

/** A stop that takes longer is broken: the process ends anyway, and says so. */
const STOP_LIMIT_MS = 10_000;
const MAX_HELD_EVENTS = 1_000;

/** `validator start` in a home that is held: settings, logs, embedded client, node, signals. Resolves with the exit code. */
export async function startNode({ args, io, home }: CommandContext): Promise<number> {
  setUpOwnProcess();
  const environment = environmentValues(io.env);
  const settings = resolveSettings(home, [flagValues(args), environment.values, readConfigFile(home)]);
  const json = args.boolean("json");
  const { emit, started } = eventOutput(json ? (line) => io.out(line) : null);
  const log = loggerOf(
    args.string("log-level"),
    args.string("log-format"),
    settings,
    (line) => io.err(`${line}\n`),
    emit,
  );
  for (const { name, nearest } of environment.unknown) {
    log("cli").warn("an environment variable has no meaning here", {
      name,
      ...(nearest === null ? {} : { nearest }),
    });
  }
  const host = new Host(settings, home, log, emit);
  const untie = host.catchSignals(args.boolean("exit-with-parent"));
  try {
    const node = await createNode(nodeConfig(home, settings), {
      log,
      homeLocked: true,
      startExecution: (genesis) => host.startExecution(genesis),
      onCommit: (commit) => emit(commitEvent(commit)),
      onPhase: (phase) => emit({ event: "phase", phase }),
    });
    host.attach(node);
    started(startedEvent(node, home, settings, host));
    if (!json) io.out(startedText(node, settings));
    const exit = await node.exited;
    if (exit.code !== ExitCode.ok) {
      emit({ event: "failure", code: exit.code, what: exit.what, do: exit.do });
      reportFailure({ exitCode: exit.code, what: exit.what, do: exit.do }, home, io);
    }
    return exit.code;
  } catch (error) {
    const { exitCode, what, do: action } = failureOf(error);
    emit({ event: "failure", code: exitCode, what, do: action });
    throw error;
  } finally {
    await host.close();
    untie();
  }
}

/** NDJSON on stdout, `started` first: what comes earlier waits for it, a failure does not. */
function eventOutput(write: ((line: string) => void) | null): {
  emit(event: object): void;
  started(event: object): void;
} {
  const held: object[] = [];
  let open = false;
  const out = (event: object): void => write?.(`${JSON.stringify(event)}\n`);
  const flush = (): void => {
    open = true;
    for (const event of held.splice(0)) out(event);
  };
  return {
    emit(event) {
      if (open) out(event);
      else if (held.push(event) >= MAX_HELD_EVENTS || ("event" in event && event.event === "failure"))
        flush();
    },
    started(event) {
      out(event);
      flush();
    },
  };
}

type Log = ReturnType<typeof createLogger>;

function loggerOf(
  level: string | undefined,
  format: string | undefined,
  settings: Settings,
  write: (line: string) => void,
  emit: (event: object) => void,
): Log {
  const wanted = level ?? settings.logLevel;
  const levels = parseLogLevel(wanted);
  if (!levels.ok) {
    throw new CliError(
      level === undefined ? ExitCode.config : ExitCode.usage,
      `log level ${JSON.stringify(levels.bad)} is unknown`,
      "write debug, info, warn, error or silent, or per module: consensus:debug,*:info",
    );
  }
  if (format !== undefined && format !== "human" && format !== "json") {
    throw new CliError(
      ExitCode.usage,
      `log format ${JSON.stringify(format)} is unknown`,
      "write human or json",
    );
  }
  return createLogger({
    level: wanted,
    format: format ?? settings.logFormat,
    write,
    now: Date.now,
    tap: (level, module, message) => emit({ event: "warning", level, module, message }),
  });
}

function nodeConfig(home: string, settings: Settings): NodeConfig {
  const { engineUrl, ethUrl, jwtFile, buildWindowMs } = settings.execution;
  return {
    home,
    moniker: settings.moniker,
    version: packageVersion(),
    p2p: settings.p2p,
    rpcListen: settings.rpcListen,
    metricsListen: settings.metricsListen,
    execution: { engineUrl, ethUrl, jwtFile, buildWindowMs },
    verifyWorkers: settings.verifyWorkers,
    ...(settings.haltHeight > 0 ? { haltHeight: settings.haltHeight } : {}),
    ...(settings.voteTrace === "" ? {} : { voteTrace: settings.voteTrace }),
  };
}

/** What lives as long as the process: the embedded client, the signal handlers, the one stop. */
class Host {
  readonly #settings: Settings;
  readonly #home: string;
  readonly #log: Log;
  readonly #emit: (event: object) => void;
  #el: EmbeddedEl | null = null;
  #node: QuorateNode | null = null;
  #stopping: Promise<void> | null = null;
  #crashing = false;

  constructor(settings: Settings, home: string, log: Log, emit: (event: object) => void) {
    this.#settings = settings;
    this.#home = home;
    this.#log = log;
    this.#emit = emit;
  }

  get elPid(): number | null {
    return this.#el?.pid ?? null;
  }

  attach(node: QuorateNode): void {
    this.#node = node;
    if (this.#stopping !== null) void node.stop();
  }

  async startExecution(genesis: Genesis): Promise<void> {
    const { embedded, httpPort, enginePort, jwtFile } = this.#settings.execution;
    if (!embedded) return;
    const paths = homePaths(this.#home);
    this.#el = new EmbeddedEl(
      {
        entry: devnetElEntry,
        genesisFile: paths.elGenesis,
        dataDir: join(paths.data, "el"),
        jwtFile,
        httpPort,
        enginePort,
        gasLimit: genesis.params.gasLimit,
        logFormat: this.#settings.logFormat,
      },
      this.#log("el"),
      (pid) => this.#emit({ event: "el", pid }),
    );
    await this.#el.start();
  }

  /** SIGINT, SIGTERM, SIGHUP and (if asked) the end of stdin stop the node, once however many arrive. */
  catchSignals(withParent: boolean): () => void {
    const stop = (cause: string): void => {
      this.#stop(cause);
    };
    const signals = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((signal) => {
      const handler = (): void => stop(signal);
      process.on(signal, handler);
      return (): void => {
        process.off(signal, handler);
      };
    });
    const crash = (error: unknown): void => this.#crash(error);
    process.on("unhandledRejection", crash);
    process.on("uncaughtException", crash);
    const parentGone = (): void => stop("end of standard input");
    if (withParent) {
      process.stdin.on("end", parentGone).on("error", parentGone).resume();
    }
    return () => {
      for (const off of signals) off();
      process.off("unhandledRejection", crash);
      process.off("uncaughtException", crash);
      if (withParent) process.stdin.off("end", parentGone).pause();
    };
  }

  #stop(cause: string): void {
    if (this.#stopping !== null) return;
    this.#log("cli").info("stopping", { cause });
    this.#endLate("stop");
    this.#stopping = (async () => {
      await this.#node?.stop();
    })();
  }

  /** Ends the process when it has not ended by itself. */
  #endLate(what: string): void {
    const limit = setTimeout(() => {
      this.#log("cli").error(`the node did not ${what} within its time; ending it`, { ms: STOP_LIMIT_MS });
      process.exit(ExitCode.bug);
    }, STOP_LIMIT_MS);
    limit.unref();
  }

  /** A bug: nothing is signed any more, the state is dumped, the process ends with 1. */
  #crash(error: unknown): void {
    const log = this.#log("cli");
    log.error("unhandled error", {
      error: reasonOf(error),
      stack: error instanceof Error ? error.stack : undefined,
    });
    if (this.#crashing) return;
    this.#crashing = true;
    this.#endLate("dump its state");
    if (this.#node === null) process.exit(ExitCode.bug);
    this.#node.crash(error).catch((failure: unknown) => {
      log.error("the state dump failed", { reason: reasonOf(failure) });
      process.exit(ExitCode.bug);
    });
  }

  async close(): Promise<void> {
    await this.#stopping;
    await this.#el?.stop();
  }
}

function httpUrl(address: string): string {
  return address === "" || address.startsWith("http") ? address : `http://${address}`;
}

function startedEvent(node: QuorateNode, home: string, settings: Settings, host: Host): object {
  const { started } = node;
  return {
    event: "started",
    pid: process.pid,
    chain_id: started.chainId,
    genesis_hash: started.genesisHash,
    home,
    moniker: settings.moniker,
    address: started.validatorAddress,
    peer_id: started.peerId,
    p2p: started.p2p[0] ?? null,
    rpc: httpUrl(started.rpc),
    metrics: httpUrl(started.metrics).replace(/\/metrics$/, ""),
    eth_rpc: settings.execution.ethUrl,
    el_pid: host.elPid,
    height: started.height,
  };
}

function startedText(node: QuorateNode, settings: Settings): string {
  const { started } = node;
  const rows = [
    ["chain", `${started.chainId} at height ${started.height}`],
    ["validator", started.validatorAddress ?? "none: this is a full node"],
    ["p2p", started.p2p.join(" ")],
    ["rpc", httpUrl(started.rpc)],
    ["metrics", httpUrl(started.metrics)],
    ["eth rpc", settings.execution.ethUrl],
  ];
  return `${rows.map(([name, value]) => `${name!.padEnd(10)}${value}`).join("\n")}\n`;
}
