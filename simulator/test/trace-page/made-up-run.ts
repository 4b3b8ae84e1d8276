/**
 * A run that no simulator made: four or more nodes that propose, vote and decide on a schedule, with the troubles that a
 * page has to show. For tests of the page alone, at any size.
 */
import type { TraceBody, TraceEvent, TraceHeader } from "../../src/trace.ts";

export interface MadeUp {
  readonly header: TraceHeader;
  readonly events: readonly TraceEvent[];
}

/** Park and Miller's generator: the same run for the same seed. */
function randomOf(seed: number): () => number {
  let state = (seed % 2147483646) + 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

export function madeUpRun(
  options: {
    seed?: number;
    validators?: number;
    heights?: number;
    chatter?: number;
    violation?: boolean;
  } = {},
): MadeUp {
  const { seed = 42, validators = 4, heights = 10, chatter = 6, violation = false } = options;
  const random = randomOf(seed);
  const events: TraceEvent[] = [];
  const nodes = Array.from({ length: validators }, (_, i) => i);
  let id = 0;
  const at = (t: number, body: TraceBody): void => {
    events.push({ ...body, t: Math.round(t * 1000) / 1000 });
  };
  const hex = (): string =>
    Math.floor(random() * 0x1_0000_0000)
      .toString(16)
      .padStart(8, "0");
  const delay = (): number => 8 + random() * 60;
  const send = (t: number, from: number, to: number, what: string, why: string | null): number => {
    const message = id++;
    const channel = what === "round_state" ? "roundstate" : "gossip";
    at(t, { kind: "send", id: message, from, to, what, channel, bytes: 120 + Math.floor(random() * 200) });
    const arrival = t + delay();
    if (why !== null) at(Math.min(arrival, t + 12), { kind: "drop", id: message, why });
    else at(arrival, { kind: "deliver", id: message });
    return arrival;
  };
  const everyone = (t: number, from: number, what: string, why: (to: number) => string | null): void => {
    for (const to of nodes) if (to !== from) send(t, from, to, what, why(to));
  };

  const cutHeight = 4;
  const crashHeight = 7;
  let t = 0;
  for (let height = 1; height <= heights; height++) {
    const start = t;
    const crashed = height === crashHeight || height === crashHeight + 1 ? 2 : -1;
    if (height === cutHeight) {
      at(start, {
        kind: "fault",
        text: "partition {0} | the rest",
        nodes: [0],
        until: Math.round(start + 2600),
      });
    }
    if (height === crashHeight)
      at(start + 40, { kind: "crash", node: 2, detail: "before the sync of its log" });
    if (height === crashHeight + 2) {
      at(start, { kind: "restart", node: 2, detail: "with what the disk kept" });
    }
    const rounds = height === cutHeight || height === crashHeight ? 2 : 1;
    let block = hex();
    for (let round = 0; round < rounds; round++) {
      const begin = start + 60 + round * 1800;
      const proposer =
        height === cutHeight ? round : height === crashHeight ? 2 + round : (height + round) % validators;
      const silent = (node: number): boolean => node === crashed;
      const lost = (from: number) => (to: number) =>
        height === cutHeight && round === 0 && (from === 0) !== (to === 0)
          ? "partition"
          : random() < 0.03
            ? "loss"
            : null;
      for (const node of nodes) {
        if (silent(node)) continue;
        if (round === 0) at(start + random() * 20, { kind: "step", node, height, round, step: "NewHeight" });
        at(begin + random() * 10, { kind: "step", node, height, round, step: "Propose" });
      }
      if (round > 0) block = hex();
      const failed = round < rounds - 1;
      if (!silent(proposer)) {
        at(begin + 15, { kind: "sign", node: proposer, what: `proposal ${height}/${round} ${block}` });
        everyone(begin + 15, proposer, `proposal ${height}/${round} ${block}`, lost(proposer));
      }
      for (const node of nodes) {
        if (silent(node)) continue;
        const mine = failed ? (node === proposer ? block : "nil") : block;
        const prevote = begin + (failed ? 1000 : 90) + random() * 30;
        at(prevote, { kind: "step", node, height, round, step: "Prevote" });
        at(prevote, { kind: "sign", node, what: `prevote ${height}/${round} ${mine}` });
        everyone(prevote, node, `prevote ${height}/${round} ${mine}`, lost(node));
        const precommit = prevote + (failed ? 500 : 95) + random() * 40;
        if (!failed) at(precommit, { kind: "lock", node, height, round, block });
        at(precommit, { kind: "step", node, height, round, step: "Precommit" });
        at(precommit, { kind: "sign", node, what: `precommit ${height}/${round} ${failed ? "nil" : block}` });
        everyone(precommit, node, `precommit ${height}/${round} ${failed ? "nil" : block}`, lost(node));
        for (let i = 0; i < chatter; i++) {
          const to = nodes[Math.floor(random() * validators)] ?? 0;
          if (to !== node) send(begin + random() * 250, node, to, "round_state", null);
        }
        if (failed) continue;
        const decided = precommit + 110 + random() * 30;
        at(decided, { kind: "step", node, height, round, step: "Commit" });
        at(decided + 2, {
          kind: "commit",
          node,
          height,
          round,
          block: violation && height === 5 && node === 3 ? hex() : block,
        });
        at(decided + 4, { kind: "lock", node, height: height + 1, round: 0, block: null });
        t = Math.max(t, decided + 10);
      }
    }
    if (height === 3) {
      at(start + 100, { kind: "pause", node: 1, detail: "SIGSTOP" });
      at(start + 240, { kind: "resume", node: 1, detail: "" });
    }
    if (violation && height === 5) {
      at(t, {
        kind: "violation",
        law: "agreement",
        text: "node3 decided another block at height 5",
        nodes: [3, 0],
      });
    }
  }
  events.sort((a, b) => a.t - b.t);
  return {
    header: {
      seed,
      validators,
      names: nodes.map((node) => `node${node}`),
      heights,
      faults: ["partition {0} | the rest", "crash of node2"],
      verdict: violation ? "violation" : "ok",
    },
    events,
  };
}
