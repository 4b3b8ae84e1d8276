/** A running local network and what a test does to it: waits for commits, kills by pid, restarts, looks inside. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { askControl } from "../../../packages/cli/src/testnet/control.ts";
import { faultsFile, faultyEnvironment, type MachineFaults, setFaults } from "../../faults/control.ts";
import {
  type CommitFacts,
  eventually,
  freePorts,
  isAlive,
  type NodeFacts,
  RunningNetwork,
  rpc,
  temporaryDirectory,
  VALIDATOR,
} from "../support.ts";

/** What the control socket tells of a node: its facts now, pids included. */
export interface NodeNow extends NodeFacts {
  readonly state: "starting" | "syncing" | "consensus" | "dead";
  readonly height: number;
}

export interface Account {
  readonly address: `0x${string}`;
  readonly private_key: `0x${string}`;
}

interface SignedHeader {
  readonly signed_header: {
    readonly commit: {
      readonly signatures: readonly { readonly block_id_flag: number; readonly validator_address: string }[];
    };
  };
}

const PORTS_PER_NODE = 10;

export class LiveNetwork {
  readonly home: string;
  readonly basePort: number;
  readonly accounts: readonly Account[];
  readonly evmChainId: number;
  readonly names: readonly string[];
  readonly network: RunningNetwork;
  readonly #remove: () => void;

  private constructor(
    network: RunningNetwork,
    basePort: number,
    ready: Awaited<ReturnType<RunningNetwork["ready"]>>,
    remove: () => void,
  ) {
    this.network = network;
    this.basePort = basePort;
    this.home = ready.home;
    this.accounts = ready.accounts;
    this.evmChainId = ready.evm_chain_id;
    this.names = ready.nodes.map(({ name }) => name);
    this.#remove = remove;
  }

  /** Starts `validator testnet --json` in a temporary home and resolves when all its nodes are ready. */
  static async start(...args: readonly string[]): Promise<LiveNetwork> {
    return LiveNetwork.#create(process.env, args);
  }

  /** The same with clocks and disks that {@link fault} can change; each client has those of its validator. */
  static async startFaulty(...args: readonly string[]): Promise<LiveNetwork> {
    return LiveNetwork.#create(faultyEnvironment(null, process.env), args);
  }

  static async #create(env: NodeJS.ProcessEnv, args: readonly string[]): Promise<LiveNetwork> {
    const { path, remove } = temporaryDirectory();
    const basePort = await freePorts(4 * PORTS_PER_NODE);
    return LiveNetwork.run({ home: join(path, "net"), basePort, remove }, env, args);
  }

  /** The same in this home, which {@link dispose} or a failed start removes; resumes the network that lies there. */
  static async run(
    { home, basePort, remove }: { readonly home: string; readonly basePort: number; remove(): void },
    env: NodeJS.ProcessEnv,
    args: readonly string[],
  ): Promise<LiveNetwork> {
    const network = new RunningNetwork(
      VALIDATOR,
      ["testnet", "--json", "--home", home, "--base-port", String(basePort), ...args],
      env,
    );
    try {
      return new LiveNetwork(network, basePort, await network.ready(), remove);
    } catch (error) {
      await network.stop();
      const logs = [0, 1, 2, 3]
        .map((index) => tail(join(home, `node${index}`, "node.log"), 20))
        .join("\n---\n");
      remove();
      throw new Error(`the network did not start:\n${logs}`, { cause: error });
    }
  }

  /** Stops the network if it still runs and removes its home. */
  async dispose(): Promise<void> {
    await this.network.stop();
    this.#remove();
  }

  async nodes(): Promise<readonly NodeNow[]> {
    return (await askControl(this.home, { command: "status", name: "" })) as readonly NodeNow[];
  }

  async node(name: string): Promise<NodeNow> {
    const found = (await this.nodes()).find((node) => node.name === name);
    if (found === undefined) throw new Error(`no ${name}`);
    return found;
  }

  others(...names: readonly string[]): string[] {
    return this.names.filter((name) => !names.includes(name));
  }

  /** Highest height that any node has committed. */
  get height(): number {
    return Math.max(0, ...this.names.map((name) => this.network.heightOf(name)));
  }

  /** Highest height that any of these nodes has by its own word: the network's output may be behind it. */
  async tip(...names: readonly string[]): Promise<number> {
    const nodes = (await this.nodes()).filter(({ name }) => names.includes(name));
    const heights = nodes.map(async ({ rpc: url }) => {
      const { sync_info } = await rpc<{ sync_info: { latest_block_height: string } }>(url, "status");
      return Number(sync_info.latest_block_height);
    });
    return Math.max(0, ...(await Promise.all(heights)));
  }

  commitsOf(name: string): CommitFacts[] {
    return this.network.commits().filter(({ node }) => node === name);
  }

  /** Until each of `names` has committed `by` heights above the network's present one. Returns that height. */
  async advances(by: number, names: readonly string[] = this.names): Promise<number> {
    const target = this.height + by;
    for (const name of names) await this.network.reaches(name, target);
    return target;
  }

  /** kill -9 of these nodes at once, by pid; resolves when the network has reported each of them dead. */
  async kill(...names: readonly string[]): Promise<void> {
    // Counted before the question: a node that dies by itself meanwhile is dead all the same.
    const before = new Map(names.map((name) => [name, this.#deaths(name)]));
    const nodes = (await this.nodes()).filter(({ name, state }) => names.includes(name) && state !== "dead");
    for (const { pid } of nodes) signal(pid, "SIGKILL");
    for (const { name } of nodes) {
      await this.network.until(`${name} reported dead`, () =>
        this.#deaths(name) > (before.get(name) ?? 0) ? true : undefined,
      );
    }
  }

  #deaths(name: string): number {
    return this.network.events.filter(
      (event) => event.event === "node" && event.name === name && event.state === "dead",
    ).length;
  }

  /** Resolves when each answers /health. Rejects with the end of its log when one does not come up. */
  async restart(...names: readonly string[]): Promise<void> {
    await Promise.all(
      names.map((name) =>
        askControl(this.home, { command: "restart", name }).catch((error: unknown) => {
          throw new Error(`restart of ${name}; its log ends with\n${this.logTail(name, 60)}`, {
            cause: error,
          });
        }),
      ),
    );
  }

  /** Makes the machine of a node started by {@link startFaulty} wrong or slow; nothing named is sound. */
  fault(name: string, faults: Partial<MachineFaults>): void {
    setFaults(faultsFile(this.homeOf(name)), faults);
  }

  homeOf(name: string): string {
    return join(this.home, name);
  }

  logTail(name: string, lines: number): string {
    return tail(join(this.homeOf(name), "node.log"), lines);
  }

  async ready(name: string): Promise<Readiness> {
    return readiness((await this.node(name)).rpc);
  }

  async untilReady(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      await eventually(`${name} ready`, async () => (await this.ready(name)).ready);
    }
  }

  /** Until a commit of a height from now on carries the signature of this validator. */
  async signs(name: string): Promise<void> {
    const { address, rpc: url } = await this.node(name);
    let height = this.height + 1;
    await eventually(`a commit signed by ${name}`, async () => {
      // It may be behind the others.
      if (this.network.heightOf(name) <= height) return false;
      const { signed_header } = await rpc<SignedHeader>(url, `commit?height=${height}`);
      height++;
      return signed_header.commit.signatures.some(
        (signature) => signature.block_id_flag === 2 && signature.validator_address === address,
      );
    });
  }

  /** Heights on which two nodes disagree about block, app hash or EL block. */
  divergedHeights(): number[] {
    const seen = new Map<number, string>();
    const diverged = new Set<number>();
    for (const { height, block_id, app_hash, el_hash } of this.network.commits()) {
      const value = `${block_id}/${app_hash}/${el_hash}`;
      const known = seen.get(height);
      if (known === undefined) seen.set(height, value);
      else if (known !== value) diverged.add(height);
    }
    return [...diverged];
  }

  /** Last lines of what every node logged, for the report of a failed test. */
  logTails(lines = 15): string {
    return this.names.map((name) => `--- ${name}\n${this.logTail(name, lines)}`).join("\n");
  }
}

export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly status: number;
}

/** /ready of a node; `status` 0 when nothing answers. */
export async function readiness(url: string): Promise<Readiness> {
  try {
    const response = await fetch(`${url}/ready`, { signal: AbortSignal.timeout(5_000) });
    return { ...((await response.json()) as Readiness), status: response.status };
  } catch {
    return { ready: false, reasons: ["no answer"], status: 0 };
  }
}

/** Of heights' rounds the middle one, the lower of two: a busy machine adds rounds to one height or another. */
export function medianRound(commits: readonly { readonly round: number }[]): number {
  const rounds = commits.map(({ round }) => round).sort((a, b) => a - b);
  return rounds[(rounds.length - 1) >> 1] ?? 0;
}

/** Sends a signal to a process that may have ended meanwhile. */
export function signal(pid: number, name: NodeJS.Signals): void {
  if (pid > 0 && isAlive(pid)) process.kill(pid, name);
}

/** Resident memory in MiB, of a process on Linux; `null` elsewhere. */
export function residentMib(pid: number): number | null {
  return statusMib(pid, "VmRSS");
}

/** Without what files stand behind. */
export function anonymousMib(pid: number): number | null {
  return statusMib(pid, "RssAnon");
}

function statusMib(pid: number, field: string): number | null {
  if (process.platform !== "linux") return null;
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  const kib = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1];
  return kib === undefined ? null : Number(kib) / 1024;
}

export function tail(file: string, lines: number): string {
  try {
    return readFileSync(file, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
  } catch {
    return "(no log)";
  }
}

/** A moment that nobody chose: what a crash does not wait for. */
export function pause(mostMs: number, random: () => number): Promise<void> {
  return delay(random() * mostMs);
}
