/** Lines that no test of `npm run coverage` reaches, and why. Lines are known by their text: numbers move. */
export interface Unreached {
  readonly file: string;
  /** Each without its indentation. */
  readonly lines: readonly string[];
  readonly why: string;
}

export const UNREACHED: readonly Unreached[] = [
  {
    file: "packages/chain/src/registry/schedule.ts",
    lines: ["throw error;"],
    why: "changing a param throws nothing but ChainError PARAMS; anything else would be a bug of its own and must come out as it is",
  },
  {
    file: "packages/chain/src/state/validate.ts",
    lines: ["throw error;"],
    why: "judging evidence throws nothing but ChainError; anything else would be a bug of its own and must come out as it is",
  },
  {
    file: "packages/privval/src/slots.ts",
    lines: ["throw error;"],
    why: "a reader of bytes throws nothing but ChainError; anything else would be a bug of its own and must come out as it is",
  },
  {
    file: "packages/consensus/src/driver.ts",
    lines: [
      "const { round, step } = work.state.machine;",
      'throw new ConsensusError("UNSETTLED", "the consensus rules do not come to rest: this is a bug", {',
      "height: work.context.height,",
      "round,",
      "step,",
    ],
    why: "an assertion: rules that never come to rest cannot be had from outside; the model's invariant `settled` says the same",
  },
  {
    file: "packages/execution/src/builder.ts",
    lines: ["return null;"],
    why: "a stop between two calls to the client, in a window of one turn of the event loop; the tests stop before and after it",
  },
  {
    file: "packages/execution/src/builder.ts",
    lines: [
      "const reason = error instanceof Error ? error.message : String(error);",
      'this.#ports.modules.log.error("what the execution client said beside a build is of no use", { reason });',
    ],
    why: "both calls made beside a build answer failures as values; here an error that nobody foresaw is told instead of ending the process",
  },
  {
    file: "packages/execution/src/follower/follower.ts",
    lines: [
      'this.#ports.modules.log.error("refused to move the execution client off a finalized block", {',
      "reason: breach,",
      "head: toHex(head.hash),",
      'return failed({ kind: "rpc", code: RpcCode.invalidForkchoiceState, message: breach });',
    ],
    why: "an assertion behind all callers, none of which asks for it; the check itself, finalityBreach, has tests",
  },
  {
    file: "packages/execution/src/follower/follower.ts",
    lines: ["return null;"],
    why: "a stop while the client is watched, in a window of one turn of the event loop",
  },
];
