/** What gossip may know of consensus: window, proposers, and everything it serves to peers that lack it. */
import {
  type BlockId,
  certificateFromCommit,
  type Proposal,
  proposerOf,
  type ValidatorSet,
} from "@quorate/chain";
import {
  type ConsensusState,
  certificateOf,
  haveBits,
  heightRoundStep,
  maj23,
  proposalOf,
  type Step,
  voteOf,
  voteRounds,
} from "@quorate/consensus";
import type { BitArray, ConsensusView, OwnRoundState } from "@quorate/gossip";
import type { Runner } from "./runner/runner.ts";

/** Steps as CometBFT numbers them (RoundStepType). */
const STEP_NUMBER: Readonly<Record<Step, number>> = {
  NewHeight: 1,
  Propose: 3,
  Prevote: 4,
  PrevoteWait: 5,
  Precommit: 6,
  PrecommitWait: 7,
  Commit: 8,
};

export interface ViewSources {
  readonly runner: Runner;
  /** Whether this node could propose: its EL is ready and its clock is not behind. */
  elReady(): boolean;
  leaving(): boolean;
}

export function createConsensusView(sources: ViewSources): ConsensusView {
  const { runner } = sources;
  /** The core, while it is at the height that is being decided: before the start and during block sync it is not. */
  const core = (): ConsensusState | null => liveCore(runner);
  const setOf = (height: number): ValidatorSet | null => {
    const state = runner.chain();
    if (height === state.lastHeight + 1) return state.validators;
    if (height === state.lastHeight) return state.lastValidators;
    return height === state.lastHeight + 2 ? state.nextValidators : null;
  };
  return {
    get height() {
      return runner.chain().lastHeight + 1;
    },
    get round() {
      const live = core();
      return live === null ? 0 : heightRoundStep(live).round;
    },
    validators: setOf,
    proposer(height, round) {
      const set = setOf(height);
      return set === null ? null : proposerOf(set, round).pubKey;
    },
    roundState: () => roundStateOf(sources),
    vote(round, type, index) {
      const live = core();
      return live === null ? null : voteOf(live, round, type, index);
    },
    certificate(round, type) {
      const live = core();
      return live === null ? null : certificateOf(live, round, type);
    },
    proposal(round) {
      const live = core();
      const proposal = live === null ? null : proposalOf(live, round);
      return proposal === null
        ? null
        : { proposal, body: runner.bodies.get(proposal.blockId)?.bytes ?? null };
    },
    part: (blockId: BlockId, index: number) => runner.bodies.part(blockId, index),
    evidence: () => runner.evidence.pending(),
    lastCommit() {
      const state = runner.chain();
      const set = state.lastValidators;
      if (set === null) return null;
      const { commit } = runner.lastCommit();
      const last: Proposal | null = runner.lastProposal();
      return { height: state.lastHeight, certificate: certificateFromCommit(set, commit), proposal: last };
    },
  };
}

function liveCore(runner: Runner): ConsensusState | null {
  const core = runner.core();
  return heightRoundStep(core).height === runner.chain().lastHeight + 1 ? core : null;
}

function roundStateOf(sources: ViewSources): OwnRoundState {
  const { runner } = sources;
  const state = runner.chain();
  const core = liveCore(runner);
  const said = {
    height: state.lastHeight + 1,
    elReady: sources.elReady(),
    leaving: sources.leaving(),
  };
  // Of another height's votes nothing may be told under this one: peers would hold back what is missing here.
  if (core === null) {
    return {
      ...said,
      round: 0,
      step: STEP_NUMBER.NewHeight,
      proposal: null,
      parts: emptyBits(0),
      votes: [],
      maj23: [],
    };
  }
  const { round, step } = heightRoundStep(core);
  const proposal = proposalOf(core, round);
  const total = proposal?.blockId.parts.total ?? 0;
  const held = proposal !== null && runner.bodies.get(proposal.blockId) !== null;
  return {
    ...said,
    round,
    step: STEP_NUMBER[step],
    proposal: proposal?.blockId ?? null,
    parts: held ? fullBits(total) : emptyBits(total),
    votes: voteRounds(core).map(({ round: at, type }) => ({
      round: at,
      type,
      have: haveBits(core, at, type),
    })),
    maj23: maj23(core),
  };
}

export function emptyBits(size: number): BitArray {
  return { size, bits: new Uint8Array(Math.ceil(size / 8)) };
}

function fullBits(size: number): BitArray {
  const array = emptyBits(size);
  for (let index = 0; index < size; index++) {
    const at = index >> 3;
    array.bits[at] = (array.bits[at] ?? 0) | (1 << (index & 7));
  }
  return array;
}
