/**
 * Reports of double votes while the set changes: a key signs twice beside its node (which keeps to the protocol), and
 * somebody hands the proof to nodes as to their RPC: to one or to several at once, again later, of heights that are too
 * old, of validators that left meanwhile, of some convicted already.
 */
import { type BlockId, makeDuplicateVoteEvidence, type Vote, VoteType, voteSignBytes } from "@quorate/chain";
import { bytesEqual, sha256 } from "@quorate/crypto";
import type { Cluster } from "../cluster/cluster.ts";
import type { Random } from "../core/random.ts";
import type { DecidedHeight } from "../judge.ts";

/** Mean ms between two reports. */
const REPORT_MS = 1_500;
/** Heights below the tip that reports are of; evidence of the oldest has expired. */
const AGES: readonly number[] = [0, 0, 1, 1, 2, 3, 5, 8];

/** `framed`: nodes whose keys sign twice. `past`: decided heights. */
export function submitReports(
  cluster: Cluster,
  random: Random,
  framed: readonly number[],
  past: ReadonlyMap<number, DecidedHeight>,
): void {
  const next = (): void => {
    cluster.scheduler.after(random.exponential(REPORT_MS), () => {
      report();
      next();
    });
  };
  const report = (): void => {
    const node = random.pick(framed);
    const { key } = cluster.member(node).identity;
    const tip = Math.max(0, ...past.keys());
    const decided = past.get(tip - random.pick(AGES));
    if (key === null || decided === undefined) return;
    const { validators, time, height } = decided;
    const validatorIndex = validators.validators.findIndex(({ address }) => bytesEqual(address, key.address));
    if (validatorIndex < 0) return;
    const round = random.below(2);
    const type = random.pick([VoteType.prevote, VoteType.precommit]);
    const vote = (blockId: BlockId): Vote => {
      const place = { type, height, round, blockId, timestamp: time };
      const unsigned = { ...place, validatorAddress: key.address, validatorIndex };
      const bytes = voteSignBytes(cluster.options.genesis.chainId, unsigned);
      return { ...unsigned, signature: key.signer.sign(bytes) };
    };
    const evidence = makeDuplicateVoteEvidence(vote(invented(1)), vote(invented(2)), validators, time);
    const all = [...cluster.members.keys()];
    for (const to of random.sample(all, random.between(1, all.length)))
      void cluster.member(to).process?.rpc?.evidence.submit(evidence);
  };
  next();
}

function invented(number: number): BlockId {
  const hash = sha256(Uint8Array.of(number));
  return { hash, parts: { total: 1, hash } };
}
