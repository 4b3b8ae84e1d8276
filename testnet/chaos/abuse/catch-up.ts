/** A node that was away comes back among servers that lie: one honest peer is enough for it. */
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../../test/support.ts";
import { atTip } from "../bounds.ts";
import type { Scene } from "../campaign.ts";
import { Attacker } from "./attacker.ts";
import { addressesOf, orderFor } from "./siege.ts";
import type { LiarVariant } from "./variants.ts";

/** What liars may achieve. */
export const DELAY = {
  /** ms from the honest peer's coming to the tip, where one alone takes a second or two. */
  tipMs: 20_000,
  /**
   * Requests that one liar gets of whom no block is good: two whose answers wait to be verified, one for the next height,
   * and one more for that where another liar's answer to it was thrown away.
   */
  requests: 4,
  /** ms from its first proven lie to its end. */
  thrownOutMs: 2_000,
} as const;
const LIARS = 5;
const AWAY_HEIGHTS = 20;
/** Alone among liars. */
const ALONE_MS = 2_000;
/** Longer than any scene; it is recalled. */
const SECONDS = 100;

export async function catchUpAmong(
  scene: Scene,
  { bar, lie, proven, delivers }: LiarVariant,
  name: string,
): Promise<void> {
  const { net, report } = scene;
  const { live, links } = net;
  const [friend = "", ...others] = live.others(name);
  const order = await orderFor(net, { attack: `liar-${lie}`, hosts: LIARS, perSecond: 0, seconds: SECONDS }, [
    name,
  ]);
  const [honest = null] = await addressesOf(net, [friend]);
  await live.kill(name);
  const away = live.height;
  await live.advances(AWAY_HEIGHTS, live.others(name));
  links.set(name, null, { cut: true });
  let attacker: Attacker | null = null;
  try {
    await live.restart(name);
    attacker = new Attacker({ ...order, honest });
    await attacker.begun;
    await delay(ALONE_MS);
    const healed = performance.now();
    links.set(name, friend, {});
    await eventually(`${name} caught up among liars`, () => live.network.heightOf(name) >= live.height - 1);
    const tipMs = performance.now() - healed;
    const behind = live.height - away;
    report.took(`${lie}: at the tip`, tipMs, DELAY.tipMs);
    await atTip(net, name);
    attacker.recall();
    const deeds = await attacker.deeds;
    const asked = deeds.told["requests to one liar"] ?? 0;
    report.measured(`${lie}: requests to one liar`, asked);
    if (!delivers && asked > DELAY.requests) report.problem(`one liar was asked ${asked} times`);
    if ((deeds.sent["answers"] ?? 0) === 0) report.problem("no liar was asked");
    if (proven && deeds.thrownOutMs.length === 0) report.problem("no liar was thrown out");
    if (proven)
      for (const each of deeds.thrownOutMs) report.took(`${lie}: thrown out after`, each, DELAY.thrownOutMs);
    report.say(
      `${bar} liar-${lie} by ${LIARS} for ${name}, ${behind} heights behind: ` +
        `${deeds.sent["hosts"]} hosts gave ${deeds.sent["answers"] ?? 0} answers, at most ${asked} each; ` +
        `thrown out ${deeds.thrownOutMs.length}, the slowest after ${Math.max(0, ...deeds.thrownOutMs)} ms; ` +
        `at the tip ${tipMs.toFixed(0)} ms after the honest peer came`,
    );
  } finally {
    attacker?.end();
    for (const other of [friend, ...others]) links.set(name, other, {});
  }
  await live.signs(name);
}
