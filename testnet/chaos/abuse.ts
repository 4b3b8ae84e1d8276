/** Strangers who flood, stall, crowd and lie: the chain keeps its pace, its memory and its links, and throws them out. */
import { catchUpAmong } from "./abuse/catch-up.ts";
import { rob } from "./abuse/robbery.ts";
import { besiege } from "./abuse/siege.ts";
import { LIARS, VARIANTS } from "./abuse/variants.ts";
import type { Campaign } from "./campaign.ts";

const SECONDS = 10;
const SCENES = VARIANTS.length + LIARS.length;

export const abuse: Campaign = {
  name: "abuse",
  unit: "scenes",
  about: "floods, malformed gossip, slow-loris, sybils, lying sync servers: pace, memory and links stay",
  network: { blockIntervalMs: 250 },
  scenesPerNetwork: 13,
  async scene(scene) {
    const { net, seed, report } = scene;
    const variant = VARIANTS[seed % SCENES];
    // Every other pass over the scenes attacks all nodes at once.
    const pass = Math.floor(seed / SCENES);
    const one = net.live.names[(seed + pass) % net.live.names.length]!;
    const victims = pass % 2 === 0 ? [one] : net.live.names;
    if (variant !== undefined) {
      report.what += ` (${variant.attack} on ${victims.join(" ")})`;
      const attack = variant.stolen === true ? rob : besiege;
      await attack(scene, variant, { seconds: SECONDS, victims });
    } else {
      const liar = LIARS[(seed % SCENES) - VARIANTS.length]!;
      report.what += ` (liars: ${liar.lie}, for ${one})`;
      await catchUpAmong(scene, liar, one);
    }
    report.done();
  },
};
