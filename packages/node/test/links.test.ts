/** Who is linked to whom, who is absent, and when the first height may begin. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { toHexUpper } from "@quorate/crypto";
import type { BitArray, PeerInfo } from "@quorate/gossip";
import { emptyBits } from "../src/consensus-view.ts";
import { type Absence, absenceOf, isSparse, type LinkFacts, linkedEnough } from "../src/lifecycle/links.ts";
import { makeChain } from "./support/chain.ts";

const chain = makeChain();
const { start } = chain;
const addresses = chain.keys.addresses as readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
const named = (...of: readonly Uint8Array[]): ReadonlySet<string> => new Set(of.map(toHexUpper));

function bits(...set: readonly number[]): BitArray {
  const array = emptyBits(4);
  for (const index of set) array.bits[0] = (array.bits[0] ?? 0) | (1 << index);
  return array;
}

interface Said {
  readonly height?: number;
  readonly direct?: BitArray;
  readonly elReady?: boolean;
  readonly leaving?: boolean;
}

function peer(validator: Uint8Array | null, said: Said | null = null): PeerInfo {
  return {
    id: "peer",
    address: "",
    inbound: false,
    validator,
    connectedAtMs: 0,
    toldAtMs: 0,
    status: {
      protocolVersion: 1,
      chainId: "c",
      genesisHash: new Uint8Array(32),
      upgradesHash: new Uint8Array(32),
      elGenesisHash: new Uint8Array(32),
      height: 0,
      earliestHeight: 0,
      moniker: "",
    },
    roundState:
      said === null
        ? null
        : {
            height: said.height ?? 1,
            round: 0,
            step: 1,
            proposal: null,
            parts: emptyBits(0),
            votes: [],
            maj23: [],
            direct: said.direct ?? bits(),
            elReady: said.elReady ?? true,
            leaving: said.leaving ?? false,
          },
  };
}

const facts = (changes: Partial<LinkFacts>): LinkFacts => ({
  validators: start.validators,
  height: 1,
  nowMs: 0,
  own: addresses[0],
  peers: [],
  known: named(...addresses),
  left: named(),
  lost: new Map(),
  voted: [],
  ...changes,
});

test("a proposer is absent when nobody has a link to it, or when its execution client is not ready", () => {
  const [, target] = addresses;
  const absence = (peers: LinkFacts["peers"]): Absence | null => absenceOf(facts({ peers }), target);
  assert.equal(absence([]), "absent");
  assert.equal(absence([peer(target)]), null, "linked, said nothing yet");
  assert.equal(absence([peer(target, {})]), null);
  assert.equal(absence([peer(target, { elReady: false })]), "absent");
  assert.equal(absence([peer(null, { direct: bits(1) })]), null, "linked to a neighbour");
  assert.equal(absence([peer(null, { direct: bits(2) })]), "absent");
});

test("a proposer whose votes come is there, though nobody near has a link to it; not by votes from before a link ended", () => {
  const [, target] = addresses;
  const at = (changes: Partial<LinkFacts>): Absence | null =>
    absenceOf(facts({ height: 9, peers: [peer(null, { direct: bits(2) })], ...changes }), target);
  const voted = (height: number): LinkFacts["voted"] => [undefined, height];
  const lost = (height: number): LinkFacts["lost"] => new Map([[toHexUpper(target), height]]);
  assert.equal(at({ voted: voted(9) }), null);
  assert.equal(at({ voted: voted(7) }), null, "from far away they come late");
  assert.equal(at({ voted: voted(6) }), "absent");
  assert.equal(at({ voted: voted(8), lost: lost(9) }), "absent", "it voted, then its link here ended");
  assert.equal(at({ voted: voted(9), lost: lost(9) }), "absent");
  assert.equal(at({ voted: voted(9), lost: lost(8) }), null, "it went on elsewhere");
});

test("links of others that this node has not, or the other way round, make a network that is no full mesh", () => {
  const [own, near, far] = addresses;
  assert.equal(isSparse(facts({})), false);
  assert.equal(
    isSparse(facts({ peers: [peer(near, { direct: bits(0, 1) })] })),
    false,
    "the others are not there yet",
  );
  assert.equal(isSparse(facts({ peers: [peer(near, { direct: bits(0, 1, 2) })] })), true);
  assert.equal(
    isSparse(facts({ peers: [peer(near, { direct: bits(0, 1) }), peer(far, { direct: bits(0, 2) })] })),
    true,
  );
  const mesh = [near, far].map((each) => peer(each, { direct: bits(0, 1, 2) }));
  assert.equal(isSparse(facts({ own, peers: mesh })), false);
  assert.equal(isSparse(facts({ peers: [peer(near)] })), false, "it has not told");
  const relay = { ...peer(null, { direct: bits(0) }), topics: ["votes"] };
  assert.equal(isSparse(facts({ peers: [relay] })), true);
  assert.equal(isSparse(facts({ peers: [{ ...relay, topics: ["txs"] }] })), false);
});

test("a proposer has left by its own word alone, which counts beyond its link until somebody is linked to it again", () => {
  const [, target] = addresses;
  const left = named(target);
  assert.equal(absenceOf(facts({ peers: [peer(target, { leaving: true })] }), target), "left");
  assert.equal(absenceOf(facts({ left }), target), "left");
  assert.equal(absenceOf(facts({ left, known: named() }), target), "left", "whatever its peer id");
  assert.equal(absenceOf(facts({ left, peers: [peer(null, { direct: bits(1) })] }), target), null);
  assert.equal(absenceOf(facts({ left, peers: [peer(target, {})] }), target), null, "it is back");
});

test("regression: a proposer that fell silent at a decided height is not waited for, whatever its connection", () => {
  const [, target] = addresses;
  const absence = (height: number, nowMs: number): Absence | null =>
    absenceOf(facts({ height: 5, nowMs, peers: [peer(target, { height })] }), target);
  assert.equal(absence(4, 1_001), "absent");
  assert.equal(absence(4, 1_000), null, "it may be on its way");
  assert.equal(absence(5, 60_000), null, "nothing has happened that it could tell");
});

test("a validator whose peer id nobody told, and this node itself, are never absent", () => {
  assert.equal(absenceOf(facts({ known: named() }), addresses[1]), null);
  assert.equal(absenceOf(facts({}), addresses[0]), null);
});

test("regression: what neighbours said of the last height still counts when a height begins", () => {
  const [, target] = addresses;
  const said = (height: number, nowMs: number): boolean =>
    absenceOf(facts({ height: 5, nowMs, peers: [peer(null, { height, direct: bits(1) })] }), target) !== null;
  assert.deepEqual(
    [said(5, 1_001), said(4, 1_001), said(3, 1_001), said(6, 1_001)],
    [false, false, true, true],
  );
  assert.deepEqual([said(3, 1_000), said(6, 1_000)], [false, false], "it told so a moment ago");
  const small = { size: 3, bits: Uint8Array.of(2) };
  assert.equal(
    absenceOf(facts({ peers: [peer(null, { direct: small })] }), target),
    "absent",
    "of another set",
  );
});

test("the first height waits for links to more than 2/3 of the power, by itself, through sentries, or guessed", () => {
  const [, one, two] = addresses;
  assert.equal(linkedEnough(facts({})), false);
  assert.equal(linkedEnough(facts({ peers: [peer(one)] })), false);
  assert.equal(linkedEnough(facts({ peers: [peer(one), peer(two)] })), true);
  assert.equal(linkedEnough(facts({ own: null, peers: [peer(one), peer(two)] })), false);
  assert.equal(linkedEnough(facts({ peers: [peer(null, { direct: bits(1, 2) })] })), true, "a sentry");
  const strangers = [peer(null), peer(null)];
  assert.equal(
    linkedEnough(facts({ known: named(), peers: strangers })),
    true,
    "strangers may be validators",
  );
  assert.equal(linkedEnough(facts({ peers: strangers })), false, "not when all validators are known");
});
