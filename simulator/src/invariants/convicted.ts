import { finder } from "../cluster/people.ts";
import type { MakeLaw } from "./law.ts";

/** Heights after healing within which whoever was caught must be convicted (R37). */
const WITHIN_HEIGHTS = 10;

interface Caught {
  readonly by: number;
  readonly offender: number;
  /** Height that the catcher was at. */
  readonly at: number;
  /** Height of the chain then: a node that lags catches what is long over. */
  readonly chainAt: number;
}

/**
 * Whoever an honest node caught signing twice is convicted by a block, once, and within ten heights of the catch or of the
 * end of the faults, whichever is later. What a crash took with it before it was durable does not count: the votes may have
 * been in no log that was synced.
 */
export const convicted: MakeLaw = ({ cluster, people, violated, measured, honest }) => {
  const { params } = cluster.options.genesis;
  const nodeOf = finder(people);
  /** Highest height stored by each node. */
  const tips = new Map<number, number>();
  let caught: Caught[] = [];
  const convictions = new Map<number, number>();
  const decided = new Set<number>();
  let healedAt = Number.POSITIVE_INFINITY;
  /** From when on the heights count. */
  const since = ({ chainAt }: Caught): number => Math.max(chainAt, healedAt);

  function convict(offender: number, height: number, node: number): void {
    const first = convictions.get(offender);
    if (first !== undefined) {
      violated(`block ${height} convicts node ${offender}, which block ${first} convicted`, [node]);
      return;
    }
    convictions.set(offender, height);
    const earliest = caught
      .filter((each) => each.offender === offender)
      .toSorted((a, b) => since(a) - since(b))[0];
    if (earliest === undefined) return;
    const needed = Math.max(0, height - since(earliest));
    measured("evidenceHeights", height - earliest.chainAt);
    measured("evidenceHeightsHealed", needed);
    if (needed > WITHIN_HEIGHTS) {
      violated(
        `block ${height} convicts node ${offender}, ${needed} heights after node ${earliest.by} had it, or the faults ended`,
        [earliest.by, offender],
      );
    }
  }

  return {
    step(node, _input, before, { effects }) {
      if (!honest(node)) return;
      for (const effect of effects) {
        if (effect.kind !== "duplicate_vote") continue;
        const offender = nodeOf(effect.first.validatorAddress);
        const at = before.context?.height ?? 0;
        caught.push({ by: node, offender, at, chainAt: Math.max(at, ...tips.values()) });
      }
    },
    stored(node, { height, block }) {
      if (!honest(node)) return;
      tips.set(node, height);
      if (decided.has(height)) return;
      decided.add(height);
      for (const evidence of block.evidence) {
        if (evidence.kind !== "duplicate_vote") continue;
        convict(nodeOf(evidence.voteA.validatorAddress), height, node);
      }
    },
    crashed(node) {
      const tip = tips.get(node) ?? 0;
      caught = caught.filter(({ by, at }) => by !== node || at < tip);
    },
    healed(height) {
      healedAt = height;
    },
    ended(height) {
      for (const [node, { process }] of cluster.members.entries()) {
        if (!honest(node)) continue;
        for (const evidence of process?.rpc?.evidence.pending() ?? []) {
          if (evidence.kind !== "duplicate_vote") continue;
          const offender = nodeOf(evidence.voteA.validatorAddress);
          const at = convictions.get(offender) ?? height;
          if (at < height - 1)
            violated(`node ${node} still holds evidence against node ${offender}, convicted by block ${at}`, [
              node,
            ]);
        }
      }
      if (params.maxEvidenceBytes === 0) return;
      for (const each of caught) {
        const { by, offender, at } = each;
        if (convictions.has(offender)) continue;
        if (height >= since(each) + WITHIN_HEIGHTS) {
          violated(
            `node ${by} caught node ${offender} at height ${at}; no block up to ${height} convicts it`,
            [by, offender],
          );
        }
      }
    },
  };
};
