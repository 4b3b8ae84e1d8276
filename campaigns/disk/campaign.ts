/**
 * R17, R18: each step of the disk in turn fails once, with EIO and with one of ENOSPC, EROFS, EMFILE; whatever is tried
 * again afterwards succeeds, as a sync does whose pages the system has given up. The node ends with exit code 6 within
 * a second and sends nothing after the failure; started on what is there, and on what a loss of power leaves of it, it
 * contradicts nothing and decides.
 */

import { effectError } from "../../packages/node/src/runner/fatal.ts";
import type { TestChain } from "../../packages/node/test/support/chain.ts";
import { makeNodeKey, type NodeKey, NodeUnderTest } from "../effects/node-under-test.ts";
import { record } from "../effects/record.ts";
import { restart } from "../effects/restart.ts";
import { Scene, type Surroundings } from "../effects/scene.ts";
import { crashChain, HEIGHTS, weatherFor } from "../effects/script.ts";
import { DiskImage, type DiskStep, type StoredContent } from "../support/disk-image.ts";
import { errno, ModelDisk } from "../support/model-disk.ts";
import { type CampaignOptions, type CampaignReport, inShare, Tally } from "../support/report.ts";

/** Places in the turn of proposers; these two propose anew, propose again, and change a lock. */
const VALIDATORS = [2, 3] as const;
const OTHER_CODES = ["ENOSPC", "EROFS", "EMFILE"] as const;
const SHORTAGES: readonly string[] = ["ENOSPC", "EMFILE"];
const LIMIT_MS = 60_000;
const EXIT_MS = 1_000;
const DURABILITY = 6;

export async function diskCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const tally = new Tally();
  const chain = crashChain();
  let index = 0;
  for (const underTest of VALIDATORS) {
    const key = await makeNodeKey(chain, underTest);
    try {
      const steps = (await record(chain, key, "prompt", options.seed)).boundaries.filter(
        ({ step }) => step !== null,
      ).length;
      tally.count("steps of the disk", steps);
      for (let at = 0; at < steps; at++) {
        for (const code of ["EIO", OTHER_CODES[at % OTHER_CODES.length] ?? "EIO"]) {
          if (tally.full || !inShare(index++, options)) continue;
          tally.cases++;
          const { outcome, where, faults } = await oneFault(chain, key, at, code);
          tally.count(outcome);
          for (const fault of faults)
            tally.violation(`validator ${underTest}, ${code} at step ${at} (${where})`, fault);
        }
      }
    } finally {
      await key.free();
    }
  }
  tally.count("cases in all", index);
  return tally.report("disk", ["R17", "R18"], options);
}

interface Failure {
  readonly step: DiskStep;
  readonly atMs: number;
  readonly sent: number;
}

async function oneFault(
  chain: TestChain,
  key: NodeKey,
  at: number,
  code: string,
): Promise<{ readonly outcome: string; readonly where: string; readonly faults: readonly string[] }> {
  const scene = new Scene(chain, key.index, weatherFor(chain, key.index));
  const sent = (): number => scene.sent.votes.length + scene.sent.proposals.length;
  const image = new DiskImage(key.home);
  let taken = 0;
  let failure: Failure | null = null;
  const disk = new ModelDisk(key.home, {
    onStep: (step) => image.apply(step),
    fault: (step) => {
      if (taken++ !== at) return null;
      failure = { step, atMs: scene.clock.monotonicMs(), sent: sent() };
      return errno(code);
    },
  });
  let refusal: unknown = null;
  try {
    scene.node = await NodeUnderTest.start(disk, key, chain, scene);
  } catch (error) {
    refusal = error;
  }
  const ended = (): boolean => refusal !== null || (scene.node?.fatals.length ?? 0) > 0;
  const finished = (): boolean =>
    [...scene.peers.values(), scene.node].every((each) => (each?.height ?? 0) > HEIGHTS);
  await scene.run(() => ended() || finished(), LIMIT_MS);
  const endedMs = scene.clock.monotonicMs();
  const hit = failure as Failure | null;
  const faults: string[] = [...scene.accusations];
  if (hit === null) return { outcome: "not reached", where: "none", faults: ["the step was never taken"] };
  const where = `${hit.step.kind} ${hit.step.file}`;
  const outcome = outcomeOf(scene, refusal);
  if (ended()) {
    if (exitOf(scene, refusal) !== DURABILITY) faults.push(`ended with exit code ${exitOf(scene, refusal)}`);
    if (endedMs - hit.atMs > EXIT_MS) faults.push(`ended ${endedMs - hit.atMs} ms after the failure`);
    // Whatever was under way must not get out any more.
    await scene.run(() => false, EXIT_MS);
    if (sent() !== hit.sent) faults.push(`${sent() - hit.sent} messages were sent after the failure`);
  } else if (!isSpare(hit.step) || !SHORTAGES.includes(code)) {
    faults.push("the node went on");
  }
  const around = scene.surroundings();
  scene.node?.vanish();
  faults.push(...(await restarts(chain, key, disk.content(), image, around)));
  return { outcome, where, faults };
}

function outcomeOf(scene: Scene, refusal: unknown): string {
  if (refusal !== null) return "refused to start";
  return (scene.node?.fatals.length ?? 0) > 0 ? "ended" : "a spare segment was made later";
}

function exitOf(scene: Scene, refusal: unknown): number {
  if (refusal !== null) return effectError("the node could not start", refusal).exitCode;
  return scene.node?.fatals[0]?.exitCode ?? 0;
}

/** A file made ahead of its use is made again when it is needed, if all that was wanting was space or a descriptor. */
function isSpare(step: DiskStep): boolean {
  if (step.kind === "syncdir") return step.file.endsWith("/wal");
  return step.file.endsWith(".wal") && ["link", "write", "sync"].includes(step.kind);
}

async function restarts(
  chain: TestChain,
  key: NodeKey,
  visible: StoredContent,
  image: DiskImage,
  around: Surroundings,
): Promise<string[]> {
  const faults: string[] = [];
  const states = [
    ["the process ended", visible],
    ["power went, all lost", image.with([])],
    ["power went, all kept", image.with(image.unsynced)],
  ] as const;
  for (const [name, content] of states) {
    const again = await restart(chain, key, content, around, { loseUnderWay: false });
    faults.push(...again.faults.map((fault) => `${name}: ${fault}`));
  }
  return faults;
}
