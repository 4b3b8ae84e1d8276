/** A node started on a damaged log, among peers that first try to lead it into a contradiction and then go on. */
import { VoteType } from "@quorate/chain";
import { MemoryDisk } from "../../packages/node/test/support/memory-disk.ts";
import { makeRig, type Rig } from "../../packages/node/test/support/rig.ts";
import { broken, contradictions } from "../support/contradiction.ts";
import { SEGMENT_BYTES, VALIDATORS, type WalSpecimen } from "./specimen.ts";

const { prevote, precommit } = VoteType;
const HEIGHT = 3;

/** What is wrong after the restart; empty = it recovered, contradicted nothing, decided, and signs at the next height. */
export async function restartOn(
  specimen: WalSpecimen,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<{ readonly class: string; readonly faults: readonly string[] }> {
  const disk = new MemoryDisk();
  disk.load(specimen.disk);
  for (const [name, bytes] of files) disk.put(name, bytes);
  const faults: string[] = [];
  let rig: Rig;
  try {
    rig = await makeRig({
      validators: VALIDATORS,
      segmentBytes: SEGMENT_BYTES,
      after: { disk, store: specimen.store },
    });
  } catch (error) {
    return { class: "refused", faults: [`the start failed: ${String(error)}`] };
  }
  try {
    await rig.recover();
    await rig.pass(0);
    await tempt(rig);
    faults.push(...contradictions([specimen.sent, rig.published]));
    // The peers of the temptation are no honest ones, so there was no polka but that of the specimen's own rounds.
    faults.push(...broken([specimen.sent, rig.published], []));
    await goOn(rig, specimen, faults);
    for (const fatal of rig.fatals) faults.push(`the node ended: ${fatal.code} ${fatal.what}`);
    return { class: rig.wal.condition.kind, faults };
  } catch (error) {
    return { class: rig.wal.condition.kind, faults: [...faults, `uncaught: ${String(error)}`] };
  } finally {
    await rig.free();
  }
}

/** Another block in every round that was, and as a fresh value in the next one; nobody has a polka for it. */
async function tempt(rig: Rig): Promise<void> {
  const { others } = rig;
  const few = others.slice(0, 3);
  for (let round = 0; round <= 2; round++) {
    const other = rig.block({ round, txs: [Uint8Array.of(200 + round)] });
    await rig.propose(other, round);
    await rig.votes(prevote, other.blockId, few, round);
    await rig.votes(precommit, null, few, round);
  }
  // More than a third in round 3: the node goes there.
  const third = others.slice(0, Math.ceil(others.length / 2));
  await rig.votes(prevote, null, third, 3);
  const fresh = rig.block({ round: 3, txs: [Uint8Array.of(250)] });
  await rig.propose(fresh, 3);
  await rig.pass(5_000);
}

/** The others decided the value of the third height; the next one is ordinary. */
async function goOn(rig: Rig, specimen: WalSpecimen, faults: string[]): Promise<void> {
  const { others } = rig;
  const last = specimen.sent.votes.findLast(({ height, type }) => height === HEIGHT && type === precommit);
  const blockId = last?.blockId ?? null;
  await rig.votes(precommit, blockId, others, 2);
  await rig.pass(0);
  if (rig.runner.chain().lastHeight !== HEIGHT) {
    faults.push(`stall: height ${HEIGHT} is not decided with +2/3 precommits at hand`);
    return;
  }
  await rig.pass(2_000);
  const block = rig.block();
  await rig.propose(block);
  await rig.votes(prevote, block.blockId, others);
  const signed = rig.published.votes.filter(({ height }) => height === HEIGHT + 1).map(({ type }) => type);
  if (!signed.includes(prevote) || !signed.includes(precommit))
    faults.push("the node does not sign at the next height");
  await rig.votes(precommit, block.blockId, others);
  await rig.pass(0);
  if (rig.runner.chain().lastHeight !== HEIGHT + 1) faults.push("stall: the next height is not decided");
}
