/** Kills around execution: the validator, its client or both die at a call between them, before the client sees it or after. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ethBlock } from "../test/support/eth.ts";
import { ExternalEl } from "../test/support/external-el.ts";
import { signal } from "../test/support/live.ts";
import { type Call, ExecutionProxy } from "../test/support/proxy.ts";
import { eventually } from "../test/support.ts";
import { atTip } from "./bounds.ts";
import type { Campaign } from "./campaign.ts";
import type { ChaosNetwork } from "./network.ts";

/** ms from the death until the node is ready again. */
const RECOVER_MS = 30_000;

interface Boundary {
  readonly name: string;
  readonly side: "before" | "after";
  hit(call: Call): boolean;
}

const hasAttributes = ({ params }: Call): boolean => params[1] !== null && params[1] !== undefined;

const CALLS: readonly { readonly name: string; hit(call: Call): boolean }[] = [
  { name: "a block is validated", hit: ({ method }) => method.startsWith("engine_newPayload") },
  {
    name: "a decided block is adopted",
    hit: (call) => call.method.startsWith("engine_forkchoiceUpdated") && !hasAttributes(call),
  },
  {
    name: "a build is begun or its payload taken",
    hit: (call) =>
      (call.method.startsWith("engine_forkchoiceUpdated") && hasAttributes(call)) ||
      call.method.startsWith("engine_getPayload"),
  },
];
const BOUNDARIES: readonly Boundary[] = CALLS.flatMap((call) => [
  { ...call, side: "before" },
  { ...call, side: "after" },
]);
const VICTIMS = ["the validator", "its client", "both"] as const;
const NAME = "node1";

/** The client behind the proxy, whoever owns its process. */
interface Client {
  pid(): Promise<number>;
  /** After its death: resolves when it answers again. */
  back(): Promise<void>;
  stop(): Promise<void>;
}

interface Arranged {
  readonly proxy: ExecutionProxy;
  readonly client: Client;
}

const arranged = new WeakMap<ChaosNetwork, Promise<Arranged>>();

/** Puts a proxy between the victim and its client; an embedded one is replaced by one of our own on the same data. */
async function arrange(net: ChaosNetwork): Promise<Arranged> {
  const { live } = net;
  const { home, eth_rpc, el_pid } = await live.node(NAME);
  const file = join(home, "config", "config.toml");
  const text = readFileSync(file, "utf8");
  const httpPort = Number(new URL(eth_rpc).port);
  const urls = [`http://127.0.0.1:${httpPort + 1}`, eth_rpc] as const;
  const embedded = /^client = "embedded"$/m.test(text);
  await live.kill(NAME);
  let client: Client;
  if (embedded) {
    await eventually("the end of the embedded client", () => signalled(el_pid));
    const own = new ExternalEl({ home, httpPort, enginePort: httpPort + 1 });
    await own.start();
    client = {
      pid: async () => own.pid,
      back: () => own.start(),
      stop: () => own.stop(),
    };
  } else {
    client = {
      pid: async () => (await live.node(NAME)).el_pid,
      back: () => eventually("another client", async () => (await height(eth_rpc)) >= 0),
      stop: async () => undefined,
    };
  }
  const proxy = await ExecutionProxy.open(...urls);
  net.additions.push(async () => {
    await proxy.close();
    await client.stop();
  });
  writeFileSync(
    file,
    text
      .replace(/^client = .*$/m, `client = "${proxy.engineUrl}"`)
      .replace(/^eth_url = .*$/m, `eth_url = "${proxy.ethUrl}"`),
  );
  await live.restart(NAME);
  await atTip(net, NAME);
  return { proxy, client };
}

function signalled(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

/** Of its head; -1 when it does not answer. */
async function height(url: string): Promise<number> {
  try {
    const block = await ethBlock(url, 0);
    return block === null ? -1 : 0;
  } catch {
    return -1;
  }
}

export const execution: Campaign = {
  name: "execution",
  unit: "kills",
  about:
    "validator, client or both are killed at a call between them: every block is executed once and in order",
  network: { blockIntervalMs: 500 },
  scenesPerNetwork: 18,
  async scene({ net, seed, report }) {
    const { live } = net;
    const known = arranged.get(net) ?? arrange(net);
    arranged.set(net, known);
    const { proxy, client } = await known;
    const boundary = BOUNDARIES[seed % BOUNDARIES.length]!;
    const victim = VICTIMS[Math.floor(seed / BOUNDARIES.length) % VICTIMS.length]!;
    report.what += ` (${victim} killed ${boundary.side} ${boundary.name})`;
    const { pid, eth_rpc } = await live.node(NAME);
    const clientPid = await client.pid();
    let struck = false;
    proxy.watcher = (call, side) => {
      if (side !== boundary.side || !boundary.hit(call)) return;
      proxy.watcher = null;
      if (victim !== "its client") signal(pid, "SIGKILL");
      if (victim !== "the validator") signal(clientPid, "SIGKILL");
      struck = true;
      throw new Error("the connection breaks with its ends");
    };
    await eventually("the call", () => struck);
    const from = performance.now();
    if (victim !== "its client") await live.kill(NAME);
    if (victim !== "the validator") await client.back();
    if (victim !== "its client") await live.restart(NAME);
    await atTip(net, NAME);
    report.took("recover", performance.now() - from, RECOVER_MS);
    const tip = live.height;
    await eventually(`the client at ${tip}`, async () => (await ethBlock(eth_rpc, tip)) !== null);
    report.done();
  },
};
