/** One run of the script with every effect of the node under test written down: what a crash behind it would find. */
import type { TestChain } from "../../packages/node/test/support/chain.ts";
import { DiskImage, type DiskStep, type StoredContent } from "../support/disk-image.ts";
import { ModelDisk } from "../support/model-disk.ts";
import { seeded } from "../support/random.ts";
import { type NodeKey, NodeUnderTest } from "./node-under-test.ts";
import type { Message } from "./peer.ts";
import { Scene, type Surroundings } from "./scene.ts";
import { HEIGHTS, weatherFor } from "./script.ts";

const LIMIT_MS = 120_000;

/** An effect that has happened: a step of the disk, or a message sent. */
export interface Boundary {
  readonly name: string;
  /** `null`: a message left. */
  readonly step: DiskStep | null;
  readonly message: Message | null;
  readonly around: Surroundings;
}

export interface Recording {
  readonly home: StoredContent;
  readonly boundaries: readonly Boundary[];
  readonly faults: readonly string[];
}

/** `prompt`: the disk does everything at once. `slow`: each step takes some time, and messages come in between. */
export type DiskPace = "prompt" | "slow";

export async function record(
  chain: TestChain,
  key: NodeKey,
  pace: DiskPace,
  seed: number,
): Promise<Recording> {
  const scene = new Scene(chain, key.index, weatherFor(chain, key.index));
  const boundaries: Boundary[] = [];
  const note = (name: string, step: DiskStep | null, message: Message | null): void => {
    boundaries.push({ name, step, message, around: scene.surroundings() });
  };
  const random = seeded(seed);
  const disk = new ModelDisk(key.home, {
    onStep: (step) => note(`${step.kind} ${step.file}`, step, null),
  });
  scene.onSend = (message) => note(`send ${message.kind}`, null, message);
  scene.node = await NodeUnderTest.start(disk, key, chain, scene);
  if (pace === "slow") disk.hooks = { ...disk.hooks, pace: () => later(scene, random) };
  const done = await scene.run(
    () => [...scene.peers.values(), scene.node].every((each) => (each?.height ?? 0) > HEIGHTS),
    LIMIT_MS,
  );
  const faults = [...scene.accusations, ...(scene.node?.fatals ?? []).map(({ what }) => what)];
  if (!done) faults.push("the script itself stalls");
  scene.node?.vanish();
  return { home: key.home, boundaries, faults };
}

function later(scene: Scene, random: () => number): Promise<void> {
  return new Promise((resolve) => void scene.clock.timer(Math.floor(random() * 8), resolve));
}

/** The states of the disk behind each boundary, in order. */
export function* imagesOf(
  recording: Recording,
): Generator<{ readonly boundary: Boundary; readonly image: DiskImage }> {
  const image = new DiskImage(recording.home);
  for (const boundary of recording.boundaries) {
    if (boundary.step !== null) image.apply(boundary.step);
    yield { boundary, image };
  }
}
