/** What honest nodes hold of past heights: the votes in their logs, as their disks have them. */
import type { ValidatorSet, Vote } from "@quorate/chain";
import { decodeInput, type Input } from "@quorate/consensus";
import { inspectWal, type WalDisk } from "@quorate/wal";
import { PATHS } from "../cluster/process.ts";
import type { Disk } from "../disk/disk.ts";

/** Type of the records of inputs, see the node's list of record types. */
const INPUT_RECORD = 1;

/** Votes of a log by height. `setOf`: of a height, `null` where it is not known; then its certificates are left out. */
export async function votesInLog(
  disk: Disk,
  setOf: (height: number) => ValidatorSet | null,
): Promise<ReadonlyMap<number, readonly Vote[]>> {
  const votes = new Map<number, Vote[]>();
  const note = (vote: Vote): void => {
    const known = votes.get(vote.height) ?? [];
    known.push(vote);
    votes.set(vote.height, known);
  };
  const log = await inspectWal(PATHS.wal, { disk: readOnly(disk) });
  for await (const { type, payload } of log.records()) {
    if (type !== INPUT_RECORD) continue;
    for (const vote of votesOfInput(decodeInput(payload), setOf)) note(vote);
  }
  return votes;
}

function votesOfInput(input: Input, setOf: (height: number) => ValidatorSet | null): readonly Vote[] {
  if (input.kind === "vote" || input.kind === "signed_vote") return [input.vote];
  if (input.kind !== "certificate") return [];
  const { type, height, round, blockId, signatures } = input.certificate;
  const set = setOf(height);
  if (set === null) return [];
  return signatures.flatMap(({ validatorIndex, timestamp, signature }) => {
    const validator = set.validators[validatorIndex];
    if (validator === undefined) return [];
    const { address } = validator;
    return [
      { type, height, round, blockId, timestamp, validatorAddress: address, validatorIndex, signature },
    ];
  });
}

function readOnly({ files }: Disk): WalDisk {
  const refuse = (): Promise<never> => Promise.reject(new Error("a log is only read here"));
  return {
    list: async (dir) => files.list(dir),
    read: async (file) => files.read(file, 0, files.size(file)),
    create: refuse,
    write: refuse,
    fdatasync: refuse,
    truncate: refuse,
    rename: refuse,
    remove: refuse,
    close: async () => undefined,
  };
}

/** A vote of each place and content once. */
export function distinct(votes: readonly Vote[]): readonly Vote[] {
  const seen = new Map<string, Vote>();
  for (const vote of votes) {
    const { round, type, validatorIndex, blockId } = vote;
    const id = blockId === null ? "nil" : Buffer.from(blockId.hash).toString("hex");
    seen.set(`${round}/${type}/${validatorIndex}/${id}`, vote);
  }
  return [...seen.values()];
}
