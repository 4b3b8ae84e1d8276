/** Everything that can go wrong, as data: drawn from a seed, applied by apply.ts, taken away one by one by shrinking. */
import type { Boundary } from "../cluster/process.ts";
import type { Survival } from "../disk/file-system.ts";
import type { ElEdge } from "../el/edges.ts";
import type { LockStory, RoundCut } from "./rounds.ts";

interface Timed {
  /** Number in the plan of its seed: names it on the command line. */
  readonly id: number;
  /** Virtual ms. */
  readonly atMs: number;
  readonly forMs: number;
}

export type Fault = Timed &
  (
    | /** Nothing passes from one side to the other; one way only when `oneWay`. */ {
        readonly kind: "partition";
        readonly side: readonly number[];
        readonly oneWay: boolean;
      }
    /** One way from one node to another is cut. */
    | { readonly kind: "cut"; readonly from: number; readonly to: number }
    | { readonly kind: "slow-link"; readonly from: number; readonly to: number; readonly times: number }
    /** A connection breaks and what is under way on it is lost. */
    | { readonly kind: "disconnect"; readonly from: number; readonly to: number }
    /** The streams behind the topics die while the connection lives. */
    | { readonly kind: "dead-topics"; readonly from: number; readonly to: number }
    /** In the rounds of the next height some are not heard and some hear nothing. */
    | { readonly kind: "rounds"; readonly rounds: readonly RoundCut[] }
    /** At the next height that suits it one validator locks a block that nobody else locks. `order`: who is asked first. */
    | { readonly kind: "lock-alone"; readonly order: readonly number[]; readonly story: LockStory }
    /** kill -9: what was written is there. */
    | { readonly kind: "kill"; readonly node: number }
    /** Power loss: what was not synced is lost so far. */
    | { readonly kind: "power-loss"; readonly node: number; readonly survival: Survival }
    /** Power loss at a call of a port, before it takes effect. */
    | {
        readonly kind: "crash-at";
        readonly node: number;
        readonly boundary: Boundary;
        readonly count: number;
        readonly survival: Survival;
      }
    /** SIGTERM and a start later. */
    | { readonly kind: "stop"; readonly node: number }
    | { readonly kind: "pause"; readonly node: number }
    /** The wall clock jumps, and back after a while. */
    | { readonly kind: "clock-jump"; readonly node: number; readonly byMs: number }
    | { readonly kind: "slow-disk"; readonly node: number; readonly times: number }
    /** The so-many-th write or sync fails, and all that follow, until the process has ended and the fault is over. */
    | {
        readonly kind: "disk-error";
        readonly node: number;
        readonly code: "EIO" | "ENOSPC";
        readonly call: "write" | "sync";
        readonly count: number;
      }
    /** kill -9 (for the sign state SIGTERM), one bit of a file is flipped, a start. */
    | {
        readonly kind: "bit-rot";
        readonly node: number;
        readonly what: "wal" | "bodies" | "index" | "sign-state";
      }
    /** The execution client cannot be reached. */
    | { readonly kind: "el-away"; readonly node: number }
    /** It crashed and lost its newest blocks. */
    | { readonly kind: "el-crash"; readonly node: number; readonly lost: number }
    | { readonly kind: "el-wipe"; readonly node: number }
    | { readonly kind: "el-syncing"; readonly node: number }
    /** It calls this share of payloads INVALID. */
    | { readonly kind: "el-lies"; readonly node: number; readonly share: number }
    | { readonly kind: "el-slow"; readonly node: number; readonly times: number }
    /** Its builds come out at the edge of what the chain takes, or beyond. */
    | { readonly kind: "el-edge"; readonly node: number; readonly edge: ElEdge }
  );

export type FaultKind = Fault["kind"];

/** Names for the command line. */
export const FAULT_GROUPS: Readonly<Record<string, readonly FaultKind[]>> = {
  network: ["partition", "cut", "slow-link", "disconnect", "dead-topics"],
  rounds: ["rounds", "lock-alone"],
  crash: ["kill", "power-loss", "crash-at", "stop"],
  pause: ["pause"],
  clock: ["clock-jump"],
  disk: ["slow-disk", "disk-error", "bit-rot"],
  execution: ["el-away", "el-crash", "el-wipe", "el-syncing", "el-lies", "el-slow", "el-edge"],
};

export function nodesOf(fault: Fault): readonly number[] {
  if ("side" in fault) return fault.side;
  if ("order" in fault) return fault.order;
  if ("rounds" in fault) return [...new Set(fault.rounds.flatMap((cut) => Object.values(cut).flat()))].sort();
  return "from" in fault ? [fault.from, fault.to] : [fault.node];
}

/** A line for people. */
export function faultText(fault: Fault): string {
  switch (fault.kind) {
    case "partition":
      return `partition {${fault.side.join(",")}} from the rest${fault.oneWay ? ", one way" : ""}`;
    case "cut":
      return `cut ${fault.from} -> ${fault.to}`;
    case "slow-link":
      return `link ${fault.from} -> ${fault.to} ${fault.times} times slower`;
    case "disconnect":
      return `disconnect ${fault.from} and ${fault.to}`;
    case "dead-topics":
      return `gossip streams between ${fault.from} and ${fault.to} die`;
    case "rounds":
      return `in the rounds of a height ${fault.rounds.map(roundText).join("; ")}`;
    case "lock-alone":
      return `one validator locks alone, its lock is ${fault.story} (asked first: ${fault.order.join(",")})`;
    case "kill":
      return `kill -9 of node ${fault.node}`;
    case "power-loss":
      return `power loss of node ${fault.node}, unsynced writes survive: ${fault.survival}`;
    case "crash-at":
      return `power loss of node ${fault.node} at ${fault.boundary} number ${fault.count}, unsynced writes survive: ${fault.survival}`;
    case "stop":
      return `stop of node ${fault.node}`;
    case "pause":
      return `pause of node ${fault.node}`;
    case "clock-jump":
      return `wall clock of node ${fault.node} jumps by ${fault.byMs} ms`;
    case "slow-disk":
      return `disk of node ${fault.node} ${fault.times} times slower`;
    case "disk-error":
      return `${fault.code} on disk of node ${fault.node} at ${fault.call} number ${fault.count}`;
    case "bit-rot":
      return `end of node ${fault.node} and a flipped bit in its ${fault.what}`;
    case "el-away":
      return `execution client of node ${fault.node} is away`;
    case "el-crash":
      return `execution client of node ${fault.node} crashes and loses ${fault.lost} blocks`;
    case "el-wipe":
      return `execution client of node ${fault.node} loses everything`;
    case "el-syncing":
      return `execution client of node ${fault.node} says SYNCING`;
    case "el-lies":
      return `execution client of node ${fault.node} calls ${Math.round(fault.share * 100)} % of payloads INVALID`;
    case "el-slow":
      return `execution client of node ${fault.node} ${fault.times} times slower`;
    case "el-edge":
      return `execution client of node ${fault.node} builds payloads at the edge: ${fault.edge}`;
  }
}

function roundText({ silent, quiet, deaf }: RoundCut, round: number): string {
  const part = (nodes: readonly number[], what: string): string[] =>
    nodes.length === 0 ? [] : [`${nodes.join(",")} ${what}`];
  const parts = [
    ...part(silent, "silent"),
    ...part(quiet, "silent until it prevoted"),
    ...part(deaf, "deaf until it prevoted"),
  ];
  return `${round}: ${parts.length === 0 ? "nothing" : parts.join(", ")}`;
}
