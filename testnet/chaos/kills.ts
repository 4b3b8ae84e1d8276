/** kill -9 at any moment and at the boundary of any sync: nobody ever signs twice, everybody is back soon. */

import { pause } from "../test/support/live.ts";
import { eventually, isAlive } from "../test/support.ts";
import { atTip, BOUNDS } from "./bounds.ts";
import type { Campaign, Scene } from "./campaign.ts";

const KILLS = 10;
/** A height makes about ten: several heights may pass before the last of these. */
const SYNCS = 40;

/** Kills one node and brings it back; resolves when it is at the tip again. */
export async function killOnce(
  { net, random, report }: Scene,
  name: string,
  when: "now" | "at a sync" = random() < 0.5 ? "now" : "at a sync",
): Promise<void> {
  const { live } = net;
  if (when === "now") await live.kill(name);
  else {
    const { pid } = await live.node(name);
    live.fault(name, { killAtSync: 1 + Math.floor(random() * SYNCS), killAfter: random() < 0.5 });
    await eventually(`${name} dead at a sync`, () => !isAlive(pid));
    live.fault(name, {});
    await live.kill(name);
  }
  const from = performance.now();
  await live.restart(name);
  await atTip(net, name);
  report.took("tip", performance.now() - from);
  report.done();
}

export const kills: Campaign = {
  name: "kills",
  unit: "kills",
  about: "kill -9 of random nodes, at random moments and before or after random syncs",
  network: { blockIntervalMs: 300 },
  scenesPerNetwork: 6,
  async scene(scene) {
    const { net, random } = scene;
    const { live } = net;
    const back = new Map<string, Promise<void>>();
    for (let kill = 0; kill < KILLS; kill++) {
      const height = live.height;
      await eventually("a commit before the next kill", () => live.height > height);
      await pause(500, random);
      // At most two away: the chain must go on by itself as soon as the first is back.
      while (back.size >= 2) await Promise.race(back.values());
      const up = live.others(...back.keys());
      const name = up[Math.floor(random() * up.length)]!;
      back.set(
        name,
        killOnce(scene, name)
          .catch((error: unknown) => scene.report.problem(String(error)))
          .finally(() => back.delete(name)),
      );
    }
    await Promise.all(back.values());
    const { p99 } = scene.report.measures["tip, ms"] ?? { p99: 0 };
    if (p99 > BOUNDS.tip * scene.report.slack)
      scene.report.problem(`99 of 100 killed nodes were at the tip within ${p99} ms, not ${BOUNDS.tip}`);
  },
};
