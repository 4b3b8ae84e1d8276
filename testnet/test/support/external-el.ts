/** An execution client that the test owns instead of the validator: started, killed and told another time at will. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { devnetElEntry, devnetElNodeFlags } from "../../../packages/devnet-el/src/index.ts";
import { faultyEnvironment, setFaults } from "../../faults/control.ts";
import { ROOT } from "../support.ts";

export interface ExternalElOptions {
  /** Of the validator: genesis, secret and data are where its embedded client has them. */
  readonly home: string;
  readonly httpPort: number;
  readonly enginePort: number;
}

export class ExternalEl {
  readonly #options: ExternalElOptions;
  #child: ChildProcess | null = null;

  constructor(options: ExternalElOptions) {
    this.#options = options;
  }

  get engineUrl(): string {
    return `http://127.0.0.1:${this.#options.enginePort}`;
  }

  get ethUrl(): string {
    return `http://127.0.0.1:${this.#options.httpPort}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Resolves when it answers. `skewMs`: by how much its clock goes ahead of the machine's. */
  async start(skewMs = 0): Promise<void> {
    const { home, httpPort, enginePort } = this.#options;
    const faults = join(home, "el-faults.json");
    setFaults(faults, { clockOffsetMs: skewMs });
    const log = openSync(join(home, "el.log"), "a");
    const child = spawn(
      process.execPath,
      [
        "--conditions=quorate-source",
        ...devnetElNodeFlags,
        devnetElEntry.pathname,
        ...["--genesis", join(home, "config", "el-genesis.json"), "--datadir", join(home, "data", "el")],
        ...["--jwt", join(home, "config", "jwt.hex"), "--exit-with-parent"],
        ...["--http-port", String(httpPort), "--engine-port", String(enginePort)],
      ],
      {
        cwd: ROOT,
        stdio: ["pipe", "pipe", log],
        env: faultyEnvironment(faults, process.env),
      },
    );
    closeSync(log);
    this.#child = child;
    // The pipe only ties its life to ours.
    child.stdin?.on("error", () => undefined);
    const stdout = child.stdout;
    if (stdout === null) throw new Error("no stdout");
    await Promise.race([
      once(createInterface({ input: stdout }), "line"),
      once(child, "exit").then(([code]) => {
        throw new Error(`the execution client ended with ${String(code)}; see ${join(home, "el.log")}`);
      }),
    ]);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }
}
