/** What a message or signature is about, read from its short text: "prevote 3/0 1a2b3c4d", "round_state", "tx". */

export interface About {
  /** First word: "proposal", "prevote", "round_state" … */
  readonly word: string;
  /** -1 where the text names none. */
  readonly height: number;
  readonly round: number;
  /** First digits of the block's hash, "nil", or "" where the text names none. */
  readonly block: string;
}

/** First word; then, wherever it stands, "height/round" and the word after it. */
const SHAPE = /^(\S+)(?:.*?\b(\d+)\/(\d+)(?: ([0-9a-zA-Z]\S*))?)?/;

export function aboutOf(what: string): About {
  const found = SHAPE.exec(what);
  return {
    word: found?.[1] ?? "other",
    height: Number(found?.[2] ?? -1),
    round: Number(found?.[3] ?? -1),
    block: found?.[4] ?? "",
  };
}

/** One row of the legend: messages of these words share a colour and a switch. */
export interface MessageKind {
  readonly id: string;
  readonly label: string;
  readonly words: readonly string[];
  /** Drawn above and before others when not all can be drawn. */
  readonly weight: number;
  /** Talk that repeats the state of things; switched off at first, for it hides the messages that decide. */
  readonly chatter: boolean;
}

/** In the order of the legend; the last takes every other word. */
export const MESSAGE_KINDS: readonly MessageKind[] = [
  { id: "proposal", label: "proposal", words: ["proposal"], weight: 5, chatter: false },
  { id: "body", label: "block body", words: ["body", "part", "parts", "block"], weight: 3, chatter: false },
  { id: "prevote", label: "prevote", words: ["prevote"], weight: 4, chatter: false },
  { id: "precommit", label: "precommit", words: ["precommit"], weight: 4, chatter: false },
  {
    id: "certificate",
    label: "certificate",
    words: ["certificate", "polka", "commit"],
    weight: 3,
    chatter: false,
  },
  { id: "evidence", label: "evidence", words: ["evidence"], weight: 5, chatter: false },
  {
    id: "sync",
    label: "block sync",
    words: ["request", "response", "blocks", "sync"],
    weight: 2,
    chatter: false,
  },
  {
    id: "state",
    label: "round state",
    words: ["round_state", "status", "want_body", "want", "have", "binding", "goodbye"],
    weight: 1,
    chatter: true,
  },
  { id: "other", label: "other", words: [], weight: 1, chatter: true },
];

const BY_WORD: ReadonlyMap<string, number> = new Map(
  MESSAGE_KINDS.flatMap(({ words }, index) => words.map((word) => [word, index] as const)),
);

/** Index into {@link MESSAGE_KINDS}. */
export function kindOf(word: string): number {
  return BY_WORD.get(word) ?? MESSAGE_KINDS.length - 1;
}
