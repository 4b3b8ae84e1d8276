/**
 * Faults that strike at a moment of the algorithm instead of a moment in time: who is not heard, and who hears nothing,
 * in each round of one height. That is what it takes for one validator to lock alone; random cuts hardly ever do.
 */
import { type Power, proposerOf, quorum, VoteType, validatorByAddress } from "@quorate/chain";
import type { ConsensusState, StepResult } from "@quorate/consensus";
import { bytesEqual } from "@quorate/crypto";
import type { Cluster } from "../cluster/cluster.ts";
import type { Fault } from "./fault.ts";

/** One round of a height. Nodes by index. */
export interface RoundCut {
  /** Whatever they say does not leave them. */
  readonly silent: readonly number[];
  /** The same, until they have prevoted in this round. */
  readonly quiet: readonly number[];
  /** They hear nothing until they have prevoted in this round, which is nil then. */
  readonly deaf: readonly number[];
}

/** What becomes of a lock that one validator has alone. */
export const LOCK_STORIES = ["kept", "moved", "crossed"] as const;
export type LockStory = (typeof LOCK_STORIES)[number];

/** Fault of this kind: waits for a height that suits it. */
export type RoundFault = Extract<Fault, { readonly kind: "rounds" | "lock-alone" }>;

/** Power of each node, and which of them proposes in a round of the height that begins. */
export interface Roles {
  readonly powers: readonly Power[];
  proposer(round: number): number;
}

const NOBODY: readonly number[] = [];

/** The rounds of a fault at a height with these roles; `null`: not at this height. */
export function roundsOf(fault: RoundFault, roles: Roles): readonly RoundCut[] | null {
  return fault.kind === "rounds" ? fault.rounds : lockingAlone(fault, roles);
}

/**
 * - kept: who proposes in round 1 locks alone in round 0 and proposes its block again (L16; the others L28).
 * - moved: one locks alone and stays unheard, the others decide another block, it moves its lock (L36).
 * - crossed: who proposes in round 2 locks alone in round 0, another one on another block in round 1; what the first
 *   proposes again the second must refuse (L28, L32).
 */
function lockingAlone(
  { order, story }: Extract<Fault, { readonly kind: "lock-alone" }>,
  roles: Roles,
): readonly RoundCut[] | null {
  const early = [roles.proposer(0), story === "kept" ? -1 : roles.proposer(1)];
  const turn = story === "kept" ? roles.proposer(1) : story === "crossed" ? roles.proposer(2) : null;
  const first = order.find((node) => !early.includes(node) && (turn === null || node === turn));
  if (first === undefined) return null;
  const deaf = deafFor(first, order, roles, 0);
  if (deaf === null) return null;
  const alone: RoundCut = { silent: [first], quiet: NOBODY, deaf };
  if (story === "kept") return [alone];
  if (story === "moved") return [alone, { silent: [first], quiet: NOBODY, deaf: NOBODY }];
  const others = order.filter((node) => node !== first);
  for (const second of others) {
    const also = roles.proposer(1) === second ? null : deafFor(second, others, roles, 1);
    if (also !== null) return [alone, { silent: [second], quiet: [first], deaf: also }];
  }
  return null;
}

/**
 * Who of the voters must not see the proposal, so that there is a polka with the vote of `locker` and none without it;
 * `null` when there is no such choice, or the others would not be enough to end the round.
 */
function deafFor(
  locker: number,
  voters: readonly number[],
  { powers, proposer }: Roles,
  round: number,
): readonly number[] | null {
  const power = (nodes: readonly number[]): Power =>
    nodes.reduce((sum, node) => sum + (powers[node] ?? 0n), 0n);
  const needed = quorum(power([...powers.keys()]));
  const own = powers[locker] ?? 0n;
  const deaf: number[] = [];
  let rest = voters.filter((node) => node !== locker);
  if (power([...powers.keys()]) - own < needed) return null;
  for (const node of rest) {
    if (power(rest) < needed) break;
    if (node === proposer(round)) continue;
    deaf.push(node);
    rest = rest.filter((each) => each !== node);
  }
  return power(rest) < needed && power(rest) + own >= needed ? deaf : null;
}

/** Where a node is. */
interface Place {
  height: number;
  round: number;
  prevoted: boolean;
}

interface Active {
  readonly fault: RoundFault;
  readonly height: number;
  readonly rounds: readonly RoundCut[];
  /** Highest round of any node. */
  round: number;
  /** Nodes that are cut just now: whether they are unheard, and whether they hear nothing. */
  readonly cuts: Map<number, { readonly unheard: boolean; readonly deaf: boolean }>;
}

/** A round that stands still for so many propose timeouts is let go. */
const PATIENCE = 10;

/** Lets round faults wait for their heights, one at a time. Every node is cut by the round that it is in itself. */
export class RoundFaults {
  readonly #cluster: Cluster;
  readonly #begun: (fault: RoundFault) => void;
  readonly #nodeOf: (address: Uint8Array) => number;
  readonly #patienceMs: number;
  readonly #waiting = new Set<RoundFault>();
  readonly #places: readonly Place[];
  #active: Active | null = null;
  #height = 0;

  /** `begun` is told of each fault when its height comes. */
  constructor(cluster: Cluster, begun: (fault: RoundFault) => void) {
    this.#cluster = cluster;
    this.#begun = begun;
    const { identities, genesis } = cluster.options;
    this.#nodeOf = (address) =>
      identities.findIndex(({ key }) => key !== null && bytesEqual(key.address, address));
    this.#patienceMs = PATIENCE * genesis.params.timeoutProposeMs;
    this.#places = identities.map(() => ({ height: 0, round: 0, prevoted: false }));
  }

  /** Answers what takes it back, whether it has begun or not. */
  add(fault: RoundFault): () => void {
    this.#waiting.add(fault);
    return () => {
      this.#waiting.delete(fault);
      if (this.#active?.fault === fault) this.#end();
    };
  }

  /** After every step of the core of any node. */
  step(node: number, { state, effects }: StepResult): void {
    const place = this.#places[node];
    if (place === undefined) return;
    for (const effect of effects) {
      if (effect.kind === "new_step" && effect.step === "Propose") {
        Object.assign(place, { height: effect.height, round: effect.round, prevoted: false });
        this.#entered(effect.height, effect.round, state);
      } else if (effect.kind === "sign_vote" && effect.vote.type === VoteType.prevote) {
        place.prevoted = true;
      } else if (effect.kind === "decide") {
        // It needs no more of this height: whatever makes it deaf in the next one may begin.
        Object.assign(place, { height: effect.height + 1, round: 0, prevoted: false });
        if (this.#active?.height === effect.height) this.#end();
      } else continue;
      this.#follow(node);
    }
  }

  /** Somebody is in this round, perhaps as the first. */
  #entered(height: number, round: number, state: ConsensusState): void {
    if (height > this.#height) {
      this.#height = height;
      this.#end();
      if (round === 0) this.#choose(height, state);
    } else if (this.#active?.height === height && round > this.#active.round) {
      this.#active.round = round;
      this.#watchPatience(this.#active);
    }
  }

  #choose(height: number, { context }: ConsensusState): void {
    if (context === null || this.#waiting.size === 0) return;
    const { validators } = context;
    const powers = this.#cluster.options.identities.map(({ key }) =>
      key === null ? 0n : (validatorByAddress(validators, key.address)?.validator.power ?? 0n),
    );
    const proposer = (round: number): number => this.#nodeOf(proposerOf(validators, round).address);
    for (const fault of this.#waiting) {
      const rounds = roundsOf(fault, { powers, proposer });
      if (rounds === null) continue;
      this.#waiting.delete(fault);
      this.#active = { fault, height, rounds, round: 0, cuts: new Map() };
      this.#begun(fault);
      this.#watchPatience(this.#active);
      for (const node of this.#places.keys()) this.#follow(node);
      return;
    }
  }

  #watchPatience(active: Active): void {
    const { round } = active;
    this.#cluster.scheduler.after(this.#patienceMs, () => {
      if (this.#active === active && active.round === round) this.#end();
    });
  }

  /** Cuts or heals a node as the round wants it that it is in. */
  #follow(node: number): void {
    const active = this.#active;
    const place = this.#places[node];
    if (active === null || place?.height !== active.height) return;
    const rules = active.rounds[place.round];
    const quiet = rules?.quiet.includes(node) === true && !place.prevoted;
    this.#cut(active, node, {
      unheard: quiet || rules?.silent.includes(node) === true,
      deaf: rules?.deaf.includes(node) === true && !place.prevoted,
    });
  }

  #cut(active: Active, node: number, now: { readonly unheard: boolean; readonly deaf: boolean }): void {
    const { internet, members } = this.#cluster;
    const was = active.cuts.get(node) ?? { unheard: false, deaf: false };
    active.cuts.set(node, now);
    const own = this.#cluster.member(node).identity.peerId;
    const way = (from: string, to: string, cut: boolean): void => {
      if (cut) internet.cut(from, to);
      else internet.heal(from, to);
    };
    for (const { identity } of members) {
      if (identity.peerId === own) continue;
      if (was.unheard !== now.unheard) way(own, identity.peerId, now.unheard);
      if (was.deaf !== now.deaf) way(identity.peerId, own, now.deaf);
    }
  }

  #end(): void {
    const active = this.#active;
    if (active === null) return;
    for (const node of [...active.cuts.keys()]) this.#cut(active, node, { unheard: false, deaf: false });
    this.#active = null;
  }
}
