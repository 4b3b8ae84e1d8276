/**
 * The driver finds which arm of the round machine applies, and carries out what the machine says, until nothing
 * applies any more. Its rules read the state itself ("is there a polka now"), not events ("a polka was reached"): no
 * threshold can be reported at the wrong moment and lost, and each arm's own guard makes it fire once.
 *
 * Order matters: a decision comes before anything else, also before a round skip (a node that learns of +2/3
 * precommits of a future round decides); a value before nil; votes before the timers that wait for them.
 */
import { type BlockId, blockIdEquals, blockIdKey, proposerOf, type Round, VoteType } from "@quorate/chain";
import { makeCommit } from "./commit.ts";
import { ConsensusError } from "./errors.ts";
import { mayPropose, requestProposal, requestVote } from "./own.ts";
import { type KeptProposal, proposalsOf, pruneProposals } from "./proposal-keeper.ts";
import { apply, type MachineInput, type MachineOutput, type RoundMachine } from "./round-machine.ts";
import { takeSnapshot } from "./snapshot.ts";
import { change, type HeightContext, isOwnProposer, sameBytes, type Work } from "./state.ts";
import { earliestHeaderTime, precommitMs, prevoteMs, proposeAbsentMs, proposeMs } from "./timeouts.ts";
import { cancelAll, cancelTimer, schedule } from "./timers.ts";
import type { Effect, RoundValue, Step } from "./types.ts";
import { factsOf, updateValue, type Value } from "./values.ts";
import { hasQuorum, powerAtOrPast, pruneKeeper, skipTarget, tallyOf } from "./vote-keeper.ts";

interface Rule {
  /** Paper lines. */
  readonly lines: string;
  /** Steps in which it is looked at. */
  readonly steps: readonly Step[];
  readonly threshold: string;
  readonly proposal: string;
  /** The machine input, or null when the condition does not hold. */
  readonly input: (work: Work) => MachineInput | null;
}

const IN_ROUND: readonly Step[] = ["Propose", "Prevote", "PrevoteWait", "Precommit", "PrecommitWait"];
const BEFORE_COMMIT: readonly Step[] = ["NewHeight", ...IN_ROUND];
const VOTED: readonly Step[] = ["Prevote", "PrevoteWait", "Precommit", "PrecommitWait"];
const PREVOTING: readonly Step[] = ["Prevote", "PrevoteWait"];

/** The mux table, first match wins. */
const RULES: readonly Rule[] = [
  {
    lines: "L49-54",
    steps: BEFORE_COMMIT,
    threshold: "+2/3 precommits for v, any round",
    proposal: "body of v here; no verdict needed",
    input: decision,
  },
  {
    lines: "L55-56",
    steps: BEFORE_COMMIT,
    threshold: "more than 1/3 of power reached a higher round",
    proposal: "any",
    input: roundSkip,
  },
  {
    lines: "L22-26, L28-32",
    steps: ["Propose"],
    threshold: "none; for POL round >= 0 the polka of that round for v, or one to vouch for it",
    proposal: "v of this round: untimely or INVALID earns nil, VALID earns v as the lock allows, else wait",
    input: prevoteOnProposal,
  },
  {
    lines: "L36-43",
    steps: VOTED,
    threshold: "polka for v in this round",
    proposal: "body of v here, VALID",
    input: polka,
  },
  {
    lines: "L44-46",
    steps: PREVOTING,
    threshold: "polka for nil in this round",
    proposal: "any",
    input: polkaNil,
  },
  {
    lines: "L34-35",
    steps: ["Prevote"],
    threshold: "+2/3 of power prevoted or went further",
    proposal: "any",
    input: prevoteAny,
  },
  {
    lines: "L47-48",
    steps: IN_ROUND,
    threshold: "+2/3 of power precommitted or went further",
    proposal: "any",
    input: precommitAny,
  },
];

/** More firings on one input than any state can need; each skips, decides, or moves one step of one round. */
const MAX_FIRINGS = 1000;

/** Applies rules until none fires, then asks for what is missing. */
export function settle(work: Work): void {
  for (let fired = 0; fireFirst(work); fired++) {
    if (fired > MAX_FIRINGS) {
      const { round, step } = work.state.machine;
      throw new ConsensusError("UNSETTLED", "the consensus rules do not come to rest: this is a bug", {
        height: work.context.height,
        round,
        step,
      });
    }
  }
  advanceProposal(work);
  askForVerdicts(work);
  askForBodies(work);
}

/** Feeds one input to the round machine and carries out what it says. False: its guard refused, nothing changed. */
export function drive(work: Work, input: MachineInput): boolean {
  const before = work.state.machine;
  const { machine, outputs } = apply(before, input);
  if (machine === before) return false;
  change(work, { machine });
  if (before.step === "Propose" && machine.step !== "Propose") {
    cancelTimer(work, "propose", before.round);
    change(work, { proposing: "idle" });
  }
  if (PREVOTING.includes(before.step) && !PREVOTING.includes(machine.step)) {
    cancelTimer(work, "prevote", before.round);
  }
  // A new round announces itself once its proposer is known.
  for (const output of outputs) if (output.kind === "round_started") enterRound(work, output.round);
  if (before.step !== machine.step || before.round !== machine.round) {
    const { round, step } = machine;
    work.effects.push({ kind: "new_step", height: work.context.height, round, step });
  }
  for (const output of outputs) carryOut(work, output);
  return true;
}

function fireFirst(work: Work): boolean {
  const { step } = work.state.machine;
  for (const rule of RULES) {
    if (!rule.steps.includes(step)) continue;
    const input = rule.input(work);
    if (input !== null && drive(work, input)) return true;
  }
  return false;
}

// --- conditions -------------------------------------------------------------------------------------------------

function decision({ state }: Work): MachineInput | null {
  for (const { round, precommits } of state.votes.rounds) {
    const blockId = precommits.quorum?.blockId;
    if (blockId && factsOf(state.values, blockId)?.body) return { kind: "precommit_quorum", round, blockId };
  }
  return null;
}

function roundSkip({ context, state }: Work): MachineInput | null {
  const { machine, votes, own } = state;
  const begins = machine.step === "NewHeight";
  const round = skipTarget(votes, context, begins ? -1 : machine.round);
  if (round === null) return null;
  // A height that is begun again goes on no lower than where it signed last.
  const least = begins ? (own.watermark?.round ?? 0) : machine.round;
  return { kind: "new_round", round: Math.max(round, least, machine.round) };
}

/** The first proposal of this round that settles the prevote; the others wait for body, verdict or polka. */
function prevoteOnProposal(work: Work): MachineInput | null {
  const { machine, proposals } = work.state;
  for (const kept of proposalsOf(proposals, machine.round)) {
    const input = judgeProposal(work, kept);
    if (input !== null) return input;
  }
  return null;
}

function judgeProposal(work: Work, kept: KeptProposal): MachineInput | null {
  const { blockId, polRound } = kept.proposal;
  const { values, votes } = work.state;
  const fresh = polRound < 0;
  if (fresh && !kept.timely) return { kind: "invalid_proposal" };
  const value = factsOf(values, blockId);
  if (!fresh && !hasQuorum(votes, polRound, VoteType.prevote, blockId)) {
    const good = value?.body && value.verdict === "valid" && fitsBody(work, kept, value.body);
    return good && vouchedFor(work, blockId) ? { kind: "proposal", blockId } : null;
  }
  const bad: MachineInput = { kind: fresh ? "invalid_proposal" : "invalid_with_polka" };
  // Bytes that are no block have the verdict INVALID, but no body.
  if (value?.verdict === "invalid") return bad;
  if (!value?.body) return null;
  if (!fitsBody(work, kept, value.body)) return bad;
  if (value.verdict === null) return null;
  return fresh ? { kind: "proposal", blockId } : { kind: "proposal_with_polka", blockId, polRound };
}

/**
 * A value proposed with a polka that is not known here may be taken as if it were fresh (L22-24, so only if no lock on
 * another forbids) once it needs no look at the clock: this node is locked on it and so has seen a polka, or more than
 * 1/3 prevoted it in this round, one of them correct. Else a polka lost with the logs of many nodes would leave them
 * locked on a value that nobody could vote for again.
 */
function vouchedFor({ context, state }: Work, blockId: BlockId): boolean {
  const { machine, votes } = state;
  if (machine.locked !== null) return blockIdEquals(machine.locked.blockId, blockId);
  const key = blockIdKey(blockId);
  const sums = tallyOf(votes, machine.round, VoteType.prevote)?.sums ?? [];
  return sums.some((sum) => sum.key === key && sum.power >= context.third);
}

/** The header carries the proposal's time, and for a fresh value names the proposer of the round. */
function fitsBody(work: Work, { proposal }: KeptProposal, body: NonNullable<Value["body"]>): boolean {
  if (body.time !== proposal.timestamp) return false;
  const { proposer } = work.state;
  return proposal.polRound >= 0 || (proposer !== null && sameBytes(proposer.address, body.proposer));
}

function polka({ state }: Work): MachineInput | null {
  const blockId = tallyOf(state.votes, state.machine.round, VoteType.prevote)?.quorum?.blockId;
  if (!blockId) return null;
  const value = factsOf(state.values, blockId);
  return value?.body && value.verdict === "valid" ? { kind: "polka", blockId } : null;
}

function polkaNil({ state }: Work): MachineInput | null {
  return hasQuorum(state.votes, state.machine.round, VoteType.prevote, null) ? { kind: "polka_nil" } : null;
}

function prevoteAny({ context, state }: Work): MachineInput | null {
  const power = powerAtOrPast(state.votes, context, state.machine.round, VoteType.prevote);
  return power >= context.quorum ? { kind: "prevote_any" } : null;
}

function precommitAny({ context, state }: Work): MachineInput | null {
  const { round } = state.machine;
  const power = powerAtOrPast(state.votes, context, round, VoteType.precommit);
  if (power < context.quorum) return null;
  return { kind: "precommit_any", nilQuorum: hasQuorum(state.votes, round, VoteType.precommit, null) };
}

// --- outputs ----------------------------------------------------------------------------------------------------

function carryOut(work: Work, output: MachineOutput): void {
  const { params, height } = work.context;
  const { round } = work.state.machine;
  switch (output.kind) {
    case "round_started":
      startProposing(work);
      break;
    case "prevote":
      requestVote(work, VoteType.prevote, output.blockId);
      break;
    case "precommit":
      requestVote(work, VoteType.precommit, output.blockId);
      break;
    case "prevote_timer":
      schedule(work, "prevote", round, prevoteMs(params, round));
      break;
    case "precommit_timer":
      schedule(work, "precommit", round, precommitMs(params, round, output.nilQuorum));
      break;
    case "values_changed":
      work.effects.push({ kind: "snapshot", snapshot: takeSnapshot(work) });
      break;
    case "decided": {
      cancelAll(work);
      const commit = makeCommit(work, output.decision.round, output.decision.blockId);
      change(work, { commit });
      work.effects.push({ kind: "decide", height, ...output.decision, commit });
      break;
    }
  }
}

/** L11-13: proposer, timer; older rounds leave the memory. */
function enterRound(work: Work, round: Round): void {
  const { validators, params } = work.context;
  cancelAll(work);
  const proposer = proposerOf(validators, round);
  const keep = keptRounds(work.state.machine);
  change(work, {
    proposer,
    votes: pruneKeeper(work.state.votes, round, keep),
    proposals: pruneProposals(work.state.proposals, round, keep),
    absent: work.state.absent.filter((each) => each >= round),
    proposing: "idle",
  });
  const missing = isAbsent(work, round);
  change(work, { shrunk: missing });
  const ms = missing ? proposeAbsentMs(params, round) : proposeMs(params, round);
  schedule(work, "propose", round, ms);
}

/** Whether to wait only shortly for this round's proposal: proposer absent, and nothing of it has come. */
export function isAbsent(work: Work, round: Round): boolean {
  const { absent, proposals } = work.state;
  return absent.includes(round) && !isOwnProposer(work.state) && proposalsOf(proposals, round).length === 0;
}

/** L14-19: the proposer takes the valid value, or asks for a new one. */
function startProposing(work: Work): void {
  const { machine } = work.state;
  if (machine.step !== "Propose" || !isOwnProposer(work.state) || !mayPropose(work)) return;
  if (valueToPropose(work) !== null) {
    change(work, { proposing: "waiting" });
    return;
  }
  change(work, { proposing: "building" });
  work.effects.push(buildEffect(work.context, machine.round));
}

export function buildEffect({ height, params, lastTime }: HeightContext, round: Round): Effect {
  return { kind: "build", height, round, notBefore: earliestHeaderTime(params, lastTime) };
}

/**
 * The valid value, or the value of a later polka that became known only after its round: some correct node may be
 * locked on it, unseen by the others, and would refuse anything else.
 */
function valueToPropose({ state }: Work): RoundValue | null {
  const { machine, votes, values } = state;
  let best = machine.valid;
  for (const { round, prevotes } of votes.rounds) {
    const blockId = prevotes.quorum?.blockId;
    if (!blockId || round >= machine.round || (best && best.round >= round)) continue;
    const value = factsOf(values, blockId);
    if (value?.body && value.verdict === "valid") best = { round, blockId };
  }
  return best;
}

/** L16: proposes the valid value again with its polka as proof, as soon as its body (so its time) is here. */
function advanceProposal(work: Work): void {
  const { proposing, machine } = work.state;
  const value = valueToPropose(work);
  if (proposing !== "waiting" || machine.step !== "Propose" || value === null) return;
  const { round: polRound, blockId } = value;
  const body = factsOf(work.state.values, blockId)?.body;
  if (!body) return;
  change(work, { proposing: "signing" });
  requestProposal(work, {
    height: work.context.height,
    round: machine.round,
    polRound,
    blockId,
    timestamp: body.time,
  });
}

// --- what is missing --------------------------------------------------------------------------------------------

/** Asks about every block proposed in this round, or with a polka in it, whose body is here. */
function askForVerdicts(work: Work): void {
  const { machine } = work.state;
  if (machine.step === "Commit") return;
  const ids: BlockId[] = proposalsOf(work.state.proposals, machine.round).map(
    (each) => each.proposal.blockId,
  );
  const polkaId = tallyOf(work.state.votes, machine.round, VoteType.prevote)?.quorum?.blockId;
  if (polkaId) ids.push(polkaId);
  for (const blockId of ids) {
    const value = factsOf(work.state.values, blockId);
    if (!value?.body || value.asking || value.verdict === "valid") continue;
    // INVALID is not final: an EL says it for a full disk too. Once more in each later round that brings the block back.
    if (value.verdict === "invalid" && value.askedRound >= machine.round) continue;
    setValue(work, blockId, { asking: true, askedRound: machine.round });
    work.effects.push({ kind: "validate", height: work.context.height, round: machine.round, blockId });
  }
}

/** Fetches bodies that a quorum (any commit quorum, the polka of this round) or the own valid value needs. */
function askForBodies(work: Work): void {
  const { machine, votes } = work.state;
  if (machine.step === "Commit") return;
  const ids: BlockId[] = [];
  for (const { round, prevotes, precommits } of votes.rounds) {
    if (precommits.quorum?.blockId) ids.push(precommits.quorum.blockId);
    if (round >= machine.round && prevotes.quorum?.blockId) ids.push(prevotes.quorum.blockId);
  }
  if (machine.valid) ids.push(machine.valid.blockId);
  for (const blockId of ids) {
    const value = factsOf(work.state.values, blockId);
    if (value?.body || (value && value.wantedRound >= machine.round)) continue;
    setValue(work, blockId, { wantedRound: machine.round });
    work.effects.push({ kind: "want_body", height: work.context.height, round: machine.round, blockId });
  }
}

/** Changes facts about a block. Blocks that are proposed, voted or locked on keep theirs. */
export function setValue(
  work: Work,
  blockId: BlockId,
  fields: Partial<Omit<Value, "key" | "blockId">>,
): void {
  const values = updateValue(work.state.values, blockId, fields, (value) => isReferred(work, value.key));
  change(work, { values });
}

function isReferred(work: Work, key: string): boolean {
  const { machine, proposals, votes, values } = work.state;
  const has = (value: RoundValue | null): boolean =>
    value !== null && factsOf(values, value.blockId)?.key === key;
  return (
    has(machine.locked) ||
    has(machine.valid) ||
    proposals.some(({ proposal }) => factsOf(values, proposal.blockId)?.key === key) ||
    votes.rounds.some(
      ({ prevotes, precommits }) => prevotes.quorum?.key === key || precommits.quorum?.key === key,
    )
  );
}

export function keptRounds(machine: RoundMachine): readonly Round[] {
  return [machine.locked, machine.valid].flatMap((value) => (value === null ? [] : [value.round]));
}
