import assert from "node:assert/strict";
import { test } from "node:test";
import { ed25519PublicKey, sha256, utf8Encode } from "@quorate/crypto";
import {
  incrementProposerPriority,
  makeValidatorSet,
  updateValidatorSet,
  type ValidatorSet,
  validatorsHash,
} from "../src/index.ts";
import { rememberedByMembers } from "../src/memo.ts";

const KEYS = [1, 2, 3].map((i) => ed25519PublicKey(sha256(utf8Encode(`memo ${i}`))));

test("what depends on members alone is computed once for as long as keys and powers stay, and anew when one changes", () => {
  let computed = 0;
  const hashOf = rememberedByMembers((set: ValidatorSet) => {
    computed++;
    return validatorsHash(set);
  });
  const first = makeValidatorSet(KEYS.slice(0, 2).map((pubKey) => ({ pubKey, power: 10n })));
  let set = first;
  for (let height = 0; height < 5; height++) {
    assert.deepEqual(hashOf(set), validatorsHash(first));
    set = incrementProposerPriority(set, 1);
  }
  assert.equal(computed, 1);
  const [one, two, three] = KEYS;
  assert.ok(one !== undefined && two !== undefined && three !== undefined);
  for (const change of [
    [{ pubKey: two, power: 9n }],
    [{ pubKey: three, power: 1n }],
    [
      { pubKey: two, power: 0n },
      { pubKey: three, power: 10n },
    ],
    [{ pubKey: two, power: 0n }],
  ]) {
    const changed = updateValidatorSet(set, change);
    assert.deepEqual(hashOf(changed), validatorsHash(changed));
    assert.deepEqual(hashOf(first), validatorsHash(first));
  }
});
