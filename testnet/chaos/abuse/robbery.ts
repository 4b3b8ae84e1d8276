/**
 * A validator's key is stolen while its owner is away. Its thief may do what one Byzantine validator of four may do: the
 * chain keeps its pace, nothing of what it signs is kept for long, and the first proof that it signed twice ends the key.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, rpc } from "../../test/support.ts";
import { atTip } from "../bounds.ts";
import type { Scene } from "../campaign.ts";
import type { ChaosNetwork } from "../network.ts";
import { Attacker } from "./attacker.ts";
import { besiege, orderFor, type SiegeOptions } from "./siege.ts";
import type { Variant } from "./variants.ts";

/** Heights between two votes that contradict one another and the block that convicts their key. */
const CONVICTED_WITHIN = 10;
/** Heights of the chain without it. */
const AFTERWARDS = 8;
/** Longer than it takes; the thief is recalled. */
const SECONDS = 60;

interface Convict {
  readonly height: number;
  readonly voteHeight: number;
}

/** Afterwards the network has one validator less, and is of no use for other scenes. */
export async function rob(
  scene: Scene,
  variant: Variant,
  { seconds, victims }: Pick<SiegeOptions, "seconds" | "victims">,
): Promise<void> {
  const { net, report } = scene;
  const { live } = net;
  const robbed = live.names.findLast((name) => !victims.includes(name)) ?? "node3";
  const rest = live.others(robbed);
  const { address, order: stolenKey } = keyOf(net, robbed);
  net.betrayed.add(address);
  await live.kill(robbed);
  await besiege(scene, variant, {
    ...{ seconds, stolenKey, names: rest },
    victims: victims.filter((name) => name !== robbed),
  });

  const from = live.height;
  const { rpc: url } = await live.node(rest[0]!);
  const order = await orderFor(
    net,
    { attack: "contradictions", hosts: 1, perSecond: 20, seconds: SECONDS, stolenKey },
    rest,
  );
  const thief = new Attacker(order);
  try {
    await thief.begun;
    await eventually(`the end of ${robbed}'s stolen key`, async () => !(await powers(url)).has(address));
    thief.recall();
    await thief.deeds;
  } finally {
    thief.end();
  }
  const to = await live.advances(AFTERWARDS, rest);
  const convicts = await convictions(url, address, from, to);
  const [first] = convicts;
  if (first !== undefined) {
    const took = first.height - first.voteHeight;
    report.measured("heights from a contradiction to its conviction", took);
    if (took > CONVICTED_WITHIN) report.problem(`the contradiction was punished ${took} heights later`);
  }
  if (convicts.length !== 1) report.problem(`${convicts.length} blocks convict the stolen key`);
  // Its owner comes back, and is one who follows.
  await live.restart(robbed);
  await atTip(net, robbed);
  report.say(
    `  ${robbed}'s key signed twice at height ${first?.voteHeight}, was convicted at ${first?.height}; its owner follows`,
  );
}

/** Seed and address as the attacker is told them: `seed/address`. */
function keyOf(net: ChaosNetwork, name: string): { readonly address: string; readonly order: string } {
  const file = join(net.live.homeOf(name), "config", "priv_validator_key.json");
  const { priv_key, address } = JSON.parse(readFileSync(file, "utf8")) as {
    readonly address: string;
    readonly priv_key: { readonly value: string };
  };
  const seed = Buffer.from(priv_key.value, "base64").subarray(0, 32);
  return { address, order: `${seed.toString("hex")}/${address.toLowerCase()}` };
}

/** Addresses of the set. */
async function powers(url: string): Promise<ReadonlySet<string>> {
  const { validators } = await rpc<{ readonly validators: readonly { readonly address: string }[] }>(
    url,
    "validators?per_page=100",
  );
  return new Set(validators.map(({ address }) => address));
}

interface BlockReply {
  readonly block: {
    readonly evidence: {
      readonly evidence: readonly {
        readonly value: { readonly vote_a?: { readonly validator_address: string; readonly height: string } };
      }[];
    };
  };
}

async function convictions(
  url: string,
  address: string,
  from: number,
  to: number,
): Promise<readonly Convict[]> {
  const found: Convict[] = [];
  for (let height = from; height <= to; height++) {
    const { block } = await rpc<BlockReply>(url, `block?height=${height}`);
    for (const { value } of block.evidence.evidence)
      if (value.vote_a?.validator_address === address)
        found.push({ height, voteHeight: Number(value.vote_a.height) });
  }
  return found;
}
