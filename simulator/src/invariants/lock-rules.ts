import { type BlockId, quorum, stateFromGenesis, type ValidatorSet, VoteType } from "@quorate/chain";
import type { Input } from "@quorate/consensus";
import { finder } from "../cluster/people.ts";
import { idText, voteName } from "../network/describe.ts";
import { isVote, type MakeLaw } from "./law.ts";

interface Known {
  readonly set: ValidatorSet;
  /** By place among the people. */
  readonly powers: ReadonlyMap<number, bigint>;
}

interface Lock {
  readonly round: number;
  readonly id: string;
}

/**
 * The paper's lock, judged by what was ever sent: a precommit for a block needs a polka for it in its round (L36); who
 * precommitted a block prevotes another one later only with a polka for that one since (L23, L29); within a life the
 * core's locked round never falls at one height.
 */
export const lockRules: MakeLaw = ({ cluster, people, violated, honest }) => {
  const nodeOf = finder(people);
  /** Sets by height, as decided blocks leave them: evidence takes validators out. */
  const sets = new Map<number, Known>();
  const known = (set: ValidatorSet): Known => {
    const powers = set.validators.map(({ address, power }) => [nodeOf(address), power] as const);
    return { set, powers: new Map(powers) };
  };
  const genesisSet = known(stateFromGenesis(cluster.options.genesis).validators);
  const setOf = (height: number): Known => sets.get(height) ?? genesisSet;
  const inSetOrder = (height: number, index: number): number => {
    const validator = setOf(height).set.validators[index];
    return validator === undefined ? -1 : nodeOf(validator.address);
  };
  const powerOf = (height: number, node: number): bigint => setOf(height).powers.get(node) ?? 0n;
  /** Prevoters by height/round/id; of Byzantine nodes every vote they ever sent to anybody. */
  const prevoters = new Map<string, Set<number>>();
  const locks = new Map<string, Lock>();

  const hasPolka = (height: number, round: number, id: string): boolean => {
    let power = 0n;
    for (const node of prevoters.get(`${height}/${round}/${id}`) ?? []) power += powerOf(height, node);
    return power >= quorum(setOf(height).set.totalPower);
  };

  const notePrevote = (height: number, round: number, blockId: BlockId | null, node: number): void => {
    const key = `${height}/${round}/${idText(blockId)}`;
    const known = prevoters.get(key) ?? new Set();
    prevoters.set(key, known.add(node));
  };

  /** A vote that counted in an honest core was made, though nobody may have seen it leave. */
  const noteCounted = (input: Input): void => {
    if (input.kind === "vote" || input.kind === "signed_vote") {
      const { type, height, round, blockId, validatorAddress } = input.vote;
      if (type === VoteType.prevote) notePrevote(height, round, blockId, nodeOf(validatorAddress));
    } else if (input.kind === "certificate" && input.certificate.type === VoteType.prevote) {
      const { height, round, blockId, signatures } = input.certificate;
      for (const { validatorIndex } of signatures)
        notePrevote(height, round, blockId, inSetOrder(height, validatorIndex));
    }
  };

  return {
    stored(node, { height, state }) {
      if (honest(node) && !sets.has(height + 1)) sets.set(height + 1, known(state.validators));
    },
    spoke(node, message) {
      if (!isVote(message)) return;
      const { height, round, type, blockId } = message;
      const id = idText(blockId);
      if (type === VoteType.prevote) notePrevote(height, round, blockId, node);
      if (!honest(node) || blockId === null) return;
      const at = `${node}/${height}`;
      const lock = locks.get(at);
      if (type === VoteType.prevote) {
        if (lock === undefined || lock.id === id || round <= lock.round) return;
        for (let pol = lock.round; pol < round; pol++) if (hasPolka(height, pol, id)) return;
        violated(
          `node ${node} sent ${voteName(message)} though it precommitted another block in round ${lock.round}`,
          [node],
        );
        return;
      }
      if (!hasPolka(height, round, id)) {
        violated(`node ${node} sent ${voteName(message)} without a polka in that round`, [node]);
      }
      if (lock === undefined || round > lock.round) locks.set(at, { round, id });
    },
    step(node, input, before, { state }) {
      if (!honest(node)) return;
      noteCounted(input);
      if (before.context === null || state.context === null) return;
      if (before.context.height !== state.context.height) return;
      const [was, is] = [before.machine.locked, state.machine.locked];
      if (was === is || was === null) return;
      if (is === null || is.round < was.round) {
        violated(`node ${node} fell back from its lock of round ${was.round}`, [node]);
      }
    },
  };
};
