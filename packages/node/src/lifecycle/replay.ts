/**
 * Rebuilds the height that was being decided when the process ended, from the WAL records after its EndHeight. A log
 * of another core version, or one that breaks the core, is not replayed: its last snapshot is restored (DESIGN §5.1). In
 * every case the runner then gives the core what the sign state holds, which has the last word about lock and watermark.
 */
import {
  type BlockId,
  type ChainState,
  type Commit,
  paramsRoot,
  priorityRoot,
  type Vote,
  VoteType,
  validatorsHash,
} from "@quorate/chain";
import {
  CORE_VERSION,
  ConsensusError,
  type ConsensusState,
  decodeInput,
  decodeSnapshot,
  type Effect,
  heightRoundStep,
  type Input,
  initialState,
  outstanding,
  type Snapshot,
  step,
} from "@quorate/consensus";
import { bytesEqual } from "@quorate/crypto";
import type { LogPort } from "@quorate/gossip";
import { comparePlaces } from "@quorate/privval";
import { type BlockStore, StoreError } from "@quorate/store";
import type { Wal } from "@quorate/wal";
import { reasonOf } from "../errors.ts";
import { decodeEndHeight, decodeSignIntent, type SignIntent, WalRecordType } from "../wal-records.ts";

/** Far more than the core keeps for a next height of 512 validators. */
const MAX_EARLY = 4096;

/**
 * What the log gives back. In every case `signed`, the places that the key has signed at, the highest and the highest lock;
 * and `intents`, what went to the signer in this height, oldest first.
 */
export type Replay = { readonly signed: readonly OwnMessage[]; readonly intents: readonly SignIntent[] } & (
  | /** Nothing of this height in the log: begin it. */ { readonly kind: "fresh" }
  /** The height as it was; `pending` is to be carried out, `bodies` to be held again. */
  | {
      readonly kind: "resumed";
      readonly core: ConsensusState;
      readonly pending: readonly Effect[];
      readonly bodies: readonly BlockId[];
    }
  /** The inputs cannot be replayed (other core version, or one breaks the core): begin the height, then restore this. */
  | { readonly kind: "snapshot"; readonly snapshot: Snapshot }
);

/** An own message of the log: its signature was released, so nothing may contradict it. */
export interface OwnMessage {
  readonly height: number;
  readonly round: number;
  readonly step: 0 | 1 | 2;
  /** Set for a precommit of a block. */
  readonly lock: { readonly round: number; readonly blockId: BlockId } | null;
}

export interface ReplayModules {
  readonly wal: Pick<Wal, "replay" | "lastOfType">;
  readonly store: Pick<BlockStore, "getBody">;
  readonly lastCommit: Commit | null;
  /** Address of the own key; `null` on a full node. */
  readonly own: Uint8Array | null;
  readonly log: LogPort;
  /** The core's `step`, unless a test puts a bug into it. */
  readonly step?: typeof step;
}

/** Records of the height after `state`, oldest first. */
interface Found {
  readonly inputs: readonly Input[];
  readonly snapshot: Snapshot | null;
  /** Whether every record since the height began was written by this core version and is understood. */
  readonly replayable: boolean;
  readonly signed: readonly OwnMessage[];
  readonly intents: readonly SignIntent[];
}

export async function replayHeight(state: ChainState, modules: ReplayModules): Promise<Replay> {
  const { inputs, snapshot, replayable, signed, intents } = await readLog(state, modules);
  if (inputs.length > 0 && replayable) {
    const resumed = await replayInputs(state, inputs, modules);
    if (resumed !== null) return { ...resumed, signed, intents };
  }
  if (snapshot === null) return { kind: "fresh", signed, intents };
  modules.log.info("the height goes on from the log's last snapshot", {
    height: snapshot.height,
    round: snapshot.round,
  });
  return { kind: "snapshot", snapshot, signed, intents };
}

/**
 * From where the last ended height began, as messages for the next one may have come early; the whole log when the store
 * is below it (its index was rebuilt and lost the tip).
 */
async function readLog(state: ChainState, modules: ReplayModules): Promise<Found> {
  const { wal, log } = modules;
  const end = await wal.lastOfType(WalRecordType.endHeight);
  if (end === null) return read(state, 1n, modules);
  let from = end.sequence;
  for await (const record of wal.replay(end.sequence)) {
    const ended = decodeEndHeight(record.payload);
    if (ended !== null && ended.began > 0n) from = ended.began;
    if (ended !== null && ended.height > state.lastHeight) {
      log.warn("the WAL ended a height that the store does not hold: it is decided again from the log", {
        wal: ended.height,
        store: state.lastHeight,
      });
      from = 1n;
    }
    break;
  }
  return read(state, from, modules);
}

async function read(state: ChainState, from: bigint, modules: ReplayModules): Promise<Found> {
  const { wal, log, own } = modules;
  const height = state.lastHeight + 1;
  const signed = new Signed();
  let inputs: Input[] = [];
  const intents: SignIntent[] = [];
  /** Messages for this height that came while the one before was being finished. */
  const early: Input[] = [];
  let snapshot: Snapshot | null = null;
  let replayable = true;
  /** Between the start_height of this height and the end of its records. Later records of it can only repeat them. */
  let inside = false;
  for await (const record of wal.replay(from)) {
    if (record.type === WalRecordType.endHeight) {
      inside = false;
      continue;
    }
    try {
      if (record.type === WalRecordType.snapshot) {
        const found = decodeSnapshot(record.payload);
        if (found.height === height) snapshot = found;
        continue;
      }
      if (record.type === WalRecordType.signIntent) {
        const intent = inside ? decodeSignIntent(record.payload) : null;
        if (intent?.height === height) intents.push(intent);
        continue;
      }
      if (record.type !== WalRecordType.input) continue;
      const input = decodeInput(record.payload);
      signed.add(ownMessage(input));
      if (input.kind === "start_height") {
        inside = input.height === height && isSameChain(input, state);
        if (input.height === height && !inside)
          log.warn("the WAL began this height on another chain: it is not replayed", { height });
        if (!inside) continue;
        inputs = [];
        replayable = true;
      }
      const current = record.coreVersion === CORE_VERSION;
      if (!inside) {
        if (current && isEarly(input, height) && early.length < MAX_EARLY) early.push(input);
        continue;
      }
      if (!current) replayable = false;
      inputs.push(input);
      if (input.kind === "start_height") inputs.push(...early.splice(0));
    } catch (error) {
      replayable = false;
      log.warn("a WAL record is not understood: it is of another version", {
        sequence: record.sequence,
        version: record.coreVersion,
        reason: reasonOf(error),
      });
    }
  }
  for (const vote of snapshot?.votes ?? []) {
    if (own !== null && bytesEqual(vote.validatorAddress, own)) signed.add(messageOfVote(vote));
  }
  return { inputs, snapshot, replayable, signed: signed.all(), intents };
}

/** Kinds that the core keeps for the next height. */
function isEarly(input: Input, height: number): boolean {
  switch (input.kind) {
    case "vote":
      return input.vote.height === height;
    case "proposal":
      return input.proposal.height === height;
    case "certificate":
      return input.certificate.height === height;
    default:
      return false;
  }
}

/** Same validators, priorities, params and time before it: a log of another genesis would decide by other rules. */
function isSameChain(start: Extract<Input, { readonly kind: "start_height" }>, state: ChainState): boolean {
  return (
    start.lastTime === state.lastTime &&
    bytesEqual(validatorsHash(start.validators), validatorsHash(state.validators)) &&
    bytesEqual(priorityRoot(start.validators), priorityRoot(state.validators)) &&
    bytesEqual(paramsRoot(start.params), paramsRoot(state.params))
  );
}

/**
 * `null` when an input of the log breaks an invariant of the core, as it did when the process ended: it would at every
 * start. It stays behind where the height begins anew; what this node signed, sign state and `signed` know.
 */
async function replayInputs(
  state: ChainState,
  inputs: readonly Input[],
  modules: ReplayModules,
): Promise<Omit<Extract<Replay, { readonly kind: "resumed" }>, "signed" | "intents"> | null> {
  let decide: Effect | null = null;
  /** Kept only with the block of their height. */
  const equivocations: Effect[] = [];
  const bodies: BlockId[] = [];
  let core = initialState();
  for (const logged of inputs) {
    const input = await survived(logged, modules);
    if (input === null) continue;
    if (input.kind === "body") bodies.push(input.blockId);
    const result = tryStep(core, input, modules);
    if (result === null) return null;
    core = result.state;
    decide = result.effects.find((effect) => effect.kind === "decide") ?? decide;
    equivocations.push(...result.effects.filter((effect) => effect.kind === "duplicate_vote"));
  }
  const { round, step: at } = heightRoundStep(core);
  // Decided, but not yet committed when the process ended.
  const pending = [
    ...equivocations,
    ...outstanding(core),
    ...(at === "Commit" && decide !== null ? [decide] : []),
  ];
  modules.log.info("replayed the height from the WAL", {
    height: state.lastHeight + 1,
    round,
    step: at,
    inputs: inputs.length,
  });
  return { kind: "resumed", core, pending, bodies };
}

function tryStep(core: ConsensusState, input: Input, modules: ReplayModules): ReturnType<typeof step> | null {
  try {
    return (modules.step ?? step)(core, input);
  } catch (error) {
    if (!(error instanceof ConsensusError)) throw error;
    modules.log.error("an input of the WAL breaks the core: the height is not replayed", {
      input: input.kind,
      reason: error.message,
      do: "report it with data/state-dump.json: it is a bug; the node goes on, bound by its sign state",
    });
    return null;
  }
}

/**
 * The input as it holds now. A body that is not in the store did not survive: it is fetched again, as if it had never
 * come; a value built here whose body is gone was never built.
 */
async function survived(input: Input, modules: ReplayModules): Promise<Input | null> {
  switch (input.kind) {
    case "start_height":
      return { ...input, lastCommit: modules.lastCommit };
    case "body":
      return (await isStored(input.blockId, modules)) ? input : null;
    case "built":
      return input.value === null || (await isStored(input.value.blockId, modules))
        ? input
        : { ...input, value: null };
    default:
      return input;
  }
}

async function isStored(blockId: BlockId, { store, log }: ReplayModules): Promise<boolean> {
  try {
    return (await store.getBody(blockId)) !== null;
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "STORE_CORRUPT") throw error;
    log.error("a stored body is damaged: it is fetched again", {
      block: blockId.hash,
      reason: error.message,
    });
    return false;
  }
}

/** The highest place signed, and the highest precommit of a block. */
class Signed {
  private highest: OwnMessage | null = null;
  private lock: OwnMessage | null = null;

  add(message: OwnMessage | null): void {
    if (message === null) return;
    if (isAbove(message, this.highest)) this.highest = message;
    if (message.lock !== null && isAbove(message, this.lock)) this.lock = message;
  }

  all(): readonly OwnMessage[] {
    return [this.lock, this.highest].filter((each) => each !== null);
  }
}

function isAbove(a: OwnMessage, b: OwnMessage | null): boolean {
  return b === null || comparePlaces(a, b) > 0;
}

function ownMessage(input: Input): OwnMessage | null {
  if (input.kind === "signed_proposal")
    return { height: input.height, round: input.round, step: 0, lock: null };
  return input.kind === "signed_vote" ? messageOfVote(input.vote) : null;
}

function messageOfVote(vote: Vote): OwnMessage {
  const { type, round, height, blockId } = vote;
  const precommit = type === VoteType.precommit;
  return {
    height,
    round,
    step: precommit ? 2 : 1,
    lock: precommit && blockId !== null ? { round, blockId } : null,
  };
}
