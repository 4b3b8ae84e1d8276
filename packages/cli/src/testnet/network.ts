/** The processes of a local network: validators, their external execution clients, and how they are watched. */
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { CliError, ExitCode } from "../errors.ts";
import { httpStatus } from "../rpc-client.ts";
import { NodeChild, type NodeCommit, type NodeState } from "./child.ts";
import { addNode } from "./create.ts";
import type { NodeInfo } from "./events.ts";
import { GethProcess } from "./geth.ts";
import { MAX_NODES, type Manifest, type NodeEntry, nodeHome, nodePorts } from "./manifest.ts";

const POLL_MS = 100;
const RESTART_TIMEOUT_MS = 60_000;
const PROBE_TIMEOUT_MS = 2_000;

export interface NetworkEvents {
  state(name: string, state: NodeState, pid: number | null, exit: number | null): void;
  commit(name: string, commit: NodeCommit): void;
  /** A sentence for people about something that is no event. */
  note(text: string): void;
}

export interface Member {
  readonly entry: NodeEntry;
  readonly child: NodeChild;
  readonly geth: GethProcess | null;
}

export class Network {
  readonly home: string;
  readonly #events: NetworkEvents;
  readonly #geth: string | null;
  readonly #members = new Map<string, Member>();
  #manifest: Manifest;
  #stopping = false;
  #adding: Promise<unknown> = Promise.resolve();

  /** `geth`: binary of the external clients; `null` = each validator runs its embedded one. */
  constructor(home: string, manifest: Manifest, geth: string | null, events: NetworkEvents) {
    this.home = home;
    this.#manifest = manifest;
    this.#geth = geth;
    this.#events = events;
    for (const entry of manifest.nodes) this.#addMember(entry);
  }

  get members(): readonly Member[] {
    return [...this.#members.values()];
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  get manifest(): Manifest {
    return this.#manifest;
  }

  member(name: string): Member {
    const member = this.#members.get(name);
    if (member !== undefined) return member;
    throw new CliError(
      ExitCode.usage,
      `no node is called ${JSON.stringify(name)}`,
      `there are ${[...this.#members.keys()].join(", ")}`,
    );
  }

  /** @throws CliError inUse, naming the first port that is taken. */
  async checkPorts(): Promise<void> {
    for (const { entry } of this.members) {
      const ports = nodePorts(this.#manifest, entry.index);
      const { admin: _admin, elP2p, ...used } = ports;
      const all = this.#geth === null ? used : { ...used, elP2p };
      for (const [what, port] of Object.entries(all)) {
        if (await portFree(port)) continue;
        throw new CliError(
          ExitCode.inUse,
          `port ${port} (${what} of ${entry.name}) is taken`,
          "stop what uses it, or choose others with --base-port",
        );
      }
    }
  }

  async start(): Promise<void> {
    await Promise.all(this.members.map(({ geth }) => geth?.start()));
    if (this.#stopping) return;
    for (const { child } of this.members) child.start();
  }

  /** Stops every validator, then every client. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping = true;
    // Who asked for the node has the failure; here only its end counts, so that nothing starts behind the stop.
    await this.#adding.catch(() => undefined);
    await Promise.all(this.members.map(({ child }) => child.stop()));
    await Promise.all(this.members.map(({ geth }) => geth?.stop()));
  }

  /** Resolves when every node that is not dead answers /ready with 200; false when the signal came first. */
  async allReady(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      const alive = this.members.filter(({ child }) => child.state !== "dead");
      const ready = await Promise.all(alive.map(({ child }) => this.#answers(child, "ready", signal)));
      if (alive.length > 0 && ready.every(Boolean)) return true;
      // Rejects only when the signal aborts, which the loop looks at.
      await delay(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
    return false;
  }

  async kill(name: string): Promise<void> {
    await this.member(name).child.kill();
  }

  /** Resolves when the node answers /health. @throws CliError unmet, or with the code it died of. */
  async restart(name: string): Promise<void> {
    const { child, geth } = this.member(name);
    await child.stop();
    if (geth !== null && geth.pid === null) await geth.start();
    this.#refuseWhenStopping();
    child.start();
    await this.#untilHealthy(name, child);
  }

  /** One more full node; resolves when it answers /health. */
  add(): Promise<NodeInfo> {
    // A failed predecessor has told its own caller.
    const added = this.#adding.catch(() => undefined).then(() => this.#add());
    this.#adding = added;
    return added;
  }

  async #add(): Promise<NodeInfo> {
    this.#refuseWhenStopping();
    if (this.#members.size >= MAX_NODES) {
      throw new CliError(ExitCode.usage, `the network has ${MAX_NODES} nodes already`, "restart one instead");
    }
    const { manifest, node } = await addNode(this.home, this.#manifest);
    this.#manifest = manifest;
    const member = this.#addMember(node);
    await member.geth?.start();
    this.#refuseWhenStopping();
    member.child.start();
    await this.#untilHealthy(node.name, member.child);
    return this.info(member);
  }

  info({ entry, child, geth }: Member): NodeInfo {
    const ports = nodePorts(this.#manifest, entry.index);
    const started = child.started;
    return {
      name: entry.name,
      pid: child.pid ?? 0,
      home: child.home,
      address: started?.address ?? null,
      peer_id: entry.peerId,
      p2p: started?.p2p ?? `/ip4/127.0.0.1/tcp/${ports.p2p}/p2p/${entry.peerId}`,
      rpc: `http://127.0.0.1:${ports.rpc}`,
      metrics: `http://127.0.0.1:${ports.metrics}`,
      eth_rpc: `http://127.0.0.1:${ports.ethRpc}`,
      el_pid: geth === null ? child.elPid : geth.pid,
    };
  }

  #refuseWhenStopping(): void {
    if (this.#stopping)
      throw new CliError(ExitCode.unreachable, "the network is stopping", "start it again first");
  }

  #addMember(entry: NodeEntry): Member {
    const { name } = entry;
    const child = new NodeChild(nodeHome(this.home, name), {
      state: (state, exit) => {
        if (!this.#stopping) this.#events.state(name, state, child.pid, exit);
      },
      commit: (commit) => this.#events.commit(name, commit),
    });
    const geth =
      this.#geth === null
        ? null
        : new GethProcess(this.#geth, this.home, this.#manifest, entry, (text) =>
            this.#events.note(`${name}: ${text}`),
          );
    const member = { entry, child, geth };
    this.#members.set(name, member);
    return member;
  }

  async #answers(child: NodeChild, path: "health" | "ready", signal: AbortSignal): Promise<boolean> {
    if (child.started === null) return false;
    const timeout = AbortSignal.any([signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)]);
    return (await httpStatus(`${child.started.rpc}/${path}`, timeout)) === 200;
  }

  async #untilHealthy(name: string, child: NodeChild): Promise<void> {
    const signal = AbortSignal.timeout(RESTART_TIMEOUT_MS);
    while (!signal.aborted) {
      if (child.state === "dead") {
        throw new CliError(
          ExitCode.unmet,
          `${name} died at its start${child.failure === null ? "" : ` (${child.failure})`}`,
          `see ${child.logFile}`,
        );
      }
      if (await this.#answers(child, "health", signal)) return;
      await delay(POLL_MS);
    }
    throw new CliError(ExitCode.unmet, `${name} does not answer /health`, `see ${child.logFile}`);
  }
}

function portFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
