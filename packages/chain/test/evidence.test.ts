/** Evidence in blocks: what convicts, what it costs, and what a block with it must not do. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Block,
  type BlockId,
  blameForFork,
  type Certificate,
  ChainError,
  type ChainPast,
  type ChainState,
  type Commit,
  CommitFlag,
  commitConflicts,
  type DuplicateVoteEvidence,
  type Evidence,
  evidenceExpired,
  evidenceListSize,
  makeDuplicateVoteEvidence,
  makeValidatorSet,
  type PastHeight,
  registryEntryByAddress,
  stateFromGenesis,
  type Validator,
  type ValidatorSet,
  type Vote,
  VoteType,
  validateBlock,
  validatorByAddress,
  voteSignBytes,
} from "@quorate/chain";
import { ed25519Sign, nativeBackend, toHex } from "@quorate/crypto";
import fc from "fast-check";
import { advance, commitFor, type Fixture, idOf, makeFixture, nextBlock, type Tip } from "./state-fixture.ts";

const DAY_NS = 86_400_000_000_000n;
const other: BlockId = {
  hash: new Uint8Array(32).fill(9),
  parts: { total: 1, hash: new Uint8Array(32).fill(8) },
};

/** A chain whose past heights are remembered. */
class Chain {
  readonly fixture: Fixture;
  readonly heights = new Map<number, PastHeight>();
  tip: Tip;

  constructor(options: Parameters<typeof makeFixture>[1] = {}) {
    this.fixture = makeFixture("none", options);
    this.tip = { state: stateFromGenesis(this.fixture.genesis), commit: null };
  }

  get state(): ChainState {
    return this.tip.state;
  }

  readonly past: ChainPast = (height) => this.heights.get(height) ?? null;

  next(options: Parameters<typeof nextBlock>[2] = {}): Block {
    return nextBlock(this.state, this.tip.commit, options);
  }

  grow(block: Block = this.next()): this {
    const { height, time } = block.header;
    this.heights.set(height, { height, time, validators: this.state.validators });
    this.tip = advance(this.fixture, this.tip, block);
    return this;
  }

  vote(validator: Validator, blockId: BlockId | null, fields: Partial<Vote> = {}): Vote {
    const set = this.heights.get(1)?.validators ?? this.state.validators;
    const vote = {
      type: VoteType.precommit,
      height: 1,
      round: 0,
      blockId,
      timestamp: 5_000_000n,
      validatorAddress: validator.address,
      validatorIndex: validatorByAddress(set, validator.address)?.index ?? 0,
      ...fields,
    };
    const seed = this.fixture.seeds.get(toHex(validator.address))!;
    return { ...vote, signature: ed25519Sign(seed, voteSignBytes(this.state.chainId, vote)) };
  }

  /** Two precommits of one validator for height 1 unless `fields` say otherwise. */
  double(index = 0, fields: Partial<Vote> = {}): DuplicateVoteEvidence {
    const past = this.heights.get(fields.height ?? 1)!;
    const validator = past.validators.validators[index]!;
    return makeDuplicateVoteEvidence(
      this.vote(validator, other, fields),
      this.vote(validator, null, fields),
      past.validators,
      past.time,
    );
  }

  judge(block: Block, past: ChainPast = this.past): boolean {
    const checks = validateBlock(this.state, block, undefined, past);
    return nativeBackend.verifyBatch(checks).every(Boolean);
  }

  refusal(evidence: readonly Evidence[], past: ChainPast = this.past): string {
    try {
      return this.judge(this.next({ evidence }), past) ? "taken" : "a signature fails";
    } catch (error) {
      assert.ok(error instanceof ChainError);
      assert.equal(error.code, "BAD_EVIDENCE");
      return error.message;
    }
  }
}

const chain = (blocks: number, options: Parameters<typeof makeFixture>[1] = {}): Chain => {
  const made = new Chain(options);
  for (let i = 0; i < blocks; i++) made.grow();
  return made;
};

describe("a double vote in a block", () => {
  it("takes its signer's power two heights later and its key for ever, and nobody else's", () => {
    const at = chain(3);
    const accused = at.heights.get(1)!.validators.validators[2]!;
    const block = at.next({ evidence: [at.double(2)] });
    assert.ok(at.judge(block));
    at.grow(block);
    const has = (set: ChainState["validators"]): boolean => validatorByAddress(set, accused.address) !== null;
    assert.deepEqual([has(at.state.validators), has(at.state.nextValidators)], [true, false]);
    assert.equal(at.state.nextValidators.validators.length, 3);
    const entry = registryEntryByAddress(at.state.registry, accused.address);
    assert.deepEqual([entry?.status, entry?.power], [2, 0n]);
    assert.ok(at.state.registry.entries.filter(({ status }) => status === 0).length === 3);
    const before = at.state.appHash;
    at.grow();
    assert.equal(has(at.state.validators), false);
    assert.notDeepEqual(at.state.appHash, before);
    for (let i = 0; i < 3; i++) at.grow();
    assert.equal(at.state.lastHeight, 8);
  });

  it("convicts once: the same, and any other against that key, is refused ever after", () => {
    const at = chain(3);
    const evidence = [at.double(1)];
    at.grow(at.next({ evidence }));
    assert.match(at.refusal(evidence), /convicted by earlier/);
    assert.match(at.refusal([at.double(1, { round: 3 })]), /convicted by earlier/);
    assert.match(at.refusal([at.double(1, { height: 2 })]), /convicted by earlier/);
    at.grow();
    assert.match(at.refusal(evidence), /convicted by earlier/);
    assert.equal(at.refusal([at.double(0)]), "taken");
  });

  it("of the last validator tombstones its key but leaves the chain its power", () => {
    const at = chain(2, { powers: [7n] });
    at.grow(at.next({ evidence: [at.double(0)] }));
    assert.equal(at.state.registry.entries[0]?.status, 2);
    assert.equal(at.state.nextValidators.totalPower, 7n);
    at.grow().grow();
    assert.match(at.refusal([at.double(0, { round: 1 })]), /convicted by earlier/);
  });

  it("may stand beside those of others: all are convicted at once", () => {
    const at = chain(2);
    at.grow(at.next({ evidence: [at.double(3), at.double(0)] }));
    assert.equal(at.state.nextValidators.validators.length, 2);
  });
});

describe("a block is refused whose evidence", () => {
  it("does not fit the chain's own past", () => {
    const at = chain(3);
    const good = at.double(0);
    assert.equal(at.refusal([good]), "taken");
    const cases: readonly (readonly [Evidence, RegExp])[] = [
      [{ ...good, timestamp: good.timestamp + 1n }, /not that of the block/],
      [{ ...good, validatorPower: 11n }, /power 11/],
      [{ ...good, totalVotingPower: 41n }, /total 41/],
      [{ ...good, voteA: good.voteB, voteB: good.voteA }, /order/],
      [{ ...good, voteB: good.voteA }, /same block/],
      [{ ...good, voteB: { ...good.voteB, round: 1 } }, /differ in height, round or type/],
      [
        { ...good, voteB: { ...good.voteB, validatorAddress: at.double(1).voteB.validatorAddress } },
        /different validators/,
      ],
      [
        {
          ...good,
          voteA: { ...good.voteA, validatorAddress: new Uint8Array(20) },
          voteB: { ...good.voteB, validatorAddress: new Uint8Array(20) },
        },
        /no validator/,
      ],
    ];
    for (const [evidence, message] of cases) assert.match(at.refusal([evidence]), message);
  });

  it("is of a height that was not decided before it, or that nobody remembers", () => {
    const at = chain(3);
    const own = { height: 4, time: 1n, validators: at.state.validators };
    const early: PastHeight = { ...own, time: at.state.lastTime };
    const evidence = makeDuplicateVoteEvidence(
      at.vote(own.validators.validators[0]!, other, { height: 4 }),
      at.vote(own.validators.validators[0]!, null, { height: 4 }),
      own.validators,
      early.time,
    );
    assert.match(at.refusal([evidence]), /not one that was decided/);
    assert.match(
      at.refusal([evidence], () => early),
      /not decided yet/,
    );
    assert.match(
      at.refusal([at.double(0)], () => null),
      /not one that was decided/,
    );
  });

  it("has a false signature, whichever of the two", () => {
    const at = chain(2);
    const good = at.double(0);
    for (const name of ["voteA", "voteB"] as const) {
      const signature = good[name].signature.with(3, (good[name].signature[3] ?? 0) ^ 1);
      assert.equal(at.refusal([{ ...good, [name]: { ...good[name], signature } }]), "a signature fails");
    }
  });

  it("names one validator twice", () => {
    const at = chain(2);
    assert.match(at.refusal([at.double(0), at.double(0)]), /accused twice/);
    assert.match(at.refusal([at.double(0), at.double(1), at.double(0, { round: 2 })]), /accused twice/);
  });

  it("is more than max_evidence_bytes", () => {
    const one = evidenceListSize([chain(1).double(0)]);
    const exact = chain(2, { params: { maxEvidenceBytes: one } });
    assert.equal(exact.refusal([exact.double(0)]), "taken");
    assert.match(exact.refusal([exact.double(0), exact.double(1)]), /bytes of evidence, at most/);
    const none = chain(2, { params: { maxEvidenceBytes: 0 } });
    assert.match(none.refusal([none.double(0)]), /at most 0 are allowed/);
  });

  it("is an attack on light clients", () => {
    const at = chain(2);
    const { header } = at.next();
    const attack: Evidence = {
      kind: "light_client_attack",
      conflictingBlock: {
        signedHeader: { header, commit: at.tip.commit! },
        validators: at.state.validators,
      },
      commonHeight: 1,
      byzantineValidators: [],
      totalVotingPower: at.state.validators.totalPower,
      timestamp: header.time,
    };
    assert.match(at.refusal([attack]), /stays out of blocks/);
  });
});

describe("evidence expires", () => {
  it("when more blocks AND more time have passed than the params say, not by either alone", () => {
    const params = { evidenceMaxAgeBlocks: 10, evidenceMaxAgeMs: 86_400_000 };
    const age = (blocks: number, time: bigint): boolean =>
      evidenceExpired(params, { height: 5 + blocks, time: 7n + time }, { height: 5, time: 7n });
    assert.equal(age(11, DAY_NS + 1n), true);
    assert.equal(age(10, DAY_NS + 1n), false);
    assert.equal(age(11, DAY_NS), false);
  });

  it("as blocks judge it: by the last block, not by a clock", () => {
    const at = chain(1, { params: { evidenceMaxAgeBlocks: 2, evidenceMaxAgeMs: 2_500 } });
    const verdicts: string[] = [];
    for (let i = 0; i < 4; i++) {
      verdicts.push(at.refusal([at.double(0)]) === "taken" ? "taken" : "expired");
      at.grow();
    }
    assert.deepEqual(verdicts, ["taken", "taken", "taken", "expired"]);
  });
});

describe("a fork", () => {
  const certificate = (
    set: ValidatorSet,
    round: number,
    id: BlockId,
    indexes: readonly number[],
  ): Certificate => ({
    type: VoteType.precommit,
    height: 1,
    round,
    blockId: id,
    signatures: indexes.map((validatorIndex) => ({
      validatorIndex,
      timestamp: BigInt(validatorIndex),
      signature: new Uint8Array(64).fill(set.validators.length + validatorIndex),
    })),
  });

  it("law: whatever +2/3 signed each side, it names more than 1/3 of the power and nobody who signed one side only", () => {
    const powers = fc.array(fc.bigInt({ min: 1n, max: 50n }), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(powers, fc.infiniteStream(fc.nat()), fc.boolean(), (given, stream, sameRound) => {
        const set = makeValidatorSet(
          given.map((power, i) => ({ pubKey: new Uint8Array(32).fill(i + 1), power })),
        );
        const indexes = set.validators.map((_, index) => index);
        /** Validators in some order until they are +2/3. */
        const quorumOf = (): number[] => {
          const left = [...indexes];
          const chosen: number[] = [];
          const power = (): bigint => chosen.reduce((sum, i) => sum + set.validators[i]!.power, 0n);
          while (3n * power() <= 2n * set.totalPower) {
            chosen.push(...left.splice(stream.next().value % left.length, 1));
          }
          return chosen.sort((a, b) => a - b);
        };
        const [one, two] = [quorumOf(), quorumOf()];
        const blame = blameForFork(
          set,
          certificate(set, 0, other, one),
          certificate(set, sameRound ? 0 : 3, { ...other, hash: new Uint8Array(32).fill(1) }, two),
        );
        const both = one.filter((index) => two.includes(index));
        assert.deepEqual(
          blame.signedBoth,
          both.map((index) => set.validators[index]),
        );
        assert.ok(3n * blame.power > set.totalPower);
        assert.equal(blame.pairs.length, sameRound ? both.length : 0);
        for (const { first, second } of blame.pairs) {
          const made = makeDuplicateVoteEvidence(first, second, set, 7n);
          assert.ok(both.includes(made.voteA.validatorIndex));
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("two commits of one height and round", () => {
  it("convict whoever signed for the block in one and for nil in the other, and nobody else", () => {
    const at = chain(1);
    const block = at.next();
    const id = idOf(block);
    const full = commitFor(at.fixture, at.state, block, id);
    const nil = at.vote(at.state.validators.validators[2]!, null, { height: 2 });
    const with2nil: Commit = {
      ...full,
      signatures: full.signatures.with(2, {
        flag: CommitFlag.nil,
        validatorAddress: nil.validatorAddress,
        timestamp: nil.timestamp,
        signature: nil.signature,
      }),
    };
    const pairs = commitConflicts(full, with2nil);
    assert.equal(pairs.length, 1);
    const { first, second } = pairs[0]!;
    const made = makeDuplicateVoteEvidence(first, second, at.state.validators, block.header.time);
    const past = { height: 2, time: block.header.time, validators: at.state.validators };
    at.grow(block);
    assert.equal(
      at.refusal([made], () => past),
      "taken",
    );
    assert.deepEqual(commitConflicts(full, full), []);
    assert.deepEqual(commitConflicts(full, { ...with2nil, round: 1 }), []);
    const lacking = commitFor(at.fixture, chain(1).state, block, id, new Set([2]));
    assert.deepEqual(commitConflicts(lacking, with2nil), []);
  });
});
