/**
 * Rebuilds the height that was being decided when the process ended, from the WAL records after its EndHeight. A log
 * of another core version is not replayed: its last snapshot is restored (DESIGN §5.1). In every case the runner then gives
 * the core what the sign state holds, which has the last word about lock and watermark.
 */
import { type BlockId, type ChainState, type Commit, VoteType } from "@quorate/chain";
import {
  CORE_VERSION,
  type ConsensusState,
  decodeInput,
  decodeSnapshot,
  type Effect,
  type Input,
  initialState,
  outstanding,
  type Snapshot,
  step,
  summary,
} from "@quorate/consensus";
import type { LogPort } from "@quorate/gossip";
import type { BlockStore } from "@quorate/store";
import type { Wal } from "@quorate/wal";
import { reasonOf } from "../errors.ts";
import { decodeEndHeight, WalRecordType } from "../wal-records.ts";

export type Replay =
  /** Nothing of this height in the log: begin it. */
  | { readonly kind: "fresh" }
  /** The height as it was; `pending` is to be carried out, `bodies` to be held again. */
  | {
      readonly kind: "resumed";
      readonly core: ConsensusState;
      readonly pending: readonly Effect[];
      readonly bodies: readonly BlockId[];
      readonly signed: readonly OwnMessage[];
    }
  /** The inputs cannot be replayed (other core version): begin the height, then restore this. */
  | { readonly kind: "snapshot"; readonly snapshot: Snapshot };

/** An own message of the log: its signature was released, so nothing may contradict it. */
export interface OwnMessage {
  readonly height: number;
  readonly round: number;
  readonly step: 0 | 1 | 2;
  /** Set for a precommit of a block. */
  readonly lock: { readonly round: number; readonly blockId: BlockId } | null;
}

export interface ReplayModules {
  readonly wal: Wal;
  readonly store: Pick<BlockStore, "getBody">;
  readonly lastCommit: Commit | null;
  readonly log: LogPort;
}

export async function replayHeight(state: ChainState, modules: ReplayModules): Promise<Replay> {
  const { wal, log } = modules;
  const height = state.lastHeight + 1;
  const end = await wal.lastOfType(WalRecordType.endHeight);
  const inputs: Input[] = [];
  let snapshot: Snapshot | null = null;
  let sameVersion = true;
  for await (const record of wal.replay(end === null ? 1n : end.sequence)) {
    if (record.type === WalRecordType.endHeight) {
      const ended = decodeEndHeight(record.payload);
      if (ended !== null && ended !== state.lastHeight) {
        log.warn("the WAL ends another height than the store: the store decides", {
          wal: ended,
          store: state.lastHeight,
        });
      }
      continue;
    }
    if (record.coreVersion !== CORE_VERSION) sameVersion = false;
    try {
      if (record.type === WalRecordType.snapshot) {
        const read = decodeSnapshot(record.payload);
        if (read.height === height) snapshot = read;
      } else if (record.type === WalRecordType.input) {
        inputs.push(decodeInput(record.payload));
      }
    } catch (error) {
      log.warn("a WAL record of another version is not understood", {
        sequence: record.sequence,
        reason: reasonOf(error),
      });
      sameVersion = false;
    }
  }
  const from = inputs.findLastIndex((input) => input.kind === "start_height" && input.height === height);
  if (from < 0) return { kind: "fresh" };
  if (!sameVersion) return snapshot === null ? { kind: "fresh" } : { kind: "snapshot", snapshot };
  return replayInputs(height, inputs.slice(from), modules);
}

async function replayInputs(
  height: number,
  inputs: readonly Input[],
  modules: ReplayModules,
): Promise<Replay> {
  let decide: Effect | null = null;
  const bodies: BlockId[] = [];
  const signed: OwnMessage[] = [];
  let core = initialState();
  for (const logged of inputs) {
    const input = logged.kind === "start_height" ? { ...logged, lastCommit: modules.lastCommit } : logged;
    // A body that is not in the store did not survive: it is fetched again, as if it had never come.
    if (input.kind === "body" && (await modules.store.getBody(input.blockId)) === null) continue;
    if (input.kind === "body") bodies.push(input.blockId);
    const own = ownMessage(input);
    if (own !== null) signed.push(own);
    const result = step(core, input);
    core = result.state;
    decide = result.effects.find((effect) => effect.kind === "decide") ?? decide;
  }
  const { round, step: at } = summary(core);
  // Decided, but not yet committed when the process ended.
  const pending = [...outstanding(core), ...(at === "Commit" && decide !== null ? [decide] : [])];
  modules.log.info("replayed the height from the WAL", { height, round, step: at, inputs: inputs.length });
  return { kind: "resumed", core, pending, bodies, signed };
}

function ownMessage(input: Input): OwnMessage | null {
  if (input.kind === "signed_proposal")
    return { height: input.height, round: input.round, step: 0, lock: null };
  if (input.kind !== "signed_vote") return null;
  const { type, round, height, blockId } = input.vote;
  const precommit = type === VoteType.precommit;
  return {
    height,
    round,
    step: precommit ? 2 : 1,
    lock: precommit && blockId !== null ? { round, blockId } : null,
  };
}
