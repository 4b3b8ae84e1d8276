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
