/** Evidence from CometBFT's JSON, as its light client hands it to `broadcast_evidence`. */
import { decodeEvidence, encodeEvidence } from "../encoding/evidence.ts";
import { ChainError } from "../errors.ts";
import type { Evidence, Vote, VoteType } from "../types.ts";
import { blockId, lightBlockFromJson, validator } from "./light-block.ts";
import {
  malformed,
  readBase64,
  readHex,
  readInteger,
  readList,
  readObject,
  readSmall,
  readTime,
} from "./read.ts";

function vote(value: unknown): Vote {
  const json = readObject(value, "a vote");
  return {
    type: readSmall(json["type"], "a vote type") as VoteType,
    height: readSmall(json["height"], "a height"),
    round: readSmall(json["round"], "a round"),
    blockId: blockId(json["block_id"]),
    timestamp: readTime(json["timestamp"], "a vote's time"),
    validatorAddress: readHex(json["validator_address"], "an address"),
    validatorIndex: readSmall(json["validator_index"], "a validator index"),
    signature: readBase64(json["signature"], "a signature"),
  };
}

function read(value: unknown): Evidence {
  const { type, value: inner } = readObject(value, "it") as {
    readonly type?: unknown;
    readonly value?: unknown;
  };
  const json = readObject(inner, "its value");
  const timestamp = readTime(json["Timestamp"], "its time");
  const totalVotingPower = readInteger(json["TotalVotingPower"], "the total power");
  switch (type) {
    case "tendermint/DuplicateVoteEvidence":
      return {
        kind: "duplicate_vote",
        voteA: vote(json["vote_a"]),
        voteB: vote(json["vote_b"]),
        totalVotingPower,
        validatorPower: readInteger(json["ValidatorPower"], "the validator's power"),
        timestamp,
      };
    case "tendermint/LightClientAttackEvidence":
      return {
        kind: "light_client_attack",
        conflictingBlock: lightBlockFromJson(json["ConflictingBlock"]),
        commonHeight: readSmall(json["CommonHeight"], "the common height"),
        byzantineValidators: readList(json["ByzantineValidators"], "the validators").map(validator),
        totalVotingPower,
        timestamp,
      };
    default:
      throw malformed(`"${String(type).slice(0, 64)}" is no kind of evidence`);
  }
}

/**
 * Evidence from its JSON; what it claims is verified elsewhere.
 * @throws ChainError `DECODE` unless it is evidence that also has canonical bytes.
 */
export function evidenceFromJson(value: unknown): Evidence {
  try {
    return decodeEvidence(encodeEvidence(read(value)));
  } catch (error) {
    if (error instanceof ChainError && error.code !== "DECODE") throw malformed(error.message);
    throw error;
  }
}
