/** Quiet chains for tests: plans on which nothing happens that a test does not ask for, what their nodes said, and laws. */
import assert from "node:assert/strict";
import { type BlockId, DEFAULT_PARAMS, type Proposal, type Vote } from "@quorate/chain";
import type { CommitBatch } from "@quorate/store";
import { Cluster, type ClusterOptions, type ClusterWatch } from "../src/cluster/cluster.ts";
import { makeGenesis, validatorKey } from "../src/cluster/genesis.ts";
import { peopleOf } from "../src/cluster/people.ts";
import { Random } from "../src/core/random.ts";
import { Scheduler } from "../src/core/scheduler.ts";
import { keyedHashes } from "../src/crypto/keyed-hash.ts";
import { DEFAULT_COSTS } from "../src/crypto/ports.ts";
import type { Plan } from "../src/faults/draw.ts";
import type { Fault } from "../src/faults/fault.ts";
import { LAWS } from "../src/invariants/index.ts";
import type { Figure, Law } from "../src/invariants/law.ts";

const QUALITY = { minMs: 1, jitterMs: 1, loss: 0, duplication: 0, reorder: false, bytesPerMs: 10_000 };
const TIMEOUTS = { proposeMs: 300, prevoteMs: 150, precommitMs: 150 };
const nothing = (): void => undefined;

/** A chain on which nothing happens but these faults. */
export function quiet(faults: readonly Fault[], more: Partial<Plan> = {}): (drawn: Plan) => Plan {
  return (drawn) => ({
    ...drawn,
    links: null,
    powers: drawn.powers.map(() => 10),
    blockIntervalMs: 0,
    timeouts: TIMEOUTS,
    execution: "none",
    load: { everyMs: 0, bytes: 0 },
    quality: QUALITY,
    disk: { writeMs: 0.01, syncMs: 0.1 },
    skews: drawn.skews.map(() => ({ offsetMs: 0, drift: 0 })),
    byzantine: null,
    maxBlockBytes: DEFAULT_PARAMS.maxBlockBytes,
    faults,
    faultsForMs: 60_000,
    ...more,
  });
}

export interface Sent {
  readonly from: number;
  readonly to: number;
  readonly protocol: string;
  readonly bytes: Uint8Array;
}

export interface Heard {
  readonly cluster: Cluster;
  readonly sent: readonly Sent[];
  readonly stored: readonly { readonly node: number; readonly batch: CommitBatch }[];
  readonly signed: readonly { readonly node: number; readonly message: Vote | Proposal }[];
}

export const KEYS: readonly ReturnType<typeof validatorKey>[] = Array.from({ length: 4 }, (_, index) =>
  validatorKey(keyedHashes, index),
);

/** Four validators that have not begun; what is `more` takes the place of what they have. */
export function cluster(
  watch: Partial<ClusterWatch> = {},
  execution: "none" | "engine" = "none",
  more: Partial<ClusterOptions> = {},
): Cluster {
  let ids = 0;
  return new Cluster(
    {
      genesis: makeGenesis(
        { powers: [10, 10, 10, 10], blockIntervalMs: 0, timeouts: TIMEOUTS, execution },
        KEYS,
      ),
      identities: KEYS.map((key, index) => ({ index, name: `node${index}`, peerId: `peer${index}`, key })),
      scheme: keyedHashes,
      costs: DEFAULT_COSTS,
      quality: QUALITY,
      disk: { writeMs: 0.01, syncMs: 0.1 },
      skews: [],
      log: () => ({ debug: nothing, info: nothing, warn: nothing, error: nothing }),
      ...more,
    },
    new Scheduler(),
    {
      step: nothing,
      sent: () => ++ids,
      delivered: nothing,
      dropped: nothing,
      signed: nothing,
      committed: nothing,
      stored: nothing,
      exited: nothing,
      life: nothing,
      ...watch,
    },
    new Random("tests"),
  );
}

/** What four validators say and store until all of them are at this height; they go on when time does. */
export async function heard(heights: number, execution: "none" | "engine" = "none"): Promise<Heard> {
  const sent: Sent[] = [];
  const stored: { node: number; batch: CommitBatch }[] = [];
  const signed: { node: number; message: Vote | Proposal }[] = [];
  const reached = [0, 0, 0, 0];
  const made = cluster(
    {
      sent: (from, to, protocol, bytes) => sent.push({ from, to, protocol, bytes: bytes.slice() }),
      stored: (node, batch) => void stored.push({ node, batch }),
      signed: (node, message) => void signed.push({ node, message }),
      committed: (node, { height }) => {
        reached[node] = height;
      },
    },
    execution,
  );
  await made.begin();
  await made.scheduler.run(60_000, () => Math.min(...reached) >= heights);
  return { cluster: made, sent, stored, signed };
}

/** The node that may lie, of the four that {@link law} judges. */
export const LIAR: number = 3;

/** A law over four nodes of which the last may lie, what it found, and the most of each figure that it measured. */
export function law(
  name: string,
  over: Cluster = cluster(),
): { readonly law: Law; readonly found: string[]; readonly figures: Map<Figure, number> } {
  const found: string[] = [];
  const figures = new Map<Figure, number>();
  const make = LAWS[name];
  assert.ok(make !== undefined, name);
  return {
    law: make({
      cluster: over,
      honest: (node) => node !== LIAR,
      framed: () => false,
      people: peopleOf({ validators: over.members.length }),
      saw: () => undefined,
      violated: (text) => void found.push(text),
      measured: (figure, value) => void figures.set(figure, Math.max(value, figures.get(figure) ?? 0)),
    }),
    found,
    figures,
  };
}

function idOf(fill: number): BlockId {
  const hash = new Uint8Array(32).fill(fill);
  return { hash, parts: { total: 1, hash } };
}

/** Two blocks. */
export const [A, B]: readonly [BlockId, BlockId] = [idOf(0xaa), idOf(0xbb)];
