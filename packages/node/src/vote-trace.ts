import { createWriteStream, type WriteStream } from "node:fs";
import { type Proposal, proposalSignBytes, type Vote, voteSignBytes } from "@quorate/chain";

/**
 * Every vote and proposal sent or received, as NDJSON, for testnets: the judge of "no two different sign bytes for one
 * (validator, height, round, type)".
 */
export interface VoteTrace {
  vote(direction: "in" | "out", vote: Vote): void;
  proposal(direction: "in" | "out", proposal: Proposal, proposer: Uint8Array | null): void;
  close(): Promise<void>;
}

export function openVoteTrace(file: string, chainId: string): VoteTrace {
  const stream: WriteStream = createWriteStream(file, { flags: "a", mode: 0o644 });
  const write = (line: object): void => {
    stream.write(`${JSON.stringify(line)}\n`);
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
    close: () => new Promise((resolve) => stream.end(resolve)),
  };
}
