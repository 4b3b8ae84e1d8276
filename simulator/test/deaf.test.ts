/** A Byzantine node does not hear what it said itself, wherever in the set a height has it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Certificate, stateFromGenesis, type ValidatorSet, VoteType } from "@quorate/chain";
import type { GossipModules } from "@quorate/gossip/core";
import { deafToItself } from "../src/byzantine/deaf.ts";
import { cluster, KEYS } from "./support.ts";

describe("a liar's ears", () => {
  it("are closed to certificates that it signed, by its place in the set of their height", () => {
    const { genesis } = cluster().options;
    const set = (...powers: bigint[]): ValidatorSet =>
      stateFromGenesis({
        ...genesis,
        validators: genesis.validators.map((each, i) => ({ ...each, power: powers[i] ?? 1n })),
      }).validators;
    const own = KEYS[1]!.address;
    const sets = new Map([
      [1, set(1n, 9n, 1n, 1n)],
      [2, set(9n, 1n, 9n, 9n)],
    ]);
    const placeOf = (height: number): number =>
      sets.get(height)!.validators.findIndex(({ address }) => Buffer.from(address).equals(own));
    assert.deepEqual([placeOf(1), placeOf(2)], [0, 3]);
    const heard: string[] = [];
    const gossip = {
      view: { validators: (height: number) => sets.get(height) ?? null },
      events: {
        certificate: ({ height, signatures }: Certificate) =>
          heard.push(`${height}: ${signatures.map(({ validatorIndex }) => validatorIndex)}`),
      },
    };
    const { events } = deafToItself(gossip as unknown as GossipModules, own);
    for (const height of [1, 2, 3]) {
      for (const signers of [
        [0, 1, 2],
        [1, 2, 3],
      ]) {
        const signatures = signers.map((validatorIndex) => ({
          validatorIndex,
          timestamp: 0n,
          signature: new Uint8Array(64),
        }));
        events.certificate(
          { type: VoteType.precommit, height, round: 0, blockId: null, signatures },
          "somebody",
        );
      }
    }
    assert.deepEqual(heard, ["1: 1,2,3", "2: 0,1,2", "3: 0,1,2", "3: 1,2,3"]);
  });
});
