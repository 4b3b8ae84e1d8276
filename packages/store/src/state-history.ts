import {
  ByteReader,
  ByteWriter,
  type ChainState,
  decodeState,
  encodeState,
  type Height,
  incrementProposerPriority,
  type Registry,
  type Validator,
  type ValidatorSet,
  writeRegistry,
} from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import { at, decoded } from "./damage.ts";

/*
 * A state per height, without its three validator sets and its registry per height: a full state is stored where the
 * sets do something else than rotate the proposer, or every FULL_EVERY heights; in between a state refers to it and
 * its sets follow by rotating once per height.
 *
 *   state  u8 kind (0 full, 1 brief) ‖ height of the full state u64 ‖ encoded state (brief: sets of one, no registry)
 */

/** Rotations to follow at most: bounds the time to load a state. */
const FULL_EVERY = 128;

export interface StoredState {
  readonly bytes: Uint8Array;
  /** Height of the full state it builds on: its own when it is full. */
  readonly fullHeight: Height;
}

function single(set: ValidatorSet): ValidatorSet {
  return { validators: [set.proposer], proposer: set.proposer, totalPower: set.proposer.power };
}

function sameValidator(a: Validator, b: Validator): boolean {
  return a.power === b.power && a.priority === b.priority && bytesEqual(a.pubKey, b.pubKey);
}

function sameSet(a: ValidatorSet | null, b: ValidatorSet): boolean {
  if (a === b) return true;
  if (a === null || a.validators.length !== b.validators.length) return false;
  if (!bytesEqual(a.proposer.address, b.proposer.address)) return false;
  return a.validators.every((validator, i) => sameValidator(validator, b.validators[i] as Validator));
}

function sameRegistry(a: Registry, b: Registry): boolean {
  return a === b || bytesEqual(registryBytes(a), registryBytes(b));
}

function registryBytes(registry: Registry): Uint8Array {
  const writer = new ByteWriter();
  writeRegistry(writer, registry);
  return writer.finish();
}

/** Whether `state` follows from `previous` by rotating the proposer and nothing else that a brief state leaves out. */
function onlyRotated(previous: ChainState, state: ChainState): boolean {
  return (
    state.lastHeight === previous.lastHeight + 1 &&
    sameSet(state.lastValidators, previous.validators) &&
    sameSet(state.validators, previous.nextValidators) &&
    sameSet(state.nextValidators, incrementProposerPriority(previous.nextValidators, 1)) &&
    sameRegistry(state.registry, previous.registry)
  );
}

function store(state: ChainState, kind: 0 | 1, fullHeight: Height): StoredState {
  const bytes = new ByteWriter(1024).u8(kind).u64(fullHeight).bytes(encodeState(state)).finish();
  return { bytes, fullHeight };
}

/** A state to be stored in full. */
export function storeFull(state: ChainState): StoredState {
  return store(state, 0, state.lastHeight);
}

/** A state to be stored after `previous`, which was stored building on `fullHeight`. */
export function storeState(
  state: ChainState,
  previous: { readonly state: ChainState; readonly fullHeight: Height } | null,
): StoredState {
  if (previous === null || state.lastHeight - previous.fullHeight >= FULL_EVERY) return storeFull(state);
  if (state.lastValidators === null || !onlyRotated(previous.state, state)) return storeFull(state);
  const brief: ChainState = {
    ...state,
    lastValidators: single(state.lastValidators),
    validators: single(state.validators),
    nextValidators: single(state.nextValidators),
    registry: { ...state.registry, entries: [], changes: [], payouts: [], scheduled: [] },
  };
  return store(brief, 1, previous.fullHeight);
}

/**
 * What a stored state says about itself.
 * @throws ChainError `DECODE`.
 */
export function readStored(bytes: Uint8Array): { readonly state: ChainState; readonly fullHeight: Height } {
  // Copied: the state's hashes are views of what is decoded, and the index owns the bytes it answers with.
  const reader = new ByteReader(new Uint8Array(bytes));
  reader.u8();
  const fullHeight = reader.safeU64();
  return { state: decodeState(reader.bytes(bytes.length - 9)), fullHeight };
}

/** Height of the full state that a stored state builds on. */
export function fullHeightOf(bytes: Uint8Array): Height {
  return new ByteReader(bytes.subarray(1)).safeU64();
}

/** The sets of heights `full.lastHeight` …, each from the one before by one rotation behind the three of the state. */
export class SetWalk {
  readonly #full: ChainState;
  #height: Height;
  #set: ValidatorSet;

  constructor(full: ChainState) {
    this.#full = full;
    this.#height = full.lastHeight + 2;
    this.#set = full.nextValidators;
  }

  /** Set of a height at or behind the full state's; calls go upwards. */
  at(height: Height): ValidatorSet {
    const { lastHeight, lastValidators, validators } = this.#full;
    if (height === lastHeight && lastValidators !== null) return lastValidators;
    if (height === lastHeight + 1) return validators;
    while (this.#height < height) {
      this.#set = incrementProposerPriority(this.#set, 1);
      this.#height++;
    }
    return this.#set;
  }
}

/** The whole state of a brief one. */
export function completeState(brief: ChainState, full: ChainState): ChainState {
  if (brief.lastHeight === full.lastHeight) return full;
  const walk = new SetWalk(full);
  const { lastHeight } = brief;
  return {
    ...brief,
    lastValidators: walk.at(lastHeight),
    validators: walk.at(lastHeight + 1),
    nextValidators: walk.at(lastHeight + 2),
    registry: full.registry,
  };
}

/** The state in `bytes`, completed from the full state it builds on; damage is told as `STORE_CORRUPT`. */
export async function loadState(
  bytes: Uint8Array,
  height: Height,
  fullState: (height: Height) => Promise<ChainState>,
): Promise<ChainState> {
  const { state, fullHeight } = decoded(`the state of ${at(height)}`, () => readStored(bytes));
  return fullHeight === height ? state : completeState(state, await fullState(fullHeight));
}
