/** `validator testnet`: creates or resumes a network, watches it until a goal, a fault or a signal ends it. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { CommandContext } from "../command.ts";
import { CliError, ExitCode, type Failure, failureOf } from "../errors.ts";
import { EMBEDDED_GAS_LIMIT } from "../home/init.ts";
import { reportFailure } from "../report.ts";
import { at, nodeGet, numberAt, textAt } from "../rpc-client.ts";
import { devAccounts, loadAccounts } from "./accounts.ts";
import { ChainWatch } from "./chain-watch.ts";
import { conflictingSignatures } from "./conflicts.ts";
import { type ControlRequest, controlInUse, serveControl } from "./control.ts";
import { createNetwork, type NetworkOptions, removeNetwork } from "./create.ts";
import type { DemoName } from "./demo/names.ts";
import { play } from "./demo/play.ts";
import { Stage } from "./demo/stage.ts";
import type { Summary } from "./events.ts";
import { resolveGeth } from "./geth.ts";
import { LoadGenerator } from "./load.ts";
import { DEFAULT_UNBONDING_S, type Manifest, readManifest } from "./manifest.ts";
import { Network } from "./network.ts";
import { jsonReporter, lineReporter, type Reporter, tableReporter } from "./reporter.ts";
import { Silence } from "./silence.ts";

export interface TestnetOptions {
  readonly home: string;
  readonly validators: number | undefined;
  readonly full: number | undefined;
  readonly el: string | undefined;
  readonly basePort: number | undefined;
  readonly blockIntervalMs: number | undefined;
  readonly gasLimit: number | undefined;
  /** Absent: permissioned, or as the network was made. */
  readonly stake?: boolean | undefined;
  readonly unbondingS?: number | undefined;
  readonly load: number;
  readonly txs: number | undefined;
  readonly heights: number | undefined;
  readonly timeoutS: number | undefined;
  readonly json: boolean;
  readonly clean: boolean;
  readonly demo?: DemoName;
}

const STALL_MS = 60_000;
const CHECK_MS = 250;
/** Long enough for evidence, short enough to see stake paid. */
const DEMO_UNBONDING_S = 20;
/** A demo ends by itself within five minutes, its stop included. */
const DEMO_LIMIT_S = 280;
const DEFAULT_BASE_PORT = 26_600;
const GETH_GAS_LIMIT = 60_000_000;

/** Why the network ends, and the failure to report if it is one. */
type Outcome = { readonly kind: "stopped" | "met" } | ({ readonly kind: "failed" } & Failure);

export async function runTestnet(options: TestnetOptions, io: CommandContext["io"]): Promise<number> {
  const interrupt = new AbortController();
  const untie = onSignals(() => interrupt.abort());
  try {
    if (await controlInUse(options.home)) {
      throw new CliError(
        ExitCode.inUse,
        `a network runs in ${options.home}`,
        "stop it first, or choose another --home",
      );
    }
    const progress = (line: string): void => io.err(`${line}\n`);
    const { manifest, geth } = await prepareNetwork(options, progress, interrupt.signal);
    return await new Session(options, manifest, geth, io, interrupt.signal).run();
  } catch (error) {
    if (interrupt.signal.aborted && failureOf(error).exitCode === ExitCode.bug) return ExitCode.ok;
    throw error;
  } finally {
    untie();
  }
}

/** The network of this home, new or resumed, and the Geth that it runs with (`null` = embedded). */
export async function prepareNetwork(
  options: TestnetOptions,
  progress: (line: string) => void,
  signal: AbortSignal,
): Promise<{ manifest: Manifest; geth: string | null }> {
  const found = readManifest(options.home);
  // What a demo left is good for nothing but looking at.
  const clean = options.clean || (options.demo !== undefined && found?.demo !== undefined);
  if (clean && found !== null) await removeNetwork(options.home, found);
  const existing = clean ? null : found;
  if (existing !== null) refuseMix(options, existing);
  const el = options.el ?? existing?.el ?? "embedded";
  const geth = el === "embedded" ? null : await resolveGeth(el, progress, signal);
  if (existing !== null) {
    refuseChanges(options, existing);
    return { manifest: existing, geth };
  }
  refuseForeign(options.home);
  const made = await createNetwork(options.home, networkOptions(options, geth ?? "embedded"));
  return { manifest: made, geth };
}

/** A demo plays on a network of its own, from its first block on, and nobody else on that one. */
function refuseMix({ home, demo }: TestnetOptions, existing: Manifest): void {
  if (demo !== undefined) {
    throw new CliError(
      ExitCode.config,
      `--demo ${demo} plays on a new network, and one lies in ${home}`,
      "choose another --home, or add --clean to remove it",
    );
  }
  if (existing.demo === undefined) return;
  throw new CliError(
    ExitCode.config,
    `${home} holds what --demo ${existing.demo} left`,
    "add --clean to remove it, or choose another --home",
  );
}

function networkOptions(options: TestnetOptions, el: string): NetworkOptions {
  return {
    validators: options.validators ?? 4,
    full: options.full ?? (options.demo === undefined ? 0 : 1),
    basePort: options.basePort ?? DEFAULT_BASE_PORT,
    blockIntervalMs: options.blockIntervalMs ?? 1000,
    gasLimit: options.gasLimit ?? (el === "embedded" ? EMBEDDED_GAS_LIMIT : GETH_GAS_LIMIT),
    stake: options.stake ?? options.demo === "stake",
    unbondingS: options.unbondingS ?? (options.demo === "stake" ? DEMO_UNBONDING_S : DEFAULT_UNBONDING_S),
    el,
    ...(options.demo === undefined ? {} : { demo: options.demo }),
  };
}

/** What a network is made of is fixed; asking for something else by mistake must not be ignored. */
function refuseChanges(options: TestnetOptions, manifest: Manifest): void {
  const validators = manifest.nodes.filter(({ validator }) => validator).length;
  const wanted: [string, number | string | undefined, number | string][] = [
    ["validators", options.validators, validators],
    ["base-port", options.basePort, manifest.basePort],
    ["block-interval", options.blockIntervalMs, manifest.blockIntervalMs],
    ["gas-limit", options.gasLimit, manifest.gasLimit],
    ["unbonding", options.unbondingS, manifest.unbondingS],
    ["el", options.el === "embedded" ? "embedded" : undefined, manifest.el],
  ];
  if (options.el !== undefined && options.el !== "embedded" && manifest.el === "embedded") {
    wanted.push(["el", options.el, manifest.el]);
  }
  const action = "leave the flag out to resume it, add --clean to start anew, or choose another --home";
  for (const [flag, asked, is] of wanted) {
    if (asked === undefined || asked === is) continue;
    const what = `--${flag} ${asked}: the network in ${options.home} was made with ${is}`;
    throw new CliError(ExitCode.config, what, action);
  }
  if (options.stake === true && !manifest.stake) {
    const what = `--stake: the set of the network in ${options.home} is decided by its registry's owner`;
    throw new CliError(ExitCode.config, what, action);
  }
}

/** A directory that holds something else is left alone. */
function refuseForeign(home: string): void {
  if (existsSync(join(home, "config"))) {
    throw new CliError(ExitCode.config, `${home} is the home of a single node`, "choose another --home");
  }
  const known =
    /^(node\d+|prometheus\.yml|compose\.yaml|demo|registry_owner\.json|control\.sock|network\.json)$/;
  const foreign = existsSync(home) ? readdirSync(home).find((name) => !known.test(name)) : undefined;
  if (foreign === undefined) return;
  throw new CliError(
    ExitCode.config,
    `${home} holds ${foreign}, which is no part of a network`,
    "choose an empty --home",
  );
}

function onSignals(stop: () => void): () => void {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, stop);
  return () => {
    for (const signal of signals) process.off(signal, stop);
  };
}

class Session {
  readonly #options: TestnetOptions;
  readonly #io: CommandContext["io"];
  readonly #network: Network;
  readonly #watch = new ChainWatch();
  readonly #reporter: Reporter;
  readonly #interrupt: AbortSignal;
  readonly #outcome = Promise.withResolvers<Outcome>();
  /** Ends the demo with the session. */
  readonly #curtain = new AbortController();
  #load: LoadGenerator | null = null;
  #readyOnce = false;
  #startHeight = 0;
  #goalNodes: readonly string[] = [];
  readonly #silence = new Silence(performance.now());
  #over = false;
  readonly #stage: Stage | null;

  constructor(
    options: TestnetOptions,
    manifest: Manifest,
    geth: string | null,
    io: CommandContext["io"],
    interrupt: AbortSignal,
  ) {
    this.#options = options;
    this.#io = io;
    this.#interrupt = interrupt;
    this.#network = new Network(options.home, manifest, geth, {
      state: (name, state, pid, exit) => {
        const meant = exit !== null && this.#stage?.doomed.get(name) === exit;
        this.#reporter.node(name, state, pid, exit, meant);
        if (state === "dead") this.#died(name, exit);
      },
      commit: (name, commit) => {
        const live = this.#network.member(name).child.state === "consensus";
        const nowMs = performance.now();
        const first = this.#watch.commit(name, commit, live, nowMs);
        if (first) this.#silence.broken();
        this.#stage?.committed(name, commit.height, commit.round, nowMs);
        this.#load?.committed(commit.height);
        this.#reporter.commit(name, commit, first);
        this.#judge();
      },
      note: (text) => this.#reporter.note(text),
    });
    if (options.json) this.#reporter = jsonReporter(io);
    else if (io.stdoutIsTty) this.#reporter = tableReporter(io, this.#network, this.#watch, () => this.#load);
    else this.#reporter = lineReporter(io);
    this.#stage =
      options.demo === undefined
        ? null
        : new Stage({
            network: this.#network,
            watch: this.#watch,
            signal: this.#curtain.signal,
            say: (text) => this.#reporter.tell(text),
          });
  }

  async run(): Promise<number> {
    const control = await this.#open();
    const checks = setInterval(() => this.#check(), CHECK_MS);
    const limitS = this.#options.timeoutS ?? (this.#stage === null ? undefined : DEMO_LIMIT_S);
    const limit = limitS === undefined ? null : setTimeout(() => this.#timedOut(limitS), limitS * 1000);
    this.#interrupt.addEventListener("abort", () => this.#end({ kind: "stopped" }), { once: true });
    if (this.#interrupt.aborted) this.#end({ kind: "stopped" });
    let outcome: Outcome;
    try {
      await this.#network.start();
      void this.#begin();
      outcome = await this.#outcome.promise;
    } catch (error) {
      outcome = { kind: "failed", ...failureOf(error) };
    } finally {
      this.#over = true;
      this.#curtain.abort();
      clearInterval(checks);
      if (limit !== null) clearTimeout(limit);
    }
    await this.#load?.stop();
    control.close();
    await this.#network.stop();
    return await this.#finish(outcome);
  }

  async #open(): Promise<{ close(): void }> {
    try {
      await this.#network.checkPorts();
      return await serveControl(this.#options.home, (request) => this.#control(request));
    } catch (error) {
      this.#reporter.close();
      throw error;
    }
  }

  /** Ready, load, goals: each only while the session lasts. */
  async #begin(): Promise<void> {
    const members = this.#network.members;
    this.#goalNodes = members.map(({ entry }) => entry.name);
    if (!(await this.#network.allReady(this.#interrupt)) || this.#over) return;
    this.#readyOnce = true;
    const heights = members.flatMap(({ child }) => (child.started === null ? [] : [child.started.height]));
    this.#startHeight = Math.max(0, ...heights);
    const { manifest, home } = this.#network;
    if (members.every(({ child }) => child.state !== "dead")) {
      this.#reporter.ready({
        chainId: manifest.chainId,
        evmChainId: manifest.evmChainId,
        genesisHash: manifest.genesisHash,
        home,
        nodes: members.map((member) => this.#network.info(member)),
        accounts: devAccounts(),
      });
    }
    this.#load = new LoadGenerator({
      rate: this.#options.load,
      total: this.#options.txs ?? null,
      chainId: manifest.evmChainId,
      accounts: loadAccounts(),
      endpoints: () =>
        this.#network.members
          .filter(({ child }) => child.state === "consensus")
          .map((member) => this.#network.info(member).eth_rpc),
      warn: (message) => {
        if (this.#io.env["VALIDATOR_LOG_LEVEL"] === "debug") this.#reporter.note(`load: ${message}`);
      },
    });
    this.#load.start(this.#watch.height);
    this.#judge();
    const { demo } = this.#options;
    if (demo !== undefined && this.#stage !== null) await this.#play(demo, this.#stage);
  }

  /** Ends the session when the demo ends. */
  async #play(demo: DemoName, stage: Stage): Promise<void> {
    try {
      const failure = await play(demo, stage, {
        step: (name, ok, height) => this.#reporter.demo(name, ok, height),
      });
      this.#end(failure === null ? { kind: "met" } : { kind: "failed", ...failure });
    } catch (error) {
      if (!this.#over) this.#end({ kind: "failed", ...failureOf(error) });
    }
  }

  #end(outcome: Outcome): void {
    this.#outcome.resolve(outcome);
  }

  #fail(exitCode: number, what: string, action: string): void {
    this.#end({ kind: "failed", exitCode, what, do: action });
  }

  /** Divergence and goals, after every commit. */
  #judge(): void {
    const divergence = this.#watch.divergence;
    if (divergence !== null) {
      const { height, first, second } = divergence;
      this.#fail(
        ExitCode.safety,
        `height ${height} differs: ${first.node} has block ${first.blockId} app hash ${first.appHash} EL ${first.elHash}, ${second.node} has block ${second.blockId} app hash ${second.appHash} EL ${second.elHash}`,
        `keep ${this.#options.home} and report it`,
      );
      return;
    }
    const { heights, txs } = this.#options;
    if (!this.#readyOnce || (heights === undefined && txs === undefined)) return;
    const grown =
      heights === undefined ||
      this.#goalNodes.every((name) => this.#watch.heightOf(name) >= this.#startHeight + heights);
    if (grown && (txs === undefined || this.#load?.complete === true)) this.#end({ kind: "met" });
  }

  #check(): void {
    this.#judge();
    if (this.#silence.look(performance.now()) > STALL_MS && !this.#over) {
      this.#over = true;
      void this.#explain().then((why) =>
        this.#fail(ExitCode.unmet, `no commit for 60 s: ${why}`, "see node.log of the nodes named"),
      );
    }
  }

  #timedOut(timeoutS: number): void {
    const { heights, txs } = this.#options;
    if (heights === undefined && txs === undefined && this.#stage === null) {
      this.#end({ kind: "stopped" });
      return;
    }
    const where = this.#goalNodes.map((name) => `${name} ${this.#watch.heightOf(name)}`).join(", ");
    this.#fail(
      ExitCode.unmet,
      `not met within ${timeoutS} s: heights ${where}; from ${this.#startHeight}; ${this.#load?.mined ?? 0} transactions mined`,
      "give it more time, or see node.log of the node that lags",
    );
  }

  /** Before the network ever ran, the death of so many validators that there is no quorum ends the command. */
  #died(name: string, exit: number | null): void {
    if (this.#readyOnce || exit === null || exit >= 128) return;
    const validators = this.#network.members.filter(({ entry }) => entry.validator);
    const dead = validators.filter(({ child }) => child.state === "dead");
    if ((validators.length - dead.length) * 3 > validators.length * 2) return;
    const { child } = this.#network.member(name);
    const why = child.failure ?? "it said nothing";
    this.#fail(exit === 0 ? ExitCode.unmet : exit, `${name} did not start (${why})`, `see ${child.logFile}`);
  }

  /** The node of a validator address, for people; the address itself when it is unknown. */
  #nameOf(address: string): string {
    return (
      this.#network.members.find(({ child }) => child.started?.address === address)?.entry.name ?? address
    );
  }

  async #explain(): Promise<string> {
    const dead = this.#network.members
      .filter(({ child }) => child.state === "dead")
      .map(({ entry }) => entry.name);
    const alive = await Promise.all(
      this.#network.members
        .filter(({ child }) => child.state !== "dead")
        .map(async (member) => {
          const { name, rpc } = this.#network.info(member);
          try {
            const status = await nodeGet(rpc, "status");
            const consensus = at(status, "consensus");
            const missing = at(consensus, "missing");
            const lacking =
              Array.isArray(missing) && missing.length > 0
                ? `, no vote from ${missing.map((address) => this.#nameOf(String(address))).join(" ")}`
                : "";
            const execution =
              at(status, "execution", "el_ready") === false
                ? `, EL ${textAt(status, "execution", "detail")}`
                : "";
            return `${name} at ${textAt(consensus, "height")}/${numberAt(consensus, "round")}/${textAt(consensus, "step")}${lacking}${execution}`;
          } catch {
            return `${name} does not answer`;
          }
        }),
    );
    return [...(dead.length > 0 ? [`dead: ${dead.join(" ")}`] : []), ...alive].join("; ");
  }

  async #control({ command, name }: ControlRequest): Promise<unknown> {
    switch (command) {
      case "status":
        return this.#network.members.map((member) => ({
          ...this.#network.info(member),
          state: member.child.state,
          height: this.#watch.heightOf(member.entry.name) || (member.child.started?.height ?? 0),
        }));
      case "kill":
        await this.#network.kill(name);
        return { name, state: "dead" };
      case "restart":
        await this.#network.restart(name);
        return this.#network.info(this.#network.member(name));
      case "add-node":
        return await this.#network.add();
    }
  }

  async #finish(outcome: Outcome): Promise<number> {
    const traces = this.#network.members.map(({ child }) => join(child.home, "data", "vote-trace.ndjson"));
    const conflicting = await conflictingSignatures(traces, this.#stage?.scripted);
    const diverged = this.#watch.divergence !== null;
    const unsafe: Outcome | null =
      conflicting > 0 && !diverged
        ? {
            kind: "failed",
            exitCode: ExitCode.safety,
            what: `${conflicting} pairs of conflicting signatures in data/vote-trace.ndjson of the nodes`,
            do: `keep ${this.#options.home} and report it`,
          }
        : null;
    const final = unsafe ?? outcome;
    const summary: Summary = {
      // A demo that somebody stopped has not shown that its steps hold.
      ok: final.kind === "met" || (final.kind === "stopped" && this.#stage === null),
      heights: Math.max(0, this.#watch.height - this.#startHeight),
      txsSent: this.#load?.sent ?? 0,
      txsMined: this.#load?.mined ?? 0,
      diverged,
      conflictingSignatures: conflicting,
      latency: this.#watch.latencies,
      interval: this.#watch.intervals,
    };
    this.#reporter.done(summary);
    this.#reporter.close();
    if (final.kind !== "failed") return ExitCode.ok;
    reportFailure(final, null, this.#io);
    return final.exitCode;
  }
}
