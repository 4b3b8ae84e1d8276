/** What went wrong while a decided block was fed to the EL. */
export type Trouble =
  /** newPayload SYNCING or ACCEPTED although the EL has the parent. */
  | "payload_unknown"
  /** newPayload INVALID for a decided block. */
  | "payload_invalid"
  /** forkchoiceUpdated SYNCING or INVALID after newPayload VALID. */
  | "forkchoice_refused"
  /** forkchoiceUpdated VALID, yet the head stayed. */
  | "head_not_moved"
  /** -38002: safe or finalized unknown or aside. */
  | "forkchoice_state"
  /** -38006: Geth after a crash without archive. */
  | "too_deep"
  /** Another JSON-RPC error. */
  | "call_refused";

export type Rung =
  /** forkchoiceUpdated to the EL's own head, which opens it again; then the same block once more. */
  | "own_head"
  /** Read the EL's head anew and feed from there. */
  | "relocate"
  /** Only an operator can go on: restart the EL. */
  | "restart"
  /** A restart did not help: wipe the EL's data and let replay rebuild it. */
  | "wipe";

/** The recovery ladder (geth-verified §7.2, engine-api §2.6). Each rung is tried once; the last one stays. */
export const LADDER: Readonly<Record<Trouble, readonly Rung[]>> = {
  payload_unknown: ["own_head", "relocate", "restart", "wipe"],
  payload_invalid: ["relocate", "restart", "wipe"],
  forkchoice_refused: ["own_head", "relocate", "restart", "wipe"],
  head_not_moved: ["own_head", "relocate", "restart", "wipe"],
  forkchoice_state: ["relocate", "restart", "wipe"],
  too_deep: ["own_head", "relocate", "restart", "wipe"],
  call_refused: ["relocate", "restart", "wipe"],
};

/** How far up the ladder we are at one height. */
export interface Climb {
  readonly height: number;
  readonly rungs: readonly Rung[];
}

export const NO_CLIMB: Climb = { height: -1, rungs: [] };

/**
 * The next rung for `trouble` at `height`. An operator's rung is not climbed by waiting: `restart` stays until the EL
 * was away, then the adapter's own rungs are tried anew, and `wipe` stands where `restart` stood.
 */
export function climb(
  climbed: Climb,
  height: number,
  trouble: Trouble,
  wasAway: boolean,
): { readonly rung: Rung; readonly climbed: Climb } {
  const before = climbed.height === height ? climbed.rungs : [];
  const last = before.at(-1);
  if ((last === "wipe" || last === "restart") && !wasAway) return { rung: last, climbed };
  const rungs: readonly Rung[] = wasAway && before.includes("restart") ? ["restart"] : before;
  const rung = LADDER[trouble].find((candidate) => !rungs.includes(candidate)) ?? "wipe";
  return { rung, climbed: { height, rungs: [...rungs, rung] } };
}

const WHAT: Readonly<Record<Trouble, string>> = {
  payload_unknown: "answers SYNCING to decided block",
  payload_invalid: "answers INVALID to decided block",
  forkchoice_refused: "refuses to adopt decided block",
  head_not_moved: "says VALID but does not move its head to decided block",
  forkchoice_state: "finds our safe or finalized block missing at decided block",
  too_deep: "finds its own lost blocks too deep at decided block",
  call_refused: "answers an error to decided block",
};

export function describe(trouble: Trouble, height: number, detail: string): string {
  return `the execution client ${WHAT[trouble]} ${height}${detail === "" ? "" : ` (${detail})`}`;
}

export const OPERATOR_ACTION: Readonly<Record<"restart" | "wipe", string>> = {
  restart: "restart the execution client; the node feeds it from its store and does not vote until then",
  wipe: "stop the execution client, delete its data directory, initialise it with this chain's el-genesis.json and start it: the node rebuilds it from its store",
};
