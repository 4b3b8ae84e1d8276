/** Messages for the next height that arrive while this one is being finished: kept within bounds, then replayed. */
import { blockIdKey } from "@quorate/chain";
import { LIMITS } from "./limits.ts";
import { change, type Work } from "./state.ts";
import type { Input } from "./types.ts";

export function bufferAhead(work: Work, input: Input): void {
  const { ahead } = work.state;
  const room =
    input.kind === "vote"
      ? roomForVote(ahead, input)
      : (input.kind === "proposal" || input.kind === "certificate" || input.kind === "body") &&
        ahead.filter((each) => each.kind === input.kind).length < LIMITS.aheadOthers;
  if (room) change(work, { ahead: [...ahead, input] });
}

function roomForVote(ahead: readonly Input[], { vote }: Extract<Input, { kind: "vote" }>): boolean {
  if (vote.validatorIndex < 0 || vote.validatorIndex >= LIMITS.aheadValidators) return false;
  const same = ahead.flatMap((each) =>
    each.kind === "vote" && each.vote.validatorIndex === vote.validatorIndex ? [each.vote] : [],
  );
  const key = blockIdKey(vote.blockId);
  const known = same.some(
    (each) => each.round === vote.round && each.type === vote.type && blockIdKey(each.blockId) === key,
  );
  return !known && same.length < LIMITS.aheadVotesPerValidator;
}
