/** Blocks that a Byzantine proposer makes out of an honest one: other valid ones, and invalid ones field by field. */
import {
  type Block,
  type BlockId,
  blockIdEquals,
  blockIdOf,
  type Commit,
  CommitFlag,
  type CommitSig,
  commitHash,
  dataHash,
  decodeEnvelope,
  EMPTY_COMMIT,
  type EnvelopeV1,
  encodeBlock,
  encodeEnvelope,
  type Header,
  MAX_EXECUTION_REQUESTS,
  MAX_EXTRA_DATA,
  NO_EXECUTION,
  type Withdrawal,
  ZERO_TIME,
} from "@quorate/chain";
import type { Random } from "../core/random.ts";

export interface MadeBlock {
  readonly block: Block;
  readonly bytes: Uint8Array;
  readonly blockId: BlockId;
}

export function made(block: Block): MadeBlock {
  const bytes = encodeBlock(block);
  return { block, bytes, blockId: blockIdOf(block, bytes) };
}

/** As valid as the given one, and another: a millisecond later, within the same second of the execution client. */
export function sibling(block: Block): MadeBlock {
  return made({ ...block, header: { ...block.header, time: block.header.time + 1_000_000n } });
}

const ABSENT: CommitSig = {
  flag: CommitFlag.absent,
  validatorAddress: new Uint8Array(0),
  timestamp: ZERO_TIME,
  signature: new Uint8Array(0),
};

type Spoil = (block: Block, random: Random) => Block;

const HEADER_BYTES = [
  "lastCommitHash",
  "dataHash",
  "validatorsHash",
  "nextValidatorsHash",
  "consensusHash",
  "appHash",
  "lastResultsHash",
  "evidenceHash",
  "proposerAddress",
] as const satisfies readonly (keyof Header)[];

const PAYLOAD_BYTES = [
  "parentHash",
  "feeRecipient",
  "stateRoot",
  "receiptsRoot",
  "logsBloom",
  "prevRandao",
  "blockHash",
] as const satisfies readonly (keyof EnvelopeV1)[];

type Change<T> = (given: T, random: Random) => Partial<T>;

const header = (change: Change<Header>): Spoil => {
  return (block, random) => ({ ...block, header: { ...block.header, ...change(block.header, random) } });
};

/** The header says the truth about them: what is wrong lies deeper. */
const transactions = (change: (txs: Block["txs"], random: Random) => Block["txs"]): Spoil => {
  return (block, random) => {
    const txs = change(block.txs, random);
    return { ...block, txs, header: { ...block.header, dataHash: dataHash(txs) } };
  };
};

const payload = (change: Change<EnvelopeV1>): Spoil => {
  return transactions(([first, ...rest], random) => {
    const envelope = decodeEnvelope(first ?? new Uint8Array(0));
    if (envelope.version === 0) throw new Error("the block has no payload");
    return [encodeEnvelope({ ...envelope, ...change(envelope, random) }), ...rest];
  });
};

const lastCommit = (change: Change<Commit>): Spoil => {
  return (block, random) => {
    const commit = { ...block.lastCommit, ...change(block.lastCommit, random) };
    return { ...block, lastCommit: commit, header: { ...block.header, lastCommitHash: commitHash(commit) } };
  };
};

/** One signature of the last commit, of those that are there. */
const lastSignature = (change: Change<CommitSig>): Spoil => {
  return lastCommit(({ signatures }, random) => {
    const there = [...signatures.keys()].filter((at) => signatures[at]?.flag !== CommitFlag.absent);
    const at = random.pick(there);
    const given = signatures[at]!;
    return { signatures: signatures.with(at, { ...given, ...change(given, random) }) };
  });
};

function flipped(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = bytes.slice();
  if (copy.length > 0) copy[random.below(copy.length)]! ^= 1 << random.below(8);
  return copy;
}

function flips<T, K extends keyof T & string>(
  fields: readonly K[],
  change: (change: Change<T>) => Spoil,
  what: string,
): Record<string, Spoil> {
  const bytesOf = (given: T, field: K): Uint8Array => {
    const bytes = given[field];
    if (!(bytes instanceof Uint8Array)) throw new Error(`${field} is no bytes`);
    return bytes;
  };
  return Object.fromEntries(
    fields.map((field) => [
      `${what}${field}`,
      change((given, random) => ({ [field]: flipped(bytesOf(given, field), random) }) as Partial<T>),
    ]),
  );
}

/** Nanoseconds. */
const SECOND = 1_000_000_000n;
const WITHDRAWAL: Withdrawal = {
  index: 0n,
  validatorIndex: 0n,
  address: new Uint8Array(20).fill(7),
  amountGwei: 1n,
};
const BLOB_TRANSACTION = Uint8Array.of(3, 7);

/** One way to break any block each, by name. */
export const SPOILS: Readonly<Record<string, Spoil>> = {
  ...flips(HEADER_BYTES, header, ""),
  "chain id": header(() => ({ chainId: "another-chain" })),
  height: header(({ height }) => ({ height: height + 1 })),
  "block version": header(({ version }) => ({ version: { ...version, block: version.block + 1n } })),
  "app version": header(({ version }) => ({ version: { ...version, app: version.app + 1n } })),
  "last block id: hash": header(({ lastBlockId: last }, random) => ({
    lastBlockId: last === null ? null : { ...last, hash: flipped(last.hash, random) },
  })),
  "last block id: parts": header(({ lastBlockId: last }, random) => ({
    lastBlockId:
      last === null ? null : { ...last, parts: { ...last.parts, hash: flipped(last.parts.hash, random) } },
  })),
  "no last block id": header(() => ({ lastBlockId: null })),
  "time before the last block": header(({ time }) => ({ time: time - 3600n * SECOND })),
  "time far ahead": header(({ time }) => ({ time: time + 3600n * SECOND })),
  "time off a millisecond": header(({ time }) => ({ time: time + 1n })),
  "a false word of the transactions": (block, random) => {
    const [envelope, ...rest] = block.txs;
    return { ...block, txs: [flipped(envelope ?? new Uint8Array(1), random), ...rest] };
  },
  "no transactions": transactions(() => []),
  "no envelope": transactions(([, ...rest]) => [Uint8Array.of(2, 7), ...rest]),
  "an envelope of the future": transactions(([, ...rest]) => [Uint8Array.of(2), ...rest]),
  "a byte too many in the envelope": transactions(([first, ...rest]) => [
    Uint8Array.of(...(first ?? []), 0),
    ...rest,
  ]),
  "another height of the last commit": lastCommit(({ height }) => ({ height: height + 1 })),
  "another round of the last commit": lastCommit(({ round }) => ({ round: round + 1 })),
  "another block of the last commit": lastCommit(({ blockId }, random) => ({
    blockId: { ...blockId, hash: flipped(blockId.hash, random) },
  })),
  "too few signatures of the last commit": lastCommit(({ signatures }) => ({
    signatures: signatures.map((given, at) => (at % 2 === 0 ? given : ABSENT)),
  })),
  "a place too many in the last commit": lastCommit(({ signatures }) => ({
    signatures: [...signatures, ABSENT],
  })),
  "no last commit": lastCommit(() => EMPTY_COMMIT),
  "last commit: signature": lastSignature(({ signature }, random) => ({
    signature: flipped(signature, random),
  })),
  "last commit: time": lastSignature(({ timestamp }) => ({ timestamp: timestamp + SECOND })),
  "last commit: address": lastSignature(({ validatorAddress }, random) => ({
    validatorAddress: flipped(validatorAddress, random),
  })),
  "last commit: nil": lastSignature(() => ({ flag: CommitFlag.nil })),
};

/** Further ways for a block with a payload of an execution client. */
export const PAYLOAD_SPOILS: Readonly<Record<string, Spoil>> = {
  ...flips(PAYLOAD_BYTES, payload, "payload: "),
  "payload: blockNumber": payload(({ blockNumber }) => ({ blockNumber: blockNumber + 1 })),
  "payload: gasLimit above": payload(({ gasLimit }) => ({ gasLimit: gasLimit + 1n })),
  "payload: gasLimit below": payload(({ gasLimit }) => ({ gasLimit: gasLimit - 1n })),
  "payload: gasUsed within": payload(({ gasLimit }) => ({ gasUsed: gasLimit })),
  "payload: gasUsed above": payload(({ gasLimit }) => ({ gasUsed: gasLimit + 1n })),
  "payload: timestamp": payload(({ timestamp }) => ({ timestamp: timestamp + 1 })),
  "payload: extraData": payload(() => ({ extraData: new Uint8Array(MAX_EXTRA_DATA).fill(7) })),
  "payload: baseFeePerGas": payload(() => ({ baseFeePerGas: 2n ** 256n - 1n })),
  "payload: blobGasUsed": payload(() => ({ blobGasUsed: 1n })),
  "payload: excessBlobGas": payload(() => ({ excessBlobGas: 1n })),
  "payload: withdrawals": payload(({ withdrawals }) => ({ withdrawals: [...withdrawals, WITHDRAWAL] })),
  "payload: executionRequests": payload(() => ({ executionRequests: [Uint8Array.of(1, 7)] })),
  "payload: all kinds of executionRequests": payload(() => ({
    executionRequests: Array.from({ length: MAX_EXECUTION_REQUESTS }, (_, type) => Uint8Array.of(type, 7)),
  })),
  "a chain without payloads": transactions(([, ...rest]) => [encodeEnvelope(NO_EXECUTION), ...rest]),
  "a transaction too many": transactions((txs) => [...txs, Uint8Array.of(2, 7)]),
  "an empty transaction": transactions((txs) => [...txs, new Uint8Array(0)]),
  "a blob transaction": transactions((txs) => [...txs, BLOB_TRANSACTION]),
};

/** The names of all ways that fit this block. */
export function spoilsFor(block: Block): readonly string[] {
  const own = Object.keys(SPOILS);
  return block.txs[0]?.[0] === 0 ? own : [...own, ...Object.keys(PAYLOAD_SPOILS)];
}

/** The block, broken in one way; `null` when that way does not even encode, or changes nothing. */
export function spoiled(block: Block, name: string, random: Random): MadeBlock | null {
  const spoil = SPOILS[name] ?? PAYLOAD_SPOILS[name];
  if (spoil === undefined) return null;
  try {
    const other = made(spoil(block, random));
    return blockIdEquals(other.blockId, made(block).blockId) ? null : other;
  } catch {
    return null;
  }
}
