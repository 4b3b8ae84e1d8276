/**
 * The hand-collected CometBFT vectors: one document of named sections. Sections of messages that this chain does not have
 * (its own wire is another one) are judged as protobuf by a helper; the rest by product and model.
 */
import { hkdfSync } from "node:crypto";
import {
  consensusParamsHash,
  decodeEvidence,
  encodeBlockId,
  encodeCommitSig,
  encodeSimpleValidator,
  headerHash,
  headerLeaves,
  incrementProposerPriority,
  makeValidatorSet,
  proposalSignBytes,
  updateValidatorSet,
  type ValidatorSet,
  validatorsHash,
  voteSignBytes,
} from "@quorate/chain";
import {
  addressOf,
  ed25519PublicKey,
  merkleInnerHash,
  merkleLeafHash,
  merkleRoot,
  sha256,
} from "@quorate/crypto";
import { keccak256 } from "viem";
import { privateKeyToAddress, sign } from "viem/accounts";
import { equal, fail, type Json } from "../case.ts";
import * as basic from "../model/basic.ts";
import * as merkle from "../model/merkle.ts";
import * as values from "../model/values.ts";
import * as wire from "../model/wire.ts";
import * as product from "./product.ts";

const hex = values.toHex;
const upper = values.upper;
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

export interface CollectionCase {
  readonly name: string;
  /** Kind by which it is skipped. */
  readonly skip?: string;
  readonly run: () => void | Promise<void>;
}

type Section = (section: Json, name: string) => CollectionCase[];

const one =
  (run: (section: Json) => void): Section =>
  (section, name) => [{ name, run: () => run(section) }];

const perCase =
  (run: (entry: Json) => void): Section =>
  (section, name) =>
    values.list(section.cases).map((entry, i) => ({
      name: `${name}: ${entry?.name ?? i}`,
      run: () => run(entry),
    }));

const timeOf = (text: Json): values.Timestamp =>
  text === "zero" ? values.ZERO_TIME : values.parseTime(text);

function voteCase(entry: Json): void {
  const vote = values.vote({ ...entry, timestamp: { seconds: "0", nanos: 0 } });
  const timed = { ...vote, timestamp: timeOf(entry.timestamp) };
  equal(hex(wire.voteSignBytes(entry.chain_id, timed)), entry.hex, "sign bytes");
  if (!product.representable(timed.height)) return;
  equal(hex(voteSignBytes(entry.chain_id, product.vote(timed))), entry.hex, "sign bytes of the product");
}

function proposalCase(entry: Json): void {
  const proposal = values.proposal({ ...entry, timestamp: { seconds: "0", nanos: 0 } });
  const timed = { ...proposal, timestamp: timeOf(entry.timestamp) };
  equal(hex(wire.proposalSignBytes(entry.chain_id, timed)), entry.hex, "sign bytes");
  if (!product.representable(timed.height)) return;
  equal(
    hex(proposalSignBytes(entry.chain_id, product.proposal(timed))),
    entry.hex,
    "sign bytes of the product",
  );
}

const HEADER_FIELDS = [
  ["last_commit_hash", "lastCommitHash"],
  ["data_hash", "dataHash"],
  ["validators_hash", "validatorsHash"],
  ["next_validators_hash", "nextValidatorsHash"],
  ["consensus_hash", "consensusHash"],
  ["app_hash", "appHash"],
  ["last_results_hash", "lastResultsHash"],
  ["evidence_hash", "evidenceHash"],
] as const;
const LEAF_NAMES = ["version", "chain_id", "height", "time", "last_block_id"] as const;

function headerSection(section: Json): void {
  const { input } = section;
  const hashes = Object.fromEntries(HEADER_FIELDS.map(([name, field]) => [field, sha256(utf8(name))]));
  const header = {
    versionBlock: values.uint64(input.version.block),
    versionApp: values.uint64(input.version.app),
    chainId: String(input.chain_id),
    height: values.int64(input.height),
    time: values.parseTime(input.time),
    lastBlockId: values.blockId(input.last_block_id),
    ...hashes,
    proposerAddress: sha256(utf8("proposer_address")).slice(0, 20),
  } as values.Header;
  const leaves = wire.headerLeaves(header).map(hex);
  const names = [...LEAF_NAMES, ...HEADER_FIELDS.map(([name]) => name), "proposer_address"];
  const stated = section.leaves_in_order_computed;
  if (stated !== undefined)
    equal(
      names.map((name) => stated[name]),
      leaves,
      "leaves",
    );
  equal(upper(basic.headerHash(header) ?? new Uint8Array(0)), String(section.expect).toUpperCase(), "hash");
  const ours = product.header(header);
  equal(headerLeaves(ours).map(hex), leaves, "leaves of the product");
  equal(upper(headerHash(ours)), String(section.expect).toUpperCase(), "hash of the product");
}

const merkleSection: Section = (section, name) => [
  ...perCase((entry) => {
    const leaves = values.list(entry.leaves).map(values.hex);
    equal(hex(merkle.root(leaves)), entry.root, "root");
    equal(hex(merkleRoot(leaves)), entry.root, "root of the product");
  })(section, name),
  {
    name: `${name}: hashes of a leaf and of an inner node`,
    run: () => {
      if (section.leaf_L123456 !== undefined) {
        equal(hex(merkleLeafHash(utf8("L123456"))), section.leaf_L123456, "leaf");
      }
      if (section.inner_N123_N456 !== undefined) {
        // Children of other lengths than 32 bytes do not exist in the product.
        equal(hex(merkle.inner(utf8("N123"), utf8("N456"))), section.inner_N123_N456, "inner node");
        const [left, right] = [sha256(utf8("N123")), sha256(utf8("N456"))];
        equal(hex(merkleInnerHash(left, right)), hex(merkle.inner(left, right)), "inner node of the product");
      }
    },
  },
];

function keySection(section: Json): void {
  const pubKey = ed25519PublicKey(values.hex(section.seed));
  equal(hex(pubKey), section.pubkey, "public key");
  equal(upper(addressOf(pubKey)), String(section.address).toUpperCase(), "address");
  equal(hex(encodeSimpleValidator({ pubKey, power: 10n })), section.simple_validator_power10, "validator");
  const set = makeValidatorSet([{ pubKey, power: 10n }]);
  equal(hex(validatorsHash(set)), section.validator_set_hash_single_power10, "hash of the set");
}

function bytesSection(section: Json): void {
  equal(hex(encodeBlockId(null)), section.zero_block_id_bytes, "nil block id");
  equal(hex(wire.timestamp(values.ZERO_TIME)), section.zero_time_timestamp_bytes, "zero time");
  const absent = product.commit({
    height: 0n,
    round: 0n,
    blockId: values.NIL_BLOCK_ID,
    signatures: [
      { flag: 1, address: new Uint8Array(0), timestamp: values.ZERO_TIME, signature: new Uint8Array(0) },
    ],
  });
  equal(hex(encodeCommitSig(absent.signatures[0]!)), section.absent_commit_sig_bytes, "absent entry");
  for (const [name, stated] of Object.entries(section as Record<string, Json>)) {
    const match = /^hashed_params\(max_bytes=(-?\d+),max_gas=(-?\d+)\)$/.exec(name);
    if (match === null) continue;
    const params = { maxBytes: BigInt(match[1]!), maxGas: BigInt(match[2]!) };
    const bytes = wire.join(wire.number(1, params.maxBytes), wire.number(2, params.maxGas));
    equal(hex(bytes), stated.bytes, name);
    equal(hex(consensusParamsHash(params)), stated.consensus_hash, `${name}: hash of the product`);
  }
}

/** Any protobuf message as gogoproto writes it: minimal varints, known wire types, nothing left over. */
function checkProto(bytes: Uint8Array): void {
  const pieces: Uint8Array[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) fail("cut off within a varint");
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
    return fail("a varint of more than ten bytes");
  };
  while (at < bytes.length) {
    const tag = varint();
    pieces.push(wire.varint(tag));
    const size = ((): number => {
      switch (Number(tag & 7n)) {
        case 0:
          pieces.push(wire.varint(varint()));
          return 0;
        case 1:
          return 8;
        case 5:
          return 4;
        case 2: {
          const length = varint();
          pieces.push(wire.varint(length));
          return Number(length);
        }
        default:
          return fail(`wire type ${tag & 7n}`);
      }
    })();
    if (at + size > bytes.length) fail("a field runs past the end");
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  equal(hex(wire.join(...pieces)), hex(bytes), "the message, read and written again");
}

const messages = perCase((entry) => checkProto(values.hex(entry.hex)));

/** The collected item has two votes for the same block without signatures: bytes of the library, refused as evidence. */
const evidenceMessages = perCase((entry) => {
  const bytes = values.hex(entry.hex);
  checkProto(bytes);
  product.refused("evidence", () => decodeEvidence(bytes));
});

const KDF_INFO = "TENDERMINT_SECRET_CONNECTION_KEY_AND_CHALLENGE_GEN";

const kdf = perCase((entry) => {
  const okm = new Uint8Array(
    hkdfSync("sha256", values.hex(entry.dh_secret), new Uint8Array(0), KDF_INFO, 96),
  );
  const [first, second] = [hex(okm.subarray(0, 32)), hex(okm.subarray(32, 64))];
  const least = String(entry.loc_is_least) === "true";
  equal(least ? first : second, entry.recv_secret, "secret to receive with");
  equal(least ? second : first, entry.send_secret, "secret to send with");
  equal(hex(okm.subarray(64)), entry.challenge, "challenge");
});

/** Sets of the library's tests name validators by address text; here a key of that name stands for each. */
function namedSet(powers: readonly (readonly [name: string, power: bigint])[]): {
  readonly set: ValidatorSet;
  name(validator: { readonly pubKey: Uint8Array }): string;
} {
  const keys = powers.map(([name]) => sha256(utf8(`name ${name}`)));
  const set = makeValidatorSet(powers.map(([, power], i) => ({ pubKey: keys[i]!, power })));
  return {
    set,
    name: ({ pubKey }) => powers[keys.findIndex((key) => hex(key) === hex(pubKey))]?.[0] ?? "another",
  };
}

function selection(section: Json): void {
  const stated = values
    .list(section.validators)
    .map((each) => [String(each.address), values.int64(each.power)] as const);
  const { set, name } = namedSet(stated);
  const proposers: string[] = [];
  let walked = set;
  for (let i = 0; i < values.list(section.first_99_proposers).length; i++) {
    proposers.push(name(walked.proposer));
    walked = incrementProposerPriority(walked, 1);
  }
  equal(proposers, section.first_99_proposers, "proposers");
}

function averaging(section: Json): void {
  const { set, name } = namedSet([
    ["a", 10n],
    ["b", 1n],
    ["c", 1n],
  ]);
  const start: ValidatorSet = {
    ...set,
    validators: set.validators.map((each) => ({ ...each, priority: 0n })),
  };
  const order = ["a", "b", "c"];
  for (const [count, stated] of Object.entries(section.after_n_increments as Record<string, number[]>)) {
    let walked = start;
    for (let i = 0; i < Number(count); i++) walked = incrementProposerPriority(walked, 1);
    const found = order.map(
      (each) => walked.validators.find((validator) => name(validator) === each)?.priority,
    );
    // Between the two equal validators the addresses decide, and those are not the library's.
    const sorted = (list: readonly (bigint | undefined)[]): string[] => [
      String(list[0]),
      ...list.slice(1).map(String).sort(),
    ];
    equal(sorted(found), sorted(stated.map(BigInt)), `after ${count}`);
  }
}

/** Keys whose addresses ascend as the names a, b, c, d do, so that ties fall as in the vector. */
function ascendingKeys(names: readonly string[]): ReadonlyMap<string, Uint8Array> {
  const keys = Array.from({ length: names.length }, (_, i) => sha256(utf8(`key ${i}`))).sort((a, b) =>
    Buffer.compare(addressOf(a), addressOf(b)),
  );
  return new Map(names.map((name, i) => [name, keys[i]!]));
}

function changes(section: Json): void {
  const keys = ascendingKeys(["a", "b", "c", "d"]);
  const named = (text: string): { pubKey: Uint8Array; power: bigint }[] =>
    [...text.matchAll(/([a-d]):(\d+)/g)].map(([, name, power]) => ({
      pubKey: keys.get(name!)!,
      power: BigInt(power!),
    }));
  let set: ValidatorSet | null = null;
  for (const [op, stated, note] of values.list(section.steps)) {
    set = applied(set, String(op), named, keys);
    const found = Object.fromEntries(
      set.validators.map((each) => [
        [...keys].find(([, key]) => hex(key) === hex(each.pubKey))?.[0],
        Number(each.priority),
      ]),
    );
    equal(found, stated, String(op));
    const proposer = /proposer ([a-d])/.exec(String(note))?.[1];
    if (proposer !== undefined) equal(hex(set.proposer.pubKey), hex(keys.get(proposer)!), `${op}: proposer`);
  }
}

function applied(
  set: ValidatorSet | null,
  op: string,
  named: (text: string) => { pubKey: Uint8Array; power: bigint }[],
  keys: ReadonlyMap<string, Uint8Array>,
): ValidatorSet {
  if (op.startsWith("new")) return makeValidatorSet(named(op));
  if (set === null) return fail("the steps do not begin with a new set");
  const times = /^increment (\d+)$/.exec(op)?.[1];
  if (times !== undefined) return incrementProposerPriority(set, Number(times));
  const removed = /^remove ([a-d])$/.exec(op)?.[1];
  if (removed !== undefined) return updateValidatorSet(set, [{ pubKey: keys.get(removed)!, power: 0n }]);
  if (op.startsWith("update")) return updateValidatorSet(set, named(op));
  return fail(`step "${op}" is not described`);
}

const ethereumKeys: Section = (section, name) => [
  {
    name: `${name}: address`,
    run: () => {
      const found = privateKeyToAddress(`0x${section.address.priv}`);
      equal(found.slice(2).toLowerCase(), String(section.address.address).toLowerCase(), "address");
    },
  },
  {
    name: `${name}: signature`,
    run: async () => {
      const { priv, address, msg_utf8: text, sig_rsv: stated } = section.sign;
      equal(
        privateKeyToAddress(`0x${priv}`).slice(2).toLowerCase(),
        String(address).toLowerCase(),
        "address",
      );
      const made = await sign({ hash: keccak256(utf8(text)), privateKey: `0x${priv}`, to: "hex" });
      const v = Number.parseInt(made.slice(130), 16) - 27;
      equal(`${made.slice(2, 130)}${v.toString(16).padStart(2, "0")}`, stated, "signature");
    },
  },
];

const SECTIONS: Readonly<Record<string, Section>> = {
  vote_sign_bytes: perCase(voteCase),
  proposal_sign_bytes: perCase(proposalCase),
  vote_extension_sign_bytes: (section, name) =>
    values.list(section.cases).map((_, i) => ({
      name: `${name}: ${i}`,
      skip: "vote_extension",
      run: () => undefined,
    })),
  header_hash: one(headerSection),
  merkle_rfc6962: merkleSection,
  ed25519_key: one(keySection),
  gogoproto_gotchas: one(bytesSection),
  privval_messages: messages,
  mempool_messages: messages,
  statesync_messages: messages,
  p2p_packets: messages,
  consensus_messages: messages,
  blocksync_messages: messages,
  evidence_list: evidenceMessages,
  secret_connection_kdf: kdf,
  proposer_selection_1: one(selection),
  proposer_priorities_10_1_1: one(averaging),
  proposer_priority_with_changes: one(changes),
  secp256k1eth: ethereumKeys,
};

const isObject = (value: Json): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether a document holds sections of the hand-collected vectors. */
export function isCollection(document: Json): boolean {
  return (
    isObject(document) &&
    Object.keys(document).some((name) => Object.hasOwn(SECTIONS, name) && isObject(document[name]))
  );
}

export function collectionCases(document: Json): CollectionCase[] {
  return Object.entries(document as Record<string, Json>).flatMap(([name, section]) => {
    const judge = Object.hasOwn(SECTIONS, name) && isObject(section) ? SECTIONS[name] : undefined;
    return judge?.(section, name) ?? [];
  });
}
