import { createWriteStream, type WriteStream } from "node:fs";
import { type Proposal, proposalSignBytes, type Vote, voteSignBytes } from "@quorate/chain";
import type { LogPort } from "@quorate/gossip";
import { reasonOf } from "./errors.ts";

/** Bytes that may wait for the disk; a trace with a hole says so in the log. */
const MAX_BUFFERED = 16_777_216;

/**
 * Every vote and proposal sent or received, as NDJSON, for testnets: the judge of "no two different sign bytes for one
 * (validator, height, round, type)".
 */
export interface VoteTrace {
  vote(direction: "in" | "out", vote: Vote): void;
  proposal(direction: "in" | "out", proposal: Proposal, proposer: Uint8Array | null): void;
  close(): Promise<void>;
}

/** A trace that cannot be written ends with one error in the log: it is an aid of testnets, the node goes on. */
export function openVoteTrace(file: string, chainId: string, log: LogPort): VoteTrace {
  const stream: WriteStream = createWriteStream(file, { flags: "a", mode: 0o644 });
  let broken = false;
  const breaks = (reason: string): void => {
    if (!broken) log.error("the vote trace ends here", { file, reason });
    broken = true;
  };
  stream.on("error", (error) => breaks(reasonOf(error)));
  const write = (line: object): void => {
    if (broken) return;
    if (stream.writableLength > MAX_BUFFERED) breaks("the disk does not keep up");
    else stream.write(`${JSON.stringify(line)}\n`);
  };
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex").toUpperCase();
  return {
    vote(direction, vote) {
      write({
        direction,
        type: vote.type === 1 ? "prevote" : "precommit",
        height: vote.height,
        round: vote.round,
        validator: hex(vote.validatorAddress),
        block: vote.blockId === null ? null : hex(vote.blockId.hash),
        sign_bytes: hex(voteSignBytes(chainId, vote)),
      });
    },
    proposal(direction, proposal, proposer) {
      write({
        direction,
        type: "proposal",
        height: proposal.height,
        round: proposal.round,
        validator: proposer === null ? "" : hex(proposer),
        block: hex(proposal.blockId.hash),
        sign_bytes: hex(proposalSignBytes(chainId, proposal)),
      });
    },
    close: () => new Promise((resolve) => (stream.destroyed ? resolve() : stream.end(() => resolve()))),
  };
}
