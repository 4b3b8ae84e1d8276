/**
 * kill -9 at any moment and at the boundary of any sync, with the loss of whatever log and sign state did not sync: nothing
 * that a victim sent is missing from its sign state, nobody ever signs twice, everybody is back soon.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeStateFile } from "@quorate/privval";

import { pause } from "../test/support/live.ts";
import { messagesOf, type TracedMessage } from "../test/support/votes.ts";
import { eventually, isAlive } from "../test/support.ts";
import { atTip, BOUNDS } from "./bounds.ts";
import type { Campaign, Scene } from "./campaign.ts";

const KILLS = 10;
/** A height makes about ten: several heights may pass before the last of these. */
const SYNCS = 40;

/** As the sign state orders them. */
const STEPS = { proposal: 0, prevote: 1, precommit: 2 } as const;

/** Of a node that is dead: everything that others have from it must be at or below what it synced before it sent that. */
function judgeSignState({ net: { live }, report }: Scene, name: string, address: string): void {
  const { lastSigned } =
    decodeStateFile(readFileSync(join(live.homeOf(name), "data", "priv_validator_state.bin")))?.state ?? {};
  const isAbove = ({ height, round, type }: TracedMessage): boolean =>
    lastSigned === undefined ||
    lastSigned === null ||
    (height - lastSigned.height || round - lastSigned.round || STEPS[type] - lastSigned.step) > 0;
  const sent = new Set<string>();
  for (const other of live.others(name)) {
    for (const message of messagesOf(live.homeOf(other), address)) {
      const place = `height ${message.height} round ${message.round} ${message.type}`;
      if (!sent.has(place) && isAbove(message)) report.problem(`${name} sent ${place} before it was synced`);
      sent.add(place);
    }
  }
  report.measured("messages of a killed node", sent.size);
}

/** Kills one node and brings it back; resolves when it is at the tip again. */
export async function killOnce(
  scene: Scene,
  name: string,
  when: "now" | "at a sync" = scene.random() < 0.5 ? "now" : "at a sync",
): Promise<void> {
  const { net, random, report } = scene;
  const { live } = net;
  const { pid, address } = await live.node(name);
  if (when === "now") await live.kill(name);
  else {
    const killAtSync = 1 + Math.floor(random() * SYNCS);
    live.fault(name, { losesUnsynced: true, killAtSync, killAfter: random() < 0.5 });
    await eventually(`${name} dead at a sync`, () => !isAlive(pid));
    live.fault(name, { losesUnsynced: true });
    await live.kill(name);
  }
  judgeSignState(scene, name, address);
  const from = performance.now();
  await live.restart(name);
  report.took("up", performance.now() - from);
  await atTip(net, name);
  report.took("tip", performance.now() - from);
  report.done();
}

export const kills: Campaign = {
  name: "kills",
  unit: "kills",
  about:
    "kill -9 of random nodes, at random moments and at syncs; what is not synced is lost as without power",
  network: { blockIntervalMs: 300 },
  scenesPerNetwork: 6,
  async scene(scene) {
    const { net, random } = scene;
    const { live } = net;
    const back = new Map<string, Promise<void>>();
    for (const name of live.names) live.fault(name, { losesUnsynced: true });
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
