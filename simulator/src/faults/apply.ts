import type { StepResult } from "@quorate/consensus";
import type { Cluster } from "../cluster/cluster.ts";
import type { ElMood } from "../el/execution-client.ts";
import type { Recorder } from "../recorder.ts";
import { type Fault, faultText, nodesOf } from "./fault.ts";
import { RoundFaults } from "./rounds.ts";

type ElFault = Extract<
  Fault,
  { readonly kind: "el-away" | "el-syncing" | "el-lies" | "el-slow" | "el-edge" }
>;

/** Lets the faults of a plan happen, until all of them are healed at once. */
export class FaultPlayer {
  readonly #cluster: Cluster;
  readonly #recorder: Recorder;
  /** Undoes what still lasts. */
  readonly #lasting = new Set<() => void>();
  readonly #rounds: RoundFaults;
  #over = false;

  constructor(cluster: Cluster, recorder: Recorder) {
    this.#cluster = cluster;
    this.#recorder = recorder;
    this.#rounds = new RoundFaults(cluster, (fault) => this.#record(fault));
  }

  /** After every step of the core of any node: some faults wait for such moments. */
  step(node: number, after: StepResult): void {
    this.#rounds.step(node, after);
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
    for (const member of this.#cluster.members) member.armed = null;
    this.#cluster.keepUp();
  }

  #record(fault: Fault): void {
    this.#recorder.add({
      kind: "fault",
      text: faultText(fault),
      nodes: nodesOf(fault),
      until: this.#cluster.scheduler.now + fault.forMs,
    });
  }

  #begin(fault: Fault): void {
    const { scheduler } = this.#cluster;
    if (!waits(fault)) this.#record(fault);
    const undo = this.#apply(fault);
    if (undo === null) return;
    const once = (): void => {
      if (this.#lasting.delete(once)) undo();
    };
    this.#lasting.add(once);
    scheduler.after(fault.forMs, once);
  }

  #rot({ node, what }: Extract<Fault, { readonly kind: "bit-rot" }>): () => void {
    const cluster = this.#cluster;
    const { process } = cluster.member(node);
    if (what !== "sign-state") {
      cluster.crash(node, `kill -9, a flipped bit in ${what}`, false, null);
      cluster.rot(node, what);
    } else if (process !== null) {
      // Stopped in good order, its last signature is in the log too; killed, it would be in the slot alone.
      void process.stop().then(() => {
        if (cluster.member(node).process === null) cluster.rot(node, what);
      });
    }
    return () => cluster.start(node);
  }

  #spoil(fault: ElFault): (() => void) | null {
    const { client } = this.#cluster.member(fault.node);
    if (client === null) return null;
    Object.assign(client.mood, moodOf(fault));
    return () => void Object.assign(client.mood, CALM);
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
      case "rounds":
      case "lock-alone":
        return this.#rounds.add(fault);
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
      case "stop":
        cluster.stop(fault.node);
        return () => cluster.start(fault.node);
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
      case "disk-error": {
        const member = cluster.member(fault.node);
        const { files } = member.disk;
        let left = fault.count;
        member.diskFails = true;
        files.fault = (call) => {
          if (call === fault.call) left--;
          return left <= 0 && call === fault.call ? { code: fault.code } : null;
        };
        return () => {
          files.fault = () => null;
          member.diskFails = false;
          cluster.start(fault.node);
        };
      }
      case "bit-rot":
        return this.#rot(fault);
      case "el-away":
      case "el-syncing":
      case "el-lies":
      case "el-slow":
      case "el-edge":
        return this.#spoil(fault);
      case "el-crash": {
        const { client } = cluster.member(fault.node);
        if (client === null) return null;
        cluster.crashClient(fault.node, fault.lost);
        client.mood.away = true;
        return () => {
          client.mood.away = false;
        };
      }
      case "el-wipe":
        cluster.crashClient(fault.node, "all");
        return null;
    }
  }
}

/** It is recorded when its moment comes. */
function waits({ kind }: Fault): boolean {
  return kind === "rounds" || kind === "lock-alone";
}

/** What the mood of an execution client is without faults. */
const CALM: ElMood = { away: false, syncing: false, lies: 0, slowness: 1, edge: null };

function moodOf(fault: ElFault): Partial<ElMood> {
  switch (fault.kind) {
    case "el-away":
      return { away: true };
    case "el-syncing":
      return { syncing: true };
    case "el-lies":
      return { lies: fault.share };
    case "el-slow":
      return { slowness: fault.times };
    case "el-edge":
      return { edge: fault.edge };
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
