/** Several torments at once, drawn by chance, never so many that more than one validator is away. */
import { recovery } from "./bounds.ts";
import type { Campaign } from "./campaign.ts";
import { suffer, TORMENTS } from "./torments.ts";

export const swarm: Campaign = {
  name: "swarm",
  unit: "scenes",
  about: "mixes of torments on all nodes at once; with two away the chain may stop, and must resume",
  network: {},
  scenesPerNetwork: 12,
  async scene({ net, pace, random, report }) {
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
    const nodes = [...net.live.names].sort(() => random() - 0.5).slice(0, 1 + Math.floor(random() * 4));
    const suffering = nodes.map((node) => ({ node, torment: pick(TORMENTS) }));
    report.what += ` (${suffering.map(({ node, torment }) => `${torment.name} of ${node}`).join(", ")})`;
    const from = performance.now();
    await suffer(net, suffering);
    const away = suffering.filter(({ torment }) => torment.away).length;
    await recovery(net, pace, report, { nodes, fromMs: from, stopped: away > 1 });
    report.done();
  },
};
