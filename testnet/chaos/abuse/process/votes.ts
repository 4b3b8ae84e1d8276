/** Floods of votes: forged, repeated, far ahead; by gossip and by the peer stream. */
import { randomBytes, randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type Vote, VoteType, voteSignBytes } from "@quorate/chain";
import { ed25519Sign } from "@quorate/crypto";
import { decodePack, encodeItem, type Item, itemsFrame, joinPack, topicTable } from "@quorate/gossip/core";
import type { Stranger, Stream } from "../../../../packages/gossip/test/stranger.ts";
import type { Assailant, Field } from "./field.ts";
import { publication, RpcReader, rpc, subscription } from "./rpc.ts";

const KEPT = 256;
const KINDS = new Set<Item["kind"]>(["vote", "certificate"]);
const SLOW_MS = 50;

/** Listens on the topic of votes as any peer may, and keeps the last of them. */
export class Recorder {
  readonly votes: Vote[] = [];
  readonly #reader: RpcReader;

  constructor() {
    this.#reader = new RpcReader((topic, data) => {
      if (!topic.includes("/votes/")) return;
      for (const item of decodePack(data, KINDS)) if (item.kind === "vote") this.votes.push(item.vote);
      if (this.votes.length > KEPT) this.votes.splice(0, this.votes.length - KEPT);
    });
  }

  heard = (bytes: Uint8Array): void => this.#reader.push(bytes);

  get height(): number {
    return this.votes.at(-1)?.height ?? 0;
  }
}

export interface Voice {
  readonly gossip: Stream;
  readonly topic: string;
}

/** Joins the topic of votes, and waits until it is spoken on. */
export async function join(assailant: Assailant, recorder: Recorder, atLeast = 1): Promise<Voice> {
  const { stranger } = assailant;
  const { gossip } = stranger;
  const topic = topicTable(stranger.theirs.genesisHash).name.votes;
  await stranger.write(gossip, rpc(subscription(topic, true)));
  while (recorder.votes.length < atLeast && !assailant.over()) await delay(SLOW_MS);
  return { gossip, topic };
}

type Forge = () => Vote;

/** A vote of a known validator for the present height that this one never signed. */
function forged(field: Field, recorder: Recorder): Forge {
  const addresses = field.order.validators.map((hex) => Uint8Array.from(Buffer.from(hex, "hex")));
  return () => {
    const validatorIndex = randomInt(addresses.length);
    return {
      ...{ type: VoteType.precommit, height: recorder.height, round: 0, timestamp: nowNs() },
      blockId: { hash: randomBytes(32), parts: { total: 1, hash: randomBytes(32) } },
      ...{ validatorIndex, validatorAddress: addresses[validatorIndex]!, signature: randomBytes(64) },
    };
  };
}

/** Any height and round within, at and beyond the window; signed by nobody. */
function farAhead(field: Field, recorder: Recorder): Forge {
  const forge = forged(field, recorder);
  const heights = [0, 1, 1, 2, 1000, 2 ** 40];
  const rounds = [0, 1, 2, 65_535, 65_536, 2 ** 31 - 1];
  return () => ({
    ...forge(),
    height: recorder.height + heights[randomInt(heights.length)]!,
    round: rounds[randomInt(rounds.length)]!,
  });
}

interface StolenKey {
  readonly seed: Uint8Array;
  readonly validatorAddress: Uint8Array;
  readonly validatorIndex: number;
}

function stolenKeyOf({ order: { stolenKey, validators } }: Field): StolenKey {
  if (stolenKey === null) throw new Error("no key was stolen");
  const [seed = "", address = ""] = stolenKey.split("/");
  return {
    seed: Uint8Array.from(Buffer.from(seed, "hex")),
    validatorAddress: Uint8Array.from(Buffer.from(address, "hex")),
    validatorIndex: validators.indexOf(address),
  };
}

function signed(
  { order: { chainId } }: Field,
  { seed, validatorAddress, validatorIndex }: StolenKey,
  vote: Pick<Vote, "type" | "height" | "round" | "blockId">,
): Vote {
  const unsigned: Vote = {
    ...vote,
    ...{ timestamp: nowNs(), validatorAddress, validatorIndex, signature: new Uint8Array(64) },
  };
  return { ...unsigned, signature: ed25519Sign(seed, voteSignBytes(chainId, unsigned)) };
}

/** Rounds that the chain never reaches, of this height and the next, with a signature that holds. */
function stolen(field: Field, recorder: Recorder): Forge {
  const key = stolenKeyOf(field);
  let round = 1000;
  return () => {
    round = round >= 65_000 ? 1000 : round + 1;
    const height = recorder.height + (round % 8 === 0 ? 1 : 0);
    return signed(field, key, { type: VoteType.prevote, height, round, blockId: null });
  };
}

/** Two precommits for one place, of a height that may still be decided; both hold. */
function contradicting(field: Field, recorder: Recorder): () => readonly Vote[] {
  const key = stolenKeyOf(field);
  return () => {
    const place = { type: VoteType.precommit, height: recorder.height + randomInt(2), round: 0 };
    return [0, 1].map(() => {
      const hash = randomBytes(32);
      return signed(field, key, { ...place, blockId: { hash, parts: { total: 1, hash } } });
    });
  };
}

function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

/** A message of one or more votes, for the topic. */
async function publish(
  field: Field,
  stranger: Stranger,
  voice: Voice,
  votes: readonly Vote[],
): Promise<number> {
  const pack = joinPack(votes.map((vote) => encodeItem({ kind: "vote", vote })));
  if (!(await stranger.write(voice.gossip, rpc(publication(voice.topic, pack))))) return 0;
  field.sent("votes", votes.length);
  return votes.length;
}

/** `size` votes a message; `offence` false where nothing forbids what is sent. */
function flooding(make: (field: Field, recorder: Recorder) => Forge, size: number, offence = true) {
  return async (field: Field): Promise<void> => {
    const recorders = new Map<number, Recorder>();
    await field.siege(
      field.order.hosts,
      (index) => {
        const recorder = new Recorder();
        recorders.set(index, recorder);
        return { heard: recorder.heard };
      },
      async (assailant, index) => {
        const recorder = recorders.get(index);
        if (recorder === undefined) return;
        const voice = await join(assailant, recorder);
        const forge = make(field, recorder);
        await field.flood(assailant, field.order.perSecond / field.order.hosts, () => {
          if (offence) assailant.offend();
          return publish(field, assailant.stranger, voice, Array.from({ length: size }, forge));
        });
      },
    );
  };
}

const forgedVotes = flooding(forged, 1);
const forgedPacks = flooding(forged, 64);
const votesFarAhead = flooding(farAhead, 16);
const stolenVotes = flooding(stolen, 16, false);

/** Nothing but what convicts a key. */
async function contradictions(field: Field): Promise<void> {
  const recorder = new Recorder();
  await field.siege(
    field.order.hosts,
    () => ({ heard: recorder.heard }),
    async (assailant) => {
      const voice = await join(assailant, recorder);
      const contradict = contradicting(field, recorder);
      await field.flood(assailant, field.order.perSecond / field.order.hosts, () =>
        publish(field, assailant.stranger, voice, contradict()),
      );
    },
  );
}

type Repeat = (field: Field, stranger: Stranger, voice: Voice, votes: readonly Vote[]) => Promise<number>;

/** The same bytes again and again. */
const sameBytes: Repeat = async (field, stranger, { gossip, topic }, votes) => {
  const messages = votes.slice(-32).map((vote) => publication(topic, encodeItem({ kind: "vote", vote })));
  if (!(await stranger.write(gossip, rpc(...messages)))) return 0;
  field.sent("votes", messages.length);
  return messages.length;
};

/** The same votes in ever other mixtures, so that no message is the same as another. */
const mixtures: Repeat = async (field, stranger, voice, votes) => {
  const mixture = Array.from({ length: 16 }, () => votes[votes.length - 1 - randomInt(votes.length)]!);
  return await publish(field, stranger, voice, mixture);
};

/** As repair would bring them. */
const asRepair: Repeat = async (field, stranger, _voice, votes) => {
  const items = votes.slice(-32).map((vote) => encodeItem({ kind: "vote", vote }));
  if (!(await stranger.write(stranger.peerStream, itemsFrame(joinPack(items))))) return 0;
  field.sent("votes", items.length);
  return items.length;
};

function repeating(repeat: Repeat) {
  return async (field: Field): Promise<void> => {
    const recorders = new Map<number, Recorder>();
    await field.siege(
      field.order.hosts,
      (index) => {
        const recorder = new Recorder();
        recorders.set(index, recorder);
        return { heard: recorder.heard };
      },
      async (assailant, index) => {
        const recorder = recorders.get(index);
        if (recorder === undefined) return;
        const voice = await join(assailant, recorder, 4);
        await field.flood(assailant, field.order.perSecond / field.order.hosts, () =>
          repeat(field, assailant.stranger, voice, recorder.votes),
        );
      },
    );
  };
}

const repeatedBytes = repeating(sameBytes);
const repeatedMixtures = repeating(mixtures);
const repeatedRepairs = repeating(asRepair);

export const ATTACKS = {
  "forged-votes": forgedVotes,
  "forged-packs": forgedPacks,
  "votes-far-ahead": votesFarAhead,
  "stolen-votes": stolenVotes,
  contradictions: contradictions,
  "repeated-bytes": repeatedBytes,
  "repeated-mixtures": repeatedMixtures,
  "repeated-repairs": repeatedRepairs,
} as const;
