/** Servers of block sync that lie, each in a way of its own, to a node that must catch up. */
import { setTimeout as delay } from "node:timers/promises";
import { FrameDecoder, frame } from "@quorate/gossip/core";
import { BLOCKS_PROTOCOL } from "../../../../packages/gossip/src/layer.ts";
import {
  type AnswerFrame,
  decodeAnswer,
  decodeRequest,
  encodeAnswer,
  encodeRequest,
} from "../../../../packages/gossip/src/reqresp/codec.ts";
import { Stranger, type Stream } from "../../../../packages/gossip/test/stranger.ts";
import type { Field } from "./field.ts";

type Block = Extract<AnswerFrame, { kind: "block" }>["block"];

/** What a liar says to a request; `null`: nothing, ever. "break": its stream ends amid the answer. */
type Answer = readonly Block[] | "break" | null;

interface Lie {
  /** Height that it claims the `turn`-th time it tells its status, where the chain is at `tip`. */
  claim(tip: number, turn: number): number;
  answer(blocks: readonly Block[], turn: number): Answer;
}

const MOST_FRAME = 20 * 1_048_576;
const TELL_MS = 200;
const junk = new Uint8Array(100).fill(7);
const ahead = (tip: number): number => tip + 1000;

export const LIES: Readonly<Record<string, Lie>> = {
  high: { claim: ahead, answer: () => [] },
  decreasing: { claim: (tip, turn) => Math.max(1, tip + 1000 - 100 * turn), answer: () => [] },
  "max-int": { claim: () => Number.MAX_SAFE_INTEGER, answer: () => "break" },
  truncated: { claim: ahead, answer: (blocks) => blocks.slice(0, 1) },
  "bad-block": {
    claim: ahead,
    answer: (blocks) => blocks.map((one, i) => (i === blocks.length >> 1 ? { ...one, block: junk } : one)),
  },
  "bad-commit": {
    claim: ahead,
    answer: (blocks) => blocks.map((one) => ({ ...one, commit: spoiled(one.commit) })),
  },
  "other-heights": {
    claim: ahead,
    answer: (blocks) => blocks.map((one) => ({ ...one, height: one.height + 1 })),
  },
  stall: { claim: ahead, answer: () => null },
  flapping: {
    claim: (tip, turn) => (turn % 2 === 0 ? tip + 1000 : 1),
    answer: (blocks, turn) => (turn % 2 === 0 ? blocks.slice(0, 1) : "break"),
  },
};

/** One bit of a signature. */
function spoiled(commit: Uint8Array): Uint8Array {
  const bytes = commit.slice();
  const last = bytes.length - 3;
  bytes[last] = (bytes[last] ?? 0) ^ 1;
  return bytes;
}

/** Blocks as an honest node serves them. */
class Source {
  readonly #node: Stranger;

  constructor(node: Stranger) {
    this.#node = node;
  }

  async blocks(from: number, count: number): Promise<readonly Block[]> {
    const stream = await this.#node.open(BLOCKS_PROTOCOL);
    const blocks: Block[] = [];
    const done = Promise.withResolvers<void>();
    const decoder = new FrameDecoder(MOST_FRAME);
    stream.addEventListener("message", ({ data }) => {
      decoder.push(data.subarray(), (content) => {
        const answer = decodeAnswer(content);
        if (answer.kind === "block") blocks.push(answer.block);
        else done.resolve();
      });
    });
    stream.addEventListener("close", () => done.resolve());
    stream.send(frame(encodeRequest({ kind: "blocks", from, count })));
    await done.promise;
    stream.abort(new Error("done"));
    return blocks;
  }
}

/** As many liars of the kind as the order says, until it has seen enough. */
export function lying(lie: Lie) {
  return async (field: Field): Promise<void> => {
    const { honest, hosts } = field.order;
    if (honest === null) throw new Error("nobody to have honest blocks from");
    const node = await Stranger.connect(honest);
    const source = new Source(node);
    const tip = node.theirs.height;
    const asked = new Map<number, number>();
    try {
      await field.siege(
        hosts,
        (index) => {
          asked.set(index, 0);
          let told = 0;
          const serve = (stream: Stream): void => {
            const turn = asked.get(index) ?? 0;
            asked.set(index, turn + 1);
            field.sent("answers");
            field.tell("requests to one liar", turn + 1);
            answer(stream, source, (blocks) => lie.answer(blocks, turn));
          };
          return { claim: () => lie.claim(tip, told++), serves: { [BLOCKS_PROTOCOL]: serve } };
        },
        async (assailant, index) => {
          while (!assailant.over()) {
            if ((asked.get(index) ?? 0) > 0) assailant.offend();
            assailant.stranger.tell(tip);
            await delay(TELL_MS);
          }
        },
      );
    } finally {
      await node.stop();
    }
  };
}

function answer(stream: Stream, source: Source, lie: (blocks: readonly Block[]) => Answer): void {
  const decoder = new FrameDecoder(MOST_FRAME);
  const give = async (content: Uint8Array): Promise<void> => {
    const { from, count } = decodeRequest(content);
    const said = lie(await source.blocks(from, count));
    if (said === null) return;
    if (said === "break") {
      stream.abort(new Error("a liar's whim"));
      return;
    }
    for (const block of said) stream.send(frame(encodeAnswer({ kind: "block", block })));
    stream.send(frame(encodeAnswer({ kind: "end" })));
    await stream.close();
  };
  stream.addEventListener("message", ({ data }) => {
    decoder.push(data.subarray(), (content) => {
      // The node may have ended the stream or the connection meanwhile.
      give(content).catch((error: unknown) =>
        stream.abort(error instanceof Error ? error : new Error("gone")),
      );
    });
  });
}
