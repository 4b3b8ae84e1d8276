/** The chain's structures: protobuf of CometBFT, our own bytes, genesis and times as text. */
import {
  ChainError,
  DEFAULT_PARAMS,
  decodeBlock,
  decodeBlockId,
  decodeCertificate,
  decodeCommit,
  decodeEnvelope,
  decodeEvidence,
  decodeEvidenceList,
  decodeHeader,
  decodeLightBlock,
  decodePart,
  decodeProof,
  decodeProposal,
  decodeState,
  decodeValidator,
  decodeValidatorSet,
  decodeVote,
  encodeBlock,
  encodeBlockId,
  encodeCertificate,
  encodeCommit,
  encodeEnvelope,
  encodeEvidence,
  encodeEvidenceList,
  encodeHeader,
  encodeLightBlock,
  encodePart,
  encodeProof,
  encodeProposal,
  encodeState,
  encodeValidator,
  encodeValidatorSet,
  encodeVote,
  formatTime,
  fromBase64,
  genesisToJson,
  parseGenesis,
  parseTime,
  toBase64,
} from "@quorate/chain";
import { ed25519PublicKey } from "@quorate/crypto";
import { mutateBytes, mutateJson, mutateProto, mutateText } from "../mutate.ts";
import type { Random } from "../random.ts";
import { canonical, refusable, type Target, Violation } from "../target.ts";
import * as values from "../values.ts";

const refusals = [ChainError];
const utf8 = new TextEncoder();
const text = new TextDecoder();

function proto<T>(
  name: string,
  what: string,
  make: (random: Random) => T,
  encode: (value: T) => Uint8Array,
  decode: (bytes: Uint8Array) => T,
): Target {
  return canonical({ name, what, refusals, make, encode, decode, mutate: mutateProto });
}

function own<T>(
  name: string,
  what: string,
  make: (random: Random) => T,
  encode: (value: T) => Uint8Array,
  decode: (bytes: Uint8Array) => T,
): Target {
  return canonical({ name, what, refusals, make, encode, decode, mutate: mutateBytes });
}

/** Keys cost a scalar multiplication each: a few are enough. */
const KEYS = Array.from({ length: 6 }, (_, i) => ed25519PublicKey(new Uint8Array(32).fill(i + 1)));

function genesisText(random: Random): string {
  const engine = random.oneIn(2);
  return genesisToJson({
    chainId: "quorate-1",
    genesisTime: BigInt(1_700_000_000_000 + random.below(1_000_000)) * 1_000_000n,
    initialHeight: 1,
    execution: engine ? "engine" : "none",
    evmChainId: engine ? 1337 : 0,
    elGenesisHash: engine ? random.bytes(32) : new Uint8Array(32),
    anchorNumber: 0,
    anchorHash: new Uint8Array(32),
    depositContractAddress: new Uint8Array(20),
    params: DEFAULT_PARAMS,
    validators: KEYS.slice(0, random.between(1, KEYS.length)).map((pubKey, i) => ({
      pubKey,
      power: BigInt(random.between(1, 100)),
      name: `v${i}`,
      owner: random.bytes(20),
    })),
    upgrades: [],
  });
}

const genesis: Target = {
  name: "genesis",
  what: "genesis.json",
  valid: (random) => utf8.encode(genesisText(random)),
  mutate: mutateJson,
  run: (input) =>
    refusable(refusals, () => {
      const parsed = parseGenesis(text.decode(input));
      const written = genesisToJson(parsed);
      if (genesisToJson(parseGenesis(written)) !== written) {
        throw new Violation("a genesis that was accepted is another one when it is written and read again");
      }
    }),
};

const times: Target = {
  name: "time",
  what: "RFC 3339 times",
  valid: (random) => utf8.encode(formatTime(values.time(random))),
  mutate: mutateText,
  run: (input) =>
    refusable(refusals, () => {
      const time = parseTime(text.decode(input));
      if (parseTime(formatTime(time)) !== time)
        throw new Violation("a time changes when it is written and read");
    }),
};

const base64: Target = {
  name: "base64",
  what: "base64 of JSON",
  valid: (random) => utf8.encode(toBase64(random.bytes(random.below(60)))),
  mutate: mutateText,
  run: (input) => {
    const given = text.decode(input);
    const bytes = fromBase64(given);
    if (bytes === null) return "refused";
    if (toBase64(bytes) !== given) throw new Violation("base64 that was accepted is written in another way");
    return "accepted";
  },
};

export const chainTargets: readonly Target[] = [
  proto("vote", "Vote", values.vote, encodeVote, decodeVote),
  proto("proposal", "Proposal", values.proposal, encodeProposal, decodeProposal),
  proto("commit", "Commit", values.commit, encodeCommit, decodeCommit),
  proto("header", "Header", values.header, encodeHeader, decodeHeader),
  proto("block", "Block", values.block, encodeBlock, decodeBlock),
  proto("evidence", "Evidence", values.evidence, encodeEvidence, decodeEvidence),
  proto("evidence-list", "EvidenceList", values.evidenceList, encodeEvidenceList, decodeEvidenceList),
  proto("part", "Part", values.part, encodePart, decodePart),
  proto("proof", "Proof", values.proof, encodeProof, decodeProof),
  proto("block-id", "BlockID", values.blockIdOrNil, encodeBlockId, decodeBlockId),
  proto("validator", "Validator", values.validator, encodeValidator, decodeValidator),
  proto("validator-set", "ValidatorSet", values.validatorSet, encodeValidatorSet, decodeValidatorSet),
  proto("light-block", "LightBlock", values.lightBlock, encodeLightBlock, decodeLightBlock),
  own("certificate", "certificate", values.certificate, encodeCertificate, decodeCertificate),
  own("envelope", "execution envelope", values.envelope, encodeEnvelope, decodeEnvelope),
  own("state", "chain state", values.chainState, encodeState, decodeState),
  genesis,
  times,
  base64,
];
