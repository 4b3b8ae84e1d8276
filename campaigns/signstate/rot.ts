/** A sign state with one bit flipped, or cut: it reads as one of the two states it held, or not at all. */
import { bytesEqual } from "@quorate/crypto";
import { decodeStateFile, encodeSlot, SLOT_BYTES } from "../../packages/privval/src/slots.ts";
import type { Case } from "./campaign.ts";
import { STATE_FILE, tellStory } from "./story.ts";

export async function* rotCases(): AsyncGenerator<Case> {
  const story = await tellStory();
  const bytes = story.end.files.get(STATE_FILE) as Uint8Array;
  await story.free();
  const whole = decodeStateFile(bytes);
  if (whole === null) throw new Error("the story's sign state cannot be read");
  const newest = Number(whole.state.generation & 1n);
  const slots = [bytes.slice(0, SLOT_BYTES), bytes.slice(SLOT_BYTES)];
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    yield {
      class: "flipped bit",
      where: `bit ${bit}`,
      check: async () => {
        const copy = bytes.slice();
        copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
        const hit = bit >> 3 < SLOT_BYTES ? 0 : 1;
        return judge(
          copy,
          slots[1 - hit] as Uint8Array,
          hit === newest ? "the older slot" : "the newest slot",
        );
      },
    };
  }
  for (let length = 0; length < bytes.length; length++) {
    yield {
      class: "cut",
      where: `cut to ${length}`,
      check: async () => {
        const found = decodeStateFile(bytes.slice(0, length));
        return { outcome: "refused", faults: found === null ? [] : ["a cut file was read"] };
      },
    };
  }
}

/** One slot is spoiled: the other one counts, and that one is missing is known. */
function judge(
  copy: Uint8Array,
  other: Uint8Array,
  outcome: string,
): { readonly outcome: string; readonly faults: readonly string[] } {
  const found = decodeStateFile(copy);
  if (found === null) return { outcome, faults: ["the whole slot was not read"] };
  const faults: string[] = [];
  if (found.bothWhole) faults.push("a spoiled slot passed for whole");
  if (!bytesEqual(encodeSlot(found.state, found.address), other))
    faults.push("another state than the whole slot's was read");
  return { outcome, faults };
}
