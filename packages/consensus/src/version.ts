/**
 * Version of the core's rules and of its encodings. A WAL segment begins with it: inputs logged under another version
 * are not replayed, the last snapshot is restored instead. It changes whenever the same inputs could give other effects.
 */
export const CORE_VERSION = 5;
