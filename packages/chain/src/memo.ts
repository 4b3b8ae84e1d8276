import type { ValidatorSet } from "./types.ts";

/**
 * Remembers what a pure function gave for an immutable object, for as long as that object lives. Params, registry and
 * validator sets are shared from state to state, and their roots are asked for several times per height: hashing them
 * anew cost more than the rest of applying an empty block.
 */
export function remembered<K extends object, V>(compute: (key: K) => V): (key: K) => V {
  const known = new WeakMap<K, { readonly value: V }>();
  return (key) => {
    const entry = known.get(key);
    if (entry !== undefined) return entry.value;
    const value = compute(key);
    known.set(key, { value });
    return value;
  };
}

/**
 * The same for sets whose members' keys and powers alone matter: priorities turn at every height, which makes another set
 * of the same members. They are told by the identity of their keys.
 */
export function rememberedByMembers<V>(compute: (set: ValidatorSet) => V): (set: ValidatorSet) => V {
  const known = new WeakMap<
    Uint8Array,
    { readonly members: ValidatorSet["validators"]; readonly value: V }
  >();
  return (set) => {
    const [first] = set.validators;
    if (first === undefined) return compute(set);
    const entry = known.get(first.pubKey);
    if (entry !== undefined && sameMembers(entry.members, set.validators)) return entry.value;
    const value = compute(set);
    known.set(first.pubKey, { members: set.validators, value });
    return value;
  };
}

function sameMembers(a: ValidatorSet["validators"], b: ValidatorSet["validators"]): boolean {
  if (a === b) return true;
  return (
    a.length === b.length &&
    a.every(({ pubKey, power }, index) => pubKey === b[index]?.pubKey && power === b[index]?.power)
  );
}
