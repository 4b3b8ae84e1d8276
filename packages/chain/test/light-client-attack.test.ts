/** Evidence of attacks on light clients: whom each kind of attack names, and what proves nothing. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type AttackedChain,
  type Block,
  type BlockId,
  byzantineValidators,
  ChainError,
  type Commit,
  CommitFlag,
  type Header,
  headerHash,
  type LightClientAttackEvidence,
  type SignedHeader,
  stateFromGenesis,
  type ValidatorSet,
  VoteType,
  verifyLightClientAttack,
  voteSignBytes,
} from "@quorate/chain";
import { ed25519Sign, nativeBackend, toHex } from "@quorate/crypto";
import { advance, commitFor, idOf, makeFixture, nextBlock, type Tip } from "./state-fixture.ts";

const fixture = makeFixture("none");
const set: ValidatorSet = stateFromGenesis(fixture.genesis).validators;
const { chainId } = fixture.genesis;

/** Blocks 1 to 3 of the chain with their commits. */
const decided: readonly SignedHeader[] = (() => {
  const list: SignedHeader[] = [];
  let tip: Tip = { state: stateFromGenesis(fixture.genesis), commit: null };
  for (let i = 0; i < 3; i++) {
    const block: Block = nextBlock(tip.state, tip.commit);
    list.push({ header: block.header, commit: commitFor(fixture, tip.state, block, idOf(block)) });
    tip = advance(fixture, tip, block);
  }
  return list;
})();
const [, second, third] = decided as readonly [SignedHeader, SignedHeader, SignedHeader];
/** Judged at height 3 about height 3, unless the common height is 2. */
const chainAt = (common: SignedHeader): AttackedChain => ({
  chainId,
  common: common.header,
  commonValidators: set,
  trusted: third,
});

/** Precommits of the whole set, but for `absent`, for a header of somebody's making. */
function commitOn(header: Header, round = 0, absent: readonly number[] = []): Commit {
  const blockId: BlockId = {
    hash: headerHash(header),
    parts: { total: 1, hash: new Uint8Array(32).fill(1) },
  };
  const { height, time } = header;
  const signatures = set.validators.map((validator, index) => {
    if (absent.includes(index)) {
      const nobody = { validatorAddress: new Uint8Array(0), signature: new Uint8Array(0) };
      return { flag: CommitFlag.absent, timestamp: -62_135_596_800n * 1_000_000_000n, ...nobody };
    }
    const timestamp = time + BigInt(index) * 1_000_000n;
    const vote = { type: VoteType.precommit, height, round, blockId, timestamp };
    const signature = ed25519Sign(
      fixture.seeds.get(toHex(validator.address))!,
      voteSignBytes(header.chainId, vote),
    );
    return { flag: CommitFlag.commit, validatorAddress: validator.address, timestamp, signature };
  });
  return { height, round, blockId, signatures };
}

function attack(
  header: Header,
  commit: Commit,
  common: SignedHeader,
  fields: Partial<LightClientAttackEvidence> = {},
): LightClientAttackEvidence {
  const evidence: LightClientAttackEvidence = {
    kind: "light_client_attack",
    conflictingBlock: { signedHeader: { header, commit }, validators: set },
    commonHeight: common.header.height,
    byzantineValidators: [],
    totalVotingPower: set.totalPower,
    timestamp: common.header.time,
    ...fields,
  };
  return fields.byzantineValidators === undefined
    ? { ...evidence, byzantineValidators: byzantineValidators(evidence, chainAt(common)) }
    : evidence;
}

/** What may be otherwise in a block that follows from the chain, and what may not. */
const otherTxs: Header = { ...third.header, dataHash: new Uint8Array(32).fill(7) };
const otherState: Header = { ...third.header, appHash: new Uint8Array(32).fill(7) };
const equivocation = attack(otherTxs, commitOn(otherTxs), third);
const lunatic = attack(otherState, commitOn(otherState), second);

const verdict = (evidence: LightClientAttackEvidence, chain: AttackedChain): string => {
  try {
    verifyLightClientAttack(evidence, chain, nativeBackend);
    return "proven";
  } catch (error) {
    assert.ok(error instanceof ChainError, String(error));
    assert.ok(error.code === "EVIDENCE" || error.code === "COMMIT", error.code);
    return String(error.facts["reason"]);
  }
};
const names = (evidence: LightClientAttackEvidence): readonly string[] =>
  evidence.byzantineValidators.map(({ address }) => toHex(address));
const everybody = set.validators.map(({ address }) => toHex(address));

describe("an attack on light clients", () => {
  it("by equivocation names who signed both blocks of the round", () => {
    assert.equal(verdict(equivocation, chainAt(third)), "proven");
    assert.deepEqual(names(equivocation), everybody);
    const without = attack(otherTxs, commitOn(otherTxs, 0, [2]), third);
    assert.equal(verdict(without, chainAt(third)), "proven");
    assert.deepEqual(names(without), everybody.toSpliced(2, 1));
  });

  it("by amnesia, in another round, names nobody: no single signature of it is false", () => {
    const amnesia = attack(otherTxs, commitOn(otherTxs, 1), third);
    assert.deepEqual(names(amnesia), []);
    assert.equal(verdict(amnesia, chainAt(third)), "proven");
  });

  it("by a header that does not follow from the chain names all its signers, whatever field was invented", () => {
    for (const field of [
      "validatorsHash",
      "nextValidatorsHash",
      "consensusHash",
      "appHash",
      "lastResultsHash",
    ]) {
      const header: Header = { ...third.header, [field]: new Uint8Array(32).fill(7) };
      const evidence = attack(header, commitOn(header, 4), second);
      assert.deepEqual(names(evidence), everybody, field);
      // The set of a light block is that of its header: one that invents another set needs that set.
      const expected = field === "validatorsHash" ? "validators_hash_mismatch" : "proven";
      assert.equal(verdict(evidence, chainAt(second)), expected, field);
    }
  });

  it("above the chain is one where its time lies before the chain's newest block, and else is none yet", () => {
    const above = (time: bigint): LightClientAttackEvidence => {
      const header: Header = { ...third.header, height: 9, time };
      return attack(header, commitOn(header), second);
    };
    assert.equal(verdict(above(third.header.time), chainAt(second)), "proven");
    assert.equal(verdict(above(third.header.time + 1n), chainAt(second)), "time_not_violated");
  });
});

describe("evidence proves no attack", () => {
  const changed = (
    evidence: LightClientAttackEvidence,
    signedHeader: Partial<SignedHeader>,
  ): LightClientAttackEvidence => ({
    ...evidence,
    conflictingBlock: {
      ...evidence.conflictingBlock,
      signedHeader: { ...evidence.conflictingBlock.signedHeader, ...signedHeader },
    },
  });
  const { commit } = equivocation.conflictingBlock.signedHeader;
  const accused = equivocation.byzantineValidators;
  const otherChain: Header = { ...otherTxs, chainId: "another" };
  const cases: Readonly<Record<string, readonly [evidence: LightClientAttackEvidence, reason: string]>> = {
    "of another chain": [attack(otherChain, commitOn(otherChain), third), "wrong_chain"],
    "with the commit of another height": [
      changed(equivocation, { commit: { ...commit, height: 2 } }),
      "commit_height_mismatch",
    ],
    "with the commit of another block": [
      changed(equivocation, { commit: third.commit }),
      "commit_signs_other_block",
    ],
    "about another common height than it is judged by": [
      { ...equivocation, commonHeight: 2 },
      "wrong_height",
    ],
    "where a block of the common height itself does not follow from the chain": [
      attack(otherState, commitOn(otherState), third),
      "not_derived",
    ],
    "with another total power": [
      { ...equivocation, totalVotingPower: set.totalPower + 1n },
      "total_power_mismatch",
    ],
    "with another time": [{ ...equivocation, timestamp: equivocation.timestamp + 1n }, "time_mismatch"],
    "when the block is the chain's own": [attack(third.header, third.commit, third), "same_header"],
    "that names too few": [{ ...equivocation, byzantineValidators: accused.slice(1) }, "byzantine_count"],
    "that names in another order": [
      { ...equivocation, byzantineValidators: accused.toReversed() },
      "byzantine_validator_mismatch",
    ],
    "that names another power": [
      { ...equivocation, byzantineValidators: accused.with(0, { ...accused[0]!, power: 11n }) },
      "byzantine_validator_mismatch",
    ],
    "that names another key": [
      {
        ...equivocation,
        byzantineValidators: accused.with(0, { ...accused[0]!, pubKey: accused[1]!.pubKey }),
      },
      "address_not_from_pubkey",
    ],
    "signed by too few": [attack(otherTxs, commitOn(otherTxs, 0, [0, 1]), third), "not_enough_power"],
  };
  for (const [what, [evidence, reason]] of Object.entries(cases)) {
    it(what, () => assert.equal(verdict(evidence, chainAt(third)), reason));
  }

  it("with a signature that does not hold", () => {
    const [first] = commit.signatures;
    const signatures = commit.signatures.with(0, {
      ...first!,
      signature: first!.signature.with(5, first!.signature[5]! ^ 1),
    });
    for (const [evidence, chain] of [
      [equivocation, chainAt(third)],
      [lunatic, chainAt(second)],
    ] as const) {
      assert.equal(verdict(evidence, chain), "proven");
      const own = evidence.conflictingBlock.signedHeader.commit;
      const forged = changed(evidence, { commit: { ...own, signatures } });
      assert.equal(verdict(forged, chain), "wrong_signature");
    }
  });
});
