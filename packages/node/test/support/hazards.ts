/** Any order in which disk, signer, execution client and builder answer, as stories for a scheduler, and what must hold. */
import {
  type BlockId,
  blockIdKey,
  proposalSignBytes,
  type Vote,
  VoteType,
  voteSignBytes,
} from "@quorate/chain";
import { decodeInput, initialState, step } from "@quorate/consensus";
import fc, { type Scheduler } from "fast-check";
import { WalRecordType } from "../../src/wal-records.ts";
import { type MadeBlock, proposerIndex } from "./chain.ts";
import { atOnce, type Pace, settled } from "./pace.ts";
import { makeRig, nameOf, type Rig } from "./rig.ts";

export type Event =
  | { readonly kind: "propose"; readonly round: number; readonly block: number }
  | {
      readonly kind: "vote";
      readonly type: VoteType;
      readonly round: number;
      readonly voters: readonly number[];
      readonly block: number | null;
    }
  | { readonly kind: "time"; readonly ms: number }
  /** The execution client's mind about every block from now on; `broken`: asking it fails. */
  | { readonly kind: "client"; readonly mind: "valid" | "invalid" | "unknown" | "broken" }
  /** Leaves the round, as for block sync, and comes back. */
  | { readonly kind: "leave" }
  | { readonly kind: "answer" };

// Mostly the first block of the first round, so that locks and decisions happen.
const rounds = fc.constantFrom(0, 0, 0, 1, 2);
const blocks = fc.constantFrom(0, 0, 0, 1);
export const stories: fc.Arbitrary<readonly Event[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant("propose" as const), round: rounds, block: blocks }),
    },
    {
      weight: 12,
      arbitrary: fc.record({
        kind: fc.constant("vote" as const),
        type: fc.constantFrom(VoteType.prevote, VoteType.precommit),
        round: rounds,
        voters: fc.constantFrom([0], [1], [2], [0, 1, 2]),
        block: fc.option(blocks, { freq: 6 }),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant("time" as const), ms: fc.constantFrom(0, 600, 2000) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("client" as const),
        mind: fc.constantFrom("valid" as const, "invalid" as const, "unknown" as const, "broken" as const),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: "leave" as const }) },
    { weight: 8, arbitrary: fc.constant({ kind: "answer" as const }) },
  ),
  { minLength: 10, maxLength: 50 },
);

/** Tells events to a rig. */
export class Story {
  private readonly rig: Rig;
  private readonly made = new Map<string, MadeBlock>();
  /** By height: the block that voters 1 and 2 precommit. Two decided blocks of one height would be nobody's order. */
  private readonly honest = new Map<number, string>();

  constructor(rig: Rig) {
    this.rig = rig;
  }

  /** The same two blocks for a round of a height, however often they are asked for. */
  private block(round: number, number: number): MadeBlock {
    const key = `${this.rig.runner.chain().lastHeight}/${round}/${number}`;
    const known = this.made.get(key);
    const block = known ?? this.rig.block({ round, txs: [Uint8Array.of(number)] });
    this.made.set(key, block);
    return block;
  }

  private votersOf(
    { type, voters }: Extract<Event, { kind: "vote" }>,
    blockId: BlockId | null,
  ): readonly number[] {
    if (type !== VoteType.precommit || blockId === null) return voters;
    const height = this.rig.runner.chain().lastHeight;
    const first = this.honest.get(height);
    if (first === undefined && voters.some((voter) => voter > 0))
      this.honest.set(height, blockIdKey(blockId));
    return voters.filter((voter) => voter === 0 || this.honest.get(height) === blockIdKey(blockId));
  }

  async apply(event: Event, scheduler: Scheduler): Promise<void> {
    const { rig } = this;
    switch (event.kind) {
      case "propose":
        if (proposerIndex(rig.runner.chain(), event.round) === rig.own) return;
        await rig.propose(this.block(event.round, event.block), event.round);
        return;
      case "vote": {
        const blockId = event.block === null ? null : this.block(event.round, event.block).blockId;
        const voters = this.votersOf(event, blockId).flatMap((voter) => rig.others[voter] ?? []);
        await rig.votes(event.type, blockId, voters, event.round);
        return;
      }
      case "time":
        await rig.advance(event.ms);
        return;
      case "client":
        rig.execution.verdict = () => {
          if (event.mind === "broken") throw new Error("the client's answer makes no sense");
          return event.mind === "valid" ? { kind: "valid" } : { kind: event.mind, reason: "so it says" };
        };
        return;
      case "leave":
        rig.runner.pause();
        await settled();
        rig.runner.start();
        await settled();
        return;
      case "answer":
        if (scheduler.count() > 0) await scheduler.waitOne();
        await settled();
    }
  }
}

/** A rig whose ports answer when the scheduler says so, from the moment that the height has begun. */
export async function scheduledRig(
  own: "proposer" | "follower",
  scheduler: Scheduler,
): Promise<ScheduledRig> {
  let pace: Pace = atOnce;
  const rig = await makeRig({ own, pace: (operation) => pace(operation) });
  pace = (operation) => scheduler.schedule(Promise.resolve(), operation);
  return {
    rig,
    atOnce: () => {
      pace = atOnce;
    },
  };
}

export interface ScheduledRig {
  readonly rig: Rig;
  /** From now on every answer comes at once. */
  atOnce(): void;
}

/** Lets everything be answered that still waits. */
export async function drained(scheduler: Scheduler): Promise<void> {
  while (scheduler.count() > 0) {
    await scheduler.waitOne();
    await settled();
  }
}

/** What does not hold of what a rig sent; all answers must be given, and from now on at once. */
export async function faultsOf(rig: Rig): Promise<string[]> {
  return [
    ...rig.fatals.map(({ code, what }) => `the node ended: ${code} ${what}`),
    ...twoMessages(rig),
    ...unfounded(rig),
    ...(await notAsked(rig)),
  ];
}

/** One sign-bytes per (height, round, kind), apart from the time of a vote. */
function twoMessages({ published }: Rig): string[] {
  const found: string[] = [];
  const seen = new Map<string, string>();
  const check = (key: string, bytes: Uint8Array): void => {
    const text = Buffer.from(bytes).toString("hex");
    if ((seen.get(key) ?? text) !== text) found.push(`two messages for ${key}`);
    seen.set(key, text);
  };
  const plain = (vote: Vote): Uint8Array => voteSignBytes("any", { ...vote, timestamp: 0n });
  for (const vote of published.votes) check(`${vote.height}/${vote.round}/${vote.type}`, plain(vote));
  for (const { proposal } of published.proposals)
    check(`${proposal.height}/${proposal.round}/p`, proposalSignBytes("any", proposal));
  return found;
}

/** A precommit of a block leaves only behind its body; an own proposal names a block of its own round. */
function unfounded({ published, journal, runner, own, chain }: Rig): string[] {
  const found: string[] = [];
  for (const [at, event] of journal.entries()) {
    const id = /^publish precommit \d+ (?!nil)(\w+)/.exec(event)?.[1];
    if (id === undefined) continue;
    const body = journal.indexOf(`body.sync ${id}`);
    if (body < 0 || body > at) found.push(`${event} without its body`);
  }
  for (const { proposal } of published.proposals) {
    if (proposal.height !== 1 || proposal.polRound >= 0) continue;
    const where = `the proposal of height ${proposal.height} round ${proposal.round}`;
    if (proposerIndex(chain.start, proposal.round) !== own) found.push(`${where} is out of turn`);
    const body = runner.bodies.get(proposal.blockId);
    if (body !== null && body.block.header.time !== proposal.timestamp)
      found.push(`${where} has another time`);
  }
  return found;
}

/**
 * Everything signed is what the core asked for, at the height and round it asked for. What it asked for is found by
 * stepping through the log once more, which also shows that the log holds every input.
 */
async function notAsked({ wal, published }: Rig): Promise<string[]> {
  const found: string[] = [];
  const asked = new Set<string>();
  let core = initialState();
  for await (const record of wal.replay(1n)) {
    if (record.type !== WalRecordType.input) continue;
    const input = decodeInput(record.payload);
    if (input.kind === "signed_vote" || input.kind === "signed_proposal") {
      const { height, round } = input.kind === "signed_vote" ? input.vote : input.proposal;
      if (height !== input.height || round !== input.round)
        found.push("an answer for another height or round");
    }
    const result = step(core, input);
    core = result.state;
    for (const effect of result.effects) {
      if (effect.kind === "sign_vote") asked.add(`${effect.vote.height} ${nameOf(effect.vote)}`);
      if (effect.kind === "sign_proposal")
        asked.add(Buffer.from(proposalSignBytes("any", effect.proposal)).toString("hex"));
    }
  }
  for (const vote of published.votes) {
    if (!asked.has(`${vote.height} ${nameOf(vote)}`)) found.push(`nobody asked for ${nameOf(vote)}`);
  }
  for (const { proposal } of published.proposals) {
    if (!asked.has(Buffer.from(proposalSignBytes("any", proposal)).toString("hex")))
      found.push(`nobody asked for the proposal of round ${proposal.round}`);
  }
  return found;
}
