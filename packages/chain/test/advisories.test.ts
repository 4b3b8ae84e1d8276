/** Published faults of other chains, tried on the rules of this one: docs/security/advisories.md. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  ABSENT_SIG,
  applyBlock,
  type BlockId,
  ChainError,
  type Commit,
  CommitFlag,
  type CommitSig,
  certificateFromCommit,
  commitFromVotes,
  decodeBlock,
  decodeCommit,
  decodePart,
  decodeProposal,
  type EnvelopeV1,
  encodeBlock,
  encodeCommit,
  encodePart,
  type Genesis,
  genesisHash,
  genesisToJson,
  makePartSet,
  PARAM_SPECS,
  paramsToRecord,
  parseGenesis,
  stateFromGenesis,
  type ValidatorSet,
  type Vote,
  VoteType,
  validateBlock,
  verifyCommit,
  voteSignBytes,
} from "@quorate/chain";
import { ed25519Sign, nativeBackend, nobleBackend, toHex } from "@quorate/crypto";
import fc from "fast-check";
import { chainOf, commitFor, idOf, makeFixture, nextBlock } from "./state-fixture.ts";

const fixture = makeFixture("none", { powers: [10n, 10n, 10n, 10n, 10n, 10n, 10n] });
const parent = chainOf(fixture, 1);
const decided = nextBlock(parent.state, parent.commit);
const decidedId = idOf(decided);
const state = applyBlock(parent.state, decided, decidedId);
const sound = commitFor(fixture, parent.state, decided, decidedId);
const otherId: BlockId = { ...decidedId, hash: new Uint8Array(32).fill(9) };
const set: ValidatorSet = parent.state.validators;

function precommit(index: number, blockId: BlockId | null, signed: BlockId | null = blockId): Vote {
  const { address } = set.validators[index]!;
  const timestamp = decided.header.time + BigInt(index + 1) * 1_000_000n;
  const content = { type: VoteType.precommit, height: 2, round: 0, timestamp };
  const message = voteSignBytes(state.chainId, { ...content, blockId: signed });
  const signature = ed25519Sign(fixture.seeds.get(toHex(address))!, message);
  return { ...content, blockId, validatorAddress: address, validatorIndex: index, signature };
}

const entryOf = (vote: Vote, flag: CommitSig["flag"]): CommitSig => ({
  flag,
  validatorAddress: vote.validatorAddress,
  timestamp: vote.timestamp,
  signature: vote.signature,
});

/** Whether each place that reads a commit takes this one, and that all of them say the same. */
function verdict(commit: Commit): boolean {
  const readers: (() => void)[] = [
    // Whoever is shown a commit for a decided block.
    ...[nativeBackend, nobleBackend].map((backend) => (): void => {
      verifyCommit(state.chainId, set, decidedId, 2, commit, backend);
    }),
    // Whoever judges the next block, as it came over the wire.
    (): void => {
      const block = decodeBlock(encodeBlock(nextBlock(state, commit)));
      assert.ok(nativeBackend.verifyBatch(validateBlock(state, block)).every(Boolean), "a check fails");
    },
    // Whoever is asked for it after a restart.
    (): void =>
      verifyCommit(state.chainId, set, decidedId, 2, decodeCommit(encodeCommit(commit)), nativeBackend),
  ];
  const answers = readers.map((read) => {
    try {
      read();
      return true;
    } catch (error) {
      assert.ok(error instanceof ChainError || error instanceof assert.AssertionError, String(error));
      return false;
    }
  });
  assert.equal(new Set(answers).size, 1, answers.join());
  return answers[0]!;
}

describe("signatures in a commit", () => {
  it("CVE-2020-15091: whatever votes a proposer has, the commit that it makes of them is one that everybody accepts", () => {
    const kinds = fc.constantFrom("block", "nil", "other", "none");
    fc.assert(
      // Five of seven are more than two thirds: any two may say anything.
      fc.property(kinds, kinds, fc.nat({ max: 6 }), fc.nat({ max: 6 }), (one, other, at, elsewhere) => {
        const chosen = Array.from({ length: 7 }, () => "block")
          .with(at, one)
          .with(elsewhere, other);
        const votes = chosen.flatMap((kind, index) =>
          kind === "none"
            ? []
            : [precommit(index, kind === "block" ? decidedId : kind === "nil" ? null : otherId)],
        );
        const commit = commitFromVotes(set, { height: 2, round: 0, blockId: decidedId }, votes);
        assert.ok(verdict(commit), chosen.join());
      }),
      { numRuns: 25 },
    );
  });

  it("CVE-2020-15091: a commit with a signature for another block, a false nil or a broken one has one verdict everywhere", () => {
    const sixth = (sig: CommitSig): Commit => ({ ...sound, signatures: sound.signatures.with(6, sig) });
    const taken: readonly CommitSig[] = [ABSENT_SIG, entryOf(precommit(6, null), CommitFlag.nil)];
    for (const sig of taken) assert.equal(verdict(sixth(sig)), true);
    const refused: readonly CommitSig[] = [
      entryOf(precommit(6, otherId), CommitFlag.commit),
      entryOf(precommit(6, otherId), CommitFlag.nil),
      entryOf(precommit(6, decidedId), CommitFlag.nil),
      entryOf(precommit(6, null), CommitFlag.commit),
      { ...entryOf(precommit(6, decidedId), CommitFlag.commit), signature: new Uint8Array(64) },
    ];
    for (const sig of refused) assert.equal(verdict(sixth(sig)), false);
  });

  it("CSA-2026-001: an entry under the address of another validator, of none, or of no length is refused by all who read commits", () => {
    const addresses = [set.validators[1]!.address, new Uint8Array(20).fill(1), new Uint8Array(0)];
    for (const at of [0, 3, 6]) {
      for (const validatorAddress of addresses) {
        const entry = { ...sound.signatures[at]!, validatorAddress };
        const forged = { ...sound, signatures: sound.signatures.with(at, entry) };
        assert.equal(verdict(forged), false, `${at} ${toHex(validatorAddress)}`);
      }
    }
    const forgedTime = { ...sound.signatures[2]!, timestamp: sound.signatures[2]!.timestamp + 1n };
    assert.equal(verdict({ ...sound, signatures: sound.signatures.with(2, forgedTime) }), false);
    // Nor do the times that validators sign move the chain's: one and the same block, whatever they were.
    const late = sound.signatures.map((sig, index): CommitSig => {
      const vote = { ...precommit(index, decidedId), timestamp: sig.timestamp + 3_600_000_000_000n };
      const seed = fixture.seeds.get(toHex(vote.validatorAddress))!;
      const signature = ed25519Sign(seed, voteSignBytes(state.chainId, vote));
      return entryOf({ ...vote, signature }, CommitFlag.commit);
    });
    assert.equal(verdict({ ...sound, signatures: late }), true);
    assert.equal(
      nextBlock(state, { ...sound, signatures: late }).header.time,
      nextBlock(state, sound).header.time,
    );
  });

  it("ISA-2025-003: one validator's vote in the place of another, or twice, counts for nobody", () => {
    const four = sound.signatures.map((sig, index) => (index < 4 ? sig : ABSENT_SIG));
    assert.equal(verdict({ ...sound, signatures: four }), false);
    assert.equal(verdict({ ...sound, signatures: four.with(4, sound.signatures[3]!) }), false);
    assert.equal(verdict({ ...sound, signatures: [...sound.signatures, sound.signatures[0]!] }), false);
    const { signatures } = certificateFromCommit(set, sound);
    assert.equal(new Set(signatures.map(({ validatorIndex }) => validatorIndex)).size, 7);
  });
});

describe("a chain goes on", () => {
  it("ASA-2024-001: over an upgrade that sets any param to an end of its range, at any height", () => {
    let tried = 0;
    for (const { name, min, max } of PARAM_SPECS) {
      for (const value of [min, max]) {
        for (const height of [2, 3]) {
          const upgrades = [{ height, appVersion: 1, params: { [name]: value } }];
          const single = makeFixture("none", { upgrades, powers: [1n] });
          let genesis: Genesis;
          try {
            genesis = parseGenesis(genesisToJson(single.genesis));
          } catch (error) {
            // Two params may exclude each other: said when genesis is read, never at the height.
            assert.ok(error instanceof ChainError, String(error));
            assert.ok(["max_block_bytes", "max_evidence_bytes"].includes(name), `${name} ${value}: ${error}`);
            continue;
          }
          tried++;
          const tip = chainOf({ ...single, genesis }, 3);
          assert.equal(paramsToRecord(tip.state.params)[name], value);
          const block = nextBlock(tip.state, tip.commit);
          assert.ok(nativeBackend.verifyBatch(validateBlock(tip.state, block)).every(Boolean));
        }
      }
    }
    assert.ok(tried >= 70, String(tried));
  });

  it("GHSA-47ww, GHSA-x5vx: what every validator accepted can be applied, whatever its payload asks for", () => {
    const engine = makeFixture("engine");
    const tip = chainOf(engine, 2);
    const bytes = (max: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: 1, maxLength: max });
    const payload = fc.record({
      requests: fc.uniqueArray(fc.integer({ min: 0, max: 255 }), { maxLength: 6 }),
      content: bytes(300),
      extraData: fc.uint8Array({ maxLength: 32 }),
      baseFeePerGas: fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
      gasUsed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      blockHash: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      transactions: fc.array(bytes(200), { maxLength: 5 }),
    });
    let applied = 0;
    fc.assert(
      fc.property(payload, ({ requests, content, transactions, ...fields }) => {
        const executionRequests = requests
          .toSorted((a, b) => a - b)
          .map((type) => Uint8Array.from([type, ...content]));
        const envelope: Partial<EnvelopeV1> = { ...fields, executionRequests };
        const block = nextBlock(tip.state, tip.commit, { envelope, transactions });
        try {
          validateBlock(tip.state, block);
        } catch (error) {
          assert.ok(error instanceof ChainError, String(error));
          return;
        }
        const next = applyBlock(tip.state, block, idOf(block));
        applied++;
        // And a block can be made and judged on top of it.
        const commit = commitFor(engine, tip.state, block, idOf(block));
        validateBlock(next, nextBlock(next, commit));
      }),
      { numRuns: 300 },
    );
    assert.ok(applied > 20, `${applied} blocks applied`);
  });
});

describe("decoders", () => {
  it("GHSA-8wcc: go no deeper than the format does, however deep the input is nested", () => {
    // A message that holds itself in each of its fields: 20,000 levels where the format has a handful.
    for (const field of [1, 2, 3, 4]) {
      const levels: number[][] = [];
      let size = 0;
      for (let i = 0; i < 20_000; i++) {
        const head = [field * 8 + 2, ...varint(size)];
        levels.push(head);
        size += head.length;
      }
      const input = Uint8Array.from(levels.toReversed().flat());
      for (const decode of [decodeBlock, decodeCommit, decodePart, decodeProposal]) {
        assert.throws(() => decode(input), { code: "DECODE" });
      }
    }
    for (const text of ["[".repeat(200_000), `${'{"chain_id":'.repeat(200_000)}`, nestedMember()]) {
      assert.throws(() => parseGenesis(text), { code: "GENESIS" });
    }
  });

  it("ISA-2025-001: a genesis has one meaning in whatever order, spacing and spelling its JSON is written", () => {
    const { genesis } = makeFixture("engine");
    const text = genesisToJson(genesis);
    const reversed = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(reversed);
      if (typeof value !== "object" || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .toReversed()
          .map(([name, inner]) => [name, reversed(inner)]),
      );
    };
    const escaped = text.replace(/"([a-z_]+)":/g, (_, name: string) => {
      const spelled = [...name].map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
      return `"${spelled.join("")}":`;
    });
    const document: unknown = JSON.parse(text);
    const ways = [
      JSON.stringify(document),
      JSON.stringify(document, null, "\t"),
      JSON.stringify(reversed(document)),
      escaped,
    ];
    for (const way of ways) {
      assert.notEqual(way, text);
      assert.equal(toHex(genesisHash(parseGenesis(way))), toHex(genesisHash(genesis)));
      assert.deepEqual(stateFromGenesis(parseGenesis(way)).appHash, stateFromGenesis(genesis).appHash);
    }
  });

  it("ASA-2025-002: a part whose index is not that of its proof is refused before anything is kept or handed on", () => {
    const { parts } = makePartSet(new Uint8Array(200_000).fill(3));
    const [first, second] = parts;
    assert.ok(first !== undefined && second !== undefined);
    assert.deepEqual(decodePart(encodePart(second)), second);
    assert.throws(() => decodePart(encodePart({ ...second, index: 0 })), { code: "DECODE" });
    assert.throws(() => decodePart(encodePart({ ...first, proof: second.proof })), { code: "DECODE" });
  });
});

function varint(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128);
  return [...out, rest];
}

/** A genesis that is sound but for one member, which is nested without end. */
function nestedMember(): string {
  const text = genesisToJson(makeFixture("none").genesis);
  return text.replace(/"chain_id": "[^"]*"/, `"chain_id": ${"[".repeat(50_000)}${"]".repeat(50_000)}`);
}
