/** Blocks that a Byzantine proposer makes out of an honest one: other valid ones, and invalid ones field by field. */
import { type Block, type BlockId, blockIdOf, encodeBlock, type Header } from "@quorate/chain";
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

const header = (change: (header: Header, random: Random) => Partial<Header>): Spoil => {
  return (block, random) => ({ ...block, header: { ...block.header, ...change(block.header, random) } });
};

function flipped(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = bytes.slice();
  if (copy.length > 0) copy[random.below(copy.length)]! ^= 1 << random.below(8);
  return copy;
}

/** Nanoseconds. */
const SECOND = 1_000_000_000n;

/** One way to break a block each, by name. */
export const SPOILS: Readonly<Record<string, Spoil>> = {
  ...Object.fromEntries(
    HEADER_BYTES.map((field) => [
      field,
      header((given, random) => ({ [field]: flipped(given[field], random) })),
    ]),
  ),
  "chain id": header(() => ({ chainId: "another-chain" })),
  height: header(({ height }) => ({ height: height + 1 })),
  version: header(({ version }) => ({ version: { ...version, app: version.app + 1n } })),
  "last block id": header(({ lastBlockId }, random) => ({
    lastBlockId: lastBlockId === null ? null : { ...lastBlockId, hash: flipped(lastBlockId.hash, random) },
  })),
  "time before the last block": header(({ time }) => ({ time: time - 3600n * SECOND })),
  "time far ahead": header(({ time }) => ({ time: time + 3600n * SECOND })),
  "time off a millisecond": header(({ time }) => ({ time: time + 1n })),
  envelope: (block, random) => {
    const [envelope, ...rest] = block.txs;
    return { ...block, txs: [flipped(envelope ?? new Uint8Array(1), random), ...rest] };
  },
  "a transaction too many": (block) => ({ ...block, txs: [...block.txs, new Uint8Array([2, 7])] }),
  "no envelope": (block) => ({ ...block, txs: block.txs.slice(1) }),
  "a signature of the last commit": (block, random) => {
    const { signatures } = block.lastCommit;
    const at = random.below(Math.max(1, signatures.length));
    const given = signatures[at];
    if (given === undefined)
      return { ...block, header: { ...block.header, height: block.header.height + 1 } };
    const spoiled = { ...given, signature: flipped(given.signature, random) };
    return { ...block, lastCommit: { ...block.lastCommit, signatures: signatures.with(at, spoiled) } };
  },
  "another round of the last commit": (block) => ({
    ...block,
    lastCommit: { ...block.lastCommit, round: block.lastCommit.round + 1 },
  }),
};

/** The block, broken in one way; `null` when that way does not even encode. */
export function spoiled(block: Block, name: string, random: Random): MadeBlock | null {
  const spoil = SPOILS[name];
  if (spoil === undefined) return null;
  try {
    return made(spoil(block, random));
  } catch {
    return null;
  }
}
