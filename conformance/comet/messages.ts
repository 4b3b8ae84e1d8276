/** Keys, times, votes, proposals, block ids, headers. */
import {
  blockIdEquals,
  blockIdJson,
  blockIdKey,
  decodeBlockId,
  decodeHeader,
  decodeProposal,
  decodeVote,
  encodeBlockId,
  encodeHeader,
  encodeProposal,
  encodePublicKey,
  encodeSimpleValidator,
  encodeVote,
  formatTime,
  headerFault,
  headerHash,
  headerJson,
  headerLeaves,
  parseTime,
  proposalJson,
  proposalSignBytes,
  publicKeyJson,
  voteJson,
  voteSignBytes,
} from "@quorate/chain";
import {
  addressOf,
  ed25519PublicKey,
  ed25519Sign,
  ed25519Signer,
  nativeBackend,
  nobleBackend,
  toHexUpper,
} from "@quorate/crypto";
import { keyFileText } from "@quorate/privval";
import { ProtoWriter } from "../../packages/chain/src/encoding/proto.ts";
import { writeTimestampFields } from "../../packages/chain/src/encoding/timestamp.ts";
import { compare, compareWhole, equal, type Json, type Judge, verdict } from "../case.ts";
import * as basic from "../model/basic.ts";
import { WORDS } from "../model/reasons.ts";
import * as render from "../model/render.ts";
import * as values from "../model/values.ts";
import * as wire from "../model/wire.ts";
import * as product from "./product.ts";

const hex = values.toHex;

/** The product's answer beside the model's. */
function both<T>(what: string, model: T, ours: T): T {
  equal(ours, model, `${what}, product against model`);
  return model;
}

function ed25519(input: Json, expect: Json): void {
  const seed = values.hex(input.seed);
  const message = values.hex(input.message);
  const publicKey = ed25519PublicKey(seed);
  const address = both("address", hex(values.addressOf(publicKey)), hex(addressOf(publicKey)));
  const check = { publicKey, message, signature: values.hex(input.tampered_signature) };
  const key = { pubKey: publicKey, power: values.int64(input.power ?? "0") };
  const priv = wire.join(seed, publicKey);
  const signature = hex(ed25519Sign(seed, message));
  compare(expect, {
    address,
    address_json: both("address in JSON", address.toUpperCase(), toHexUpper(addressOf(publicKey))),
    node_id: address,
    priv_key: hex(priv),
    priv_key_json: () => (JSON.parse(keyFileText(seed)) as { priv_key: unknown }).priv_key,
    pub_key: hex(publicKey),
    pub_key_json: both("key in JSON", render.publicKey(publicKey), publicKeyJson(publicKey) as object),
    pub_key_proto: both("key", hex(wire.publicKey(publicKey)), hex(encodePublicKey(publicKey))),
    signature: both("signature", hex(ed25519Signer(seed).sign(message)), signature),
    simple_validator: both("validator", hex(wire.simpleValidator(key)), hex(encodeSimpleValidator(key))),
    tampered_ok: both("tampered signature", nobleBackend.verify(check), nativeBackend.verify(check)),
  });
}

function timestamp(input: Json, expect: Json): void {
  const value = values.timestamp(input.time);
  const reason = basic.timeReason(value);
  const encode = (): string => {
    const writer = new ProtoWriter();
    writeTimestampFields(writer, product.time(value));
    return hex(writer.finish());
  };
  if (reason !== null) {
    product.refused("time", encode);
    compare(verdictOnly(expect), verdictFields(reason), WORDS);
    return;
  }
  const text = values.formatTime(value);
  if (input.time.rfc3339 !== undefined) {
    equal(parseTime(input.time.rfc3339), product.time(value), "the time's own text");
  }
  const fields = { json: text, proto: hex(wire.timestamp(value)) };
  equal(formatTime(product.time(value)), text, "text of the product");
  equal(encode(), fields.proto, "protobuf of the product");
  compare(expect, { ok: true, ...fields });
}

/** A verdict written out as fields of the expectation itself: reasons go by {@link WORDS}. */
function verdictOnly(expect: Json): Json {
  return { verdict: expect };
}
function verdictFields(reason: string | null): Record<string, unknown> {
  return { verdict: verdict(reason) };
}

function vote(input: Json, expect: Json): void {
  const { chain_id: chainId } = input;
  const seed = values.hex(input.seed);
  const unsigned = values.vote(input.vote);
  const message = wire.voteSignBytes(chainId, unsigned);
  const extended = unsigned.extension.length > 0 && unsigned.type === 2;
  const extensionBytes = wire.extensionSignBytes(chainId, unsigned);
  const extensionSignature = extended ? ed25519Sign(seed, extensionBytes) : new Uint8Array(0);
  const value = { ...unsigned, signature: ed25519Sign(seed, message), extensionSignature };
  const proto = wire.vote(value);
  const { vote_json: json, ...rest } = expect;
  if (json !== undefined) equal(render.withoutNil(render.vote(value)), render.withoutNil(json), "vote_json");
  compare(
    rest,
    {
      sign_bytes: hex(message),
      signature: hex(value.signature),
      vote_proto: hex(proto),
      validate_basic: verdict(basic.vote(value)),
      extension_sign_bytes: hex(extensionBytes),
      extension_signature: hex(extensionSignature),
    },
    WORDS,
  );
  const ours = product.vote(value);
  if (Number.isSafeInteger(ours.height)) {
    equal(hex(voteSignBytes(chainId, ours)), hex(message), "sign bytes of the product");
  } else product.refused("sign bytes of a vote", () => voteSignBytes(chainId, ours));
  judgeVoteDecoding(value, proto);
}

function judgeVoteDecoding(value: values.Vote, proto: Uint8Array): void {
  if (!product.takes.vote(value)) {
    product.refused("vote", () => decodeVote(proto));
    return;
  }
  const ours = product.vote(value);
  equal(hex(encodeVote(ours)), hex(proto), "protobuf of the product");
  equal(decodeVote(proto), ours, "vote decoded by the product");
  equal(voteJson(ours), render.vote(value), "JSON of the product");
}

function voteValidate(input: Json, expect: Json): void {
  const value = values.vote(input.vote);
  compareWhole(expect, basic.vote(value), WORDS);
  judgeVoteDecoding(value, wire.vote(value));
}

function proposal(input: Json, expect: Json): void {
  const { chain_id: chainId } = input;
  const unsigned = values.proposal(input.proposal);
  const message = wire.proposalSignBytes(chainId, unsigned);
  const value = { ...unsigned, signature: ed25519Sign(values.hex(input.seed), message) };
  const proto = wire.proposal(value);
  compare(
    expect,
    {
      sign_bytes: hex(message),
      signature: hex(value.signature),
      proposal_proto: hex(proto),
      proposal_json: () => render.proposal(value),
      validate_basic: verdict(basic.proposal(value)),
    },
    WORDS,
  );
  if (!product.takes.proposal(value)) {
    product.refused("proposal", () => decodeProposal(proto));
    return;
  }
  const ours = product.proposal(value);
  equal(hex(proposalSignBytes(chainId, ours)), hex(message), "sign bytes of the product");
  equal(hex(encodeProposal(ours)), hex(proto), "protobuf of the product");
  equal(decodeProposal(proto), ours, "proposal decoded by the product");
  equal(proposalJson(ours), render.proposal(value), "JSON of the product");
}

function blockId(input: Json, expect: Json): void {
  const value = values.blockId(input.block_id);
  const proto = wire.blockId(value);
  const fault = basic.blockId(value);
  compare(
    expect,
    {
      proto: hex(proto),
      // The canonical form of a nil block id is left out; one with a hash of a wrong length has none.
      canonical: values.isNil(value) ? null : hex(proto),
      key: basic.key(value),
      is_zero: values.isNil(value),
      is_complete: values.isComplete(value),
      json: () => render.blockId(value),
      validate_basic: verdict(fault),
    },
    WORDS,
  );
  const ours = product.blockId(value);
  equal(hex(encodeBlockId(ours)), hex(proto), "protobuf of the product");
  equal(blockIdKey(ours), basic.key(value), "key of the product");
  equal(blockIdJson(ours), render.blockId(value), "JSON of the product");
  if (values.isNil(value) || values.isComplete(value)) {
    equal(decodeBlockId(proto), ours, "block id decoded by the product");
  } else product.refused("block id", () => decodeBlockId(proto));
}

function compareIds(input: Json, expect: Json): void {
  const [a, b] = [values.blockId(input.a), values.blockId(input.b)];
  const [left, right] = [basic.key(a), basic.key(b)];
  const order = left < right ? -1 : left > right ? 1 : 0;
  compare(expect, { order, equal: order === 0 });
  const ours = [product.blockId(a), product.blockId(b)] as const;
  equal(blockIdEquals(...ours), order === 0, "equality of the product");
  const keys = ours.map(blockIdKey);
  equal(keys[0]! < keys[1]! ? -1 : keys[0]! > keys[1]! ? 1 : 0, order, "order of the product");
}

function header(input: Json, expect: Json): void {
  const value = values.header(input.header);
  const proto = wire.header(value);
  const hash = basic.headerHash(value);
  const fault = basic.header(value);
  compare(
    expect,
    {
      leaves: wire.headerLeaves(value).map(hex),
      hash: hash === null ? null : hex(hash),
      proto: hex(proto),
      json: () => render.header(value),
      validate_basic: verdict(fault),
    },
    WORDS,
  );
  const ours = product.header(value);
  if (product.representable(value.height)) {
    equal(headerLeaves(ours).map(hex), wire.headerLeaves(value).map(hex), "leaves of the product");
    equal(hex(encodeHeader(ours)), hex(proto), "protobuf of the product");
    if (hash === null) product.refused("hash of a header", () => headerHash(ours));
    else equal(hex(headerHash(ours)), hex(hash), "hash of the product");
    equal(
      headerFault(ours) === null,
      fault === null && value.appHash.length <= 1024,
      "validity in the product",
    );
    // The product writes its own version, which is never 0.
    if (value.versionBlock !== 0n) equal(headerJson(ours), render.header(value), "JSON of the product");
  }
  if (product.takes.header(value)) equal(decodeHeader(proto), ours, "header decoded by the product");
  else product.refused("header", () => decodeHeader(proto));
}

const any = (): boolean => true;

export const messageJudges: readonly Judge[] = [
  { kind: "ed25519", takes: any, run: ed25519 },
  { kind: "timestamp", takes: any, run: timestamp },
  { kind: "vote", takes: (input) => input.vote !== undefined, run: vote },
  { kind: "vote_validate", takes: any, run: voteValidate },
  { kind: "proposal", takes: (input) => input.proposal !== undefined, run: proposal },
  { kind: "block_id", takes: (input) => input.block_id !== undefined, run: blockId },
  { kind: "compare", takes: any, run: compareIds },
  { kind: "header", takes: (input) => input.header !== undefined, run: header },
];
