/**
 * R37: a thousand made-up items of evidence a second, handed to every honest node's RPC and told by a Byzantine validator
 * on its streams, each as sound as anybody can make it who has no key: a validator and its power of a decided height, that
 * block's time, two votes in order. No signature of an item is verified but the first, unless that one is genuine (the
 * validator's own vote, which everybody has); whoever double-signs amid the flood is convicted all the same.
 */
import {
  type BlockId,
  type DuplicateVoteEvidence,
  makeDuplicateVoteEvidence,
  type PastHeight,
  type Vote,
  VoteType,
  voteSignBytes,
} from "@quorate/chain";
import { toHex } from "@quorate/crypto";
import { encodeItem, itemsFrame, joinPack } from "@quorate/gossip/core";
import type { Liar } from "../../simulator/src/byzantine/strategy.ts";
import type { Cluster } from "../../simulator/src/cluster/cluster.ts";
import { type CryptoScheme, keyedHashes } from "../../simulator/src/crypto/keyed-hash.ts";
import { PEER_PROTOCOL } from "../../simulator/src/network/describe.ts";
import { runSeed } from "../../simulator/src/run.ts";
import type { Tally } from "../support/report.ts";
import { OFFENDER, quiet } from "./chain.ts";

/** Items a second, to each node and way. */
const PER_SECOND = 1_000;
const EVERY_MS = 10;
const PER_TURN = (PER_SECOND * EVERY_MS) / 1_000;
const BLOCK_INTERVAL_MS = 200;
/** From the catch to the conviction, on a chain without faults. */
const MOST_HEIGHTS = 10;
/** The flood begins after the first height, so that there is a height to make evidence of. */
const BEGINS_MS = 200;

/** Which signatures of an item are made up: both, or that of the first or second vote only. */
export type Forgery = "both" | "first" | "second";

export interface FloodCase {
  readonly forgery: Forgery;
  readonly heights: number;
  readonly seed: number;
}

export function* floodCases(): Generator<FloodCase> {
  for (let seed = 1; seed <= 16; seed++)
    for (const forgery of ["both", "first", "second"] as const) yield { forgery, heights: 16, seed };
}

/** Made-up items, known by their signatures, and how many of these were looked at. */
class Forger {
  /** Checks by item number. */
  readonly checks: number[] = [];
  readonly scheme: CryptoScheme = {
    key: (seed) => keyedHashes.key(seed),
    verify: (check) => {
      const number = this.#numbers.get(toHex(check.signature));
      if (number !== undefined) this.checks[number] = (this.checks[number] ?? 0) + 1;
      return keyedHashes.verify(check);
    },
  };
  /** Item number by signature, genuine or not. */
  readonly #numbers = new Map<string, number>();
  readonly #forgery: Forgery;
  #cluster: Cluster | null = null;
  #past: ReadonlyMap<number, PastHeight> = new Map();
  /** Answers of RPC. */
  refused = 0;
  taken = 0;

  constructor(forgery: Forgery) {
    this.#forgery = forgery;
  }

  begin(cluster: Cluster, past: ReadonlyMap<number, PastHeight>): void {
    this.#cluster = cluster;
    this.#past = past;
    const turn = (): void => {
      cluster.scheduler.after(EVERY_MS, () => {
        for (const [node, { process }] of cluster.members.entries()) {
          if (node === OFFENDER) continue;
          for (const item of this.make(PER_TURN))
            void process?.rpc?.evidence.submit(item).then((reason) => {
              if (reason === null) this.taken++;
              else this.refused++;
            });
        }
        turn();
      });
    };
    cluster.scheduler.after(BEGINS_MS, turn);
  }

  /** Of the newest decided height and its first honest validator; each item of another round, so none is known. */
  make(count: number): readonly DuplicateVoteEvidence[] {
    const decided = this.#past.get(Math.max(0, ...this.#past.keys()));
    const key = this.#cluster?.member(0).identity.key;
    const chainId = this.#cluster?.options.genesis.chainId;
    if (decided === undefined || key === undefined || key === null || chainId === undefined) return [];
    const { height, time, validators } = decided;
    const validatorIndex = validators.validators.findIndex(({ address }) =>
      Buffer.from(address).equals(key.address),
    );
    if (validatorIndex < 0) return [];
    return Array.from({ length: count }, () => {
      const number = this.checks.push(0) - 1;
      const vote = (which: "first" | "second", blockId: BlockId): Vote => {
        const place = { type: VoteType.prevote, height, round: number, blockId, timestamp: time };
        const unsigned = { ...place, validatorAddress: key.address, validatorIndex };
        const genuine = key.signer.sign(voteSignBytes(chainId, unsigned));
        const made = this.#forgery === "both" || this.#forgery === which;
        const signature = made ? genuine.with(0, genuine[0]! ^ 1) : genuine;
        this.#numbers.set(toHex(signature), number);
        return { ...unsigned, signature };
      };
      return makeDuplicateVoteEvidence(vote("first", block(1)), vote("second", block(2)), validators, time);
    });
  }

  /** The Byzantine validator adds items to what it says on each stream. */
  liar(says: Liar, now: () => number): Liar {
    return {
      forgets: says.forgets,
      outgoing: (key, to, protocol, bytes) => {
        const said = says.outgoing(key, to, protocol, bytes);
        if (protocol !== PEER_PROTOCOL || now() < BEGINS_MS) return said;
        const items = this.make(PER_TURN).map((evidence) => encodeItem({ kind: "evidence", evidence }));
        return items.length === 0 ? said : [...said, itemsFrame(joinPack(items))];
      },
    };
  }
}

export async function judgeFloodCase(each: FloodCase, index: number, tally: Tally): Promise<void> {
  const { forgery, heights, seed } = each;
  const where = `case ${index}: a thousand items a second, forged: ${forgery}, seed ${seed}`;
  const forger = new Forger(forgery);
  const { verdict, violations, witness } = await runSeed({
    seed,
    validators: 4,
    heights,
    plan: (drawn) => ({ ...quiet(drawn, []), blockIntervalMs: BLOCK_INTERVAL_MS }),
    scheme: forger.scheme,
    liar: (says, now) => forger.liar(says, now),
    beside: (cluster, past) => forger.begin(cluster, past),
  });
  for (const { law, text } of violations) tally.violation(where, `${law}: ${text}`);
  if (verdict === "stall") tally.violation(where, "the chain did not go on");
  const most = forger.checks.reduce((worst, checks) => Math.max(worst, checks), 0);
  // Whose first signature is genuine is told by the second alone.
  if (most > (forgery === "second" ? 2 : 1))
    tally.violation(where, `${most} signatures of one made-up item were verified`);
  if (forger.taken > 0) tally.violation(where, `${forger.taken} made-up items were taken`);
  // The flood itself has the offender thrown out, in some seeds before anybody had two votes of it.
  const unseen = witness.convictions === 0 && witness.evidenceBytes === 0;
  if (unseen) tally.count("flood: nobody ever held both votes");
  else if (witness.convictions !== 1)
    tally.violation(where, `${witness.convictions} blocks convict the offender, not one`);
  if (witness.evidenceHeights > MOST_HEIGHTS)
    tally.violation(where, `the conviction took ${witness.evidenceHeights} heights`);
  const looks = forger.checks.reduce((sum, checks) => sum + checks, 0);
  tally.count(`flood: items with ${forgery} forged`, forger.checks.length);
  tally.count(`flood: signatures of those verified, ${forgery}`, looks);
  tally.count("flood: items refused by RPC", forger.refused);
  if (!unseen) tally.count(`flood: convicted ${witness.evidenceHeights} heights after the catch`);
}

function block(tag: number): BlockId {
  const hash = new Uint8Array(32).fill(tag);
  return { hash, parts: { total: 1, hash } };
}
