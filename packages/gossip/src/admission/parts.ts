import { LIMITS } from "../limits.ts";
import type { Item } from "../topics/items.ts";
import type { AdmissionContext, Source } from "./context.ts";
import { DROP, type Examination, offence } from "./examination.ts";
import { heightWindow } from "./window.ts";

/** A part of a body that a verified proposal or certificate made wanted; its Merkle proof is its authentication. */
export function examinePart(
  context: AdmissionContext,
  item: Extract<Item, { kind: "part" }>,
  source: Source,
): Examination {
  const window = heightWindow(context.view.height, item.height);
  if (window !== "current" && window !== "next") return DROP;
  const found = context.bodies.addPart(item.height, item.blockId, item.part, source.id);
  if (found === "bad") return offence("bad_part");
  if (found !== "fresh") return DROP;
  context.metrics?.queue("gossip_bodies", context.bodies.bytes, LIMITS.collectedBytes);
  return { kind: "done", origin: context.bodies.origin(item.blockId) };
}

/** A whole body without its proposal: taken only if wanted. */
export function examineBody(
  context: AdmissionContext,
  item: Extract<Item, { kind: "body" }>,
  source: Source,
): Examination {
  const window = heightWindow(context.view.height, item.height);
  if (window !== "current" && window !== "next") return DROP;
  const found = context.bodies.addWhole(item.height, item.blockId, item.bytes, source.id);
  if (found === "bad") return offence("bad_part");
  return found === "fresh" ? { kind: "done", origin: context.bodies.origin(item.blockId) } : DROP;
}
