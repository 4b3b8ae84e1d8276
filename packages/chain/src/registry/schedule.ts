/** Params and versions that the registry's owner schedules: accepted within written limits, then acting at their height. */
import { bytesEqual } from "@quorate/crypto";
import { ChainError } from "../errors.ts";
import { ascii } from "../genesis/ascii.ts";
import { MAX_HEIGHT } from "../limits.ts";
import { PARAM_SPECS, withParams } from "../params/params.ts";
import type { ChainParams, ChainState, Height, Registry, ScheduledChange, Upgrade } from "../types.ts";
import { heightOfChange, MAX_SCHEDULED, OWNER_RANGES } from "./bounds.ts";
import { paramKey } from "./encoding.ts";
import type { DepositRequest } from "./requests.ts";

/** Key fields that name no key: the event sets a param, or schedules a version of the rules. */
const PARAM_FIELD = padded("QUORATE-PARAM-1");
const UPGRADE_FIELD = padded("QUORATE-UPGRADE-1");

/** What a scheduled change is judged by. */
export interface ScheduleContext {
  /** Height of the block with the request. */
  readonly height: Height;
  readonly upgrades: readonly Upgrade[];
  readonly appVersion: bigint;
}

/** Whether the key field of a deposit stands for a param or an upgrade instead of a validator. */
export function isScheduleRequest(request: DepositRequest): boolean {
  return bytesEqual(request.keyField, PARAM_FIELD) || bytesEqual(request.keyField, UPGRADE_FIELD);
}

/** The registry with a param or an upgrade scheduled or withdrawn; the same one when the request is against a rule. */
export function scheduleRequest(
  registry: Registry,
  request: DepositRequest,
  context: ScheduleContext,
): Registry {
  return bytesEqual(request.keyField, PARAM_FIELD)
    ? scheduleParam(registry, request, context.height)
    : scheduleUpgrade(registry, request, context);
}

function scheduleParam(registry: Registry, request: DepositRequest, height: Height): Registry {
  const spec = PARAM_SPECS.find((candidate) => bytesEqual(paramKey(candidate.name), request.credentials));
  const range = spec === undefined ? undefined : OWNER_RANGES.get(spec.field);
  if (spec === undefined || range === undefined) return registry;
  if (request.amount < BigInt(range[0]) || request.amount > BigInt(range[1])) return registry;
  return scheduled(registry, {
    kind: "param",
    name: spec.name,
    value: Number(request.amount),
    height: heightOfChange(height),
  });
}

/** Credentials = the height (256-bit big-endian), amount = the app version; amount 0 withdraws the one of that height. */
function scheduleUpgrade(registry: Registry, request: DepositRequest, context: ScheduleContext): Registry {
  const height = heightOf(request.credentials);
  if (height === null || height < heightOfChange(context.height)) return registry;
  if (request.amount === 0n) {
    const kept = registry.scheduled.filter((change) => change.kind !== "upgrade" || change.height !== height);
    return kept.length === registry.scheduled.length ? registry : { ...registry, scheduled: kept };
  }
  if (request.amount > BigInt(Number.MAX_SAFE_INTEGER)) return registry;
  const planned = planOf(registry, context.upgrades).filter((upgrade) => upgrade.height > context.height);
  if (planned.some((upgrade) => upgrade.height === height)) return registry;
  const before = planned.findLast((upgrade) => upgrade.height < height)?.appVersion;
  const after = planned.find((upgrade) => upgrade.height > height)?.appVersion;
  const appVersion = Number(request.amount);
  if (request.amount <= (before === undefined ? context.appVersion : BigInt(before))) return registry;
  if (after !== undefined && appVersion > after) return registry;
  return scheduled(registry, { kind: "upgrade", appVersion, height });
}

function scheduled(registry: Registry, change: ScheduledChange): Registry {
  if (registry.scheduled.length >= MAX_SCHEDULED) return registry;
  return { ...registry, scheduled: [...registry.scheduled, change] };
}

function heightOf(credentials: Uint8Array): Height | null {
  let height = 0n;
  for (const byte of credentials) height = (height << 8n) | BigInt(byte);
  return height <= BigInt(MAX_HEIGHT) ? Number(height) : null;
}

/** Upgrades of genesis and of the registry's owner, ascending by height. */
export function plannedUpgrades(state: Pick<ChainState, "registry" | "upgrades">): readonly Upgrade[] {
  return planOf(state.registry, state.upgrades);
}

function planOf(registry: Registry, upgrades: readonly Upgrade[]): readonly Upgrade[] {
  if (registry.scheduled.length === 0 && upgrades.length < 2) return upgrades;
  const byOwner = registry.scheduled.flatMap((change): Upgrade[] =>
    change.kind === "upgrade" ? [{ height: change.height, appVersion: change.appVersion, params: {} }] : [],
  );
  return [...upgrades, ...byOwner].sort((a, b) => a.height - b.height);
}

/** What holds at a height. */
export interface Rules {
  readonly params: ChainParams;
  readonly appVersion: bigint;
  readonly registry: Registry;
}

/**
 * The rules of `height`, from those of the height before: an upgrade of genesis first, then what the registry's owner
 * scheduled, oldest first; that leaves the schedule. A param that contradicts another one is dropped.
 */
export function rulesAt(rules: Rules, upgrades: readonly Upgrade[], height: Height): Rules {
  const upgrade = upgrades.find((candidate) => candidate.height === height);
  let { params, appVersion, registry } = rules;
  if (upgrade !== undefined) {
    params = upgradedParams(params, upgrade.params);
    appVersion = BigInt(upgrade.appVersion);
  }
  if (registry.scheduled.every((change) => change.height > height)) return { params, appVersion, registry };
  for (const change of registry.scheduled) {
    if (change.height > height) continue;
    if (change.kind === "upgrade") appVersion = BigInt(change.appVersion);
    else params = changedParams(params, change.name, change.value);
  }
  registry = { ...registry, scheduled: registry.scheduled.filter((change) => change.height > height) };
  return { params, appVersion, registry };
}

/** What genesis scheduled holds even where the owner's params contradict it: evidence then has the room of a block. */
function upgradedParams(params: ChainParams, changes: Upgrade["params"]): ChainParams {
  const { max_block_bytes: block = params.maxBlockBytes, max_evidence_bytes: evidence } = changes;
  const max_evidence_bytes = Math.min(evidence ?? params.maxEvidenceBytes, block);
  return withParams(params, { ...changes, max_evidence_bytes });
}

function changedParams(params: ChainParams, name: string, value: number): ChainParams {
  try {
    return withParams(params, { [name]: value });
  } catch (error) {
    if (error instanceof ChainError && error.code === "PARAMS") return params;
    throw error;
  }
}

function padded(name: string): Uint8Array {
  const field = new Uint8Array(48);
  field.set(ascii(name));
  return field;
}
