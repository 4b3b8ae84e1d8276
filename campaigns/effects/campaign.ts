/**
 * R06, R13: three heights of at least three rounds, once for each place in the turn of proposers and for a prompt and a slow
 * disk; a crash behind every effect of the node; behind each, every state that the unsynced steps can leave. The node
 * starts on it again, contradicts nothing it sent, keeps its locks, and decides with its peers. Every message leaves behind
 * the syncs it needs. A spread of the cases
 * crashes a second time, behind each step of its start.
 */
import type { TestChain } from "../../packages/node/test/support/chain.ts";
import { decodeStateFile, slotOffset } from "../../packages/privval/src/slots.ts";
import type { Outcome } from "../support/disk-image.ts";
import { type CampaignOptions, type CampaignReport, inShare, Tally } from "../support/report.ts";
import { notDurable } from "./durable.ts";
import { makeNodeKey, type NodeKey, STATE_FILE } from "./node-under-test.ts";
import { type DiskPace, imagesOf, record } from "./record.ts";
import { restart } from "./restart.ts";
import { crashChain } from "./script.ts";

const PACES: readonly DiskPace[] = ["prompt", "slow"];
/** One case in so many crashes again while it starts. */
const AGAIN_EVERY = 64;
const PROGRESS_EVERY = 500;

export async function effectsCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const tally = new Tally();
  const chain = crashChain();
  let index = 0;
  for (let underTest = 0; underTest < chain.keys.seeds.length; underTest++) {
    const key = await makeNodeKey(chain, underTest);
    try {
      for (const pace of PACES) index = await oneRun(chain, key, pace, index, tally, options);
    } finally {
      await key.free();
    }
  }
  tally.count("cases in all", index);
  return tally.report("effects", ["R06", "R13"], options);
}

async function oneRun(
  chain: TestChain,
  key: NodeKey,
  pace: DiskPace,
  from: number,
  tally: Tally,
  options: CampaignOptions,
): Promise<number> {
  let index = from;
  const recording = await record(chain, key, pace, options.seed);
  const run = `validator ${key.index}, ${pace} disk`;
  for (const fault of recording.faults) tally.violation(run, fault);
  tally.count("effects of the node", recording.boundaries.length);
  let at = 0;
  for (const { boundary, image } of imagesOf(recording)) {
    if (boundary.message !== null) {
      tally.count("messages behind their syncs");
      for (const fault of await notDurable(boundary.message, image.with([])))
        tally.violation(`${run}, at effect ${at} (${boundary.name})`, fault);
    }
    const outcomes = [...image.outcomes()];
    // A slot that rots too, right after what it guards was sent.
    if (boundary.message !== null) outcomes.push(...outcomes.flatMap(withRottenSlot));
    for (const outcome of outcomes) {
      if (tally.full) return index;
      const mine = index++;
      if (!inShare(mine, options)) continue;
      tally.cases++;
      const where = `${run}, behind effect ${at} (${boundary.name}), ${outcome.name}`;
      const watchStart = mine % AGAIN_EVERY === options.seed % AGAIN_EVERY;
      // The last message may or may not have got out.
      const loseUnderWay = mine % 2 === 1;
      const first = await restart(chain, key, outcome.content, boundary.around, { loseUnderWay, watchStart });
      tally.count(`found ${first.found}`);
      for (const fault of first.faults) tally.violation(where, fault);
      for (const [number, content] of first.images.entries()) {
        tally.count("crashed again while starting");
        const second = await restart(chain, key, content, boundary.around, { loseUnderWay });
        for (const fault of second.faults)
          tally.violation(`${where}, again behind step ${number} of the start`, fault);
      }
      if (tally.cases % PROGRESS_EVERY === 0) options.progress(`effects: ${tally.cases} cases`);
    }
    at++;
  }
  return index;
}

/** The newest slot of the sign state is unreadable, the older one counts. */
function withRottenSlot({ name, content }: Outcome): Outcome[] {
  const state = content.files.get(STATE_FILE);
  const found = state === undefined ? null : decodeStateFile(state);
  if (state === undefined || found === null || !found.bothWhole) return [];
  const bytes = state.slice();
  bytes.fill(0xaa, slotOffset(found.state.generation), slotOffset(found.state.generation) + 64);
  const files = new Map([...content.files, [STATE_FILE, bytes]]);
  return [{ name: `${name}, newest slot rotten`, content: { ...content, files } }];
}
