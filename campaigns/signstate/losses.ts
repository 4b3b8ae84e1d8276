/** Power goes behind each step of a sign state's disk. */
import { blockIdEquals, VoteType } from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import { comparePlaces, FilePrivVal, type SignAnswer } from "@quorate/privval";
import { type DiskImage, type Outcome, SECTOR_BYTES, type StoredContent } from "../support/disk-image.ts";
import { ModelDisk } from "../support/model-disk.ts";
import type { Case } from "./campaign.ts";
import { blockId, CHAIN, imagesOf, type Released, STATE_FILE, type ToSign, tellStory } from "./story.ts";

const NOTHING = { sequence: 0n, crc: 0 };

export async function* lossCases(): AsyncGenerator<Case> {
  const story = await tellStory();
  try {
    for (const { moment, image } of imagesOf(story)) {
      for (const { name, content } of [...image.outcomes(), ...cutsOf(image)]) {
        yield {
          class: "loss of power",
          where: `behind ${moment.name}, ${name}`,
          check: () => checkLoss(story.keyFile, content, moment.released),
        };
      }
    }
  } finally {
    await story.free();
  }
}

/** A disk that does not even write sectors whole: the slot under way cut at every byte that it says something in. */
function* cutsOf(image: DiskImage): Generator<Outcome> {
  const [step] = image.unsynced;
  if (step?.kind !== "write") return;
  for (let length = 1; length < SECTOR_BYTES; length++) {
    const part = { ...step, bytes: step.bytes.subarray(0, length) };
    yield { name: `the slot cut at byte ${length}`, content: image.with([part]) };
  }
}

/** Nothing released is forgotten, and nothing that contradicts it is signed. */
export async function checkLoss(
  keyFile: string,
  content: StoredContent,
  released: readonly Released[],
): Promise<{ readonly outcome: string; readonly faults: readonly string[] }> {
  const faults: string[] = [];
  const privval = await FilePrivVal.open({ keyFile, stateFile: STATE_FILE, disk: new ModelDisk(content) });
  const { lastSigned, lock } = privval.state;
  const last = released.at(-1);
  if (last !== undefined && (lastSigned === null || comparePlaces(lastSigned, last.place) < 0)) {
    faults.push(`regression: ${text(last.place)} was released, the state is at ${text(lastSigned)}`);
  }
  const locks = released.flatMap(({ asked }) =>
    asked.kind === "vote" && asked.vote.type === VoteType.precommit && asked.vote.blockId !== null
      ? [asked.vote]
      : [],
  );
  const newest = locks.at(-1);
  if (newest !== undefined) {
    const behind =
      lock === null ||
      lock.height < newest.height ||
      (lock.height === newest.height && lock.round < newest.round);
    const other =
      lock?.height === newest.height &&
      lock.round === newest.round &&
      !blockIdEquals(lock.blockId, newest.blockId);
    if (behind || other) faults.push(`the lock of height ${newest.height} round ${newest.round} is lost`);
  }
  for (const each of released) faults.push(...(await temptWith(privval, each, each === last)));
  return { outcome: privval.slotLost ? "one slot lost" : "both slots whole", faults };
}

async function temptWith(
  privval: FilePrivVal,
  { asked, signature }: Released,
  newest: boolean,
): Promise<string[]> {
  if (asked.kind === "raise") return [];
  const faults: string[] = [];
  const same = await ask(privval, asked);
  if (same.ok && (signature === null || !bytesEqual(same.message.signature, signature))) {
    faults.push("a second signature for one place");
  }
  // Exactly the message signed last is given again, unless one that was being signed is behind it already.
  const place = privval.state.lastSigned;
  const isLast = newest && place !== null && comparePlaces(place, placeOfAsked(asked)) === 0;
  if (isLast && !same.ok) faults.push("the message signed last is refused");
  const other = await ask(privval, changed(asked));
  if (other.ok) faults.push(`a contradiction was signed at ${text(placeOfAsked(asked))}`);
  return faults;
}

function ask(
  privval: FilePrivVal,
  asked: Exclude<ToSign, { kind: "raise" }>,
): Promise<SignAnswer<{ readonly signature: Uint8Array }>> {
  return asked.kind === "vote"
    ? privval.signVote(CHAIN, asked.vote, NOTHING)
    : privval.signProposal(CHAIN, asked.proposal, NOTHING);
}

function changed(asked: Exclude<ToSign, { kind: "raise" }>): Exclude<ToSign, { kind: "raise" }> {
  const other = blockId(99);
  return asked.kind === "vote"
    ? { kind: "vote", vote: { ...asked.vote, blockId: other } }
    : { kind: "proposal", proposal: { ...asked.proposal, blockId: other } };
}

function placeOfAsked(asked: Exclude<ToSign, { kind: "raise" }>) {
  return asked.kind === "vote"
    ? { ...asked.vote, step: asked.vote.type === VoteType.precommit ? (2 as const) : (1 as const) }
    : { ...asked.proposal, step: 0 as const };
}

function text(
  place: { readonly height: number; readonly round: number; readonly step: number } | null,
): string {
  return place === null ? "nothing" : `height ${place.height} round ${place.round} step ${place.step}`;
}
