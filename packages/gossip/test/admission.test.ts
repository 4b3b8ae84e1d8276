/** The one way into the node, without a network: what reaches consensus, and what its sender is told. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Certificate,
  certificateFromVotes,
  type Evidence,
  makeDuplicateVoteEvidence,
  type Proposal,
  type Vote,
  VoteType,
} from "@quorate/chain";
import {
  inlineVerifier,
  nativeBackend,
  RecentKeys,
  type SignatureCheck,
  toHex,
  type Verifier,
  type VerifierBackend,
} from "@quorate/crypto";
import { Admission, type Outcome } from "../src/admission/admission.ts";
import type { Source } from "../src/admission/context.ts";
import { HeldMessages } from "../src/admission/held.ts";
import { SeenCache } from "../src/admission/slots.ts";
import { BodyCollector } from "../src/bodies/collector.ts";
import { LIMITS } from "../src/limits.ts";
import { TokenBucket } from "../src/scoring/token-bucket.ts";
import type { Item } from "../src/topics/items.ts";
import { CHAIN_ID, FakeView, makeBody, makeCommittee, signProposal, signVote } from "./support.ts";

const { prevote, precommit } = VoteType;
const { set, signers } = makeCommittee(4);
const { blockId } = makeBody("a", 100);
const { blockId: other } = makeBody("b", 100);

interface Bench {
  readonly view: FakeView;
  readonly votes: Vote[];
  readonly proposals: Proposal[];
  readonly certificates: Certificate[];
  readonly evidence: Evidence[];
  readonly verified: boolean[];
  /** Signatures looked at. */
  readonly checked: SignatureCheck[];
  readonly source: Source;
  readonly gone: AbortController;
  /** Sent by this node. */
  published(vote: Vote): void;
  receive(...items: Item[]): Promise<Outcome>;
  receiveFrom(source: Source, ...items: Item[]): Promise<Outcome>;
  /** What becomes of items that wait for the end of the turn; null: they do not. */
  gather(source: Source, ...items: Item[]): { outcome: Outcome | null } | null;
  endTurn(): void;
}

/** A peer with as much of every rate as it may use at once. */
const peer = (id: string, gone: AbortSignal): Source => ({
  id,
  verifications: 0,
  observedHeight: 0,
  txItems: new TokenBucket(8, 8, 0),
  txBytes: new TokenBucket(1000, 1000, 0),
  evidence: new TokenBucket(LIMITS.evidencePerSecond, LIMITS.evidencePerSecond, 0),
  useless: new TokenBucket(LIMITS.uselessBurst, LIMITS.uselessPerSecond, 0),
  gone,
});

/** At height 5, round 0. `verifier`: instead of one that answers at once. */
function bench(verifier: Verifier = inlineVerifier()): Bench {
  const view = new FakeView(set);
  const [votes, proposals, certificates, checked]: [Vote[], Proposal[], Certificate[], SignatureCheck[]] = [
    [],
    [],
    [],
    [],
  ];
  const evidence: Evidence[] = [];
  const verified: boolean[] = [];
  const quiet = (): void => undefined;
  const turn: (() => void)[] = [];
  const admission = new Admission({
    chainId: CHAIN_ID,
    view,
    events: {
      vote: (vote) => votes.push(vote),
      proposal: (proposal) => proposals.push(proposal),
      certificate: (certificate) => certificates.push(certificate),
      body: quiet,
      evidence: (found, _from, isVerified) => {
        evidence.push(found);
        verified.push(isVerified);
      },
      tx: quiet,
      peer: quiet,
    },
    verifier: {
      ...verifier,
      verifyNow(check) {
        checked.push(check);
        return verifier.verifyNow(check);
      },
      verify(checks, options) {
        checked.push(...checks);
        return verifier.verify(checks, options);
      },
    },
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    metrics: null,
    now: () => 0,
    atTurnEnd: (callback) => void turn.push(callback),
    wallNow: () => 0,
    // The last of a group.
    random: () => 1 - Number.EPSILON,
    seen: new SeenCache(),
    held: new HeldMessages(),
    bodies: new BodyCollector({ now: () => 0, height: () => view.height, deliver: quiet }),
    evidenceSeen: new RecentKeys(8),
    txSeen: new RecentKeys(8),
    budgets: new Map(),
    onProposal: quiet,
  });
  const gone = new AbortController();
  const source = peer("peer", gone.signal);
  return {
    view,
    votes,
    proposals,
    certificates,
    evidence,
    verified,
    checked,
    source,
    gone,
    published: (sent) => admission.published({ vote: sent }),
    receive: async (...items) => admission.receive(items, source),
    receiveFrom: async (from, ...items) => admission.receive(items, from),
    gather(from, ...items) {
      const taken: { outcome: Outcome | null } = { outcome: null };
      const waits = admission.gather(items, from, (outcome) => {
        taken.outcome = outcome;
      });
      return waits ? taken : null;
    },
    endTurn() {
      for (const callback of turn.splice(0)) callback();
    },
  };
}

const by = (index: number, fields: Partial<Vote> = {}): Vote =>
  signVote(signers[index]!, { type: prevote, height: 5, round: 0, blockId, ...fields });
const vote = (made: Vote): Item => ({ kind: "vote", vote: made });
const proposal = (made: Proposal): Item => ({ kind: "proposal", proposal: made, body: null });
const forged = <T extends Vote | Proposal>(made: T): T => ({
  ...made,
  signature: made.signature.with(0, made.signature[0]! ^ 1),
});

/** A verifier that has batches, and what it was given at once. */
function batching(): { readonly verifier: Verifier; readonly batches: number[] } {
  const batches: number[] = [];
  const verifier: Verifier = {
    ...inlineVerifier(),
    verifyTogether(checks) {
      batches.push(checks.length);
      return nativeBackend.verifyBatch(checks);
    },
  };
  return { verifier, batches };
}

describe("votes that several peers bring in one turn", () => {
  it("are one batch at its end, and a forged one is held against nobody but who brought it", () => {
    const { verifier, batches } = batching();
    const at = bench(verifier);
    const taken = [by(0), forged(by(1)), by(2)].map((made, i) =>
      at.gather(peer(`peer ${i}`, at.gone.signal), vote(made)),
    );
    assert.deepEqual([batches, at.votes], [[], []]);
    at.endTurn();
    assert.deepEqual(batches, [3]);
    assert.deepEqual(at.votes, [by(0), by(2)]);
    assert.deepEqual(
      taken.map((each) => each?.outcome?.offence),
      [null, "bad_signature", null],
    );
    assert.deepEqual(
      taken.map((each) => each?.outcome?.origins),
      [[0], [], [2]],
    );
    at.gather(at.source, vote(by(1)));
    at.endTurn();
    assert.deepEqual([batches, at.votes.length], [[3, 1], 3], "the forgery shadows nothing");
  });

  it("are verified once, whoever else brings them", () => {
    const { verifier, batches } = batching();
    const at = bench(verifier);
    const first = at.gather(at.source, vote(by(0)));
    const second = at.gather(peer("another", at.gone.signal), vote(by(0)));
    assert.equal(second?.outcome?.fresh, 0, "known at once");
    at.endTurn();
    assert.deepEqual([first?.outcome?.fresh, batches, at.votes.length], [1, [1], 1]);
  });

  it("do not wait for its end once they are many", () => {
    const { verifier, batches } = batching();
    const at = bench(verifier);
    for (let round = 0; round < 40; round++) at.gather(at.source, vote(by(round % 4, { round })));
    assert.deepEqual(batches, [32]);
    at.endTurn();
    assert.deepEqual([batches, at.votes.length], [[32, 8], 40]);
  });

  it("of a height that ended meanwhile reach nobody", () => {
    const at = bench(batching().verifier);
    const prevotes = at.gather(at.source, vote(by(0)));
    at.view.height += 2;
    at.endTurn();
    assert.deepEqual([prevotes?.outcome?.fresh, at.votes], [0, []]);
  });

  it("do not wait beside a proposal, a group, or where batches save nothing", () => {
    const at = bench(batching().verifier);
    const made = signProposal(set, signers, { height: 5, round: 0, blockId });
    assert.equal(at.gather(at.source, vote(by(0)), proposal(made)), null);
    const group = [0, 1, 2, 3].flatMap((index) => [0, 1].map((round) => vote(by(index, { round }))));
    assert.equal(at.gather(at.source, ...group), null);
    assert.equal(bench().gather(at.source, vote(by(0))), null);
    assert.deepEqual([at.checked, at.votes], [[], []]);
  });
});

it("recent keys are the newest ones, however many came", () => {
  const recent = new RecentKeys(3);
  for (let i = 0; i < 20; i++) {
    assert.equal(recent.add(`k${i}`), true);
    assert.equal(recent.add(`k${i}`), false);
    const held = Array.from({ length: i + 1 }, (_, j) => recent.has(`k${j}`));
    assert.deepEqual(
      held,
      held.map((_, j) => j > i - 3),
    );
  }
});

describe("a vote", () => {
  it("that is forged reaches nobody, and the true one still comes in after it", async () => {
    const at = bench();
    assert.equal((await at.receive(vote(forged(by(0))))).offence, "bad_signature");
    assert.deepEqual(at.votes, []);
    assert.equal((await at.receive(vote(by(0)))).offence, null);
    assert.equal(at.votes.length, 1);
  });

  it("regression: a second signature in the place of an own vote is told, though for the same block: another instance has the key", async () => {
    const at = bench();
    const own = by(0);
    const foreign = by(0, { timestamp: own.timestamp + 1n });
    at.published(own);
    await at.receive(vote(own));
    assert.deepEqual(at.votes, [], "an echo");
    assert.equal((await at.receive(vote(forged(foreign)))).offence, "bad_signature");
    assert.deepEqual(at.votes, []);
    await at.receive(vote(foreign));
    await at.receive(vote(foreign));
    assert.deepEqual(at.votes, [foreign], "once");
  });

  it("of others with a second signature for the same block is overlooked", async () => {
    const at = bench();
    const first = by(0);
    await at.receive(vote(first));
    await at.receive(vote(by(0, { timestamp: first.timestamp + 1n })));
    assert.deepEqual(at.votes, [first]);
  });

  describe("in a pack of many", () => {
    const pack = [0, 1, 2, 3].flatMap((index) =>
      [prevote, precommit].flatMap((type) => [0, 1].map((round) => by(index, { type, round }))),
    );

    it("costs one signature when it is a forger's, and all of them can still come in", async () => {
      const at = bench();
      assert.equal((await at.receive(...pack.map(forged).map(vote))).offence, "bad_signature");
      assert.equal(at.checked.length, 1);
      assert.deepEqual(at.votes, []);
      await at.receive(...pack.map(vote));
      assert.equal(at.votes.length, pack.length);
    });

    it("is verified once when all are good", async () => {
      const at = bench();
      assert.equal((await at.receive(...pack.map(vote))).offence, null);
      assert.deepEqual([at.checked.length, at.votes.length], [pack.length, pack.length]);
    });

    it("that is forged among good ones loses only itself when another one was looked at first", async () => {
      const at = bench();
      const [first, ...others] = pack;
      assert.ok(first !== undefined);
      assert.equal((await at.receive(vote(forged(first)), ...others.map(vote))).offence, "bad_signature");
      assert.deepEqual(at.votes, others);
    });
  });

  it("under the address of another index, or of no validator, is an offence before its signature is looked at", async () => {
    const at = bench();
    const stranger = { ...by(0), validatorAddress: signers[1]!.address };
    assert.equal((await at.receive(vote(stranger))).offence, "not_a_validator");
    assert.equal((await at.receive(vote({ ...by(0), validatorIndex: 4 }))).offence, "not_a_validator");
    assert.deepEqual([at.votes, at.checked], [[], []]);
  });

  it("of an earlier round comes in, for a decision may come from any round", async () => {
    const at = bench();
    at.view.round = 9;
    await at.receive(vote(by(0, { type: precommit, round: 2 })));
    assert.equal(at.votes.length, 1);
  });

  it("of a round that no honest node reaches costs no look at its signature", async () => {
    const at = bench();
    await at.receive(vote(by(0, { round: LIMITS.roundsAhead + 1 })));
    assert.deepEqual([at.votes, at.checked], [[], []]);
  });

  it("that comes again costs no second look; the second of two that differ comes in as evidence, a third does not", async () => {
    const at = bench();
    await at.receive(vote(by(0)));
    await at.receive(vote(by(0)));
    assert.deepEqual([at.votes.length, at.checked.length], [1, 1]);
    await at.receive(vote(by(0, { blockId: other })));
    await at.receive(vote(by(0, { blockId: null })));
    assert.deepEqual([at.votes.length, at.checked.length], [2, 2]);
  });

  it("for the next height waits until this node gets there, one for the height after is dropped", async () => {
    const at = bench();
    await at.receive(vote(by(0, { height: 6 })), vote(by(1, { height: 7 })));
    assert.deepEqual(at.votes, []);
    at.view.advance();
    await at.receive();
    assert.deepEqual(
      at.votes.map(({ height }) => height),
      [6],
    );
  });

  it("regression: of far rounds of the next height is verified within its signer's budget, as of this height", async () => {
    for (const height of [5, 6]) {
      const at = bench();
      for (let round = 100; round < 100 + 2 * LIMITS.futureRoundBurst; round++)
        await at.receive(vote(by(0, { height, round })));
      assert.equal(at.checked.length, LIMITS.futureRoundBurst, `height ${height}`);
      await at.receive(vote(by(0, { height })), vote(by(1, { height, round: 1 })));
      assert.equal(
        at.checked.length,
        LIMITS.futureRoundBurst + 2,
        "the rounds that come first need no budget",
      );
    }
  });

  it("regression: of far rounds has a budget of the signer's that no new height fills: a thief would sign as many again", async () => {
    const at = bench();
    for (let round = 100; round < 100 + 2 * LIMITS.futureRoundBurst; round++)
      await at.receive(vote(by(0, { round })));
    at.view.advance();
    for (let round = 100; round < 100 + 2 * LIMITS.futureRoundBurst; round++)
      await at.receive(vote(by(0, { height: 6, round })), vote(by(0, { height: 6, round, type: precommit })));
    assert.equal(at.checked.length, LIMITS.futureRoundBurst);
    await at.receive(vote(by(0, { height: 6 })), vote(by(1, { height: 6, round: 100 })));
    assert.equal(at.votes.filter(({ height }) => height === 6).length, 2);
  });

  it("regression: of far rounds that others forge uses up nothing of its signer's budget", async () => {
    const at = bench();
    for (let round = 100; round < 100 + 2 * LIMITS.futureRoundBurst; round++) {
      const { offence } = await at.receive(vote({ ...by(0, { round }), signature: new Uint8Array(64) }));
      assert.equal(offence, "bad_signature");
    }
    await at.receive(vote(by(0, { round: 100 })));
    assert.equal(at.votes.length, 1);
  });

  it("regression: of the next height is not verified when nothing more can be held of its sender", async () => {
    const at = bench();
    const rounds = Math.ceil(LIMITS.heldPerPeer / (2 * LIMITS.futureRoundBurst));
    const sent: Item[] = [];
    for (let index = 0; index < 4; index++)
      for (let round = 0; round < rounds * LIMITS.futureRoundBurst; round++)
        sent.push(vote(by(index, { height: 6, round })));
    for (const one of sent) await at.receive(one);
    const looked = at.checked.length;
    assert.equal(looked, LIMITS.heldPerPeer);
    for (const one of sent) await at.receive(one);
    assert.equal(at.checked.length, looked);
  });

  it("regression: of no use is bounded in number, whatever packs it comes in: beyond that its sender floods", async () => {
    const at = bench();
    await at.receive(vote(by(0)));
    const pack = Array.from({ length: 50 }, () => vote(by(0)));
    let packs = 0;
    while ((await at.receive(...pack)).offence === null) packs++;
    assert.equal(packs, LIMITS.uselessBurst / 50);
    assert.equal((await at.receive(vote(by(0)), vote(by(1)))).offence, "flood");
    assert.equal((await at.receive(vote(by(1)))).offence, null, "what is of use is taken");
    assert.deepEqual([at.votes.length, at.checked.length], [2, 2]);
  });

  it("of the last height comes in only as a precommit: it completes the last commit", async () => {
    const at = bench();
    await at.receive(vote(by(0, { height: 4 })), vote(by(1, { height: 4, type: precommit })));
    assert.deepEqual(
      at.votes.map(({ validatorIndex }) => validatorIndex),
      [1],
    );
  });
});

describe("while signatures are verified in a worker", () => {
  /** A verifier whose groups end when the test says so. */
  function slow(): { readonly verifier: Verifier; release(): void } {
    const inline = inlineVerifier();
    const gate = Promise.withResolvers<void>();
    const verifier: Verifier = {
      ...inline,
      async verify(checks, options) {
        await gate.promise;
        return inline.verify(checks, options);
      },
    };
    return { verifier, release: () => gate.resolve() };
  }

  it("a forged copy of a vote does not keep the true one out", async () => {
    const { verifier, release } = slow();
    const at = bench(verifier);
    const many = [1, 2, 3].flatMap((i) => [by(i), by(i, { type: precommit }), by(i, { blockId: null })]);
    const group = at.receive(vote(forged(by(0))), ...many.map(vote));
    await at.receive(vote(by(0)));
    assert.deepEqual(
      at.votes.map(({ validatorIndex }) => validatorIndex),
      [0],
      "verified at once, beside the forged copy",
    );
    release();
    assert.equal((await group).offence, "bad_signature");
    assert.equal(at.votes.length, 1 + many.length);
  });

  it("regression: nothing of a peer that is thrown out meanwhile is verified, and its votes still come in by others", async () => {
    const { verifier, release } = slow();
    const at = bench(verifier);
    const many = [0, 1, 2, 3].flatMap((i) => [by(i), by(i, { type: precommit })]).map(vote);
    const group = at.receive(...many);
    at.gone.abort();
    release();
    assert.deepEqual(await group, { offence: null, fresh: 0, origins: [], spread: false });
    assert.deepEqual(at.votes, []);
    for (const one of many) await at.receive(one);
    assert.equal(at.votes.length, many.length);
  });

  it("a forged certificate keeps the true one of the same block out neither before nor after", async () => {
    const { verifier, release } = slow();
    const at = bench(verifier);
    const true_ = certificateFromVotes([0, 1, 2].map((i) => by(i)));
    const [first, ...rest] = true_.signatures;
    const false_ = {
      ...true_,
      signatures: [{ ...first!, signature: first!.signature.with(0, first!.signature[0]! ^ 1) }, ...rest],
    };
    const many = [1, 2, 3].flatMap((i) => [by(i, { round: 1 }), by(i, { round: 1, type: precommit })]);
    const group = at.receive({ kind: "certificate", certificate: false_ }, ...many.map(vote));
    await at.receive({ kind: "certificate", certificate: true_ });
    assert.deepEqual(at.certificates, [true_]);
    release();
    assert.equal((await group).offence, "bad_commit");
    assert.deepEqual(at.certificates, [true_]);
  });
});

describe("a pack", () => {
  it("with a bad item between good ones: the good ones count, the verdict is the bad one's", async () => {
    const at = bench();
    const outcome = await at.receive(vote(by(0)), vote(forged(by(1))), vote(by(2)));
    assert.equal(outcome.offence, "bad_signature");
    assert.deepEqual([...outcome.origins], [0, 2]);
    assert.deepEqual(
      at.votes.map(({ validatorIndex }) => validatorIndex),
      [0, 2],
    );
  });
});

describe("a proposal", () => {
  const made = (fields: Partial<Parameters<typeof signProposal>[2]> = {}): Proposal =>
    signProposal(set, signers, { height: 5, round: 0, blockId, ...fields });

  it("whose POL round is not below its round is malformed, whoever signed it", async () => {
    const at = bench();
    for (const [round, polRound] of [
      [0, 0],
      [1, 1],
      [1, 2],
      [1, -2],
    ] as const) {
      assert.equal((await at.receive(proposal(made({ round, polRound })))).offence, "malformed");
    }
    assert.deepEqual([at.proposals, at.checked], [[], []]);
  });

  it("comes in only from the proposer of exactly its round", async () => {
    const at = bench();
    const ofRound1 = made({ round: 1 });
    assert.equal((await at.receive(proposal({ ...made(), round: 1 }))).offence, "bad_signature");
    assert.equal((await at.receive(proposal(ofRound1))).offence, null);
    assert.deepEqual(at.proposals, [ofRound1]);
  });

  it("comes in twice from an equivocating proposer: either block may get the polka", async () => {
    const at = bench();
    const two = [made(), made({ blockId: other })];
    await at.receive(...two.map(proposal));
    assert.deepEqual(at.proposals, two);
    await at.receive(proposal(made({ blockId: makeBody("c", 100).blockId })));
    assert.equal(at.proposals.length, 2);
  });
});

describe("a certificate", () => {
  it("of too little power, or with one bad signature, reaches nobody", async () => {
    const at = bench();
    const few = certificateFromVotes([0, 1].map((i) => by(i)));
    assert.equal((await at.receive({ kind: "certificate", certificate: few })).offence, "bad_commit");
    const bad = certificateFromVotes([by(0), by(1), forged(by(2))]);
    assert.equal((await at.receive({ kind: "certificate", certificate: bad })).offence, "bad_commit");
    assert.deepEqual(at.certificates, []);
  });
});

describe("evidence", () => {
  const pair = (fields: Partial<Vote> = {}): Evidence =>
    makeDuplicateVoteEvidence(by(0, fields), by(0, { ...fields, blockId: null }), set, 7n);
  const item = (found: Evidence): Item => ({ kind: "evidence", evidence: found });

  it("regression: of one double vote comes in once, whatever time, votes or order its sender chose for it", async () => {
    const at = bench();
    const first = await at.receive(item(pair()));
    assert.deepEqual([first.fresh, first.spread], [1, true]);
    for (let i = 0n; i < 20n; i++) {
      const again = await at.receive(item({ ...pair(), timestamp: i }));
      assert.deepEqual([again.fresh, again.offence], [0, null]);
    }
    assert.equal((await at.receive(item(pair({ blockId: other })))).fresh, 0);
    assert.deepEqual([at.evidence.length, at.checked.length], [1, 2]);
    assert.equal((await at.receive(item(pair({ round: 1 })))).fresh, 1);
  });

  it("that one vote is forged in is an offence, and does not keep the true one out", async () => {
    const at = bench();
    const made = pair();
    assert.ok(made.kind === "duplicate_vote");
    for (const vote of ["voteA", "voteB"] as const) {
      const outcome = await at.receive(item({ ...made, [vote]: forged(made[vote]) }));
      assert.equal(outcome.offence, "bad_signature", vote);
    }
    assert.equal((await at.receive(item(made))).fresh, 1);
  });

  it("made up by the thousand in one second costs its sender dear and this node next to nothing", async () => {
    const at = bench();
    const made = pair();
    assert.ok(made.kind === "duplicate_vote");
    const offences = new Map<string, number>();
    for (let round = 0; round < 1000; round++) {
      const bogus = {
        ...made,
        voteA: forged({ ...made.voteA, round }),
        voteB: forged({ ...made.voteB, round }),
      };
      const { offence } = await at.receive(item(bogus));
      offences.set(String(offence), (offences.get(String(offence)) ?? 0) + 1);
    }
    assert.deepEqual(Object.fromEntries(offences), { bad_signature: 8, flood: 992 });
    assert.equal(at.checked.length, 8, "one signature for each that was looked at");
    assert.deepEqual(at.evidence, []);
  });

  for (const [way, now] of [
    ["at once", true],
    ["in the pool", false],
  ] as const) {
    it(`made up by the thousand by many peers in one second costs one signature each, verified ${way}, and true evidence among it comes in`, async () => {
      const made = pair();
      assert.ok(made.kind === "duplicate_vote");
      // Counted is what is asked: telling a thousand forged signatures by Ed25519 would take seconds.
      const good = new Set([made.voteA.signature, made.voteB.signature].map(toHex));
      const verify = ({ signature }: SignatureCheck): boolean => good.has(toHex(signature));
      const told: VerifierBackend = {
        name: "native",
        verify,
        verifyBatch: (checks) => checks.map(verify),
      };
      const at = bench({ ...inlineVerifier(told), suitsNow: () => now });
      const liars = Array.from({ length: 125 }, (_, i) => peer(`liar ${i}`, at.gone.signal));
      const bogus = (round: number): Item =>
        item({
          ...made,
          voteA: forged({ ...made.voteA, round }),
          voteB: forged({ ...made.voteB, round }),
        });
      const outcomes = await Promise.all(
        liars.flatMap((liar, i) =>
          Array.from({ length: 8 }, (_, k) => at.receiveFrom(liar, bogus(8 * i + k))),
        ),
      );
      assert.equal(outcomes.filter(({ offence }) => offence === "bad_signature").length, 1000);
      assert.equal(at.checked.length, 1000);
      assert.deepEqual(at.evidence, []);
      const taken = await at.receiveFrom(peer("honest", at.gone.signal), item(made));
      assert.deepEqual([taken.offence, taken.spread, at.evidence.length], [null, true, 1]);
      assert.equal(at.checked.length, 1002);
    });
  }

  it("with one true vote and a forged one costs two signatures and its sender the same", async () => {
    for (const suitsNow of [true, false]) {
      const at = bench({ ...inlineVerifier(), suitsNow: () => suitsNow });
      const made = pair();
      assert.ok(made.kind === "duplicate_vote");
      const { offence } = await at.receive(item({ ...made, voteB: forged(made.voteB) }));
      assert.deepEqual([offence, at.checked.length, at.evidence.length], ["bad_signature", 2, 0]);
    }
  });

  it("that only the past can judge is handed up unverified, not forwarded, and costs its sender's rate", async () => {
    const at = bench();
    const { version, hash } = { version: { block: 11n, app: 1n }, hash: new Uint8Array(32).fill(1) };
    const header = {
      version,
      chainId: CHAIN_ID,
      height: 5,
      time: 7n,
      lastBlockId: blockId,
      lastCommitHash: hash,
      dataHash: hash,
      validatorsHash: hash,
      nextValidatorsHash: hash,
      consensusHash: hash,
      appHash: hash,
      lastResultsHash: hash,
      evidenceHash: hash,
      proposerAddress: signers[0]!.address,
    };
    const commit = { height: 5, round: 0, blockId, signatures: [] };
    const attack: Evidence = {
      kind: "light_client_attack",
      conflictingBlock: { signedHeader: { header, commit }, validators: set },
      commonHeight: 4,
      byzantineValidators: [],
      totalVotingPower: set.totalPower,
      timestamp: 7n,
    };
    const outcome = await at.receive(item(attack));
    assert.deepEqual([outcome.fresh, outcome.offence], [0, null]);
    assert.deepEqual([at.evidence.length, at.verified], [1, [false]]);
    assert.equal((await at.receive(item({ ...attack, commonHeight: 3 }))).offence, "flood");
    assert.deepEqual(at.checked, []);
  });
});
