/** A node started on what a crash left, beside peers that go on from where they were. */
import { blockIdKey } from "@quorate/chain";
import type { TestChain } from "../../packages/node/test/support/chain.ts";
import { broken, contradictions } from "../support/contradiction.ts";
import { DiskImage, type StoredContent } from "../support/disk-image.ts";
import { ModelDisk } from "../support/model-disk.ts";
import { type NodeKey, NodeUnderTest } from "./node-under-test.ts";
import { Scene, type Surroundings } from "./scene.ts";
import { clear, HEIGHTS } from "./script.ts";

/** Of virtual time, for at most four heights. */
const LIMIT_MS = 120_000;

export interface Restarted {
  readonly faults: readonly string[];
  /** How the log looked and what of the height was taken up. */
  readonly found: string;
  /** What a second crash could leave, before anything is sent: the states behind each step of the start. */
  readonly images: readonly StoredContent[];
}

export async function restart(
  chain: TestChain,
  key: NodeKey,
  content: StoredContent,
  around: Surroundings,
  options: { readonly loseUnderWay: boolean; readonly watchStart?: boolean },
): Promise<Restarted> {
  const scene = new Scene(chain, key.index, clear, around);
  if (options.loseUnderWay) scene.loseUnderWay();
  const images: StoredContent[] = [];
  const image = new DiskImage(content);
  const disk = new ModelDisk(content, {
    onStep: (step) => {
      if (options.watchStart !== true || scene.node !== null) return;
      image.apply(step);
      images.push(image.with([]), image.with(image.unsynced));
    },
  });
  try {
    scene.node = await NodeUnderTest.start(disk, key, chain, scene);
  } catch (error) {
    return { faults: [`the start failed: ${String(error)}`], found: "refused", images };
  }
  const { node } = scene;
  const before = scene.sent.votes.length;
  const everybody = [...scene.peers.values(), node];
  // The others may have gone on meanwhile; there is a height that all of them begin together in any case.
  const target = 1 + Math.max(HEIGHTS, ...everybody.map(({ height }) => height));
  const faults: string[] = [];
  try {
    const signs = (): boolean => scene.sent.votes.length > before;
    const done = await scene.run(() => signs() && everybody.every(({ height }) => height > target), LIMIT_MS);
    if (!done) {
      const at = everybody.map(({ height }) => height).join(", ");
      faults.push(`stall: the validators are at heights ${at} after ${LIMIT_MS / 1000} s`);
    }
    faults.push(
      ...scene.accusations,
      ...contradictions([scene.sent]),
      ...broken([scene.sent], scene.polkas()),
    );
    for (const { code, what } of node.fatals) faults.push(`the node ended: ${code} ${what}`);
    if (scene.sent.votes.length === before) faults.push("the node signed nothing any more");
    faults.push(...(await disagreements(scene, node, target)));
  } catch (error) {
    faults.push(`uncaught: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  } finally {
    node.vanish();
  }
  return { faults, found: `log ${node.wal.condition.kind}, ${node.replay}`, images };
}

async function disagreements(scene: Scene, node: NodeUnderTest, upTo: number): Promise<string[]> {
  const found: string[] = [];
  for (let height = 1; height <= upTo; height++) {
    const own = await node.store.meta(height);
    for (const peer of scene.peers.values()) {
      const decided = peer.state.decided.get(height)?.block.blockId;
      if (own === null || decided === undefined || blockIdKey(own.blockId) === blockIdKey(decided)) continue;
      found.push(`height ${height}: the node and peer ${peer.index} decided different blocks`);
    }
  }
  return found;
}
