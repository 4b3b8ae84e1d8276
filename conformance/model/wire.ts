/** Protobuf of CometBFT v0.38 as gogoproto writes it: zeros left out, embedded messages and timestamps always there. */
import type {
  BlockId,
  Commit,
  CommitSig,
  Header,
  LightBlock,
  Proof,
  Proposal,
  Timestamp,
  Validator,
  ValidatorSet,
  Vote,
} from "./values.ts";
import { isNil } from "./values.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

export function join(...chunks: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(chunks));
}

export function varint(value: bigint): Uint8Array {
  let rest = BigInt.asUintN(64, value);
  const out: number[] = [];
  for (; rest >= 128n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  out.push(Number(rest));
  return Uint8Array.from(out);
}

const tag = (field: number, wire: number): Uint8Array => varint(BigInt(field * 8 + wire));
const NOTHING = new Uint8Array(0);

export const number = (field: number, value: bigint): Uint8Array =>
  value === 0n ? NOTHING : join(tag(field, 0), varint(value));

export function fixed64(field: number, value: bigint): Uint8Array {
  if (value === 0n) return NOTHING;
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, value, true);
  return join(tag(field, 1), bytes);
}

export const delimited = (content: Uint8Array): Uint8Array => join(varint(BigInt(content.length)), content);
/** An embedded message or one element of a repeated field: written also when empty. */
export const embedded = (field: number, content: Uint8Array): Uint8Array =>
  join(tag(field, 2), delimited(content));
export const bytes = (field: number, value: Uint8Array): Uint8Array =>
  value.length === 0 ? NOTHING : embedded(field, value);
export const string = (field: number, value: string): Uint8Array => bytes(field, utf8(value));

export const timestamp = ({ seconds, nanos }: Timestamp): Uint8Array =>
  join(number(1, seconds), number(2, BigInt(nanos)));

export const partSetHeader = (id: BlockId): Uint8Array => join(number(1, id.total), bytes(2, id.partsHash));
export const blockId = (id: BlockId): Uint8Array => join(bytes(1, id.hash), embedded(2, partSetHeader(id)));

const canonicalBlockId = (field: number, id: BlockId): Uint8Array =>
  isNil(id) ? NOTHING : embedded(field, blockId(id));

export function voteSignBytes(chainId: string, vote: Vote): Uint8Array {
  return delimited(
    join(
      number(1, BigInt(vote.type)),
      fixed64(2, vote.height),
      fixed64(3, vote.round),
      canonicalBlockId(4, vote.blockId),
      embedded(5, timestamp(vote.timestamp)),
      string(6, chainId),
    ),
  );
}

export function extensionSignBytes(
  chainId: string,
  vote: Pick<Vote, "extension" | "height" | "round">,
): Uint8Array {
  return delimited(
    join(bytes(1, vote.extension), fixed64(2, vote.height), fixed64(3, vote.round), string(4, chainId)),
  );
}

export function proposalSignBytes(chainId: string, proposal: Proposal): Uint8Array {
  return delimited(
    join(
      number(1, 32n),
      fixed64(2, proposal.height),
      fixed64(3, proposal.round),
      number(4, proposal.polRound),
      canonicalBlockId(5, proposal.blockId),
      embedded(6, timestamp(proposal.timestamp)),
      string(7, chainId),
    ),
  );
}

export function vote(value: Vote): Uint8Array {
  return join(
    number(1, BigInt(value.type)),
    number(2, value.height),
    number(3, value.round),
    embedded(4, blockId(value.blockId)),
    embedded(5, timestamp(value.timestamp)),
    bytes(6, value.address),
    number(7, value.index),
    bytes(8, value.signature),
    bytes(9, value.extension),
    bytes(10, value.extensionSignature),
  );
}

export function proposal(value: Proposal): Uint8Array {
  return join(
    number(1, BigInt(value.type)),
    number(2, value.height),
    number(3, value.round),
    number(4, value.polRound),
    embedded(5, blockId(value.blockId)),
    embedded(6, timestamp(value.timestamp)),
    bytes(7, value.signature),
  );
}

const version = (header: Header): Uint8Array =>
  join(number(1, header.versionBlock), number(2, header.versionApp));

export function header(value: Header): Uint8Array {
  return join(
    embedded(1, version(value)),
    string(2, value.chainId),
    number(3, value.height),
    embedded(4, timestamp(value.time)),
    embedded(5, blockId(value.lastBlockId)),
    bytes(6, value.lastCommitHash),
    bytes(7, value.dataHash),
    bytes(8, value.validatorsHash),
    bytes(9, value.nextValidatorsHash),
    bytes(10, value.consensusHash),
    bytes(11, value.appHash),
    bytes(12, value.lastResultsHash),
    bytes(13, value.evidenceHash),
    bytes(14, value.proposerAddress),
  );
}

export function headerLeaves(value: Header): Uint8Array[] {
  return [
    version(value),
    string(1, value.chainId),
    number(1, value.height),
    timestamp(value.time),
    blockId(value.lastBlockId),
    bytes(1, value.lastCommitHash),
    bytes(1, value.dataHash),
    bytes(1, value.validatorsHash),
    bytes(1, value.nextValidatorsHash),
    bytes(1, value.consensusHash),
    bytes(1, value.appHash),
    bytes(1, value.lastResultsHash),
    bytes(1, value.evidenceHash),
    bytes(1, value.proposerAddress),
  ];
}

export function commitSig(sig: CommitSig): Uint8Array {
  return join(
    number(1, BigInt(sig.flag)),
    bytes(2, sig.address),
    embedded(3, timestamp(sig.timestamp)),
    bytes(4, sig.signature),
  );
}

export function commit(value: Commit): Uint8Array {
  return join(
    number(1, value.height),
    number(2, value.round),
    embedded(3, blockId(value.blockId)),
    ...value.signatures.map((sig) => embedded(4, commitSig(sig))),
  );
}

/** A oneof: its member is written even when empty. */
export const publicKey = (key: Uint8Array): Uint8Array => embedded(1, key);

export const simpleValidator = (value: Pick<Validator, "pubKey" | "power">): Uint8Array =>
  join(embedded(1, publicKey(value.pubKey)), number(2, value.power));

export const validator = (value: Validator): Uint8Array =>
  join(
    bytes(1, value.address),
    embedded(2, publicKey(value.pubKey)),
    number(3, value.power),
    number(4, value.priority),
  );

export const validatorSet = (set: ValidatorSet): Uint8Array =>
  join(...set.validators.map((each) => embedded(1, validator(each))), embedded(2, validator(set.proposer)));

export const lightBlock = (block: LightBlock): Uint8Array =>
  join(
    embedded(1, join(embedded(1, header(block.header)), embedded(2, commit(block.commit)))),
    embedded(2, validatorSet(block.set)),
  );

export const proof = (value: Proof): Uint8Array =>
  join(
    number(1, value.total),
    number(2, value.index),
    bytes(3, value.leafHash),
    ...value.aunts.map((aunt) => embedded(4, aunt)),
  );

export const part = (index: bigint, content: Uint8Array, itsProof: Proof): Uint8Array =>
  join(number(1, index), bytes(2, content), embedded(3, proof(itsProof)));

export const txs = (list: readonly Uint8Array[]): Uint8Array => join(...list.map((tx) => embedded(1, tx)));
