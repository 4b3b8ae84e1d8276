/** Waiting for what a transaction asked the chain for: each wait ends with a look after its time, whatever stopped this process. */
import { setTimeout as delay } from "node:timers/promises";
import type { Io } from "../command.ts";
import { CliError, ExitCode } from "../errors.ts";
import { nodeGet, numberAt } from "../rpc-client.ts";
import type { Sent } from "./send.ts";
import { powerAt } from "./sets.ts";
import { type RegistryView, readRegistry } from "./view.ts";

const POLL_MS = 200;

/** How far a request is; `refused` = it will never be done, and why. */
export interface Progress {
  readonly done: boolean;
  readonly state: string;
  readonly refused?: string;
}

const IGNORED =
  "see `validator validators`: requests against a rule of the chain are ignored (docs/protocol.md §3)";

/** A node that does not answer is asked again while there is time: who waits for a minute does not give up at one question. */
async function asked<T>(question: () => Promise<T>, deadline: number): Promise<T> {
  for (;;) {
    try {
      return await question();
    } catch (error) {
      const silent = error instanceof CliError && error.exitCode === ExitCode.unreachable;
      if (!silent || performance.now() >= deadline) throw error;
    }
    await delay(POLL_MS);
  }
}

/**
 * Waits until the registry after the transaction's block, or a later one, is as asked for and the block behind has fixed
 * what is owed. Tells progress on stderr.
 * @throws CliError unmet when it is refused or not so in time.
 */
export async function waitUntil(
  node: string,
  sent: Sent,
  judge: (view: RegistryView) => Progress,
  deadline: number,
  io: Io,
): Promise<RegistryView> {
  let said = "nothing seen";
  let doneAt: number | null = null;
  for (let last = false; !last; ) {
    last = performance.now() >= deadline;
    const view = await asked(() => readRegistry(node), deadline);
    if (view.height >= sent.height) {
      const { done, state, refused } = judge(view);
      if (refused !== undefined) throw new CliError(ExitCode.unmet, refused, IGNORED);
      doneAt = done ? (doneAt ?? view.height) : null;
      if (doneAt !== null && view.height > doneAt) return view;
      if (state !== said) io.err(`height ${view.height}: ${state}\n`);
      said = state;
    }
    await delay(POLL_MS);
  }
  throw new CliError(ExitCode.unmet, `the set is not as asked for yet (${said})`, IGNORED);
}

/**
 * What `look` finds in the registry as a node shows it, once that is of the transaction's block or of a later one.
 * @throws CliError unmet when it finds nothing in time.
 */
export async function foundInRegistry<T>(
  node: string,
  sent: Sent,
  deadline: number,
  look: (registry: unknown) => T | null,
): Promise<T> {
  for (let last = false; !last; ) {
    last = performance.now() >= deadline;
    const registry = await asked(() => nodeGet(node, "registry"), deadline);
    const found = numberAt(registry, "block_height") >= sent.height ? look(registry) : null;
    if (found !== null) return found;
    await delay(POLL_MS);
  }
  throw new CliError(ExitCode.unmet, "the registry does not show it", IGNORED);
}

/** First height from two behind the transaction's on whose set has the key with this power. @throws CliError unmet. */
export async function inForce(
  node: string,
  sent: Sent,
  pubKey: string,
  power: bigint,
  deadline: number,
): Promise<number> {
  let height = sent.height + 2;
  for (let last = false; !last; ) {
    last = performance.now() >= deadline;
    const status = await asked(() => nodeGet(node, "status"), deadline);
    const next = numberAt(status, "sync_info", "latest_block_height") + 1;
    for (; height <= next; height++) {
      if ((await asked(() => powerAt(node, height, pubKey), deadline)) === power) return height;
    }
    await delay(POLL_MS);
  }
  throw new CliError(ExitCode.unmet, `no set up to height ${height - 1} has power ${power} yet`, IGNORED);
}
