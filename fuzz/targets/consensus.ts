/** Inputs of the core as the write-ahead log holds them, and snapshots. */
import {
  ConsensusError,
  decodeInput,
  decodeSnapshot,
  encodeInput,
  encodeSnapshot,
  type Input,
  type Snapshot,
} from "@quorate/consensus";
import { mutateBytes } from "../mutate.ts";
import type { Random } from "../random.ts";
import { canonical, type Target } from "../target.ts";
import * as values from "../values.ts";

const list = <T>(random: Random, max: number, make: () => T): T[] =>
  Array.from({ length: random.between(0, max) }, make);

const roundValue = (random: Random): { round: number; blockId: ReturnType<typeof values.blockId> } | null =>
  random.oneIn(2) ? null : { round: values.round(random), blockId: values.blockId(random) };
const watermark = (random: Random): { round: number; step: 0 | 1 | 2 } | null =>
  random.oneIn(2) ? null : { round: values.round(random), step: random.pick([0, 1, 2] as const) };
const ms = (random: Random): number => random.below(2 ** 31) / (random.oneIn(3) ? 8 : 1);

const snapshot = (random: Random): Snapshot => ({
  height: values.height(random),
  round: values.round(random),
  step: random.pick([
    "NewHeight",
    "Propose",
    "Prevote",
    "PrevoteWait",
    "Precommit",
    "PrecommitWait",
    "Commit",
  ] as const),
  locked: roundValue(random),
  valid: roundValue(random),
  votes: list(random, 4, () => values.vote(random)),
  certificates: list(random, 2, () => values.certificate(random)),
  proposals: list(random, 2, () => ({ proposal: values.proposal(random), receivedAtMs: ms(random) })),
});

const KINDS: readonly ((random: Random) => Input)[] = [
  (random) => ({
    kind: "start_height",
    height: values.height(random),
    validators: values.validatorSet(random),
    params: values.params(random),
    address: random.oneIn(2) ? null : random.bytes(20),
    lastTime: values.storedTime(random),
    startDelayMs: ms(random),
    lock: roundValue(random),
    watermark: watermark(random),
    ...(random.oneIn(2) ? {} : { lastCommit: values.commit(random) }),
  }),
  (random) => ({ kind: "proposal", proposal: values.proposal(random), receivedAtMs: ms(random) }),
  (random) => ({ kind: "vote", vote: values.vote(random) }),
  (random) => ({ kind: "certificate", certificate: values.certificate(random) }),
  (random) => ({
    kind: "timeout",
    timeout: {
      kind: random.pick(["new_height", "propose", "prevote", "precommit"] as const),
      height: values.height(random),
      round: values.round(random),
    },
  }),
  (random) => ({
    kind: "body",
    height: values.height(random),
    blockId: values.blockId(random),
    time: values.storedTime(random),
    proposerAddress: random.bytes(20),
  }),
  (random) => ({
    kind: "verdict",
    height: values.height(random),
    blockId: values.blockId(random),
    verdict: random.pick(["valid", "invalid"] as const),
  }),
  (random) => ({
    kind: "built",
    height: values.height(random),
    round: values.round(random),
    value: random.oneIn(3)
      ? null
      : {
          ...{ blockId: values.blockId(random), time: values.storedTime(random) },
          ...(random.oneIn(2) ? { open: true as const } : {}),
        },
  }),
  (random) => ({
    kind: "signed_vote",
    height: values.height(random),
    round: values.round(random),
    vote: values.vote(random),
  }),
  (random) => ({
    kind: "signed_proposal",
    height: values.height(random),
    round: values.round(random),
    proposal: values.proposal(random),
  }),
  (random) => ({
    kind: "sign_refused",
    height: values.height(random),
    round: values.round(random),
    what: random.pick(["proposal", "prevote", "precommit"] as const),
  }),
  (random) => ({ kind: "proposer_absent", height: values.height(random), round: values.round(random) }),
  (random) => ({ kind: "restore", snapshot: snapshot(random) }),
  (random) => ({
    kind: "sign_state",
    height: values.height(random),
    lock: roundValue(random),
    watermark: watermark(random),
  }),
];

export const consensusTargets: readonly Target[] = [
  canonical({
    name: "input",
    what: "input of the core",
    refusals: [ConsensusError],
    make: (random): Input => random.pick(KINDS)(random),
    encode: encodeInput,
    decode: decodeInput,
    mutate: mutateBytes,
  }),
  canonical({
    name: "snapshot",
    what: "snapshot of the core",
    refusals: [ConsensusError],
    make: snapshot,
    encode: encodeSnapshot,
    decode: decodeSnapshot,
    mutate: mutateBytes,
  }),
];
