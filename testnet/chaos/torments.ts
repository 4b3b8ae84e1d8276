/** What can be done to one node, and undone. */
import { setTimeout as delay } from "node:timers/promises";
import { askControl } from "../../packages/cli/src/testnet/control.ts";
import { signal } from "../test/support/live.ts";
import type { ChaosNetwork } from "./network.ts";

export interface Torment {
  readonly name: string;
  /** ms between its beginning and its end. */
  readonly holdMs: number;
  /** Whether the node's vote may be missing meanwhile: two such nodes leave no quorum. */
  readonly away: boolean;
  begin(net: ChaosNetwork, node: string): Promise<void>;
  end(net: ChaosNetwork, node: string): Promise<void>;
}

const nothing = async (): Promise<void> => undefined;

async function signalNode(net: ChaosNetwork, name: string, how: NodeJS.Signals): Promise<void> {
  signal((await net.live.node(name)).pid, how);
}

async function signalClient(net: ChaosNetwork, name: string, how: NodeJS.Signals): Promise<void> {
  signal((await net.live.node(name)).el_pid, how);
}

/** The client that was stopped, which is still there: its validator never gives a living one up. */
export const TORMENTS: readonly Torment[] = [
  {
    ...{ name: "disconnect", holdMs: 10_000, away: true },
    begin: async (net, node) => net.links.set(node, null, { cut: true }),
    end: async (net, node) => net.links.set(node, null, {}),
  },
  {
    ...{ name: "lost-route", holdMs: 10_000, away: true },
    begin: async (net, node) => net.links.set(node, null, { silent: true }),
    end: async (net, node) => net.links.set(node, null, {}),
  },
  {
    ...{ name: "slow-wires", holdMs: 10_000, away: false },
    begin: async (net, node) => net.links.set(node, null, { delayMs: 100 }),
    end: async (net, node) => net.links.set(node, null, {}),
  },
  {
    ...{ name: "pause", holdMs: 10_000, away: true },
    begin: (net, node) => signalNode(net, node, "SIGSTOP"),
    end: (net, node) => signalNode(net, node, "SIGCONT"),
  },
  {
    ...{ name: "kill", holdMs: 2_000, away: true },
    begin: (net, node) => net.live.kill(node),
    end: (net, node) => net.live.restart(node),
  },
  {
    ...{ name: "restart", holdMs: 0, away: true },
    begin: async (net, node) => {
      await askControl(net.live.home, { command: "restart", name: node });
    },
    end: nothing,
  },
  {
    ...{ name: "slow-disk", holdMs: 10_000, away: true },
    begin: async (net, node) => net.live.fault(node, { syncDelayMs: 150 }),
    end: async (net, node) => net.live.fault(node, {}),
  },
  {
    ...{ name: "client-kill", holdMs: 0, away: true },
    begin: (net, node) => signalClient(net, node, "SIGKILL"),
    end: nothing,
  },
  {
    ...{ name: "client-pause", holdMs: 10_000, away: true },
    begin: (net, node) => signalClient(net, node, "SIGSTOP"),
    end: (net, node) => signalClient(net, node, "SIGCONT"),
  },
];

export function torment(name: string): Torment {
  const found = TORMENTS.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no torment is called ${name}`);
  return found;
}

/** One or more nodes through one or more torments at the same time. */
export async function suffer(
  net: ChaosNetwork,
  suffering: readonly { readonly node: string; readonly torment: Torment }[],
): Promise<void> {
  const begun: (typeof suffering)[number][] = [];
  try {
    await Promise.all(
      suffering.map(async (one) => {
        begun.push(one);
        await one.torment.begin(net, one.node);
      }),
    );
    await delay(Math.max(...suffering.map(({ torment: { holdMs } }) => holdMs)));
  } finally {
    await Promise.all(begun.map(({ node, torment: { end } }) => end(net, node)));
  }
}
