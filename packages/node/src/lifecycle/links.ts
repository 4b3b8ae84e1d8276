/**
 * What the peers' round states say about validators: who can reach the proposer (timeoutPropose shrinks when nobody
 * does), and whether links to more than 2/3 of the power exist (the first height waits for them). Pure: facts in, answer
 * out. Only timeouts depend on it, so a wrong answer costs time and never safety.
 */
import { quorum, type ValidatorSet } from "@quorate/chain";
import { bytesEqual, toHexUpper } from "@quorate/crypto";
import type { PeerInfo } from "@quorate/gossip";

export interface LinkFacts {
  readonly validators: ValidatorSet;
  readonly height: number;
  /** Monotonic ms. */
  readonly nowMs: number;
  /** Own address; `null` on a full node. */
  readonly own: Uint8Array | null;
  readonly peers: readonly PeerInfo[];
  /** Validators whose peer id is known by configuration or binding, upper-case hex. */
  readonly known: ReadonlySet<string>;
  /** Validators that said they leave before their link here ended, and have not come back to it, upper-case hex. */
  readonly left: ReadonlySet<string>;
  /** Height at which the link here to a validator ended that has not come back since, by upper-case hex. */
  readonly lost: ReadonlyMap<string, number>;
  /** Height of the newest vote of each validator, by index in the set; none: nothing of it came. */
  readonly voted: readonly (number | undefined)[];
}

/** `left`: it said itself that it leaves, so nothing is to be waited for; `absent`: it cannot be expected to propose. */
export type Absence = "left" | "absent";

/**
 * A peer tells its state four times a second as long as it changes: one that has told nothing for so long, ms, and stands at a height that is decided, is
 * frozen or cut off, long before its connection is known to be dead.
 */
const SILENT_MS = 1_000;

/**
 * Nobody can reach this validator, it said that it will not propose, or it fell silent; `null`: it may propose. Unknown
 * validators are never absent, nor is one further away than a neighbour's neighbour whose votes come.
 */
export function absenceOf(facts: LinkFacts, address: Uint8Array): Absence | null {
  if (facts.own !== null && bytesEqual(facts.own, address)) return null;
  const direct = facts.peers.find((peer) => peer.validator !== null && bytesEqual(peer.validator, address));
  if (direct !== undefined) {
    const said = direct.roundState;
    if (said === null) return null;
    if (said.leaving) return "left";
    const silent = said.height < facts.height && facts.nowMs - direct.toldAtMs > SILENT_MS;
    return !said.elReady || silent ? "absent" : null;
  }
  const validator = toHexUpper(address);
  const left = facts.left.has(validator);
  if ((!left && !facts.known.has(validator)) || isReached(facts, address)) return null;
  if (left) return "left";
  return isHeard(facts, address) ? null : "absent";
}

/** Heights that a validator may be behind with its votes, as seen from far away. */
const HEARD_HEIGHTS = 2;

/** Its votes came lately, by whatever ways; those from before its link here ended say nothing. */
function isHeard({ validators, height, lost, voted }: LinkFacts, address: Uint8Array): boolean {
  const last = voted[validators.validators.findIndex((v) => bytesEqual(v.address, address))];
  if (last === undefined || last < height - HEARD_HEIGHTS) return false;
  return last > (lost.get(toHexUpper(address)) ?? Number.NEGATIVE_INFINITY);
}

/**
 * A peer says that it has a link to this validator. What it said a moment ago or of the height before still counts: a
 * peer that goes from height to height tells its state now and then only, and its links when they change.
 */
function isReached(facts: LinkFacts, address: Uint8Array): boolean {
  const { validators } = facts.validators;
  const index = validators.findIndex((v) => bytesEqual(v.address, address));
  return facts.peers.some(({ roundState: said, toldAtMs }) => {
    if (said === null || said.direct.size !== validators.length) return false;
    const near = said.height === facts.height || said.height === facts.height - 1;
    const fresh = near || facts.nowMs - toldAtMs <= SILENT_MS;
    return fresh && hasBit(said.direct, index);
  });
}

/**
 * Power of this node and of the validators that it or one of its peers has a link to (a validator behind sentries meets
 * the others through them); peers of unknown validators count as one each.
 */
export function linkedEnough(facts: LinkFacts): boolean {
  const { validators, totalPower } = facts.validators;
  const linked = validators.filter(
    (v) =>
      (facts.own !== null && bytesEqual(facts.own, v.address)) ||
      facts.peers.some(
        (peer) => peer.status !== null && peer.validator !== null && bytesEqual(peer.validator, v.address),
      ) ||
      isReached(facts, v.address),
  );
  const power = linked.reduce((sum, v) => sum + v.power, 0n);
  if (power >= quorum(totalPower)) return true;
  const unknown = validators.filter((v) => !linked.includes(v) && !facts.known.has(toHexUpper(v.address)));
  const strangers = facts.peers.filter((peer) => peer.status !== null && peer.validator === null).length;
  const guessed = unknown.slice(0, strangers).reduce((sum, v) => sum + v.power, 0n);
  return power + guessed >= quorum(totalPower);
}

/**
 * Some peer has links to other validators than this node, or is none and on their topics, as relays are: links of the whole
 * network cannot be counted from here, and to wait for more of them is to wait in vain where the network is no full mesh.
 */
export function isSparse(facts: LinkFacts): boolean {
  const { own, peers, validators } = facts;
  const isOf = (address: Uint8Array, of: Uint8Array | null): boolean =>
    of !== null && bytesEqual(address, of);
  return peers.some(({ roundState, topics, validator }) => {
    if (validator === null && topics?.includes("votes") === true) return true;
    if (roundState?.direct.size !== validators.validators.length) return false;
    return validators.validators.some(({ address }, index) => {
      if (isOf(address, own) || isOf(address, validator)) return false;
      const linked = peers.some((peer) => peer.status !== null && isOf(address, peer.validator));
      return linked !== hasBit(roundState.direct, index);
    });
  });
}

function hasBit(bits: { readonly size: number; readonly bits: Uint8Array }, index: number): boolean {
  return index >= 0 && index < bits.size && ((bits.bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
}
