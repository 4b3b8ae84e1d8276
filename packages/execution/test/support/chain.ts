import {
  applyBlock,
  type Block,
  blockIdOf,
  type ChainState,
  DEFAULT_PARAMS,
  decodeEnvelope,
  EMPTY_COMMIT,
  earliestTime,
  encodeBlock,
  type Genesis,
  type Hash,
  makeBlock,
  type PayloadAttributes,
  parentBeaconBlockRoot,
  payloadAttributes,
  stateFromGenesis,
  type Time,
  timeFromMs,
} from "@quorate/chain";
import { ed25519PublicKey } from "@quorate/crypto";
import type { DecidedBlocks } from "../../src/types.ts";

const KEY = ed25519PublicKey(new Uint8Array(32).fill(5));
export const OWNER: Uint8Array = new Uint8Array(20).fill(0xaa);

export function testGenesis(changes: Partial<Genesis> = {}): Genesis {
  return {
    chainId: "execution-test",
    genesisTime: timeFromMs(1_700_000_000_000),
    initialHeight: 1,
    execution: "engine",
    evmChainId: 1337,
    elGenesisHash: new Uint8Array(32).fill(1),
    anchorNumber: 0,
    anchorHash: changes.elGenesisHash ?? new Uint8Array(32).fill(1),
    depositContractAddress: new Uint8Array(20).fill(0xdd),
    params: DEFAULT_PARAMS,
    validators: [{ pubKey: KEY, power: 1n, name: "solo", owner: OWNER }],
    upgrades: [],
    ...changes,
  };
}

/** A decided chain in memory: the store that the follower reads. */
export class TestStore implements DecidedBlocks {
  base = 1;
  state: ChainState;
  /** EL block hash by height, genesis at 0. */
  readonly hashes: Hash[];
  /** Written cursors, in order. */
  readonly cursors: number[] = [];
  readonly #blocks: { readonly block: Block; readonly parentBeaconBlockRoot: Hash }[] = [];

  constructor(genesis: Genesis) {
    this.state = stateFromGenesis(genesis);
    this.hashes = [genesis.anchorHash];
  }

  get height(): number {
    return this.state.lastHeight;
  }

  get nextTime(): Time {
    return earliestTime(this.state);
  }

  attributes(time: Time = this.nextTime): PayloadAttributes {
    return payloadAttributes(this.state, time, this.state.validators.proposer.address);
  }

  /** The block of the next height with these transactions, not decided yet. */
  propose(txs: readonly Uint8Array[], time: Time = this.nextTime): Block {
    const proposerAddress = this.state.validators.proposer.address;
    return makeBlock(this.state, { time, txs, proposerAddress, lastCommit: EMPTY_COMMIT, evidence: [] });
  }

  decide(block: Block): void {
    this.#blocks.push({ block, parentBeaconBlockRoot: parentBeaconBlockRoot(this.state) });
    this.state = applyBlock(this.state, block, blockIdOf(block, encodeBlock(block)));
    this.hashes.push(this.state.el.blockHash);
  }

  envelopeOf(height: number): ReturnType<typeof decodeEnvelope> {
    return decodeEnvelope(this.#blocks[height - 1]!.block.txs[0]!);
  }

  async block(
    height: number,
  ): Promise<{ readonly block: Block; readonly parentBeaconBlockRoot: Hash } | null> {
    return height < this.base ? null : (this.#blocks[height - 1] ?? null);
  }

  async executedHeight(): Promise<number> {
    return this.cursors.at(-1) ?? 0;
  }

  async setExecutedHeight(height: number): Promise<void> {
    this.cursors.push(height);
  }
}
