/** One machine's clock jumps by an hour, goes 5 % wrong, or stands still with its node for 30 s. */
import { setTimeout as delay } from "node:timers/promises";
import type { MachineFaults } from "../faults/control.ts";
import { signal } from "../test/support/live.ts";
import { atTip, recovery } from "./bounds.ts";
import type { Campaign } from "./campaign.ts";

const HOUR_MS = 3_600_000;
const WATCH_MS = 30_000;
/** What a network may slow down by while one of its clocks is wrong. */
const SLOWER = 0.1;

type Fault = { readonly name: string; readonly machine: Partial<MachineFaults> | null };

const FAULTS: readonly Fault[] = [
  { name: "an hour ahead", machine: { clockOffsetMs: HOUR_MS } },
  { name: "an hour behind", machine: { clockOffsetMs: -HOUR_MS } },
  { name: "5 % fast", machine: { clockRate: 1.05 } },
  { name: "5 % slow", machine: { clockRate: 0.95 } },
  { name: "standing for 30 s", machine: null },
];
const NODES = 4;

export const clocks: Campaign = {
  name: "clocks",
  unit: "faults",
  about: "jumps of an hour, 5 % drift and 30 s of standing still on one node: the others hardly slow down",
  network: { blockIntervalMs: 1_000 },
  scenesPerNetwork: FAULTS.length,
  async scene({ net, pace, seed, report }) {
    const { live } = net;
    const fault = FAULTS[seed % FAULTS.length]!;
    const name = `node${Math.floor(seed / FAULTS.length) % NODES}`;
    report.what += ` (${name} ${fault.name})`;
    await atTip(net, name);
    const soundFrom = performance.now();
    await delay(WATCH_MS / 2);
    const sound = pace.intervalSince(soundFrom);
    const from = performance.now();
    const { pid } = await live.node(name);
    if (fault.machine === null) signal(pid, "SIGSTOP");
    else live.fault(name, fault.machine);
    try {
      await delay(WATCH_MS);
      const wrong = pace.intervalSince(from);
      report.took("height, all clocks right", sound);
      report.took(`height, ${fault.name}`, wrong);
      if (!(wrong <= sound * (1 + SLOWER * report.slack)))
        report.problem(`${Math.round(wrong)} ms a height, ${Math.round(sound)} with all clocks right`);
    } finally {
      if (fault.machine === null) signal(pid, "SIGCONT");
      else live.fault(name, {});
    }
    await recovery(net, pace, report, { nodes: [name], fromMs: from, stopped: false });
    report.done();
  },
};
