/** Exit codes of the process (docs/operator.md lists what to do for each). */
export const ExitCode = {
  ok: 0,
  bug: 1,
  usage: 2,
  config: 3,
  inUse: 4,
  signState: 5,
  durability: 6,
  safety: 7,
  upgrade: 8,
  unreachable: 9,
  unmet: 10,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

export interface NodeErrorFacts {
  readonly exitCode: ExitCode;
  /** Stable, upper-case: what scripts match on. */
  readonly code: string;
  /** What happened and where, in the operator's words. */
  readonly what: string;
  /** What to do about it. */
  readonly do: string;
  readonly cause?: unknown;
  /** For the state dump: what an investigation needs, never a secret. */
  readonly facts?: unknown;
}

/** Why a node does not start or does not go on. */
export class NodeError extends Error {
  override readonly name = "NodeError";
  readonly exitCode: ExitCode;
  readonly code: string;
  readonly what: string;
  readonly do: string;
  readonly facts: unknown;

  constructor(facts: NodeErrorFacts) {
    super(`${facts.what}: ${facts.do}`, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.exitCode = facts.exitCode;
    this.code = facts.code;
    this.what = facts.what;
    this.do = facts.do;
    this.facts = facts.facts;
  }
}

/** An error's text without its stack. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
