/** Restoring a snapshot record: through the same keepers that live messages go through. */
import { isTimely, proposerOf, VoteType } from "@quorate/chain";
import { laterValue, pointOfVote, rememberSigned, requestVote } from "./own.ts";
import { addProposal } from "./proposal-keeper.ts";
import { isPrecommitting } from "./round-machine.ts";
import { change, type Work } from "./state.ts";
import { proposeMs } from "./timeouts.ts";
import { cancelAll, schedule } from "./timers.ts";
import type { Snapshot } from "./types.ts";
import { addCertificate, addVote } from "./vote-keeper.ts";

const NS_PER_MS = 1_000_000n;

/**
 * Puts a fresh height (NewHeight) where the snapshot was taken. Bodies and verdicts are given again by the shell; the
 * precommit that the snapshot was written for is asked for unless it is among the votes. A height that has begun is
 * left alone.
 */
export function restore(work: Work, snapshot: Snapshot): void {
  const { machine } = work.state;
  if (machine.step !== "NewHeight") return;
  cancelAll(work);
  const { round } = snapshot;
  const step = snapshot.step === "Commit" ? "Precommit" : snapshot.step;
  change(work, {
    machine: {
      ...machine,
      round,
      step,
      locked: laterValue(machine.locked, snapshot.locked),
      valid: laterValue(machine.valid, snapshot.valid),
    },
    proposer: proposerOf(work.context.validators, round),
  });
  restoreMessages(work, snapshot);
  work.effects.push({ kind: "new_step", height: work.context.height, round, step });
  if (step === "Propose") schedule(work, "propose", round, proposeMs(work.context.params, round));
  if (step === "NewHeight") schedule(work, "new_height", 0, 0);
  // The snapshot precedes the signature of the precommit that locked (L40).
  if (isPrecommitting(work.state.machine) && snapshot.locked?.round === round) {
    requestVote(work, VoteType.precommit, snapshot.locked.blockId);
  }
}

function restoreMessages(work: Work, snapshot: Snapshot): void {
  const { params, index } = work.context;
  for (const certificate of snapshot.certificates) {
    change(work, { votes: addCertificate(work.state.votes, work.context, certificate).keeper });
  }
  for (const vote of snapshot.votes) {
    if (!work.context.validators.validators[vote.validatorIndex]) continue;
    change(work, { votes: addVote(work.state.votes, work.context, snapshot.round, vote).keeper });
    if (vote.validatorIndex === index) rememberSigned(work, pointOfVote(vote), vote);
  }
  for (const { proposal, receivedAtMs } of snapshot.proposals) {
    const proposedMs = Number(proposal.timestamp / NS_PER_MS);
    const timely = isTimely(params, proposedMs, receivedAtMs, proposal.round);
    const kept = { proposal, receivedAtMs, timely };
    change(work, { proposals: addProposal(work.state.proposals, kept, false).keeper });
  }
}
