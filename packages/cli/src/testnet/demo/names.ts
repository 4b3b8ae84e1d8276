export type DemoName = "validators";

/** What `testnet --demo` can play. */
export const DEMOS: readonly DemoName[] = ["validators"];
