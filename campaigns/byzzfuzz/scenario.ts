/**
 * ByzzFuzz (Winter et al., OOPSLA 2023): a few faults per run, each bound to a round, each small. Network faults cut the
 * network during one round. Process faults change what the Byzantine validator says in one round to some receivers: the
 * message is left out, or its value, its round or its POL round is another close one, or an older value comes again.
 */
import { type BlockId, blockIdKey, type Proposal, type Vote } from "@quorate/chain";
import type { SeededCampaign } from "../cores/command.ts";
import type { Block, Instance } from "../cores/instance.ts";
import { CoreNetwork, type Message, type Route } from "../cores/network.ts";
import { judgeOutcome, type Outcome } from "../cores/outcome.ts";
import { Random } from "../cores/random.ts";
import { blockIdOf } from "../cores/world.ts";

const SIZE = 4;
const MAX_PROCESS_FAULTS = 4;
const MAX_NETWORK_FAULTS = 4;
/** Faults happen in rounds below this one. */
const ROUNDS = 5;
/** A message of round r that a cut held back comes late: once so much time has gone by for every round up to it. */
const SLOT_MS = 2_500;

export interface NetworkFault {
  readonly round: number;
  /** Bit i: validator i is on the other side; never all of them on one. */
  readonly side: number;
}

export type Mutation =
  | "omit"
  | "nil"
  | "other value"
  | "older value"
  | "invalid value"
  | "next round"
  | "round before"
  | "POL round up"
  | "POL round down";

export interface ProcessFault {
  readonly round: number;
  readonly kind: "proposal" | "prevote" | "precommit";
  /** Bit i: validator i gets the changed message, the others the true one. */
  readonly receivers: number;
  readonly mutation: Mutation;
}

export interface ByzzFuzzScenario {
  readonly first: number;
  readonly byzantine: number;
  readonly networkFaults: readonly NetworkFault[];
  readonly processFaults: readonly ProcessFault[];
}

const VOTE_MUTATIONS: readonly Mutation[] = [
  "omit",
  "nil",
  "other value",
  "older value",
  "next round",
  "round before",
];
const PROPOSAL_MUTATIONS: readonly Mutation[] = [
  "omit",
  "other value",
  "older value",
  "invalid value",
  "next round",
  "round before",
  "POL round up",
  "POL round down",
];

export function scenarioOf(seed: number): ByzzFuzzScenario {
  const random = new Random(seed);
  const first = random.below(SIZE);
  const byzantine = random.below(SIZE);
  const networkFaults = Array.from({ length: random.below(MAX_NETWORK_FAULTS + 1) }, () => ({
    round: random.below(ROUNDS),
    side: 1 + random.below(2 ** SIZE - 2),
  }));
  const processFaults = Array.from({ length: 1 + random.below(MAX_PROCESS_FAULTS) }, (): ProcessFault => {
    const kind = random.pick(["proposal", "prevote", "precommit"] as const);
    const mutation = random.pick(kind === "proposal" ? PROPOSAL_MUTATIONS : VOTE_MUTATIONS);
    // A proposal can be changed only where the Byzantine validator proposes: half of the faults aim there.
    const turn = (byzantine - first + SIZE) % SIZE;
    const round = kind === "proposal" ? turn + (random.chance(0.2) ? SIZE : 0) : random.below(ROUNDS);
    return { round, kind, receivers: 1 + random.below(2 ** SIZE - 1), mutation };
  });
  return { first, byzantine, networkFaults, processFaults };
}

export function describeScenario(scenario: ByzzFuzzScenario): string {
  const bits = (mask: number): string =>
    Array.from({ length: SIZE }, (_, i) => i)
      .filter((i) => (mask >> i) & 1)
      .join(" ");
  const cuts = scenario.networkFaults.map(({ round, side }) => `round ${round}: ${bits(side)} cut off`);
  const lies = scenario.processFaults.map(
    ({ round, kind, receivers, mutation }) => `round ${round}: ${kind} to ${bits(receivers)}: ${mutation}`,
  );
  return `validator ${scenario.first} first, ${scenario.byzantine} Byzantine; ${[...cuts, ...lies].join("; ")}`;
}

export function runByzzFuzz(seed: number): Outcome {
  const scenario = scenarioOf(seed);
  const { first, byzantine } = scenario;
  let lies = 0;
  const route: Route = (network, from, to, message) => {
    const round = roundOf(message);
    const late = network.healed || network.agenda.now >= (round + 1) * SLOT_MS;
    if (!late && isCut(scenario.networkFaults, from, to, round)) return [];
    if (from.correct) return [message];
    const fault = scenario.processFaults.find(
      (each) =>
        each.round === round && each.kind === kindOf(message) && ((each.receivers >> to.validator) & 1) === 1,
    );
    if (!fault) return [message];
    lies++;
    return mutate(network, from, message, fault.mutation);
  };
  const validators = Array.from({ length: SIZE }, (_, i) => i);
  const network = new CoreNetwork({ validators, size: SIZE, first, byzantine, route });
  const outcome = judgeOutcome(network, ROUNDS * SLOT_MS);
  return lies > 0 ? { ...outcome, seen: [...outcome.seen, "lies told"] } : outcome;
}

function isCut(faults: readonly NetworkFault[], from: Instance, to: Instance, round: number): boolean {
  return faults.some(
    (fault) =>
      fault.round === round && ((fault.side >> from.validator) & 1) !== ((fault.side >> to.validator) & 1),
  );
}

function roundOf(message: Message): number {
  switch (message.kind) {
    case "vote":
      return message.vote.round;
    case "certificate":
      return message.certificate.round;
    case "proposal":
      return message.proposal.round;
  }
}

function kindOf(message: Message): ProcessFault["kind"] | null {
  if (message.kind === "proposal") return "proposal";
  if (message.kind === "certificate") return null;
  return message.vote.type === 1 ? "prevote" : "precommit";
}

function mutate(
  network: CoreNetwork,
  from: Instance,
  message: Message,
  mutation: Mutation,
): readonly Message[] {
  if (mutation === "omit") return [];
  if (message.kind === "vote") {
    const vote = mutateVote(network, message.vote, mutation);
    return vote ? [{ kind: "vote", vote }] : [];
  }
  if (message.kind === "proposal") {
    const changed = mutateProposal(network, from, message.proposal, message.block, mutation);
    return changed ? [{ kind: "proposal", ...changed }] : [];
  }
  return [message];
}

function mutateVote(network: CoreNetwork, vote: Vote, mutation: Mutation): Vote | null {
  switch (mutation) {
    case "nil":
      return { ...vote, blockId: null };
    case "other value":
      return { ...vote, blockId: otherBlock(network, vote)?.blockId ?? null };
    case "older value":
      return { ...vote, blockId: network.blocksAt(vote.height)[0]?.blockId ?? null };
    case "next round":
      return { ...vote, round: vote.round + 1 };
    case "round before":
      return vote.round > 0 ? { ...vote, round: vote.round - 1 } : null;
    default:
      return vote;
  }
}

/** Null: no correct node would get it, for the round's proposer is another. */
function mutateProposal(
  network: CoreNetwork,
  from: Instance,
  proposal: Proposal,
  block: Block,
  mutation: Mutation,
): { readonly proposal: Proposal; readonly block: Block } | null {
  const { height, round, polRound } = proposal;
  const moved = (to: number): { readonly proposal: Proposal; readonly block: Block } | null =>
    to >= 0 && network.proposerOf(to) === from.validator
      ? { proposal: { ...proposal, round: to }, block }
      : null;
  const withBlock = (other: Block): { readonly proposal: Proposal; readonly block: Block } => ({
    proposal: { ...proposal, blockId: other.blockId, timestamp: other.time },
    block: other,
  });
  const made = (name: string, valid: boolean): Block => ({
    ...block,
    blockId: blockIdOf(`${height} ${name} of ${from.id} in round ${round}`),
    maker: from.validator,
    valid,
  });
  switch (mutation) {
    case "other value":
      return withBlock(made("other", true));
    case "invalid value":
      return withBlock(made("invalid", false));
    case "older value":
      return withBlock(otherBlock(network, proposal) ?? block);
    case "next round":
      return moved(round + 1);
    case "round before":
      return moved(round - 1);
    case "POL round up":
      return { proposal: { ...proposal, polRound: polRound + 1 }, block };
    case "POL round down":
      return { proposal: { ...proposal, polRound: Math.max(-1, polRound - 1) }, block };
    default:
      return { proposal, block };
  }
}

/** Another block of the height than the one named. */
function otherBlock(
  network: CoreNetwork,
  { height, blockId }: { readonly height: number; readonly blockId: BlockId | null },
): Block | null {
  const key = blockIdKey(blockId);
  return network.blocksAt(height).find((each) => blockIdKey(each.blockId) !== key) ?? null;
}

export const byzzfuzz: SeededCampaign = {
  name: "byzzfuzz",
  unit: "runs",
  run: runByzzFuzz,
  describe: (seed) => describeScenario(scenarioOf(seed)),
};
