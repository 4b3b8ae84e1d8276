/** Sequences of requests to a file signer: CometBFT's rules by the model, and the product's signer on real files. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VoteType } from "@quorate/chain";
import { ed25519PublicKey, ed25519Sign } from "@quorate/crypto";
import { createKeyAndState, FilePrivVal, keyFileText, type SignAnswer } from "@quorate/privval";
import { equal, fail, type Json, type Judge } from "../case.ts";
import * as values from "../model/values.ts";
import * as wire from "../model/wire.ts";
import * as product from "./product.ts";

const hex = values.toHex;
const PROPOSAL_STEP = 1;
const NOTHING = { sequence: 0n, crc: 0 };

interface Request {
  readonly step: number;
  readonly height: bigint;
  readonly round: bigint;
  readonly vote: values.Vote | null;
  readonly proposal: values.Proposal | null;
}

interface State {
  readonly height: bigint;
  readonly round: bigint;
  readonly step: number;
  readonly request: Request | null;
  readonly signBytes: Uint8Array;
  readonly signature: Uint8Array;
}

function requestOf(json: Json): Request {
  if (json.sign === "proposal") {
    const proposal = values.proposal(json);
    return { step: PROPOSAL_STEP, height: proposal.height, round: proposal.round, vote: null, proposal };
  }
  if (json.sign !== "vote") throw new TypeError(`asked to sign ${String(json.sign)}`);
  const vote = values.vote(json);
  if (vote.type !== 1 && vote.type !== 2) throw new TypeError(`a vote of type ${vote.type}`);
  return { step: vote.type + 1, height: vote.height, round: vote.round, vote, proposal: null };
}

function signBytesOf(chainId: string, request: Request, timestamp?: values.Timestamp): Uint8Array {
  if (request.vote !== null) {
    return wire.voteSignBytes(chainId, {
      ...request.vote,
      ...(timestamp === undefined ? {} : { timestamp }),
    });
  }
  const proposal = request.proposal!;
  return wire.proposalSignBytes(chainId, { ...proposal, ...(timestamp === undefined ? {} : { timestamp }) });
}

const timeOf = (request: Request): values.Timestamp => (request.vote ?? request.proposal!).timestamp;

type Answer =
  | { readonly ok: false; readonly reason: string; readonly state: State }
  | {
      readonly ok: true;
      readonly signature: Uint8Array;
      readonly timestamp: values.Timestamp;
      readonly state: State;
    };

/** CheckHRS and "only differs by timestamp" of privval/file.go. */
function answer(chainId: string, seed: Uint8Array, state: State, request: Request): Answer {
  const refuse = (reason: string): Answer => ({ ok: false, reason, state });
  if (state.height > request.height) return refuse("height_regression");
  if (state.height === request.height) {
    if (state.round > request.round) return refuse("round_regression");
    if (state.round === request.round) {
      if (state.step > request.step) return refuse("step_regression");
      if (state.step === request.step) return again(chainId, state, request);
    }
  }
  const extended = (request.vote?.extension.length ?? 0) > 0;
  if (extended && !mayExtend(request)) return refuse("unexpected_extension");
  const signBytes = signBytesOf(chainId, request);
  const signature = ed25519Sign(seed, signBytes);
  const { height, round, step } = request;
  return {
    ok: true,
    signature,
    timestamp: timeOf(request),
    state: { height, round, step, request, signBytes, signature },
  };
}

const mayExtend = ({ vote }: Request): boolean =>
  vote !== null && vote.type === 2 && !values.isNil(vote.blockId);

function again(chainId: string, state: State, request: Request): Answer {
  if (state.request === null) return { ok: false, reason: "no_sign_bytes", state };
  if ((request.vote?.extension.length ?? 0) > 0 && !mayExtend(request)) {
    return { ok: false, reason: "unexpected_extension", state };
  }
  const timestamp = timeOf(state.request);
  const same = Buffer.compare(signBytesOf(chainId, request, timestamp), state.signBytes) === 0;
  if (!same) return { ok: false, reason: "conflicting_data", state };
  return { ok: true, signature: state.signature, timestamp, state };
}

const stateJson = (state: State): object => ({
  height: String(state.height),
  round: Number(state.round),
  step: state.step,
  ...(state.request === null
    ? {}
    : { signature: values.base64(state.signature), signbytes: values.upper(state.signBytes) }),
});

function compareStep(expected: Json, given: Answer, extra: { readonly extension: Uint8Array | null }): void {
  const {
    ok,
    reason,
    signature,
    timestamp,
    state,
    extension_signature: extension,
    go_error: _,
    ...rest
  } = expected;
  if (Object.keys(rest).length > 0)
    fail(`the vector expects "${Object.keys(rest)[0]}", which is not computed`);
  equal(given.ok, ok, "verdict");
  if (!given.ok) {
    if (reason !== undefined) equal(given.reason, reason, "reason");
  } else {
    if (signature !== undefined) equal(hex(given.signature), signature, "signature");
    if (timestamp !== undefined) equal(given.timestamp, values.timestamp(timestamp), "timestamp");
    if (extension !== undefined) {
      equal(extra.extension === null ? "" : hex(extra.extension), extension, "signature of the extension");
    }
  }
  if (state !== undefined) equal(stateJson(given.state), state, "state");
}

async function ask(
  signer: FilePrivVal,
  chainId: string,
  request: Request,
): Promise<SignAnswer<{ signature: Uint8Array; timestamp: bigint }>> {
  if (request.vote === null) {
    return signer.signProposal(chainId, product.proposal(request.proposal!), NOTHING);
  }
  const { type, ...vote } = product.vote(request.vote);
  return signer.signVote(
    chainId,
    { ...vote, type: type === 1 ? VoteType.prevote : VoteType.precommit },
    NOTHING,
  );
}

/** The product's signer, told the same; its codes are coarser than the library's words. */
async function compareProduct(
  signer: FilePrivVal,
  chainId: string,
  request: Request,
  given: Answer,
): Promise<void> {
  const before = signer.state;
  const ours = await ask(signer, chainId, request);
  // A vote extension is nothing to the product: it signs the vote.
  if (!given.ok && given.reason === "unexpected_extension") return;
  equal(ours.ok, given.ok, "verdict of the product");
  if (ours.ok && given.ok) {
    equal(hex(ours.message.signature), hex(given.signature), "signature of the product");
    equal(ours.message.timestamp, values.nanoseconds(given.timestamp), "timestamp of the product");
  }
  if (!ours.ok && !given.ok) {
    equal(ours.code, given.reason === "conflicting_data" ? "CONFLICT" : "REGRESSION", "code of the product");
    equal(signer.state, before, "state of the product after a refusal");
  }
  const last = signer.state.lastSigned;
  if (given.state.request === null) return;
  equal(
    last === null
      ? null
      : {
          place: [last.height, last.round, last.step],
          bytes: hex(last.signBytes),
          signature: hex(last.signature),
        },
    {
      place: [Number(given.state.height), Number(given.state.round), given.state.step - 1],
      bytes: hex(given.state.signBytes),
      signature: hex(given.state.signature),
    },
    "state of the product",
  );
}

async function sequence(input: Json, expect: Json): Promise<void> {
  const seed = values.hex(input.seed);
  const chainId = String(input.chain_id ?? "");
  const requests = values.list(input.steps).map(requestOf);
  const expected = values.list(expect.steps);
  equal(expected.length, requests.length, "number of steps");
  const { steps: _, key_file: keyFile, ...rest } = expect;
  if (Object.keys(rest).length > 0)
    fail(`the vector expects "${Object.keys(rest)[0]}", which is not computed`);
  if (keyFile !== undefined) equal(JSON.parse(keyFileText(seed)), keyFile, "key file");
  if (ed25519PublicKey(seed).length !== 32) fail("no key");
  const representable = requests.every(({ height }) => product.representable(height));
  const dir = await mkdtemp(join(tmpdir(), "quorate-conformance-"));
  try {
    const home = { keyFile: join(dir, "config", "key.json"), stateFile: join(dir, "data", "state.bin") };
    await createKeyAndState(home, seed);
    const signer = await FilePrivVal.open(home);
    let state: State = {
      height: 0n,
      round: 0n,
      step: 0,
      request: null,
      signBytes: new Uint8Array(0),
      signature: new Uint8Array(0),
    };
    for (const [i, request] of requests.entries()) {
      const given = answer(chainId, seed, state, request);
      state = given.state;
      const extension = mayExtend(request)
        ? ed25519Sign(seed, wire.extensionSignBytes(chainId, request.vote!))
        : null;
      try {
        compareStep(expected[i]!, given, { extension });
        if (representable) await compareProduct(signer, chainId, request, given);
        else if (!product.representable(request.height)) {
          await product.refusedLater("request", () => ask(signer, chainId, request));
        }
      } catch (error) {
        fail(`step ${i}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    await signer.close();
  } finally {
    await rm(dir, { recursive: true });
  }
}

export const privvalJudges: readonly Judge[] = [
  { kind: "sequence", takes: (input) => input.steps !== undefined, run: sequence },
];
