import {
  type Header,
  MAX_TOTAL_POWER,
  type Power,
  proposerOf,
  stateFromGenesis,
  trustingCommitChecks,
  type ValidatorSet,
  validatorsHash,
} from "@quorate/chain";
import { bytesEqual, toHex } from "@quorate/crypto";
import type { MakeLaw } from "./law.ts";

const ONE_THIRD = { numerator: 1n, denominator: 3n };

interface Known {
  readonly header: Header;
  readonly set: ValidatorSet;
}

/**
 * How a set may change. What a block convicts has no power two heights later and never again, but the last validator. All
 * other powers together move by a third of the total at most, or by 1. There is always power, never more than a set may
 * have. Headers name the sets; a light client that trusts a height follows to each of the next ones, directly while a
 * third of its set signs, through a height in between where not. Every core, of whatever life, has the turn of proposers
 * that the set says.
 */
export const setChanges: MakeLaw = ({ cluster, violated, honest }) => {
  const { genesis, scheme } = cluster.options;
  const first = stateFromGenesis(genesis);
  /** Sets by height. */
  const sets = new Map<number, ValidatorSet>([
    [1, first.validators],
    [2, first.nextValidators],
  ]);
  const known = new Map<number, Known>();
  const tombstoned = new Set<string>();
  return {
    stored(node, { height, block, seenCommit, state }) {
      if (!honest(node) || known.has(height)) return;
      const set = sets.get(height);
      const next = sets.get(height + 1);
      if (set === undefined || next === undefined) return;
      const { header } = block;
      sets.set(height + 2, state.nextValidators);
      known.set(height, { header, set });
      for (const evidence of block.evidence)
        if (evidence.kind === "duplicate_vote") tombstoned.add(toHex(evidence.voteA.validatorAddress));
      const broken =
        headerOf(header, set, next) ??
        changeOf(next, state.nextValidators, tombstoned) ??
        skipping(known, height, (from) => {
          const checks = trustingCommitChecks(genesis.chainId, from, seenCommit, ONE_THIRD);
          return checks.every((check) => scheme.verify(check));
        });
      if (broken !== null) violated(`height ${height}: ${broken}`, [node]);
    },
    step(node, _input, _before, { state }) {
      const { context, proposer, machine } = state;
      if (!honest(node) || context === null || proposer === null) return;
      const set = sets.get(context.height);
      if (set === undefined || bytesEqual(proposer.address, proposerOf(set, machine.round).address)) return;
      violated(`node ${node} has another proposer of ${context.height}/${machine.round} than its set`, [
        node,
      ]);
    },
  };
};

function headerOf(header: Header, set: ValidatorSet, next: ValidatorSet): string | null {
  if (!bytesEqual(header.validatorsHash, validatorsHash(set))) return "its header names another set";
  if (!bytesEqual(header.nextValidatorsHash, validatorsHash(next)))
    return "its header names another next set";
  return null;
}

function changeOf(before: ValidatorSet, after: ValidatorSet, gone: ReadonlySet<string>): string | null {
  const powers = (set: ValidatorSet): Map<string, Power> =>
    new Map(set.validators.map(({ address, power }) => [toHex(address), power]));
  const [old, now] = [powers(before), powers(after)];
  let moved = 0n;
  for (const address of new Set([...old.keys(), ...now.keys()])) {
    const [was, is] = [old.get(address) ?? 0n, now.get(address) ?? 0n];
    if (!gone.has(address)) moved += is > was ? is - was : was - is;
    else if (is > was) return `the convict ${address} gains power`;
    else if (is > 0n && now.size > 1) return `the convict ${address} keeps its power`;
  }
  const third = before.totalPower / 3n;
  if (moved > (third > 0n ? third : 1n)) return `${moved} of ${before.totalPower} moved`;
  if (after.totalPower <= 0n || after.totalPower > MAX_TOTAL_POWER)
    return `a set has ${after.totalPower} in all`;
  return null;
}

/** From each of some heights below: directly, or the next height takes the step of one. */
function skipping(
  known: ReadonlyMap<number, Known>,
  height: number,
  trusts: (set: ValidatorSet) => boolean,
): string | null {
  for (const distance of [1, 2, 5, 10]) {
    const trusted = known.get(height - distance);
    if (trusted === undefined) continue;
    if (distance === 1) {
      const here = known.get(height);
      if (here !== undefined && !bytesEqual(trusted.header.nextValidatorsHash, here.header.validatorsHash))
        return "a light client cannot follow from the height before";
      continue;
    }
    let direct: boolean;
    try {
      direct = trusts(trusted.set);
    } catch {
      direct = false;
    }
    if (!direct && sameSet(trusted, known.get(height)))
      return `a light client cannot skip ${distance} heights although the set is the same`;
  }
  return null;
}

function sameSet(a: Known, b: Known | undefined): boolean {
  return b !== undefined && bytesEqual(a.header.validatorsHash, b.header.validatorsHash);
}
