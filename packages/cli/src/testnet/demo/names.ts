export type DemoName = "validators" | "stake";

/** What `testnet --demo` can play. */
export const DEMOS: readonly DemoName[] = ["validators", "stake"];
