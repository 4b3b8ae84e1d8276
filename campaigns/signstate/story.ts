/** What one key signs in two heights, with everything a disk saw of it and what was released when. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BlockId, VoteType } from "@quorate/chain";
import {
  createKeyAndState,
  FilePrivVal,
  fileSlotDisk,
  type Place,
  type ProposalToSign,
  type VoteToSign,
} from "@quorate/privval";
import { DiskImage, type DiskStep, type StoredContent } from "../support/disk-image.ts";
import { ModelDisk } from "../support/model-disk.ts";

export const CHAIN = "crash-test";
export const STATE_FILE = "home/state.bin";

export type ToSign =
  | { readonly kind: "vote"; readonly vote: VoteToSign }
  | { readonly kind: "proposal"; readonly proposal: ProposalToSign }
  | { readonly kind: "raise"; readonly place: Place };

/** A message whose signature had left the signer. */
export interface Released {
  readonly asked: ToSign;
  readonly place: Place;
  readonly signature: Uint8Array | null;
}

/** Behind a step of the disk: what was released until then, and what was being asked. */
export interface Moment {
  readonly name: string;
  readonly step: DiskStep;
  readonly released: readonly Released[];
}

export interface Story {
  readonly keyFile: string;
  readonly start: StoredContent;
  readonly moments: readonly Moment[];
  readonly end: StoredContent;
  free(): Promise<void>;
}

export function blockId(seed: number): BlockId {
  return {
    hash: new Uint8Array(32).fill(seed),
    parts: { total: 1, hash: new Uint8Array(32).fill(seed + 1) },
  };
}

const { prevote, precommit } = VoteType;

export function vote(type: VoteType, height: number, round: number, block: number | null): ToSign {
  return {
    kind: "vote",
    vote: {
      type,
      height,
      round,
      blockId: block === null ? null : blockId(block),
      timestamp: BigInt(1_000_000 * (height * 10 + round)),
      validatorAddress: new Uint8Array(20),
      validatorIndex: 0,
    },
  };
}

function proposal(height: number, round: number, block: number): ToSign {
  const timestamp = 1n;
  return { kind: "proposal", proposal: { height, round, polRound: -1, blockId: blockId(block), timestamp } };
}

const SCRIPT: readonly ToSign[] = [
  proposal(1, 0, 1),
  vote(prevote, 1, 0, 1),
  vote(precommit, 1, 0, 1),
  vote(prevote, 1, 1, null),
  vote(precommit, 1, 1, null),
  vote(prevote, 1, 2, 3),
  vote(precommit, 1, 2, 3),
  { kind: "raise", place: { height: 2, round: 1, step: 2 } },
  vote(prevote, 2, 2, 5),
  vote(precommit, 2, 2, 5),
  proposal(2, 3, 5),
  vote(prevote, 2, 3, 5),
  vote(precommit, 2, 3, null),
];

export function placeOf(asked: ToSign): Place {
  switch (asked.kind) {
    case "vote":
      return {
        height: asked.vote.height,
        round: asked.vote.round,
        step: asked.vote.type === precommit ? 2 : 1,
      };
    case "proposal":
      return { height: asked.proposal.height, round: asked.proposal.round, step: 0 };
    case "raise":
      return asked.place;
  }
}

export async function tellStory(): Promise<Story> {
  const dir = await mkdtemp(join(tmpdir(), "quorate-signstate-"));
  const keyFile = join(dir, "key.json");
  const stateFile = join(dir, "state.bin");
  await createKeyAndState({ keyFile, stateFile }, new Uint8Array(32).fill(5));
  const start = { files: new Map([[STATE_FILE, await fileSlotDisk().read(stateFile)]]), index: new Map() };
  const released: Released[] = [];
  const moments: Moment[] = [];
  let asking = "";
  const disk = new ModelDisk(start, {
    onStep: (step) => void moments.push({ name: `${asking}, ${step.kind}`, step, released: [...released] }),
  });
  const privval = await FilePrivVal.open({ keyFile, stateFile: STATE_FILE, disk });
  let sequence = 0n;
  for (const asked of SCRIPT) {
    const place = placeOf(asked);
    asking = `${asked.kind} ${place.height}/${place.round}/${place.step}`;
    const cause = { sequence: ++sequence, crc: Number(sequence) };
    if (asked.kind === "raise") {
      const { height, round, step } = asked.place;
      await privval.raise(height, round, step);
      released.push({ asked, place, signature: null });
      continue;
    }
    const answer =
      asked.kind === "vote"
        ? await privval.signVote(CHAIN, asked.vote, cause)
        : await privval.signProposal(CHAIN, asked.proposal, cause);
    if (!answer.ok) throw new Error(`the script asks for what is refused: ${answer.reason}`);
    released.push({ asked, place, signature: answer.message.signature });
  }
  return { keyFile, start, moments, end: disk.content(), free: () => rm(dir, { recursive: true }) };
}

export function* imagesOf(story: Story): Generator<{ readonly moment: Moment; readonly image: DiskImage }> {
  const image = new DiskImage(story.start);
  for (const moment of story.moments) {
    image.apply(moment.step);
    yield { moment, image };
  }
}
