/** How long heights take on networks of few links, when nothing goes wrong, and what the nodes sent for it. */
import assert from "node:assert/strict";
import type { Item } from "@quorate/gossip/core";
import { openNoExecution } from "@quorate/node/composition";
import type { Cluster } from "../src/cluster/cluster.ts";
import { makeGenesis, validatorKey } from "../src/cluster/genesis.ts";
import { Random } from "../src/core/random.ts";
import { keyedHashes } from "../src/crypto/keyed-hash.ts";
import { PEER_PROTOCOL, saidIn } from "../src/network/describe.ts";
import { drawLinks, type LinkShape, type Links } from "../src/network/links.ts";
import type { PathQuality } from "../src/network/paths.ts";
import { filled } from "../src/wan/filled.ts";
import { cluster } from "./support.ts";

export interface Pace {
  readonly links: Links | null;
  /** From the time of genesis to the first commit, ms. */
  readonly firstMs: number;
  /** From one height's first commit to the next one's, ms. */
  readonly medianMs: number;
  readonly mostMs: number;
  /** Heights decided in a later round than 0. */
  readonly laterRounds: number;
  /** Per height: bytes of all nodes, and bodies asked for. */
  readonly bytes: number;
  readonly asked: number;
  /** Per height: parts, and messages of the body stream. */
  readonly parts: number;
  readonly items: number;
}

/** One way of a link, and how long a megabyte takes, ms. */
export const LINK_MS = 10;
export const MEGABYTE_MS = 100;
/** All have their links by then. */
const GENESIS_MS = 3_000;
const WARM_UP = 2;
const TIMEOUTS = { proposeMs: 3000, prevoteMs: 1000, precommitMs: 1000 };
const silent = (): void => undefined;

export interface PaceOptions {
  readonly validators: number;
  readonly blockBytes: number;
  readonly heights: number;
  readonly known?: boolean;
  readonly seed?: number;
  /** Of every link, instead of {@link LINK_MS} without jitter. */
  readonly quality?: Partial<PathQuality>;
}

export async function paceOf(shape: LinkShape, options: PaceOptions): Promise<Pace> {
  const { validators, blockBytes, heights, seed = 1 } = options;
  const drawn = drawLinks(new Random(`pace ${seed}`), validators, [], shape);
  const links = drawn === null ? null : { ...drawn, known: options.known ?? true };
  const keys = Array.from({ length: validators }, (_, index) => validatorKey(keyedHashes, index));
  const log = { debug: silent, info: silent, warn: silent, error: silent };
  const commits: { readonly atMs: number; readonly round: number }[] = [];
  const reached = new Map<number, number>();
  const sent = { bytes: 0, asked: 0, parts: 0, items: 0 };
  const counts = (): boolean => commits.length >= WARM_UP;
  const ofItems = (items: readonly Item[]): void => {
    sent.items += items.length;
    sent.parts += items.filter(({ kind }) => kind === "part").length;
  };
  let ids = 0;
  const made: Cluster = cluster(
    {
      sent: (_from, _to, protocol, bytes) => {
        ids++;
        if (!counts()) return ids;
        sent.bytes += bytes.length;
        if (protocol !== PEER_PROTOCOL && !protocol.startsWith("topic/")) return ids;
        for (const said of saidIn(protocol, bytes)) {
          if (said.kind === "items") ofItems(said.items);
          else if (said.what === "want_body") sent.asked++;
        }
        return ids;
      },
      committed: (node, { height, round }) => {
        reached.set(node, height);
        if (height === commits.length + 1) commits.push({ atMs: made.scheduler.now, round });
      },
    },
    "none",
    {
      genesis: makeGenesis(
        {
          powers: keys.map(() => 10),
          blockIntervalMs: 0,
          timeouts: TIMEOUTS,
          execution: "none",
          genesisMs: GENESIS_MS,
        },
        keys,
      ),
      identities: [
        ...keys.map((key, index) => ({ index, name: `node${index}`, peerId: `peer${index}`, key })),
        ...Array.from({ length: links?.sentries ?? 0 }, (_, i) => ({
          index: validators + i,
          name: `sentry${i}`,
          peerId: `peer${validators + i}`,
          key: null,
        })),
      ],
      links,
      quality: {
        minMs: LINK_MS,
        jitterMs: 0,
        loss: 0,
        duplication: 0,
        reorder: false,
        bytesPerMs: 1_000_000 / MEGABYTE_MS,
        ...options.quality,
      },
      openExecution: (_node, genesis, store, onFailure) =>
        filled(openNoExecution(genesis, store, log, onFailure), blockBytes),
    },
  );
  await made.begin();
  const all = validators + (links?.sentries ?? 0);
  const wanted = heights + WARM_UP;
  const how = await made.scheduler.run(
    600_000,
    () => reached.size === all && Math.min(...reached.values()) >= wanted,
  );
  assert.equal(how, "done", `${shape}: all nodes reach height ${wanted}`);
  const counted = commits.slice(WARM_UP, wanted);
  const times = counted
    .map(({ atMs }, i) => atMs - (commits[WARM_UP + i - 1]?.atMs ?? 0))
    .sort((a, b) => a - b);
  const each = (total: number): number => Math.round((100 * total) / counted.length) / 100;
  return {
    links,
    firstMs: Math.round((commits[0]?.atMs ?? 0) - GENESIS_MS),
    medianMs: Math.round(times[Math.floor(times.length / 2)] ?? 0),
    mostMs: Math.round(times.at(-1) ?? 0),
    laterRounds: counted.filter(({ round }) => round > 0).length,
    bytes: Math.round(each(sent.bytes)),
    asked: each(sent.asked),
    parts: each(sent.parts),
    items: each(sent.items),
  };
}
