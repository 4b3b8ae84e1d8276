/** Sync before send, told by the disk: what must be certain to survive at the moment a message leaves. */
import { bytesEqual } from "@quorate/crypto";
import { comparePlaces, type Place } from "@quorate/privval";
import { openStore } from "@quorate/store";
import { inspectWal } from "@quorate/wal";
import { decodeStateFile } from "../../packages/privval/src/slots.ts";
import type { StoredContent } from "../support/disk-image.ts";
import { ModelDisk } from "../support/model-disk.ts";
import { STATE_FILE, WAL_DIR } from "./node-under-test.ts";
import type { Message } from "./peer.ts";

/** What is not on disk although this message has left; `durable`: the content if everything unsynced is lost. */
export async function notDurable(message: Message, durable: StoredContent): Promise<string[]> {
  if (message.kind === "certificate") return [];
  const place = placeOf(message);
  const { signature } = message.kind === "vote" ? message.vote : message.proposal;
  const found: string[] = [];
  const slots = decodeStateFile(durable.files.get(STATE_FILE) ?? new Uint8Array());
  const last = slots?.state.lastSigned ?? null;
  if (last === null || comparePlaces(last, place) < 0) found.push("its signature is not in the sign state");
  else if (comparePlaces(last, place) === 0 && !bytesEqual(last.signature, signature))
    found.push("the sign state holds another signature");
  const disk = new ModelDisk(durable);
  if (slots !== null) {
    const { dependency } = slots.state;
    const { verdict } = await inspectWal(WAL_DIR, { dependency, disk });
    if (verdict.kind === "damaged") found.push(`the log lacks its cause: ${verdict.reason}`);
  }
  if (message.kind === "vote" && message.vote.type === 2 && message.vote.blockId !== null) {
    const store = await openStore({ dir: "home", disk: disk.bodies, index: disk.index });
    if ((await store.getBody(message.vote.blockId)) === null)
      found.push("the body of its block is not stored");
    await store.close();
  }
  return found;
}

function placeOf(message: Exclude<Message, { kind: "certificate" }>): Place {
  if (message.kind === "proposal") return { ...message.proposal, step: 0 };
  return { ...message.vote, step: message.vote.type === 2 ? 2 : 1 };
}
