/**
 * Parameters of the chain: one table of names, ranges and defaults, and the params root that commits to them
 * (DESIGN "Params of the chain"; docs/protocol.md). Everything that treats params as a list reads this table.
 */
import { merkleRoot } from "@quorate/crypto";
import { ByteWriter } from "../bytes.ts";
import { ChainError } from "../errors.ts";
import type { ChainParams, Hash, Upgrade } from "../types.ts";

/** One parameter: its name in genesis and in the params root, and the range in which it is valid. */
export interface ParamSpec {
  readonly name: string;
  readonly field: keyof ChainParams;
  readonly unit: "ms" | "s" | "bytes" | "gas" | "blocks" | "unix seconds";
  readonly min: number;
  readonly max: number;
  readonly default: number;
}

const DAY_MS = 86_400_000;
const MIB = 1_048_576;
/** A timer of 60 s is already far beyond any sound round; DESIGN caps round timeouts there. */
const TIMEOUT_MAX_MS = 60_000;

const param = (
  name: string,
  field: keyof ChainParams,
  unit: ParamSpec["unit"],
  range: readonly [min: number, max: number],
  byDefault: number,
): ParamSpec => ({ name, field, unit, min: range[0], max: range[1], default: byDefault });

/** All parameters in bytewise order of their names: the order of the params root. */
export const PARAM_SPECS: readonly ParamSpec[] = [
  param("block_interval", "blockIntervalMs", "ms", [0, 3_600_000], 1_000),
  param("empty_block_interval", "emptyBlockIntervalMs", "ms", [0, DAY_MS], 0),
  param("evidence_max_age", "evidenceMaxAgeMs", "ms", [1, 3_650 * DAY_MS], 2 * DAY_MS),
  param("evidence_max_age_blocks", "evidenceMaxAgeBlocks", "blocks", [1, Number.MAX_SAFE_INTEGER], 100_000),
  param("fork.osaka", "forkOsaka", "unix seconds", [0, Number.MAX_SAFE_INTEGER], 0),
  param("gas_limit", "gasLimit", "gas", [5_000, Number.MAX_SAFE_INTEGER], 60_000_000),
  param("max_block_bytes", "maxBlockBytes", "bytes", [65_536, 16 * MIB], 10 * MIB),
  param("max_el_time_drift", "maxElTimeDriftS", "s", [0, 3_600], 0),
  param("max_evidence_bytes", "maxEvidenceBytes", "bytes", [0, 16 * MIB], MIB),
  param("message_delay", "messageDelayMs", "ms", [1, DAY_MS], 3_000),
  param("precision", "precisionMs", "ms", [1, 30_000], 500),
  param("timeout_max", "timeoutMaxMs", "ms", [1, TIMEOUT_MAX_MS], TIMEOUT_MAX_MS),
  param("timeout_precommit", "timeoutPrecommitMs", "ms", [1, TIMEOUT_MAX_MS], 500),
  param("timeout_precommit_delta", "timeoutPrecommitDeltaMs", "ms", [0, TIMEOUT_MAX_MS], 250),
  param("timeout_prevote", "timeoutPrevoteMs", "ms", [1, TIMEOUT_MAX_MS], 500),
  param("timeout_prevote_delta", "timeoutPrevoteDeltaMs", "ms", [0, TIMEOUT_MAX_MS], 250),
  param("timeout_propose", "timeoutProposeMs", "ms", [1, TIMEOUT_MAX_MS], 1_000),
  param("timeout_propose_absent", "timeoutProposeAbsentMs", "ms", [1, TIMEOUT_MAX_MS], 250),
  param("timeout_propose_delta", "timeoutProposeDeltaMs", "ms", [0, TIMEOUT_MAX_MS], 500),
];

const SPEC_BY_NAME: ReadonlyMap<string, ParamSpec> = new Map(PARAM_SPECS.map((spec) => [spec.name, spec]));

/** Params of a new chain. Networks of embedded clients lower `gasLimit` to 15,000,000. */
export const DEFAULT_PARAMS: ChainParams = {
  blockIntervalMs: 1_000,
  timeoutProposeMs: 1_000,
  timeoutProposeDeltaMs: 500,
  timeoutPrevoteMs: 500,
  timeoutPrevoteDeltaMs: 250,
  timeoutPrecommitMs: 500,
  timeoutPrecommitDeltaMs: 250,
  timeoutMaxMs: TIMEOUT_MAX_MS,
  timeoutProposeAbsentMs: 250,
  precisionMs: 500,
  messageDelayMs: 3_000,
  maxElTimeDriftS: 0,
  maxBlockBytes: 10 * MIB,
  maxEvidenceBytes: MIB,
  evidenceMaxAgeBlocks: 100_000,
  evidenceMaxAgeMs: 2 * DAY_MS,
  gasLimit: 60_000_000,
  forkOsaka: 0,
  emptyBlockIntervalMs: 0,
};

/** The spec of a parameter by its name in genesis, or undefined. */
export function paramSpec(name: string): ParamSpec | undefined {
  return SPEC_BY_NAME.get(name);
}

/** Params by their names in genesis, in the order of the params root. */
export function paramsToRecord(params: ChainParams): Readonly<Record<string, number>> {
  return Object.fromEntries(PARAM_SPECS.map((spec) => [spec.name, params[spec.field]]));
}

/** Params from a complete record of names. @throws ChainError `PARAMS` for a missing, unknown or invalid one. */
export function paramsFromRecord(record: Readonly<Record<string, number>>): ChainParams {
  for (const spec of PARAM_SPECS) {
    if (!Object.hasOwn(record, spec.name)) {
      throw new ChainError(
        "PARAMS",
        `param ${spec.name} is missing; write it out (the usual value is ${spec.default})`,
        { param: spec.name },
      );
    }
  }
  return withParams(DEFAULT_PARAMS, record);
}

/** `params` with some of them changed by name, as an upgrade does. @throws ChainError `PARAMS`. */
export function withParams(params: ChainParams, changes: Readonly<Record<string, number>>): ChainParams {
  const next: { -readonly [K in keyof ChainParams]: number } = { ...params };
  for (const [name, value] of Object.entries(changes)) {
    const spec = SPEC_BY_NAME.get(name);
    if (spec === undefined) {
      throw new ChainError(
        "PARAMS",
        `param ${name} is unknown; known: ${[...SPEC_BY_NAME.keys()].join(", ")}`,
        {
          param: name,
        },
      );
    }
    checkParam(spec, value);
    next[spec.field] = value;
  }
  if (next.maxEvidenceBytes > next.maxBlockBytes) {
    throw new ChainError(
      "PARAMS",
      `param max_evidence_bytes (${next.maxEvidenceBytes}) exceeds max_block_bytes (${next.maxBlockBytes})`,
      { param: "max_evidence_bytes" },
    );
  }
  return next;
}

function checkParam(spec: ParamSpec, value: number): void {
  if (!Number.isSafeInteger(value) || value < spec.min || value > spec.max) {
    throw new ChainError(
      "PARAMS",
      `param ${spec.name} is ${value}, but must be a whole number of ${spec.unit} from ${spec.min} to ${spec.max}`,
      { param: spec.name, value },
    );
  }
}

/** RFC-6962 root of `str name ‖ u64 value` in bytewise order of names. */
export function paramsRoot(params: ChainParams): Hash {
  return merkleRoot(PARAM_SPECS.map((spec) => paramLeaf(spec.name, params[spec.field])));
}

/** The same root over the params that an upgrade changes. */
export function changedParamsRoot(upgrade: Upgrade): Hash {
  const leaves = PARAM_SPECS.flatMap((spec) => {
    const value = upgrade.params[spec.name];
    return value === undefined ? [] : [paramLeaf(spec.name, value)];
  });
  return merkleRoot(leaves);
}

function paramLeaf(name: string, value: number): Uint8Array {
  return new ByteWriter().str(name).u64(BigInt(value)).finish();
}

/** Forks of the execution layer that the envelope and the Engine methods know. */
export type ElFork = "prague" | "osaka";

/** The EL fork in force at a payload timestamp (unix seconds): a pure function of both (docs/protocol.md). */
export function elForkAt(params: ChainParams, timestamp: number): ElFork {
  return timestamp >= params.forkOsaka ? "osaka" : "prague";
}

/** Envelope version for a payload of this timestamp. Version 2 is reserved for Amsterdam. */
export function envelopeVersionAt(params: ChainParams, timestamp: number): 1 {
  const versions: Readonly<Record<ElFork, 1>> = { prague: 1, osaka: 1 };
  return versions[elForkAt(params, timestamp)];
}

/** Longest tolerance for a proposal's age: the message delay saturates here. */
const MESSAGE_DELAY_MAX_MS = DAY_MS;

/**
 * Proposer-based timestamps: may a proposal of time `proposalTimeMs`, received at `receivedAtMs` (both ms since the
 * epoch, wall clocks of two machines) in `round`, be prevoted? The message delay doubles every 8 rounds.
 */
export function isTimely(
  params: ChainParams,
  proposalTimeMs: number,
  receivedAtMs: number,
  round: number,
): boolean {
  const doublings = Math.floor(round / 8);
  const delay = Math.min(MESSAGE_DELAY_MAX_MS, params.messageDelayMs * 2 ** doublings);
  return (
    receivedAtMs >= proposalTimeMs - params.precisionMs &&
    receivedAtMs <= proposalTimeMs + delay + params.precisionMs
  );
}
