import { addressOf, toHex } from "@quorate/crypto";
import type { MakeLaw } from "./law.ts";

/** Heights after healing within which whoever was caught must be convicted (R37). */
const WITHIN_HEIGHTS = 10;

/**
 * Whoever an honest node caught signing twice is convicted by a block, once, soon after the faults are over. What a
 * crash took with it before it was durable does not count: the votes may have been in no log that was synced.
 */
export const convicted: MakeLaw = ({ cluster, violated, honest }) => {
  const { validators, params } = cluster.options.genesis;
  const addresses = validators.map(({ pubKey }) => toHex(addressOf(pubKey)));
  const nodeOf = (address: Uint8Array): number => addresses.indexOf(toHex(address));
  /** Highest height stored by each node. */
  const tips = new Map<number, number>();
  /** What was caught: by whom, whom, and at which height the catcher was. */
  let caught: { readonly by: number; readonly offender: number; readonly at: number }[] = [];
  const convictions = new Map<number, number>();
  const decided = new Set<number>();
  let healedAt = Number.POSITIVE_INFINITY;
  return {
    step(node, _input, before, { effects }) {
      if (!honest(node)) return;
      for (const effect of effects) {
        if (effect.kind !== "duplicate_vote") continue;
        const offender = nodeOf(effect.first.validatorAddress);
        caught.push({ by: node, offender, at: before.context?.height ?? 0 });
      }
    },
    stored(node, { height, block }) {
      if (!honest(node)) return;
      tips.set(node, height);
      if (decided.has(height)) return;
      decided.add(height);
      for (const evidence of block.evidence) {
        if (evidence.kind !== "duplicate_vote") continue;
        const offender = nodeOf(evidence.voteA.validatorAddress);
        const first = convictions.get(offender);
        if (first !== undefined) {
          violated(`block ${height} convicts node ${offender}, which block ${first} convicted`, [node]);
        }
        convictions.set(offender, height);
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
      for (const { by, offender, at } of caught) {
        if (convictions.has(offender)) continue;
        const due = Math.max(at, healedAt) + WITHIN_HEIGHTS;
        if (height >= due) {
          violated(
            `node ${by} caught node ${offender} at height ${at}; no block up to ${height} convicts it`,
            [by, offender],
          );
        }
      }
    },
  };
};
