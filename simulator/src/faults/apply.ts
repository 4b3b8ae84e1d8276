import type { Cluster } from "../cluster/cluster.ts";
import type { Recorder } from "../recorder.ts";
import { type Fault, faultText, nodesOf } from "./fault.ts";

/** Lets the faults of a plan happen, until all of them are healed at once. */
export class FaultPlayer {
  readonly #cluster: Cluster;
  readonly #recorder: Recorder;
  /** Undoes what still lasts. */
  readonly #lasting = new Set<() => void>();
  #over = false;

  constructor(cluster: Cluster, recorder: Recorder) {
    this.#cluster = cluster;
    this.#recorder = recorder;
  }

  play(faults: readonly Fault[]): void {
    const { scheduler } = this.#cluster;
    for (const fault of faults) {
      scheduler.after(fault.atMs - scheduler.now, () => {
        if (!this.#over) this.#begin(fault);
      });
    }
  }

  /** Nothing goes wrong any more; whoever is down comes back. */
  heal(): void {
    this.#over = true;
    for (const undo of [...this.#lasting]) undo();
    for (const [node, member] of this.#cluster.members.entries()) {
      member.armed = null;
      if (member.process === null) this.#cluster.start(node);
    }
  }

  #begin(fault: Fault): void {
    const { scheduler } = this.#cluster;
    this.#recorder.add({
      kind: "fault",
      text: faultText(fault),
      nodes: nodesOf(fault),
      until: scheduler.now + fault.forMs,
    });
    const undo = this.#apply(fault);
    if (undo === null) return;
    const once = (): void => {
      if (this.#lasting.delete(once)) undo();
    };
    this.#lasting.add(once);
    scheduler.after(fault.forMs, once);
  }

  /** What ends it; `null` when it strikes once. */
  #apply(fault: Fault): (() => void) | null {
    const cluster = this.#cluster;
    const { internet } = cluster;
    const peer = (node: number): string => cluster.member(node).identity.peerId;
    switch (fault.kind) {
      case "partition": {
        const ways = waysAcross(cluster.members.length, fault.side, fault.oneWay);
        for (const [from, to] of ways) internet.cut(peer(from), peer(to));
        return () => {
          for (const [from, to] of ways) internet.heal(peer(from), peer(to));
        };
      }
      case "cut":
        internet.cut(peer(fault.from), peer(fault.to));
        return () => internet.heal(peer(fault.from), peer(fault.to));
      case "slow-link": {
        const path = internet.path(peer(fault.from), peer(fault.to));
        path.slowness = fault.times;
        return () => {
          path.slowness = 1;
        };
      }
      case "disconnect":
        internet.disconnect(peer(fault.from), peer(fault.to), "disconnect");
        return null;
      case "dead-topics":
        internet.killTopics(peer(fault.from), peer(fault.to));
        return null;
      case "kill":
        cluster.crash(fault.node, "kill -9", false, null);
        return () => cluster.start(fault.node);
      case "power-loss":
        cluster.crash(fault.node, `power loss, disk keeps ${fault.survival}`, true, fault.survival);
        return () => cluster.start(fault.node);
      case "crash-at":
        cluster.arm(fault.node, {
          boundary: fault.boundary,
          count: fault.count,
          silent: false,
          survival: fault.survival,
          downMs: fault.forMs,
        });
        return null;
      case "stop": {
        const { process } = cluster.member(fault.node);
        if (process === null) return null;
        void process.stop();
        return () => cluster.start(fault.node);
      }
      case "pause":
        cluster.pause(fault.node, fault.forMs);
        return null;
      case "clock-jump": {
        const { skew } = cluster.member(fault.node);
        skew.offsetMs += fault.byMs;
        return () => {
          skew.offsetMs -= fault.byMs;
        };
      }
      case "slow-disk": {
        const { disk } = cluster.member(fault.node);
        disk.slowness = fault.times;
        return () => {
          disk.slowness = 1;
        };
      }
    }
  }
}

function waysAcross(nodes: number, side: readonly number[], oneWay: boolean): [number, number][] {
  const ways: [number, number][] = [];
  for (const inside of side) {
    for (let outside = 0; outside < nodes; outside++) {
      if (side.includes(outside)) continue;
      ways.push([inside, outside]);
      if (!oneWay) ways.push([outside, inside]);
    }
  }
  return ways;
}
