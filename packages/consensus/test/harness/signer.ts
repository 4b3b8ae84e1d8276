/** The signer's guard as the design has it: one slot that survives every crash. */
import { type BlockId, blockIdKey, type Proposal, type Vote, VoteType } from "@quorate/chain";
import type { RoundValue, SignedWatermark, UnsignedProposal, UnsignedVote } from "../../src/index.ts";
import { compareWatermarks } from "../../src/own.ts";

export interface SignState {
  readonly height: number;
  readonly watermark: SignedWatermark | null;
  readonly lock: RoundValue | null;
  readonly last: { readonly content: string; readonly message: Vote | Proposal } | null;
}

const EMPTY: SignState = { height: 0, watermark: null, lock: null, last: null };

export class Signer {
  slot: SignState = EMPTY;

  /** The sign state of a height: nothing when the slot speaks of a lower one. */
  at(height: number): SignState {
    return this.slot.height === height ? this.slot : { ...EMPTY, height };
  }

  signVote(unsigned: UnsignedVote, make: () => Vote): Vote | null {
    const step = unsigned.type === VoteType.prevote ? 1 : 2;
    const content = `vote ${unsigned.type} ${blockIdKey(unsigned.blockId)}`;
    const message = this.sign(unsigned.height, { round: unsigned.round, step }, content, make);
    if (message && step === 2 && unsigned.blockId) this.lock(unsigned.round, unsigned.blockId);
    return message;
  }

  signProposal(unsigned: UnsignedProposal, make: () => Proposal): Proposal | null {
    const content = `proposal ${unsigned.polRound} ${unsigned.timestamp} ${blockIdKey(unsigned.blockId)}`;
    return this.sign(unsigned.height, { round: unsigned.round, step: 0 }, content, make);
  }

  private sign<T extends Vote | Proposal>(
    height: number,
    point: SignedWatermark,
    content: string,
    make: () => T,
  ): T | null {
    const { slot } = this;
    if (height < slot.height) return null;
    const current = this.at(height);
    if (current.watermark) {
      const order = compareWatermarks(point, current.watermark);
      if (order === 0 && current.last?.content === content) return current.last.message as T;
      if (order <= 0) return null;
    }
    const message = make();
    this.slot = { height, watermark: point, lock: current.lock, last: { content, message } };
    return message;
  }

  private lock(round: number, blockId: BlockId): void {
    this.slot = { ...this.slot, lock: { round, blockId } };
  }
}
