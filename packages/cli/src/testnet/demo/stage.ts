/** What a demo has to play with: the running network, the commands that a user would type, and somebody who watches. */
import { setTimeout as delay } from "node:timers/promises";
import { COMMON_FLAGS, type Command, type Io } from "../../command.ts";
import { CliError, ExitCode } from "../../errors.ts";
import { parseArguments } from "../../flags.ts";
import { setOf } from "../../registry/sets.ts";
import { rowsAt } from "../../registry/view.ts";
import { at, nodeGet, textAt } from "../../rpc-client.ts";
import type { ChainWatch } from "../chain-watch.ts";
import type { Member, Network } from "../network.ts";
import type { Pace } from "./pace.ts";

/** The longest that a single thing is waited for. */
const PATIENCE_S = 60;
const LOOK_MS = 200;

export interface StageHost {
  readonly network: Network;
  readonly watch: ChainWatch;
  /** Ends what is being waited for. */
  readonly signal: AbortSignal;
  /** A line for people. */
  say(text: string): void;
}

export class Stage {
  readonly network: Network;
  readonly watch: ChainWatch;
  readonly say: (text: string) => void;
  /** `null` before the play begins: a network that starts is not one that pauses. */
  pace: Pace | null = null;
  /** Upper-case hex of what the script had signed: no fault of the network. */
  readonly scripted: Set<string> = new Set();
  /** Nodes whose end is part of the play, with the exit code that it is to have. */
  readonly doomed: Map<string, number> = new Map();
  readonly #signal: AbortSignal;
  readonly #waiters: PromiseWithResolvers<number>[] = [];

  constructor(host: StageHost) {
    this.network = host.network;
    this.watch = host.watch;
    this.say = (text) => host.say(text);
    this.#signal = host.signal;
    host.signal.addEventListener("abort", () => {
      for (const waiter of this.#waiters.splice(0)) waiter.reject(host.signal.reason);
    });
  }

  /** A node has committed a height. */
  committed(node: string, height: number, round: number, atMs: number): void {
    this.pace?.committed(height, round, atMs);
    if (node !== this.narrator.entry.name) return;
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(height);
  }

  /** Resolves when the narrator has committed its next height. */
  nextHeight(): Promise<number> {
    this.throwIfInterrupted();
    const waiter = Promise.withResolvers<number>();
    this.#waiters.push(waiter);
    return waiter.promise;
  }

  /** Whatever waits, waits no longer. */
  throwIfInterrupted(): void {
    this.#signal.throwIfAborted();
  }

  /** The node that is asked for everything: no scene touches it. */
  get narrator(): Member {
    return this.network.members[0]!;
  }

  get rpc(): string {
    return this.network.info(this.narrator).rpc;
  }

  /** Members that run. */
  get alive(): readonly Member[] {
    return this.network.members.filter(({ child }) => child.state !== "dead");
  }

  /**
   * Resolves with the first answer that is not null; a node that does not answer is asked again.
   * @throws CliError unmet when there is none in time.
   */
  async until<T>(
    what: string,
    look: () => Promise<T | null> | T | null,
    seconds: number = PATIENCE_S,
  ): Promise<T> {
    const deadline = performance.now() + seconds * 1000;
    let why = "";
    for (;;) {
      this.throwIfInterrupted();
      try {
        const found = await look();
        if (found !== null) return found;
      } catch (error) {
        if (!(error instanceof CliError) || error.exitCode !== ExitCode.unreachable) throw error;
        why = ` (${error.what})`;
      }
      if (performance.now() > deadline) {
        throw new CliError(
          ExitCode.unmet,
          `not within ${seconds} s: ${what}${why}`,
          "see node.log of the nodes",
        );
      }
      await delay(LOOK_MS, undefined, { signal: this.#signal });
    }
  }

  /** Until every living node has this height. */
  async reached(height: number): Promise<void> {
    await this.until(`every node at height ${height}`, () =>
      this.alive.every(({ entry }) => this.watch.heightOf(entry.name) >= height) ? height : null,
    );
  }

  /** Runs a command on the home of a node, as typed there, and resolves with its JSON document. */
  async command(member: Member, command: Command, words: readonly string[]): Promise<unknown> {
    const { home } = member.child;
    this.say(`    $ validator ${[...command.words, ...words, "--home", home].join(" ")}`);
    let out = "";
    const io: Io = {
      env: {},
      stdoutIsTty: false,
      columns: () => 80,
      out: (text) => {
        out += text;
      },
      err: (text) => this.say(`      ${text.trimEnd()}`),
    };
    const args = parseArguments(
      [...words, "--json", "--timeout", String(PATIENCE_S)],
      [...command.flags, ...COMMON_FLAGS],
      command.arguments,
      command.words.join(" "),
    );
    await command.run({ args, io, home, homeGiven: true });
    return JSON.parse(out);
  }

  /** Power by address in the set of a height. */
  async powersAt(height: number): Promise<ReadonlyMap<string, number>> {
    const set = await this.until(`the validator set of height ${height}`, () => setOf(this.rpc, height));
    return new Map(
      rowsAt(set, "validators").map((row) => [textAt(row, "address"), Number(textAt(row, "voting_power"))]),
    );
  }

  /** `node0 10, node2 10`: the set of a height for people. */
  async setText(height: number): Promise<string> {
    const powers = await this.powersAt(height);
    const rows = [...powers].map(([address, power]) => `${this.nameOf(address)} ${power}`);
    return rows.sort().join(", ");
  }

  nameOf(address: string): string {
    return this.network.members.find(({ entry }) => entry.address === address)?.entry.name ?? address;
  }

  /** The validator's row in the registry. */
  async registryRow(address: string): Promise<unknown> {
    const rows = at(await nodeGet(this.rpc, "registry"), "validators");
    return Array.isArray(rows) ? rows.find((row: unknown) => textAt(row, "address") === address) : undefined;
  }

  /** The place of its signature for the block in the commit of a decided height; `null` when it did not sign. */
  async signedAt(address: string, height: number): Promise<{ index: number; round: number } | null> {
    const commit = at(await nodeGet(this.rpc, `commit?height=${height}`), "signed_header", "commit");
    const signatures = at(commit, "signatures");
    const rows: readonly unknown[] = Array.isArray(signatures) ? signatures : [];
    const index = rows.findIndex(
      (row) => textAt(row, "validator_address") === address && at(row, "block_id_flag") === 2,
    );
    const round = at(commit, "round");
    return index < 0 || typeof round !== "number" ? null : { index, round };
  }
}
