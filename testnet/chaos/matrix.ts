/** Each torment on each node and on each pair of nodes. */
import { recovery } from "./bounds.ts";
import type { Campaign } from "./campaign.ts";
import { suffer, TORMENTS } from "./torments.ts";

const NODES = ["node0", "node1", "node2", "node3"] as const;
const GROUPS: readonly (readonly string[])[] = [
  ...NODES.map((node) => [node]),
  ...NODES.flatMap((one, index) => NODES.slice(index + 1).map((other) => [one, other])),
];

/** Torments change fastest: a short run sees many kinds. */
export const CELLS: readonly {
  readonly torment: (typeof TORMENTS)[number];
  readonly nodes: readonly string[];
}[] = GROUPS.flatMap((nodes) => TORMENTS.map((torment) => ({ torment, nodes })));

export const matrix: Campaign = {
  name: "matrix",
  unit: "cells",
  about: "each torment on each node and each pair: all recover, and the chain stops only without a quorum",
  network: {},
  scenesPerNetwork: 12,
  async scene({ net, pace, seed, report }) {
    const cell = CELLS[seed % CELLS.length]!;
    report.what += ` (${cell.torment.name} of ${cell.nodes.join(" and ")})`;
    const from = performance.now();
    await suffer(
      net,
      cell.nodes.map((node) => ({ node, torment: cell.torment })),
    );
    await recovery(net, pace, report, {
      nodes: cell.nodes,
      fromMs: from,
      stopped: cell.torment.away && cell.nodes.length > 1,
    });
    report.done();
  },
};
