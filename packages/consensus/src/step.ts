/** `step`: one input into the core. What each kind of input changes, before the driver settles the rules. */
import {
  blockIdEquals,
  type Certificate,
  isTimely,
  oneThird,
  type Proposal,
  proposerOf,
  quorum,
  type Vote,
  VoteType,
} from "@quorate/chain";
import { bufferAhead } from "./ahead.ts";
import { extendCommit, isMember } from "./commit.ts";
import { drive, isAbsent, settle, setValue } from "./driver.ts";
import { checkStep } from "./invariants.ts";
import { LIMITS } from "./limits.ts";
import {
  judgeOwnProposal,
  judgeOwnVote,
  laterValue,
  laterWatermark,
  mayPropose,
  pointOfVote,
  rememberSigned,
  requestProposal,
  SIGNED_STEP,
  settleRequest,
} from "./own.ts";
import { addProposal, proposalsOf, sameProposal } from "./proposal-keeper.ts";
import { restore } from "./restore.ts";
import { NEW_HEIGHT } from "./round-machine.ts";
import { quorumCertificate } from "./snapshot.ts";
import {
  type ConsensusState,
  change,
  type HeightContext,
  initialState,
  isOwnProposer,
  NOTHING_SIGNED,
  type StepResult,
  sameBytes,
  type Work,
} from "./state.ts";
import { proposeAbsentMs, proposeMs } from "./timeouts.ts";
import { forgetTimer, schedule } from "./timers.ts";
import type { Input, Timeout } from "./types.ts";
import { factsOf } from "./values.ts";
import { addCertificate, addVote, emptyKeeper, tallyOf } from "./vote-keeper.ts";

type InputOf<K extends Input["kind"]> = Extract<Input, { readonly kind: K }>;

const NS_PER_MS = 1_000_000n;

/**
 * Takes one input. Pure: the old state stays as it is, the same inputs give the same states and effects for ever.
 * Inputs of other heights, stale answers and duplicates change nothing; messages for the next height are kept for it.
 *
 * Throws {@link ConsensusError} `UNSETTLED` or `INVARIANT` on a bug in the rules only; no peer can cause it.
 */
export function step(state: ConsensusState, input: Input): StepResult {
  if (input.kind === "start_height") return startHeight(state, input);
  if (state.context === null) return { state, effects: [] };
  const work: Work = { state, context: state.context, effects: [] };
  take(work, input);
  checkStep({ before: state, after: work.state, input: input.kind, effects: work.effects });
  return { state: work.state, effects: work.effects };
}

function take(work: Work, input: Exclude<Input, { kind: "start_height" }>): void {
  const { height } = work.context;
  if (heightOf(input) === height + 1) {
    bufferAhead(work, input);
    return;
  }
  // Late precommits of the last height; own ones too, whose signature was under way when it was decided.
  if (input.kind === "vote" || input.kind === "signed_vote") {
    if (input.kind === "signed_vote") takeSignedVote(work, input.vote);
    else if (input.vote.height === height) takeVote(work, input.vote);
    if (input.vote.height === height || input.vote.height === height - 1) extendCommit(work, input.vote);
    if (input.vote.height === height) settle(work);
    return;
  }
  if (heightOf(input) !== height || work.state.machine.step === "Commit") return;
  handle(work, input);
  settle(work);
}

function handle(work: Work, input: Exclude<Input, InputOf<"start_height" | "vote" | "signed_vote">>): void {
  switch (input.kind) {
    case "proposal":
      takeProposal(work, input.proposal, input.receivedAtMs);
      break;
    case "certificate":
      takeCertificate(work, input.certificate);
      break;
    case "timeout":
      takeTimeout(work, input.timeout);
      break;
    case "body":
      setValue(work, input.blockId, { body: { time: input.time, proposer: input.proposerAddress } });
      break;
    case "verdict":
      takeVerdict(work, input);
      break;
    case "built":
      takeBuilt(work, input);
      break;
    case "signed_proposal":
      takeSignedProposal(work, input.proposal);
      break;
    case "sign_refused":
      settleRequest(work, refusedType(input.what), input.round);
      break;
    case "proposer_absent":
      takeAbsence(work, input.round);
      break;
    case "restore":
      restore(work, input.snapshot);
      break;
    case "sign_state":
      takeSignState(work, input);
      break;
  }
}

function heightOf(input: Exclude<Input, InputOf<"start_height">>): number {
  switch (input.kind) {
    case "proposal":
    case "signed_proposal":
      return input.proposal.height;
    case "vote":
    case "signed_vote":
      return input.vote.height;
    case "certificate":
      return input.certificate.height;
    case "timeout":
      return input.timeout.height;
    case "restore":
      return input.snapshot.height;
    default:
      return input.height;
  }
}

// --- height -----------------------------------------------------------------------------------------------------

function startHeight(state: ConsensusState, input: InputOf<"start_height">): StepResult {
  const { height, validators, params, address, lastTime } = input;
  const index = address ? validators.validators.findIndex((each) => sameBytes(each.address, address)) : -1;
  const context: HeightContext = {
    height,
    validators,
    params,
    address,
    index,
    lastTime,
    quorum: quorum(validators.totalPower),
    third: oneThird(validators.totalPower),
  };
  const decidedHere = state.commit?.height === height - 1 ? state.commit : null;
  const work: Work = {
    context,
    effects: [],
    state: {
      ...initialState(),
      context,
      // A lock whose polka is gone is still the value to propose.
      machine: { ...NEW_HEIGHT, locked: input.lock, valid: input.lock },
      proposer: proposerOf(validators, 0),
      votes: emptyKeeper(validators.validators.length),
      own: { ...NOTHING_SIGNED, lock: input.lock, watermark: input.watermark },
      commit: decidedHere ?? input.lastCommit ?? null,
    },
  };
  const begun = work.state;
  // Timers of the old height died with it; the shell is told, should it not have cancelled them on `decide`.
  for (const { timeout } of state.timers) work.effects.push({ kind: "cancel_timeout", timeout });
  schedule(work, "new_height", 0, input.startDelayMs);
  work.effects.push({ kind: "new_step", height, round: 0, step: "NewHeight" });
  settle(work);
  for (const early of state.ahead) {
    if (early.kind !== "start_height" && heightOf(early) === height) take(work, early);
  }
  checkStep({ before: begun, after: work.state, input: input.kind, effects: work.effects });
  return { state: work.state, effects: work.effects };
}

function takeSignState(work: Work, input: InputOf<"sign_state">): void {
  const { machine, own } = work.state;
  const locked = laterValue(machine.locked, input.lock);
  const valid = laterValue(machine.valid, input.lock);
  if (locked !== machine.locked || valid !== machine.valid) {
    change(work, { machine: { ...machine, locked, valid } });
  }
  const lock = laterValue(own.lock, input.lock);
  change(work, { own: { ...own, lock, watermark: laterWatermark(own.watermark, input.watermark) } });
}

// --- messages ---------------------------------------------------------------------------------------------------

function takeVote(work: Work, vote: Vote): void {
  if (!isMember(work, vote) || vote.round < 0) return;
  if (vote.validatorIndex === work.context.index) {
    const judgement = judgeOwnVote(work, vote);
    if (judgement === "foreign") work.effects.push({ kind: "foreign_signature", vote });
    if (judgement !== "recovered") return;
    rememberSigned(work, pointOfVote(vote), vote);
  }
  countVote(work, vote);
}

function countVote(work: Work, vote: Vote): void {
  const { round } = work.state.machine;
  if (vote.round < round - LIMITS.keptRounds && !tallyOf(work.state.votes, vote.round, vote.type)) return;
  const { keeper, counted } = addVote(work.state.votes, work.context, round, vote);
  change(work, { votes: keeper });
  if (counted.kind === "conflict") {
    work.effects.push({ kind: "duplicate_vote", first: counted.first, second: vote });
  }
}

function takeCertificate(work: Work, certificate: Certificate): void {
  const { machine } = work.state;
  if (certificate.round < 0) return;
  const decides = certificate.type === VoteType.precommit && certificate.blockId !== null;
  const old = certificate.round < machine.round - LIMITS.keptRounds;
  if (old && !decides && !tallyOf(work.state.votes, certificate.round, certificate.type)) return;
  // A signature of ours in it is judged like a vote of ours; what is foreign is not counted.
  const own = certificate.signatures.find((each) => each.validatorIndex === work.context.index);
  const self = own && work.context.validators.validators[work.context.index];
  if (own && self) {
    const { type, height, round, blockId } = certificate;
    const vote: Vote = { type, height, round, blockId, validatorAddress: self.address, ...own };
    const judgement = judgeOwnVote(work, vote);
    if (judgement === "foreign") {
      work.effects.push({ kind: "foreign_signature", vote });
      return;
    }
    if (judgement === "recovered") rememberSigned(work, pointOfVote(vote), vote);
  }
  const { keeper, conflicts } = addCertificate(work.state.votes, work.context, certificate);
  change(work, { votes: keeper });
  for (const { first, second } of conflicts) work.effects.push({ kind: "duplicate_vote", first, second });
}

function takeProposal(work: Work, proposal: Proposal, receivedAtMs: number): void {
  const { round } = work.state.machine;
  const { polRound } = proposal;
  if (proposal.round < Math.max(0, round - LIMITS.keptRounds)) return;
  if (proposal.round > round + LIMITS.futureProposalRounds) return;
  if (polRound < -1 || polRound >= proposal.round) return;
  const known = proposalsOf(work.state.proposals, proposal.round);
  if (known.some((each) => sameProposal(each.proposal, proposal))) return;
  const own = isOwnRound(work, proposal.round);
  if (own) {
    if (known.length > 0 || judgeOwnProposal(work, proposal) === "foreign") {
      work.effects.push({ kind: "foreign_proposal", proposal });
      return;
    }
  }
  const { params } = work.context;
  const timely =
    own || isTimely(params, Number(proposal.timestamp / NS_PER_MS), receivedAtMs, proposal.round);
  keepProposal(work, proposal, receivedAtMs, timely);
}

function keepProposal(work: Work, proposal: Proposal, receivedAtMs: number, timely: boolean): void {
  const { votes, proposals, machine, shrunk } = work.state;
  const wanted = [VoteType.prevote, VoteType.precommit].some((type) =>
    blockIdEquals(tallyOf(votes, proposal.round, type)?.quorum?.blockId ?? null, proposal.blockId),
  );
  const added = addProposal(proposals, { proposal, receivedAtMs, timely }, wanted);
  if (added.conflict) {
    work.effects.push({ kind: "duplicate_proposal", first: added.conflict, second: proposal });
  }
  if (added.keeper === proposals) return;
  change(work, { proposals: added.keeper });
  // The proposer is there after all: its block gets the full time.
  if (shrunk && machine.step === "Propose" && proposal.round === machine.round) {
    change(work, { shrunk: false });
    schedule(work, "propose", machine.round, proposeMs(work.context.params, machine.round));
  }
}

/** Whether this node's key proposes in the round. */
function isOwnRound(work: Work, round: number): boolean {
  const { index, address, validators } = work.context;
  if (index < 0 || address === null) return false;
  if (round === work.state.machine.round) return isOwnProposer(work.state);
  return sameBytes(proposerOf(validators, round).address, address);
}

// --- timers, verdicts, answers ----------------------------------------------------------------------------------

function takeTimeout(work: Work, timeout: Timeout): void {
  forgetTimer(work, timeout);
  const { round } = timeout;
  const { machine } = work.state;
  switch (timeout.kind) {
    case "new_height":
      if (machine.step === "NewHeight") {
        drive(work, { kind: "new_round", round: Math.max(machine.round, firstRound(work)) });
      }
      return;
    case "propose":
      drive(work, { kind: "timeout_propose", round });
      return;
    case "prevote":
      drive(work, { kind: "timeout_prevote", round });
      return;
    case "precommit":
      drive(work, { kind: "timeout_precommit", round });
      return;
  }
}

/**
 * After a restart without a log the node goes on in the round of its last signature, not below it: the others may need
 * the vote that it can still give there. Who decides alone has nobody to bring back what it signed in that round and
 * would wait for ever; it begins the next one.
 */
function firstRound({ state, context }: Work): number {
  const { watermark } = state.own;
  if (watermark === null) return 0;
  const power = context.validators.validators[context.index]?.power ?? 0n;
  return power >= context.quorum ? watermark.round + 1 : watermark.round;
}

/** VALID is final; INVALID may turn VALID later. */
function takeVerdict(work: Work, input: InputOf<"verdict">): void {
  const verdict = factsOf(work.state.values, input.blockId)?.verdict === "valid" ? "valid" : input.verdict;
  setValue(work, input.blockId, { verdict, asking: false });
}

/** Bound to the round it was asked for: a value that comes too late is dropped. */
function takeBuilt(work: Work, { round, value }: InputOf<"built">): void {
  const { machine, proposing } = work.state;
  const { address, height } = work.context;
  if (proposing !== "building" || machine.step !== "Propose" || round !== machine.round) return;
  change(work, { proposing: "idle" });
  if (value === null || address === null || !mayPropose(work)) return;
  const { blockId, time, open } = value;
  const body = { time, proposer: address };
  setValue(work, blockId, open ? { body } : { body, verdict: "valid", asking: false });
  change(work, { proposing: "signing" });
  requestProposal(work, { height, round, polRound: -1, blockId, timestamp: time });
}

function takeSignedVote(work: Work, vote: Vote): void {
  const { height } = work.context;
  if (vote.height === height) {
    settleRequest(work, vote.type, vote.round);
    rememberSigned(work, pointOfVote(vote), vote);
    if (work.state.machine.step !== "Commit" && isMember(work, vote)) countVote(work, vote);
  }
  if (vote.height === height || vote.height === height - 1) {
    work.effects.push({ kind: "broadcast_vote", vote });
  }
}

function takeSignedProposal(work: Work, proposal: Proposal): void {
  settleRequest(work, "proposal", proposal.round);
  rememberSigned(work, { round: proposal.round, step: SIGNED_STEP.proposal }, null);
  if (proposal.round !== work.state.machine.round) return;
  change(work, { proposing: "idle" });
  // L16: others can prevote a value proposed again only if they know its polka.
  if (proposal.polRound >= 0) {
    const certificate = quorumCertificate(work.state, proposal.polRound, VoteType.prevote);
    if (certificate) work.effects.push({ kind: "broadcast_certificate", certificate });
  }
  work.effects.push({ kind: "broadcast_proposal", proposal });
  keepProposal(work, proposal, Number(proposal.timestamp / NS_PER_MS), true);
}

function refusedType(what: InputOf<"sign_refused">["what"]): "proposal" | VoteType {
  if (what === "proposal") return what;
  return what === "prevote" ? VoteType.prevote : VoteType.precommit;
}

function takeAbsence(work: Work, round: number): void {
  const { machine, absent } = work.state;
  if (round < machine.round || absent.includes(round)) return;
  change(work, { absent: [...absent, round].slice(-LIMITS.absentRounds) });
  if (round !== machine.round || machine.step !== "Propose" || !isAbsent(work, round)) return;
  change(work, { shrunk: true });
  schedule(work, "propose", round, proposeAbsentMs(work.context.params, round));
}
