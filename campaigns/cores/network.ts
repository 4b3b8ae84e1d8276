/**
 * A network of bare cores in virtual time. Who gets which message is decided by the campaign's route. What a correct
 * validator sees another lack it sends again, as the round-state streams of the product do; that too goes by the route.
 */
import {
  type BlockId,
  type Certificate,
  certificateFromCommit,
  type Proposal,
  proposerOf,
  type Time,
  type ValidatorSet,
  type Vote,
} from "@quorate/chain";
import { certificateOf, maj23, proposalsOfRound, voteOf, voteRounds } from "@quorate/consensus";
import { Agenda } from "./agenda.ts";
import { type Block, Instance } from "./instance.ts";
import { Judge } from "./judge.ts";
import { BLOCK_TIME_MS, validatorSet } from "./world.ts";

export type Message =
  | { readonly kind: "vote"; readonly vote: Vote }
  | { readonly kind: "certificate"; readonly certificate: Certificate }
  | { readonly kind: "proposal"; readonly proposal: Proposal; readonly block: Block };

/** What reaches `to` of a message that `from` sends: the message, nothing, or something else in its place. */
export type Route = (
  network: CoreNetwork,
  from: Instance,
  to: Instance,
  message: Message,
) => readonly Message[];

const DELAY_MS = 10;
const REPAIR_MS = 250;

export interface NetworkOptions {
  /** The validator of each instance, e.g. [0, 1, 2, 3, 3] for twins of number 3. */
  readonly validators: readonly number[];
  readonly size: number;
  /** Proposer of round 0. */
  readonly first: number;
  /** Index of the Byzantine validator; -1 for none. */
  readonly byzantine: number;
  readonly route: Route;
}

export class CoreNetwork {
  readonly agenda = new Agenda();
  readonly set: ValidatorSet;
  readonly instances: readonly Instance[];
  readonly byzantine: number;
  readonly judge: Judge;
  /** Inputs taken by all cores. */
  steps = 0;
  /** Highest round that a correct validator began. */
  highestRound = 0;
  /** Set by {@link heal}: from then on a route holds nothing back. */
  healed = false;
  private readonly route: Route;
  private readonly counts = new Map<string, number>();

  constructor(options: NetworkOptions) {
    this.set = validatorSet(options.size, options.first);
    this.byzantine = options.byzantine;
    this.route = options.route;
    this.judge = new Judge(options.size, options.byzantine);
    this.instances = options.validators.map((validator, id) => new Instance(this, id, validator));
    for (const instance of this.instances) instance.startHeight();
    this.agenda.after(REPAIR_MS, () => this.repair());
  }

  wallMs(): number {
    return BLOCK_TIME_MS + this.agenda.now;
  }

  wallTime(): Time {
    return BigInt(Math.floor(this.wallMs())) * 1_000_000n;
  }

  addressOf(validator: number): Uint8Array {
    const found = this.set.validators[validator];
    if (!found) throw new RangeError(`there is no validator ${validator}`);
    return found.address;
  }

  proposerOf(round: number): number {
    const { address } = proposerOf(this.set, round);
    return this.set.validators.findIndex((each) => each.address === address);
  }

  correct(): readonly Instance[] {
    return this.instances.filter((each) => each.correct);
  }

  count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  counted(name: string): number {
    return this.counts.get(name) ?? 0;
  }

  noteRound(instance: Instance, round: number): void {
    if (instance.correct) this.highestRound = Math.max(this.highestRound, round);
  }

  /** Runs for so many ms of virtual time. */
  runFor(ms: number): void {
    const until = this.agenda.now + ms;
    while (this.agenda.step(until));
    this.agenda.now = until;
  }

  /** Runs until every correct validator has decided `height`; false when that takes longer than `limitMs`. */
  runTo(height: number, limitMs: number): boolean {
    const until = this.agenda.now + limitMs;
    const waiting = this.correct();
    while (!waiting.every((each) => each.height > height)) if (!this.agenda.step(until)) return false;
    return true;
  }

  heal(): void {
    this.healed = true;
  }

  send(from: Instance, message: Message): void {
    for (const to of this.instances) if (to !== from) this.sendTo(from, to, message);
  }

  /** Blocks of a height that anybody holds. */
  blocksAt(height: number): readonly Block[] {
    const found = new Map<BlockId, Block>();
    for (const each of this.instances)
      for (const block of each.blocksAt(height)) found.set(block.blockId, block);
    return [...found.values()];
  }

  /** A body that a quorum needs, from whoever holds it. */
  fetch(asking: Instance, blockId: BlockId): void {
    this.agenda.after(2 * DELAY_MS, () => {
      for (const each of this.instances) {
        const block = each === asking ? null : each.bodyOf(blockId);
        if (block === null) continue;
        asking.receiveBody(block);
        return;
      }
    });
  }

  private sendTo(from: Instance, to: Instance, message: Message): void {
    for (const each of this.route(this, from, to, message)) {
      this.agenda.after(DELAY_MS, () => to.receive(each));
    }
  }

  private repair(): void {
    for (const from of this.instances) {
      if (!from.correct) continue;
      for (const to of this.instances) if (to !== from) this.sendMissing(from, to);
    }
    this.agenda.after(REPAIR_MS, () => this.repair());
  }

  private sendMissing(from: Instance, to: Instance): void {
    if (to.height < from.height) {
      const decided = from.decided.get(to.height);
      if (!decided) return;
      const certificate = certificateFromCommit(this.set, decided.commit);
      this.sendTo(from, to, { kind: "certificate", certificate });
      return;
    }
    if (to.height > from.height) return;
    for (const { round, type } of voteRounds(from.state)) {
      for (const index of this.set.validators.keys()) {
        const vote = voteOf(from.state, round, type, index);
        if (vote && !voteOf(to.state, round, type, index)) this.sendTo(from, to, { kind: "vote", vote });
      }
    }
    const known = new Set(maj23(to.state).map(({ round, type }) => `${round} ${type}`));
    for (const { round, type } of maj23(from.state)) {
      const certificate = known.has(`${round} ${type}`) ? null : certificateOf(from.state, round, type);
      if (certificate) this.sendTo(from, to, { kind: "certificate", certificate });
    }
    const { round } = to.state.machine;
    const held = proposalsOfRound(to.state, round);
    for (const proposal of proposalsOfRound(from.state, round)) {
      const block = from.bodyOf(proposal.blockId);
      if (block && !held.includes(proposal)) this.sendTo(from, to, { kind: "proposal", proposal, block });
    }
  }
}
