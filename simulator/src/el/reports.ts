/**
 * Reports of double votes while the set changes: a key signs twice beside its node (which keeps to the protocol), and
 * somebody hands the proof to nodes as to their RPC: to one or to several at once, again later, of heights that are too
 * old, of validators that left meanwhile, of some convicted already. Others prove nothing: the key was not in the set of
 * that height, the powers or the time are not those of that height, a signature is another vote's.
 */
import {
  type BlockId,
  type DuplicateVoteEvidence,
  evidenceId,
  makeDuplicateVoteEvidence,
  type Vote,
  VoteType,
  validatorByAddress,
  voteSignBytes,
} from "@quorate/chain";
import { bytesEqual, toHex } from "@quorate/crypto";
import type { Cluster } from "../cluster/cluster.ts";
import type { Person } from "../cluster/people.ts";
import type { Random } from "../core/random.ts";
import type { CryptoScheme } from "../crypto/keyed-hash.ts";
import type { DecidedHeight } from "../judge.ts";

/** Mean ms between two reports. */
const REPORT_MS = 800;
/** Heights below the tip that reports are of; evidence of the oldest has expired. */
const AGES: readonly number[] = [0, 0, 1, 1, 2, 3, 5, 8];
/** Share of reports that prove nothing, and of the others those that were handed in before. */
const PROVES_NOTHING = 0.35;
const HANDED_IN_AGAIN = 0.2;

/** What is odd about a report. Of these the first three prove nothing, whoever is asked. */
export type ReportOddity = "outside" | "misstated" | "unsigned" | "again" | "tombstoned";
const USELESS: ReadonlySet<ReportOddity> = new Set<ReportOddity>(["outside", "misstated", "unsigned"]);

export interface ReportModules {
  readonly cluster: Cluster;
  readonly people: readonly Person[];
  /** Places among the people whose keys sign twice. */
  readonly framed: readonly number[];
  /** Decided heights. */
  readonly past: ReadonlyMap<number, DecidedHeight>;
  /** Whether a block convicted this address, lower-case hex. */
  readonly convicted: (address: string) => boolean;
  /** Of each report that is odd, once. */
  readonly odd: (oddity: ReportOddity) => void;
  /** A report that proves nothing is held by a node. */
  readonly taken: (node: number, oddity: ReportOddity) => void;
}

interface Report {
  readonly evidence: DuplicateVoteEvidence;
  readonly oddity: ReportOddity | null;
}

export function submitReports(modules: ReportModules, random: Random): void {
  const { cluster, odd, taken } = modules;
  const { scheme } = cluster.options;
  const signers = new Map<number, ReturnType<CryptoScheme["key"]>>();
  const sign = (person: number, message: Uint8Array): Uint8Array => {
    const key = signers.get(person) ?? scheme.key(modules.people[person]!.seed);
    signers.set(person, key);
    return key.signer.sign(message);
  };
  const made: DuplicateVoteEvidence[] = [];
  const next = (): void => {
    cluster.scheduler.after(random.exponential(REPORT_MS), () => {
      const report = draw(modules, random, sign, made);
      if (report !== null) hand(report);
      next();
    });
  };
  const hand = ({ evidence, oddity }: Report): void => {
    if (oddity !== null) odd(oddity);
    const all = [...cluster.members.keys()];
    for (const to of random.sample(all, random.between(1, all.length))) {
      const rpc = cluster.member(to).process?.rpc;
      const answered = rpc?.evidence.submit(evidence);
      if (rpc == null || oddity === null || !USELESS.has(oddity)) continue;
      // One of a place that is held already counts as known, whatever it says.
      void answered?.then(() => {
        const id = evidenceId(evidence);
        if (rpc.evidence.pending().some((held) => bytesEqual(evidenceId(held), id))) taken(to, oddity);
      });
    }
  };
  next();
}

type Sign = (person: number, message: Uint8Array) => Uint8Array;

/** The next report; `null` when the moment suits none. */
function draw(
  { cluster, people, framed, past, convicted }: ReportModules,
  random: Random,
  sign: Sign,
  made: DuplicateVoteEvidence[],
): Report | null {
  const tip = Math.max(0, ...past.keys());
  const decided = past.get(tip - random.pick(AGES));
  if (decided === undefined) return null;
  const { validators, time, height } = decided;
  const { chainId } = cluster.options.genesis;
  if (made.length > 0 && random.chance(HANDED_IN_AGAIN))
    return { evidence: random.pick(made), oddity: "again" };
  const useless = random.chance(PROVES_NOTHING) ? random.pick([...USELESS]) : null;
  const outsiders = (): number[] =>
    [...people.keys()].filter((i) => validatorByAddress(validators, people[i]!.address) === null);
  const among = useless === "outside" ? outsiders() : framed;
  if (among.length === 0) return null;
  const accused = random.pick(among);
  const { address } = people[accused]!;
  const found = validatorByAddress(validators, address);
  if (found === null && useless !== "outside") return null;
  const round = random.below(2);
  const type = random.pick([VoteType.prevote, VoteType.precommit]);
  const validatorIndex = found?.index ?? random.below(validators.validators.length + 1);
  const vote = (blockId: BlockId): Vote => {
    const place = { type, height, round, blockId, timestamp: time };
    const unsigned = { ...place, validatorAddress: address, validatorIndex };
    return { ...unsigned, signature: sign(accused, voteSignBytes(chainId, unsigned)) };
  };
  const [first, second] = [vote(invented(1)), vote(invented(2))];
  if (found === null) {
    const { totalPower } = validators;
    const fields = { validatorPower: random.pick([1n, totalPower]), totalVotingPower: totalPower };
    const swapped = random.chance(0.5);
    const pair = swapped ? { voteA: second, voteB: first } : { voteA: first, voteB: second };
    return {
      evidence: { kind: "duplicate_vote", ...pair, ...fields, timestamp: time },
      oddity: "outside",
    };
  }
  const evidence = makeDuplicateVoteEvidence(first, second, validators, time);
  if (useless !== null) return { evidence: spoiled(evidence, useless, random), oddity: useless };
  made.push(evidence);
  return { evidence, oddity: convicted(toHex(address)) ? "tombstoned" : null };
}

function spoiled(evidence: DuplicateVoteEvidence, how: ReportOddity, random: Random): DuplicateVoteEvidence {
  const { voteA, voteB, validatorPower, totalVotingPower, timestamp } = evidence;
  if (how === "unsigned") return { ...evidence, voteB: { ...voteB, signature: voteA.signature } };
  return random.pick<DuplicateVoteEvidence>([
    { ...evidence, validatorPower: validatorPower + 1n },
    { ...evidence, totalVotingPower: totalVotingPower + 1n },
    { ...evidence, timestamp: timestamp + 1_000_000n },
  ]);
}

function invented(number: number): BlockId {
  const hash = new Uint8Array(32).fill(number);
  return { hash, parts: { total: 1, hash } };
}
