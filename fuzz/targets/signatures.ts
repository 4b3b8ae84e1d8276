/**
 * Signatures, what is signed, and proofs made of signatures. An input here is a seed (8 bytes) from which keys, encodings
 * and messages are drawn, so that nearly all inputs get past the first check.
 */
import { createHash } from "node:crypto";
import {
  ABSENT_SIG,
  type Certificate,
  ChainError,
  type Commit,
  CommitFlag,
  type CommitSig,
  certificateChecks,
  certificateFromCommit,
  makeValidatorSet,
  type Proposal,
  proposalSignBytes,
  requireChecks,
  type ValidatorSet,
  type Vote,
  VoteType,
  verifyCommit,
  voteSignBytes,
} from "@quorate/chain";
import {
  createNativeBackend,
  type Ed25519Signer,
  ed25519Signer,
  nativeBackend,
  nobleBackend,
  type SignatureCheck,
} from "@quorate/crypto";
import { openssl } from "../../conformance/ed25519/reference.ts";
import {
  add,
  BASE,
  decodePoint,
  encodePoint,
  littleEndian,
  multiply,
  toLittleEndian,
} from "../../conformance/ed25519/zip215.ts";
import type * as modelValues from "../../conformance/model/values.ts";
import * as model from "../../conformance/model/verify.ts";
import { Random } from "../random.ts";
import { type Target, Violation } from "../target.ts";
import * as values from "../values.ts";

const P = 2n ** 255n - 19n;
/** The bit that carries the sign of x. */
const SIGN = 2n ** 255n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

/** What is drawn from a seed depends on the seed alone. */
const seeded = (name: string, what: string, run: (random: Random) => "accepted" | "refused"): Target => ({
  name,
  what,
  // Most of the time is the judges' own.
  maxMs: Number.POSITIVE_INFINITY,
  valid: (random) => random.bytes(8),
  mutate: (_bytes, random) => random.bytes(8),
  run: (input) => {
    const seed = new Uint8Array(8);
    seed.set(input.subarray(0, 8));
    const view = new DataView(seed.buffer);
    return run(new Random((view.getUint32(0) % 2 ** 21) * 2 ** 32 + view.getUint32(4)));
  },
});

/** A point of order 8, from which the whole torsion group comes. */
const ORDER_EIGHT = decodePoint(
  new Uint8Array(Buffer.from("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "hex")),
  true,
)!;
const TORSION = Array.from({ length: 8 }, (_, i) => multiply(BigInt(i), ORDER_EIGHT));

/** Encodings of small-order points, the non-canonical ones with them: y + p where it fits, both signs of x = 0. */
const SMALL_ORDER: readonly Uint8Array[] = TORSION.flatMap((point) => {
  const y = littleEndian(encodePoint(point)) & (SIGN - 1n);
  const ys = y + P < SIGN ? [y, y + P] : [y];
  return ys.flatMap((each) => [each, each | SIGN]).map(toLittleEndian);
});

interface Scalar {
  readonly scalar: bigint;
  /** Encodings of scalar·B plus each torsion point. */
  readonly encodings: readonly Uint8Array[];
}

function pool(count: number, domain: string): Scalar[] {
  return Array.from({ length: count }, (_, i) => {
    const scalar = littleEndian(createHash("sha512").update(`${domain} ${i}`).digest()) % L;
    const point = multiply(scalar, BASE);
    return { scalar, encodings: TORSION.map((torsion) => encodePoint(add(point, torsion))) };
  });
}

/** Made when the first input needs them: a thousand scalar multiplications. */
function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

const POOLS = lazily(() => ({ keys: pool(24, "key"), nonces: pool(40, "nonce") }));

interface Drawn {
  readonly check: SignatureCheck;
  /** ZIP-215's verdict where the construction fixes it. */
  readonly verdict: boolean | null;
}

/** (A, R, S, m): sound, with torsion on either point, with encodings of every kind, with S out of its range. */
function draw(random: Random): Drawn {
  const { keys, nonces } = POOLS();
  const message = random.bytes(random.pick([0, 1, 32, 110, 200]));
  const [key, nonce] = [random.pick(keys), random.pick(nonces)];
  const torsion = (): number => (random.oneIn(2) ? 0 : random.below(8));
  const odd = (usual: Uint8Array): Uint8Array => {
    switch (random.below(8)) {
      case 0:
        return random.pick(SMALL_ORDER);
      case 1:
        return random.bytes(32);
      default:
        return usual;
    }
  };
  const publicKey = odd(key.encodings[torsion()]!);
  const R = odd(nonce.encodings[torsion()]!);
  const k = littleEndian(createHash("sha512").update(R).update(publicKey).update(message).digest()) % L;
  const usual = key.encodings.includes(publicKey) && nonce.encodings.includes(R);
  // A key of small order contributes nothing to the equation times eight, and no more does such an R.
  const a = SMALL_ORDER.includes(publicKey) ? 0n : key.scalar;
  const r = SMALL_ORDER.includes(R) ? 0n : nonce.scalar;
  const constructed =
    usual ||
    ([key.encodings, SMALL_ORDER].some((list) => list.includes(publicKey)) &&
      [nonce.encodings, SMALL_ORDER].some((list) => list.includes(R)));
  const sound = (r + k * a) % L;
  const [S, verdict] = ((): readonly [bigint, boolean | null] => {
    const known = constructed ? true : null;
    switch (random.below(8)) {
      case 0:
        return [sound + L, false];
      case 1:
        return [(sound + 1n) % L, constructed ? false : null];
      case 2:
        return [littleEndian(random.bytes(32)), null];
      case 3:
        return [random.pick([0n, L - 1n, L, L + 1n, 2n ** 253n, 2n ** 256n - 1n]), null];
      default:
        return [sound, known];
    }
  })();
  const signature = new Uint8Array(64);
  signature.set(R);
  signature.set(toLittleEndian(S), 32);
  const flipped = random.oneIn(10);
  const check = { publicKey, message: flipped ? new Uint8Array([...message, 0]) : message, signature };
  return { check, verdict: flipped ? null : verdict };
}

const COMPANY = lazily((): readonly [SignatureCheck, SignatureCheck] => {
  const signer = ed25519Signer(new Uint8Array(32).fill(77));
  const message = Uint8Array.of(1, 2, 3);
  const good = { publicKey: signer.publicKey, message, signature: signer.sign(message) };
  return [good, { ...good, message: Uint8Array.of(1, 2, 4) }];
});

const cramped = createNativeBackend({ cachedKeys: 2 });

/** R25: all backends say the same, singly and in batches; what OpenSSL accepts is accepted; constructions are right. */
const ed25519 = seeded("ed25519", "Ed25519 signatures on every backend", (random) => {
  const { check, verdict } = draw(random);
  const expected = nobleBackend.verify(check);
  const differs = (path: string, answer: boolean | undefined): void => {
    if (answer !== expected)
      throw new Violation(`${path} says ${answer}, noble ${expected}: ${shown(check)}`);
  };
  differs("native", nativeBackend.verify(check));
  if (verdict !== null) differs("the construction", verdict);
  if (openssl(check) && !expected) throw new Violation(`OpenSSL accepts what noble refuses: ${shown(check)}`);
  if (random.oneIn(12)) {
    const [good, bad] = COMPANY();
    for (const backend of [nativeBackend, nobleBackend, cramped]) {
      const answers = backend.verifyBatch([good, check, bad]);
      if (answers.join() !== [true, expected, false].join()) {
        throw new Violation(
          `a batch of ${backend.name} says ${answers.join()}, singly ${expected}: ${shown(check)}`,
        );
      }
    }
  }
  return expected ? "accepted" : "refused";
});

const shown = ({ publicKey, message, signature }: SignatureCheck): string =>
  [publicKey, message, signature].map((bytes) => Buffer.from(bytes).toString("hex")).join(" ");

type Signed =
  | { readonly kind: "vote"; readonly chainId: string; readonly content: Vote }
  | { readonly kind: "proposal"; readonly chainId: string; readonly content: Proposal };

const CHAIN_IDS = ["", "a", "quorate-1", "quorate-11", "x".repeat(50), "ü"];

const signBytesOf = (signed: Signed): Uint8Array =>
  signed.kind === "vote"
    ? voteSignBytes(signed.chainId, signed.content)
    : proposalSignBytes(signed.chainId, signed.content);

/** The fields that a signature covers, as one text. */
function meaning({ kind, chainId, content }: Signed): string {
  const id = content.blockId;
  const block = id === null ? "nil" : `${hex(id.hash)} ${id.parts.total} ${hex(id.parts.hash)}`;
  const own = kind === "vote" ? `type ${content.type}` : `pol ${content.polRound}`;
  return [kind, JSON.stringify(chainId), own, content.height, content.round, block, content.timestamp].join(
    " ",
  );
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Reads sign bytes back: what can be read back cannot be that of another message. */
function readBack(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const state = { at: 0 };
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[state.at++]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asIntN(64, value);
    }
  };
  const run = (): Uint8Array => {
    const length = Number(varint());
    state.at += length;
    return bytes.subarray(state.at - length, state.at);
  };
  const tag = (wanted: number): boolean => bytes[state.at] === wanted && state.at++ >= 0;
  const length = varint();
  if (Number(length) !== bytes.length - state.at)
    throw new Violation("the length before the sign bytes is another");
  const type = tag(0x08) ? varint() : 0n;
  const fixed = (wanted: number): bigint => {
    if (!tag(wanted)) return 0n;
    state.at += 8;
    return view.getBigInt64(state.at - 8, true);
  };
  const height = fixed(0x11);
  const round = fixed(0x19);
  const proposal = type === 32n;
  const pol = proposal && tag(0x20) ? varint() : 0n;
  const inner = (wanted: number): Uint8Array | null => (tag(wanted) ? run() : null);
  const id = inner(proposal ? 0x2a : 0x22);
  const time = inner(proposal ? 0x32 : 0x2a);
  const chainId = inner(proposal ? 0x3a : 0x32);
  if (state.at !== bytes.length) throw new Violation("sign bytes end with something that has no meaning");
  const block = id === null ? "nil" : blockOf(id);
  const own = proposal ? `pol ${pol}` : `type ${type}`;
  const text = JSON.stringify(chainId === null ? "" : Buffer.from(chainId).toString("utf8"));
  return [proposal ? "proposal" : "vote", text, own, height, round, block, timeOf(time!)].join(" ");
}

function numbersOf(bytes: Uint8Array): Map<number, bigint | Uint8Array> {
  const found = new Map<number, bigint | Uint8Array>();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asIntN(64, value);
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    if ((tag & 7) === 0) found.set(tag >> 3, varint());
    else {
      const length = Number(varint());
      found.set(tag >> 3, bytes.subarray(at, at + length));
      at += length;
    }
  }
  return found;
}

function blockOf(bytes: Uint8Array): string {
  const fields = numbersOf(bytes);
  const parts = numbersOf(fields.get(2) as Uint8Array);
  return `${hex(fields.get(1) as Uint8Array)} ${parts.get(1)} ${hex(parts.get(2) as Uint8Array)}`;
}

function timeOf(bytes: Uint8Array): bigint {
  const fields = numbersOf(bytes);
  return (
    ((fields.get(1) as bigint | undefined) ?? 0n) * 1_000_000_000n +
    ((fields.get(2) as bigint | undefined) ?? 0n)
  );
}

function someMessage(random: Random): Signed {
  const chainId = random.pick(CHAIN_IDS);
  return random.oneIn(3)
    ? { kind: "proposal", chainId, content: values.proposal(random) }
    : { kind: "vote", chainId, content: values.vote(random) };
}

/** R27: sign bytes mean one message only. */
const signBytes = seeded("sign-bytes", "sign bytes of votes and proposals", (random) => {
  const message = someMessage(random);
  const bytes = signBytesOf(message);
  const read = readBack(bytes);
  if (read !== meaning(message)) throw new Violation(`${meaning(message)} is signed as ${read}`);
  // A neighbour that differs in one field, and the same content as the other type.
  const other = neighbour(message, random);
  if (hex(signBytesOf(other)) === hex(bytes) && meaning(other) !== meaning(message)) {
    throw new Violation(`${meaning(message)} and ${meaning(other)} have the same sign bytes`);
  }
  return "accepted";
});

function neighbour(message: Signed, random: Random): Signed {
  const { content } = message;
  const changes: readonly (() => Signed)[] = [
    () => ({ ...message, chainId: `${message.chainId}1` }),
    () =>
      ({
        ...message,
        content: { ...content, height: content.height === 1 ? 2 : content.height - 1 },
      }) as Signed,
    () =>
      ({ ...message, content: { ...content, round: content.round === 0 ? 1 : content.round - 1 } }) as Signed,
    () => ({ ...message, content: { ...content, timestamp: content.timestamp + 1n } }) as Signed,
    () => ({ ...message, content: { ...content, blockId: values.blockId(random) } }) as Signed,
    () =>
      message.kind === "vote"
        ? { ...message, content: { ...message.content, type: message.content.type === 1 ? 2 : 1 } }
        : { ...message, content: { ...message.content, polRound: message.content.polRound + 1 } },
    () =>
      message.kind === "vote"
        ? {
            kind: "proposal",
            chainId: message.chainId,
            content: {
              ...message.content,
              polRound: -1,
              blockId: message.content.blockId ?? values.blockId(random),
            },
          }
        : {
            kind: "vote",
            chainId: message.chainId,
            content: {
              ...message.content,
              type: random.pick([VoteType.prevote, VoteType.precommit]),
              validatorAddress: new Uint8Array(20),
              validatorIndex: 0,
            },
          },
  ];
  return random.pick(changes)();
}

interface Committee {
  readonly set: ValidatorSet;
  readonly signers: readonly Ed25519Signer[];
}

const COMMITTEES = lazily((): readonly Committee[] =>
  [1, 3, 4, 7].map((size) => {
    const signers = Array.from({ length: size }, (_, i) =>
      ed25519Signer(new Uint8Array(32).fill(10 * size + i)),
    );
    const set = makeValidatorSet(
      signers.map(({ publicKey }, i) => ({ pubKey: publicKey, power: 10n + BigInt(i) })),
    );
    const byKey = new Map(signers.map((signer) => [hex(signer.publicKey), signer]));
    return { set, signers: set.validators.map(({ pubKey }) => byKey.get(hex(pubKey))!) };
  }),
);

const CHAIN = "quorate-1";

/** A commit of a committee: all for the block but, sometimes, one nil and one absent, where the quorum bears it. */
function soundCommit(random: Random, { set, signers }: Committee): Commit {
  const at = { height: values.height(random), round: values.round(random), blockId: values.blockId(random) };
  const spare = set.validators.length >= 7;
  const signatures = signers.map((signer, index): CommitSig => {
    if (spare && index === 5 && random.oneIn(2)) return ABSENT_SIG;
    const nil = spare && index === 6 && random.oneIn(2);
    const timestamp = values.time(random);
    const blockId = nil ? null : at.blockId;
    const message = voteSignBytes(CHAIN, { type: VoteType.precommit, ...at, blockId, timestamp });
    return {
      flag: nil ? CommitFlag.nil : CommitFlag.commit,
      validatorAddress: set.validators[index]!.address,
      timestamp,
      signature: signer.sign(message),
    };
  });
  return { ...at, signatures };
}

const flip = (bytes: Uint8Array, random: Random): Uint8Array => {
  const copy = bytes.slice();
  copy[random.below(copy.length)]! ^= 1 << random.below(8);
  return copy;
};

/** Every field of a commit, one changed; none of these may be accepted. */
const COMMIT_CHANGES: readonly ((commit: Commit, random: Random, signed: number) => Commit)[] = [
  (commit) => ({ ...commit, height: commit.height === 1 ? 2 : commit.height - 1 }),
  (commit) => ({ ...commit, round: commit.round === 0 ? 1 : commit.round - 1 }),
  (commit, random) => ({
    ...commit,
    blockId: { ...commit.blockId, hash: flip(commit.blockId.hash, random) },
  }),
  (commit, random) => ({
    ...commit,
    blockId: {
      ...commit.blockId,
      parts: { ...commit.blockId.parts, hash: flip(commit.blockId.parts.hash, random) },
    },
  }),
  (commit) => ({
    ...commit,
    blockId: {
      ...commit.blockId,
      parts: {
        ...commit.blockId.parts,
        total: (commit.blockId.parts.total % 0xffff) + 1 + (commit.blockId.parts.total === 1 ? 1 : 0),
      },
    },
  }),
  ...(["validatorAddress", "signature"] as const).map(
    (field) =>
      (commit: Commit, random: Random, at: number): Commit =>
        withSig(commit, at, (sig) => ({ ...sig, [field]: flip(sig[field], random) })),
  ),
  (commit, _random, at) =>
    withSig(commit, at, (sig) => ({ ...sig, timestamp: sig.timestamp + (sig.timestamp > 0n ? -1n : 1n) })),
  (commit, _random, at) =>
    withSig(commit, at, (sig) => ({
      ...sig,
      flag: sig.flag === CommitFlag.nil ? CommitFlag.commit : CommitFlag.nil,
    })),
  (commit, random, at) =>
    withSig(commit, at, (sig) => ({ ...sig, signature: sig.signature.slice(0, random.below(64)) })),
  (commit, _random, at) =>
    withSig(commit, at, (sig) => ({ ...sig, signature: new Uint8Array([...sig.signature, 0]) })),
  (commit, random, at) =>
    withSig(commit, at, (sig) => {
      // S + L: the same number, another signature.
      const S = littleEndian(sig.signature.subarray(32)) + L * BigInt(1 + random.below(2));
      return { ...sig, signature: new Uint8Array([...sig.signature.subarray(0, 32), ...toLittleEndian(S)]) };
    }),
  (commit, _random, at) => ({ ...commit, signatures: commit.signatures.toSpliced(at, 1) }),
  (commit, _random, at) => ({
    ...commit,
    signatures: commit.signatures.toSpliced(at, 0, commit.signatures[at]!),
  }),
  (commit) => ({ ...commit, signatures: [...commit.signatures, ABSENT_SIG] }),
  // Another validator's entry in this one's place; an absent one there would only be one signature less.
  (commit, _random, at) => {
    const other = commit.signatures.find(({ flag }, index) => index !== at && flag !== CommitFlag.absent);
    return { ...commit, signatures: other === undefined ? [] : commit.signatures.with(at, other) };
  },
];

const withSig = (commit: Commit, at: number, change: (sig: CommitSig) => CommitSig): Commit => ({
  ...commit,
  signatures: commit.signatures.with(at, change(commit.signatures[at]!)),
});

const taken = (run: () => void): boolean => {
  try {
    run();
    return true;
  } catch (error) {
    if (error instanceof ChainError) return false;
    throw error;
  }
};

const modelCommit = (commit: Commit): modelValues.Commit => ({
  height: BigInt(commit.height),
  round: BigInt(commit.round),
  blockId: {
    hash: commit.blockId.hash,
    total: BigInt(commit.blockId.parts.total),
    partsHash: commit.blockId.parts.hash,
  },
  signatures: commit.signatures.map((sig) => {
    const nanos = sig.timestamp % 1_000_000_000n;
    const below = nanos < 0n;
    return {
      flag: sig.flag,
      address: sig.validatorAddress,
      timestamp: {
        seconds: sig.timestamp / 1_000_000_000n - (below ? 1n : 0n),
        nanos: Number(nanos) + (below ? 1_000_000_000 : 0),
      },
      signature: sig.signature,
    };
  }),
});

/** R38: two verifiers that share no code agree on sound commits and on every commit with one field changed. */
const commits = seeded("commits", "commits and certificates, one field changed", (random) => {
  const committee = random.pick(COMMITTEES());
  const { set } = committee;
  const sound = soundCommit(random, committee);
  const changed = random.oneIn(12) ? null : random.below(COMMIT_CHANGES.length);
  const signed = sound.signatures.flatMap(({ flag }, i) => (flag === CommitFlag.absent ? [] : [i]));
  const commit = changed === null ? sound : COMMIT_CHANGES[changed]!(sound, random, random.pick(signed));
  const ours = taken(() => verifyCommit(CHAIN, set, sound.blockId, sound.height, commit, nativeBackend));
  const { blockId, height } = modelCommit(sound);
  const theirs = model.verifyCommit(CHAIN, set.validators, blockId, height, modelCommit(commit), "all");
  if (ours !== (theirs === null)) {
    throw new Violation(
      `change ${changed}: the product ${ours ? "accepts" : "refuses"}, the model ${theirs?.reason ?? "accepts"}`,
    );
  }
  if (ours !== (changed === null))
    throw new Violation(`change ${changed} is ${ours ? "accepted" : "refused"}`);
  judgeCertificate(random, committee, sound);
  return ours ? "accepted" : "refused";
});

/** Every field of a certificate, one changed. */
const CERTIFICATE_CHANGES: readonly ((of: Certificate, random: Random) => Certificate)[] = [
  (of) => ({ ...of, type: of.type === VoteType.prevote ? VoteType.precommit : VoteType.prevote }),
  (of) => ({ ...of, height: of.height === 1 ? 2 : of.height - 1 }),
  (of) => ({ ...of, round: of.round === 0 ? 1 : of.round - 1 }),
  (of) => ({ ...of, blockId: null }),
  (of, random) => ({ ...of, blockId: { ...of.blockId!, hash: flip(of.blockId!.hash, random) } }),
  (of, random) => changedSig(of, random, (sig) => ({ ...sig, signature: flip(sig.signature, random) })),
  (of, random) =>
    changedSig(of, random, (sig) => ({ ...sig, timestamp: sig.timestamp + (sig.timestamp > 0n ? -1n : 1n) })),
  (of, random) => changedSig(of, random, (sig) => ({ ...sig, validatorIndex: sig.validatorIndex + 100 })),
  (of, random) => {
    const at = random.below(of.signatures.length);
    return { ...of, signatures: of.signatures.toSpliced(at, 0, of.signatures[at]!) };
  },
  (of) => ({ ...of, signatures: of.signatures.slice(0, Math.floor(of.signatures.length / 2)) }),
  (of) =>
    of.signatures.length < 2 ? { ...of, signatures: [] } : { ...of, signatures: of.signatures.toReversed() },
];

function changedSig(
  of: Certificate,
  random: Random,
  change: (sig: Certificate["signatures"][number]) => Certificate["signatures"][number],
): Certificate {
  const at = random.below(of.signatures.length);
  return { ...of, signatures: of.signatures.with(at, change(of.signatures[at]!)) };
}

function judgeCertificate(random: Random, { set }: Committee, commit: Commit): void {
  const sound = certificateFromCommit(set, commit);
  const holds = (of: Certificate): boolean =>
    taken(() => requireChecks(certificateChecks(CHAIN, set, of), nativeBackend));
  if (!holds(sound)) throw new Violation("the certificate of a sound commit is refused");
  const at = random.below(CERTIFICATE_CHANGES.length);
  if (holds(CERTIFICATE_CHANGES[at]!(sound, random)))
    throw new Violation(`change ${at} of a certificate is accepted`);
}

export const signatureTargets: readonly Target[] = [ed25519, signBytes, commits];
