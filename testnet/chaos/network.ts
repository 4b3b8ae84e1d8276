/**
 * A network to torment: four validators whose wires, clocks and disks can be made bad, whose processes and clients can be
 * killed and frozen, and which is watched from outside for what it must never do.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { faultyEnvironment } from "../faults/control.ts";
import { LiveNetwork } from "../test/support/live.ts";
import { type Ended, freePorts, temporaryDirectory, validator } from "../test/support.ts";
import { Links } from "./links.ts";

export interface ChaosOptions {
  /** `embedded`, or a Geth as `validator testnet --el` takes it. */
  readonly el: string;
  readonly blockIntervalMs: number;
  /** Signed transfers per second. */
  readonly load: number;
}

const VALIDATORS = 4;
const PORTS_PER_NODE = 10;
const P2P = 0;
/** Peers must not learn an address that leads around the wires. */
const NOWHERE = "/ip4/127.0.0.1/tcp/9";

export interface ChaosNetwork {
  readonly live: LiveNetwork;
  readonly links: Links;
  /** Addresses of validators whose keys somebody else signs with, upper-case hex; no other scene is for such a network. */
  readonly betrayed: Set<string>;
  /** Ended with the network: what a campaign added to it. */
  readonly additions: (() => Promise<void>)[];
  /** Ends it, and tells how; its home is kept where asked. */
  close(keep: boolean): Promise<Ended>;
}

export async function startChaosNetwork(options: ChaosOptions): Promise<ChaosNetwork> {
  const directory = temporaryDirectory();
  const home = join(directory.path, "net");
  const links = new Links();
  try {
    const basePort = await freePorts(VALIDATORS * PORTS_PER_NODE);
    const { code, err } = await validator(
      ...["testnet", "init", "--home", home, "--base-port", String(basePort), "--el", options.el],
      ...["--validators", String(VALIDATORS), "--block-interval", String(options.blockIntervalMs)],
    );
    if (code !== 0) throw new Error(`the network could not be made (${code}): ${err}`);
    await wire(links, home, basePort);
    const live = await LiveNetwork.run(
      { home, basePort, remove: directory.remove },
      faultyEnvironment(null, process.env),
      ["--load", String(options.load)],
    );
    const additions: (() => Promise<void>)[] = [];
    return {
      ...{ live, links, additions, betrayed: new Set() },
      async close(keep) {
        const ended = await live.network.stop();
        for (const end of additions) await end();
        await links.close();
        if (!keep) directory.remove();
        return ended;
      },
    };
  } catch (error) {
    await links.close();
    throw error;
  }
}

/** Puts a wire between every two nodes: each dials the others through wires of its own. */
async function wire(links: Links, home: string, basePort: number): Promise<void> {
  const names = Array.from({ length: VALIDATORS }, (_, index) => `node${index}`);
  const portOf = (index: number): number => basePort + PORTS_PER_NODE * index + P2P;
  for (const from of names) {
    const file = join(home, from, "config", "config.toml");
    let text = readFileSync(file, "utf8");
    for (const [index, to] of names.entries()) {
      if (to === from) continue;
      const port = await links.open(from, to, portOf(index));
      const before = text;
      text = text.replaceAll(`/tcp/${portOf(index)}/p2p/`, `/tcp/${port}/p2p/`);
      if (text === before) throw new Error(`${file} names no peer at ${portOf(index)}`);
    }
    writeFileSync(file, text.replace(/^announce = .*$/m, `announce = ["${NOWHERE}"]`));
  }
}
