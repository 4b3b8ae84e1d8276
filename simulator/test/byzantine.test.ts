/** Every way to lie puts its bad thing on the wire. What is lied about was said by a real chain. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { blockIdEquals, decodeBlock, VoteType, voteSignBytes } from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import { encodeItem, type Item, joinPack, type RoundState, roundStateFrame } from "@quorate/gossip/core";
import { BEHAVIOURS, type Behaviour, Strategy } from "../src/byzantine/strategy.ts";
import { CHAIN_ID } from "../src/cluster/genesis.ts";
import { Random } from "../src/core/random.ts";
import { keyedHashes } from "../src/crypto/keyed-hash.ts";
import { BODY_PROTOCOL, PEER_PROTOCOL, peerMessages, topicItems } from "../src/network/describe.ts";
import { runSeed } from "../src/run.ts";
import { cluster, type Heard, heard, KEYS, quiet, type Sent } from "./support.ts";

let chain: Heard;
before(async () => {
  chain = await heard(6);
});

const RECEIVERS = ["peer1", "peer2", "peer3", "peer4", "peer5", "peer6", "peer7"];

/** Nodes say votes and proposals in frames of their links or in messages of topics: here all are messages of a topic. */
function packs(sent: Sent): Sent[] {
  if (sent.protocol.startsWith("topic/")) return [sent];
  if (sent.protocol !== PEER_PROTOCOL) return [];
  return peerMessages(sent.bytes).flatMap(({ message }) =>
    message.kind === "items"
      ? [{ ...sent, protocol: "topic/votes", bytes: joinPack(message.items.map(encodeItem)) }]
      : [],
  );
}

function frames(sent: Sent): Sent[] {
  return sent.protocol === PEER_PROTOCOL ? [sent] : [];
}

/** Of one that waits for prevotes. */
const WAITING: RoundState = {
  height: 3,
  round: 0,
  step: 4,
  proposal: null,
  parts: { size: 0, bits: new Uint8Array(0) },
  votes: [{ round: 0, type: VoteType.prevote, have: { size: 4, bits: Uint8Array.of(1) } }],
  maj23: [],
  direct: { size: 4, bits: Uint8Array.of(15) },
  elReady: true,
  leaving: false,
};

/** What each of many receivers gets of what node 0 says or passes on, under this behaviour. */
function told(behaviour: Behaviour, as: (sent: Sent) => Sent[], by = 0): Map<string, Uint8Array[]> {
  const strategy = new Strategy([behaviour], 1, new Random(`test ${behaviour}`));
  const said = chain.sent
    .filter((each) => each.from === by && each.to === (by === 1 ? 2 : 1))
    .flatMap((each) => as(each));
  assert.ok(said.length > 0, "somebody said such things");
  return new Map(
    RECEIVERS.map((to) => [
      to,
      said.flatMap(({ protocol, bytes }) => [...strategy.outgoing(KEYS[0]!, to, protocol, bytes)]),
    ]),
  );
}

function itemsOf(messages: readonly Uint8Array[]): readonly Item[] {
  return messages.flatMap((bytes) => [...topicItems(bytes)]);
}

function votesOf(messages: readonly Uint8Array[]) {
  return itemsOf(messages).flatMap((item) =>
    item.kind === "vote" && bytesEqual(item.vote.validatorAddress, KEYS[0]!.address) ? [item.vote] : [],
  );
}

function proposalsOf(messages: readonly Uint8Array[]) {
  return itemsOf(messages).flatMap((item) =>
    item.kind === "proposal" && bytesEqual(proposerOf(item.body), KEYS[0]!.address) ? [item] : [],
  );
}

function proposerOf(body: Uint8Array | null): Uint8Array {
  return body === null ? new Uint8Array(0) : decodeBlock(body).header.proposerAddress;
}

/** Different values for one step, over all receivers. */
function valuesPerStep(byPeer: Map<string, Uint8Array[]>, type: VoteType): Set<number> {
  const values = new Map<string, Set<string>>();
  for (const messages of byPeer.values()) {
    for (const vote of votesOf(messages)) {
      if (vote.type !== type) continue;
      assert.ok(
        keyedHashes.verify({
          publicKey: KEYS[0]!.signer.publicKey,
          message: voteSignBytes(CHAIN_ID, vote),
          signature: vote.signature,
        }),
      );
      const step = `${vote.height}/${vote.round}`;
      const value = vote.blockId === null ? "nil" : Buffer.from(vote.blockId.hash).toString("hex");
      values.set(step, (values.get(step) ?? new Set()).add(value));
    }
  }
  return new Set([...values.values()].map((set) => set.size));
}

describe("a liar", () => {
  it("says nothing else when it has no way to lie", () => {
    const strategy = new Strategy([], 1, new Random("honest"));
    for (const { to, protocol, bytes } of chain.sent.filter(({ from }) => from === 0)) {
      for (const out of strategy.outgoing(KEYS[0]!, `peer${to}`, protocol, bytes))
        assert.deepEqual(out, bytes);
    }
  });

  for (const [behaviour, type] of [
    ["equivocate-prevotes", VoteType.prevote],
    ["equivocate-precommits", VoteType.precommit],
  ] as const) {
    it(`that equivocates (${behaviour}) signs two values for one step, for different receivers`, () => {
      assert.ok(valuesPerStep(told(behaviour, packs), type).has(2));
    });
  }

  it("that equivocates proposals gives some receivers another block, as well signed", () => {
    const ids = new Map<number, Set<string>>();
    for (const messages of told("equivocate-proposals", packs).values()) {
      for (const { proposal } of proposalsOf(messages)) {
        const known = ids.get(proposal.height) ?? new Set();
        ids.set(proposal.height, known.add(Buffer.from(proposal.blockId.hash).toString("hex")));
      }
    }
    assert.ok([...ids.values()].some((set) => set.size === 2));
  });

  it("that proposes invalid blocks gives no receiver the block that it built", () => {
    const honest = chain.sent
      .filter((sent) => sent.from === 0)
      .flatMap((sent) => packs(sent).map(({ bytes }) => bytes));
    const built = proposalsOf(honest).map(({ proposal }) => proposal);
    let seen = 0;
    // The proposer that a spoilt block names may be what was spoilt: its place tells whose it is.
    for (const messages of told("invalid-proposals", packs).values()) {
      for (const item of itemsOf(messages)) {
        if (item.kind !== "proposal") continue;
        const { height, round, blockId } = item.proposal;
        const own = built.find((each) => each.height === height && each.round === round);
        if (own === undefined) continue;
        seen++;
        assert.ok(!blockIdEquals(own.blockId, blockId));
      }
    }
    assert.ok(seen > 0);
  });

  it("that withholds proposals leaves some receivers without", () => {
    const counts = (behaviour: Behaviour): number[] =>
      [...told(behaviour, packs).values()].map((each) => proposalsOf(each).length);
    assert.ok(Math.min(...counts("withhold-proposals")) < Math.max(...counts("flood-stale")));
  });

  for (const behaviour of ["withhold-votes", "silence"] as const) {
    it(`says less (${behaviour})`, () => {
      assert.deepEqual([...told(behaviour, packs).values()].flatMap(votesOf), []);
    });
  }

  it("that withholds bodies sends proposals without them, and no body at all", () => {
    for (const messages of told("withhold-bodies", packs).values()) {
      for (const item of itemsOf(messages)) {
        assert.notEqual(item.kind, "body");
        if (item.kind === "proposal")
          assert.ok(item.body === null || !bytesEqual(proposerOf(item.body), KEYS[0]!.address));
      }
    }
    const strategy = new Strategy(["withhold-bodies"], 1, new Random("bodies"));
    assert.deepEqual(strategy.outgoing(KEYS[0]!, "peer1", BODY_PROTOCOL, new Uint8Array(500)), []);
  });

  it("floods with votes of rounds to come, and with old ones", () => {
    const ahead = [...told("flood-future", packs).values()].flatMap(votesOf);
    assert.ok(ahead.some(({ round }) => round >= 64));
    const stale = told("flood-stale", packs).get("peer1") ?? [];
    const plain = chain.sent.filter((sent) => sent.from === 0 && sent.to === 1).flatMap(packs);
    assert.ok(votesOf(stale).length > 4 * votesOf(plain.map(({ bytes }) => bytes)).length);
  });

  it("lies about its height and about the votes it has", () => {
    const statuses = [...told("lie-about-height", frames).values()].flat();
    assert.ok(
      statuses
        .flatMap((bytes) => peerMessages(bytes).map(({ message }) => message))
        .some((each) => each.kind === "status" && each.status.height > 20),
    );
    const strategy = new Strategy(["lie-about-votes"], 1, new Random("votes"));
    const [lie] = strategy.outgoing(KEYS[0]!, "peer1", PEER_PROTOCOL, roundStateFrame(WAITING));
    const message = peerMessages(lie!)[0]?.message;
    assert.ok(message?.kind === "round_state");
    assert.deepEqual(
      message.state.votes.map(({ have }) => have.bits[0]),
      [0b1111],
    );
  });

  it("that withholds repair still says on its links what it says itself", () => {
    const own = [...told("withhold-repair", frames).values()].flatMap((messages) =>
      messages.flatMap((bytes) =>
        peerMessages(bytes).flatMap(({ message }) => (message.kind === "items" ? [...message.items] : [])),
      ),
    );
    assert.ok(own.some((item) => item.kind === "vote"));
    for (const item of own)
      if (item.kind === "vote") assert.deepEqual(item.vote.validatorAddress, KEYS[0]!.address);
  });

  it("spoils what it serves to those who catch up", () => {
    const strategy = new Strategy(["spoil-sync"], 1, new Random("sync"));
    const [served] = strategy.outgoing(KEYS[0]!, "peer1", "/quorate/blocks/1", new Uint8Array(500));
    assert.notDeepEqual(served, new Uint8Array(500));
  });

  it("passes on to each receiver only some of what others said", () => {
    const others = (messages: readonly Uint8Array[]): number =>
      itemsOf(messages).filter(
        (item) => item.kind === "vote" && !bytesEqual(item.vote.validatorAddress, KEYS[0]!.address),
      ).length;
    const counts = [...told("forward-selectively", packs, 1).values()].map(others);
    assert.ok(new Set(counts).size > 1, String(counts));
  });
});

describe("under each way to lie, always", () => {
  for (const behaviour of BEHAVIOURS) {
    it(`a chain of four goes on: ${behaviour}`, async () => {
      const byzantine = { nodes: [3], behaviours: [behaviour], often: 1 };
      const result = await runSeed({
        seed: 5,
        validators: 4,
        heights: 12,
        plan: quiet([], { byzantine, faultsForMs: 5_000 }),
      });
      assert.equal(result.verdict, "ok", JSON.stringify(result.violations));
      if (behaviour === "invalid-proposals") assert.ok(result.witness.lines["L22,L26 prevote nil"] > 0);
    });
  }
});

describe("a lock that one validator has alone, and an equivocator", () => {
  for (const story of ["kept", "moved", "crossed"] as const) {
    it(`cannot keep the others from a polka: ${story}`, async () => {
      let locks = 0;
      let twice = 0;
      for (let seed = 1; seed <= 4; seed++) {
        const faults = Array.from({ length: 8 }, (_, id) => ({
          id,
          atMs: 100 + id,
          forMs: 30_000,
          kind: "lock-alone" as const,
          order: [seed % 4, (seed + 1) % 4, (seed + 2) % 4, (seed + 3) % 4],
          story,
        }));
        const byzantine = {
          nodes: [seed % 4],
          behaviours: ["equivocate-prevotes", "equivocate-precommits", "equivocate-proposals"],
          often: 1,
        } as const;
        const result = await runSeed({
          seed,
          validators: 4,
          heights: 20,
          plan: quiet(faults, { byzantine }),
        });
        assert.equal(result.verdict, "ok", `seed ${seed}: ${JSON.stringify(result.violations)}`);
        assert.ok(
          (result.recovery_ms ?? Number.POSITIVE_INFINITY) < 5_000,
          `seed ${seed}: ${result.recovery_ms} ms`,
        );
        locks += result.witness.hiddenLocks;
        twice += result.witness.duplicateVotes;
      }
      assert.ok(locks > 0 && twice > 0, `${locks} hidden locks, ${twice} double votes`);
    });
  }
});

describe("an equivocator, seen by three validators and a full node", () => {
  /** What the five see of node 3 until all are at height 8. */
  async function seen(behaviours: readonly Behaviour[]) {
    const heights = [0, 0, 0, 0, 0];
    const held = new Set<number>();
    const made = cluster(
      {
        committed(node, { height }) {
          heights[node] = height;
          const pool = made.member(node).process?.rpc?.evidence.pending() ?? [];
          if (pool.length > 0) held.add(node);
        },
      },
      "none",
      {
        identities: [...KEYS, null].map((key, index) => ({
          ...{ index, key, name: `node${index}`, peerId: `peer${index}` },
        })),
        strategies: new Map([[3, new Strategy(behaviours, 1, new Random("seen"))]]),
      },
    );
    await made.begin();
    await made.scheduler.run(60_000, () => Math.min(...heights) >= 8);
    const offences = await Promise.all(
      made.members.map(async ({ metrics }) => {
        const { values } = await metrics.own.peerOffences.get();
        return values.find(({ labels }) => labels.offence === "equivocation")?.value ?? 0;
      }),
    );
    return { held, offences: Math.max(...offences) };
  }

  it("of votes: the full node holds the evidence as the validators do", async () => {
    const { held } = await seen(["equivocate-prevotes", "equivocate-precommits"]);
    assert.ok(held.has(4), `evidence was held by ${[...held]}`);
  });

  it("of proposals: its peer loses standing, and no evidence is made of it", async () => {
    const { held, offences } = await seen(["equivocate-proposals"]);
    assert.deepEqual([...held], []);
    assert.ok(offences > 0);
  });
});
