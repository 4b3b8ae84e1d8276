/** Blocks that this node proposed in vain: what it waits to see included may never be when that goes on. */
import {
  type BlockId,
  blockIdEquals,
  type Commit,
  type Proposal,
  proposerOf,
  type Round,
  type ValidatorSet,
} from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import type { LogPort } from "@quorate/gossip";
import type { HeldBody } from "./bodies.ts";

/** Proposals of validator `own` in rounds before the decided one that were not for the decided block. */
export function passedOver(
  proposals: (round: Round) => readonly Proposal[],
  validators: ValidatorSet,
  own: Uint8Array,
  { round: decided, blockId }: Pick<Commit, "round" | "blockId">,
): readonly Proposal[] {
  const found: Proposal[] = [];
  for (let round = 0; round < decided; round++) {
    if (!bytesEqual(proposerOf(validators, round).address, own)) continue;
    found.push(...proposals(round).filter((each) => !blockIdEquals(each.blockId, blockId)));
  }
  return found;
}

/** Says which blocks of this node were passed over, and how large they were. */
export function tellPassedOver(
  log: LogPort,
  bodies: { get(blockId: BlockId): HeldBody | null },
  proposals: readonly Proposal[],
): void {
  for (const { height, round, blockId } of proposals) {
    const body = bodies.get(blockId);
    log.warn("a block of this node was not decided in its round: another proposer's was", {
      ...{ height, round, block: blockId.hash },
      ...(body === null ? {} : { txs: body.block.txs.length, bytes: body.bytes.length }),
      do: "if this repeats, the others get or execute such blocks later than timeout_propose allows: look for slow execution clients and links, lower the chain's gas limit or raise timeout_propose",
    });
  }
}
