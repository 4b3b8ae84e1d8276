/** The guard of one key: one slot, nothing below it, and at it only the very message again. */
import { type BlockId, blockIdKey, type Proposal, type Vote, VoteType } from "@quorate/chain";
import type { UnsignedProposal, UnsignedVote } from "@quorate/consensus";
import { signature } from "./world.ts";

interface Slot {
  readonly height: number;
  /** 3 * round + (0 proposal, 1 prevote, 2 precommit). */
  readonly point: number;
  readonly content: string;
}

export class Signer {
  private slot: Slot = { height: 0, point: -1, content: "" };

  /** Null: refused. */
  vote(unsigned: UnsignedVote, address: Uint8Array, timestamp: bigint): Vote | null {
    const { type, height, round, blockId } = unsigned;
    const step = type === VoteType.prevote ? 1 : 2;
    if (!this.allows(height, 3 * round + step, contentOf(blockId))) return null;
    return {
      ...unsigned,
      timestamp,
      validatorAddress: address,
      signature: signature(unsigned.validatorIndex),
    };
  }

  proposal(unsigned: UnsignedProposal, index: number): Proposal | null {
    const { height, round, polRound, blockId, timestamp } = unsigned;
    const content = `${polRound} ${timestamp} ${contentOf(blockId)}`;
    return this.allows(height, 3 * round, content) ? { ...unsigned, signature: signature(index) } : null;
  }

  private allows(height: number, point: number, content: string): boolean {
    const { slot } = this;
    if (height < slot.height) return false;
    if (height === slot.height && point <= slot.point) {
      return point === slot.point && content === slot.content;
    }
    this.slot = { height, point, content };
    return true;
  }
}

function contentOf(blockId: BlockId | null): string {
  return blockIdKey(blockId);
}
