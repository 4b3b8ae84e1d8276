/** `testnet --demo` as a user starts it: its steps as they come, and what it left behind. */
import { join } from "node:path";
import { freePorts, type NodeFacts, RunningNetwork, temporaryDirectory, VALIDATOR } from "../support.ts";

export interface DemoStep {
  readonly event: "demo";
  readonly step: string;
  readonly ok: boolean;
  readonly height: number;
}

export class RunningDemo {
  readonly home: string;
  readonly network: RunningNetwork;
  readonly nodes: readonly NodeFacts[];
  readonly #remove: () => void;

  private constructor(
    home: string,
    network: RunningNetwork,
    nodes: readonly NodeFacts[],
    remove: () => void,
  ) {
    this.home = home;
    this.network = network;
    this.nodes = nodes;
    this.#remove = remove;
  }

  /** Starts it in a temporary home and resolves when its network is ready. */
  static async start(demo: string, ...args: readonly string[]): Promise<RunningDemo> {
    const { path, remove } = temporaryDirectory();
    const home = join(path, "net");
    const port = String(await freePorts(60));
    const words = ["testnet", "--demo", demo, "--json", "--home", home, "--base-port", port, ...args];
    const network = new RunningNetwork(VALIDATOR, words);
    try {
      return new RunningDemo(home, network, (await network.ready()).nodes, remove);
    } catch (error) {
      await network.stop();
      remove();
      throw error;
    }
  }

  node(name: string): NodeFacts {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`no ${name}`);
    return found;
  }

  get steps(): readonly DemoStep[] {
    return this.network.events.filter((event) => event.event === "demo");
  }

  /** Resolves when this step was played, or is over. */
  step(name: string): Promise<DemoStep> {
    return this.network.until(`the step ${name}`, () => this.steps.find((each) => each.step === name));
  }

  /** Holds the play, not the chain, until the work is done: its end would take the nodes away. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.network.process.kill("SIGSTOP");
    try {
      return await work();
    } finally {
      this.network.process.kill("SIGCONT");
    }
  }

  async dispose(): Promise<void> {
    await this.network.stop();
    this.#remove();
  }
}
