import { type Block, decodeEnvelope, genesisRegistry, registryRoot, timeToMs } from "@quorate/chain";
import { bytesEqual, toHex } from "@quorate/crypto";
import { possessionOf } from "../el/churn.ts";
import { registryDifference } from "../registry-model/compare.ts";
import { RegistryModel } from "../registry-model/model.ts";
import type { ChurnSign } from "../witness.ts";
import type { MakeLaw } from "./law.ts";

/**
 * After every height, on every honest node, registry and set are those of the naive model that was told the same blocks,
 * and each payload pays what the model owes. Evidence in a block is of a validator of that height, with its powers.
 */
export const registryModel: MakeLaw = ({ cluster, people, violated, honest, saw }) => {
  const { genesis } = cluster.options;
  const { policy } = genesisRegistry(genesis);
  const places = new Map(people.map((person) => [toHex(person.pubKey), person]));
  const keys = new Map(people.map(({ pubKey, address }) => [toHex(address), toHex(pubKey)]));
  const proofOf = possessionOf(genesis);
  const validators = genesis.validators.map(({ pubKey, owner, power }) => ({
    key: toHex(pubKey),
    owner: toHex(owner),
    power,
  }));
  const model = new RegistryModel(policy === 1, validators, (key, owner, proof) => {
    const person = places.get(key);
    return person !== undefined && owner === toHex(person.owner) && proof === proofOf(person);
  });
  const powersNow = (): ReadonlyMap<string, bigint> =>
    new Map([...model.entries].flatMap(([key, { power }]) => (power > 0n ? [[key, power] as const] : [])));
  /** Powers by height, and registry roots after a height. */
  const sets = new Map([1, 2].map((height) => [height, powersNow()]));
  const roots = new Map<number, Uint8Array>();
  let struck = new Map(model.struck);
  let parentTimeMs = timeToMs(genesis.genesisTime);

  const play = (block: Block): string | null => {
    const { height, time } = block.header;
    const [first] = block.txs;
    const envelope = first === undefined ? null : decodeEnvelope(first);
    const { executionRequests: requests, withdrawals } = envelope?.version === 1 ? envelope : NO_PAYLOAD;
    const { params } = genesis;
    const convicts = block.evidence.flatMap((evidence) =>
      evidence.kind === "duplicate_vote" ? [evidence] : [],
    );
    const odd = convicts
      .map((evidence) => {
        const set = sets.get(evidence.voteA.height);
        const power = set?.get(keys.get(toHex(evidence.voteA.validatorAddress)) ?? "");
        const total = [...(set?.values() ?? [])].reduce((sum, each) => sum + each, 0n);
        return power === evidence.validatorPower && total === evidence.totalVotingPower
          ? null
          : `its evidence is of power ${evidence.validatorPower} of ${evidence.totalVotingPower} at height ${evidence.voteA.height}, where it was ${power ?? "none"} of ${total}`;
      })
      .find((text) => text !== null);
    const timeMs = timeToMs(time);
    const paid = model.block({
      height,
      parentTimeMs,
      timeMs,
      maxAgeBlocks: params.evidenceMaxAgeBlocks,
      maxAgeMs: params.evidenceMaxAgeMs,
      offenders: convicts.map(({ voteA }) => keys.get(toHex(voteA.validatorAddress)) ?? ""),
      requests: requests.map(toHex),
    });
    parentTimeMs = timeMs;
    sets.set(height + 2, powersNow());
    if (model.powerful.length === MOST) saw("fullSets");
    for (const [rule, count] of model.struck) {
      const sign = SIGNS[rule];
      for (let i = struck.get(rule) ?? 0; i < count; i++) if (sign !== undefined) saw(sign);
    }
    struck = new Map(model.struck);
    if (odd !== undefined) return odd;
    const owed = paid.map(({ index, address, gwei }) => `${index}: ${gwei} to ${address}`).join(", ");
    const given = withdrawals
      .map(({ index, address, amountGwei }) => `${index}: ${amountGwei} to ${toHex(address)}`)
      .join(", ");
    return owed === given ? null : `its payload pays ${given || "nothing"}, the model ${owed || "nothing"}`;
  };

  return {
    stored(node, { height, block, state }) {
      if (!honest(node)) return;
      let broken: string | null = null;
      const root = roots.get(height);
      if (root === undefined) {
        if (height !== roots.size + 1) {
          broken = `is stored by node ${node} before the heights below were by anybody`;
        } else {
          broken = play(block) ?? registryDifference(state.registry, model);
          const set = new Map(
            state.nextValidators.validators.map(({ pubKey, power }) => [toHex(pubKey), power]),
          );
          const expected = sets.get(height + 2);
          const same =
            set.size === expected?.size && [...set].every(([key, power]) => expected.get(key) === power);
          if (!same) broken ??= "the set of two heights later is not the model's";
          roots.set(height, registryRoot(state.registry));
        }
      } else if (!bytesEqual(root, registryRoot(state.registry))) {
        broken = "the registry is not that of the others";
      }
      if (broken !== null) violated(`height ${height}: ${broken}`, [node]);
    },
  };
};

/** Validators of a set at most. */
const MOST = 512;
const NO_PAYLOAD = { executionRequests: [], withdrawals: [] };
const SIGNS: Readonly<Record<string, ChurnSign>> = {
  full: "refusedWhenFull",
  cut: "cutToTotal",
  "too-much": "amountsTooLarge",
  dust: "dust",
  last: "lastStayed",
  unproven: "unproven",
};
