/** Everybody whose key may stand in a set of a run: those with nodes first, then a crowd that nobody runs. */
import { MAX_ACTIVE_VALIDATORS } from "@quorate/chain";
import { addressOf, ed25519PublicKey, sha256, toHex } from "@quorate/crypto";

/** Of a crowd: keys that are not in genesis and ask to join a set that is full, or almost. */
export const JOINERS = 16;

export interface Person {
  readonly seed: Uint8Array;
  readonly pubKey: Uint8Array;
  readonly address: Uint8Array;
  readonly owner: Uint8Array;
  /** A crowd's anchor never loses power: what nobody runs stays below a third of it. */
  readonly part: "node" | "anchor" | "crowd";
  readonly inGenesis: boolean;
}

/** Who is there besides the nodes that genesis names. */
export interface People {
  /** Of how many nodes. */
  readonly validators: number;
  /** Nodes whose keys are not in genesis. */
  readonly outside?: readonly number[];
  /** Validators of genesis that nobody runs. */
  readonly crowd?: number;
}

const encoder = new TextEncoder();

export function validatorSeed(index: number): Uint8Array {
  return sha256(encoder.encode(`simulator validator ${index}`));
}

/** Never zero, and another one for each number below 2^16. */
export function ownerOf(index: number): Uint8Array {
  const owner = new Uint8Array(20).fill((index % 255) + 1);
  owner[0] = 1 + Math.floor(index / 255);
  return owner;
}

export function peopleOf({ validators, outside = [], crowd = 0 }: People): readonly Person[] {
  const count = validators + (crowd > 0 ? crowd + JOINERS : 0);
  const anchor = crowd > 0 ? anchorOf({ validators, outside }) : -1;
  return Array.from({ length: count }, (_, index): Person => {
    const seed = validatorSeed(index);
    const pubKey = ed25519PublicKey(seed);
    return {
      seed,
      pubKey,
      address: addressOf(pubKey),
      owner: ownerOf(index),
      part: index >= validators ? "crowd" : index === anchor ? "anchor" : "node",
      inGenesis: index < validators ? !outside.includes(index) : index < validators + crowd,
    };
  });
}

/** The first node in genesis. */
export function anchorOf({ validators, outside = [] }: People): number {
  return Array.from({ length: validators }, (_, node) => node).find((node) => !outside.includes(node)) ?? 0;
}

/** As many as a set of the run can have. */
export function mostValidators(people: People): number {
  const { validators, crowd = 0 } = people;
  return Math.min(MAX_ACTIVE_VALIDATORS, validators + (crowd > 0 ? crowd + JOINERS : 0));
}

/** Place of a person by address, or -1. */
export function finder(people: readonly Person[]): (address: Uint8Array) => number {
  const places = new Map(people.map(({ address }, index) => [toHex(address), index]));
  return (address) => places.get(toHex(address)) ?? -1;
}
