/** From execution requests to queued changes: each rule by which a request is ignored stands here, once. */
import { bytesEqual } from "@quorate/crypto";
import { MAX_TOTAL_POWER } from "../limits.ts";
import { ChangeKind, type Hash, type QueuedChange, type Registry } from "../types.ts";
import {
  MAX_DEPOSITS_PER_HEIGHT,
  MAX_PAYOUTS,
  MAX_QUEUED_CHANGES,
  MAX_STAKE_GWEI,
  MIN_STAKE_GWEI,
} from "./bounds.ts";
import { provesPossession } from "./possession.ts";
import { registryEntry, withEntry } from "./registry.ts";
import {
  type DepositRequest,
  isZero,
  keyOfField,
  ownerOfCredentials,
  type RegistryRequests,
  type WithdrawalRequest,
} from "./requests.ts";
import { isScheduleRequest, type ScheduleContext, scheduleRequest } from "./schedule.ts";

/** What requests are judged by. */
export interface RequestContext extends ScheduleContext {
  readonly chainId: string;
  readonly elGenesisHash: Hash;
}

/** Deposit indexes are 64-bit, and the next one must be too. */
const MAX_INDEX = 2n ** 64n - 1n;

/**
 * The registry after the requests of a block: deposits in order, then withdrawal requests. What is against a rule
 * changes nothing but the next index.
 */
export function takeRequests(
  registry: Registry,
  requests: RegistryRequests,
  context: RequestContext,
): Registry {
  let next = registry;
  requests.deposits.forEach((deposit, i) => {
    if (deposit.index !== next.nextDepositIndex || deposit.index === MAX_INDEX) return;
    next = { ...next, nextDepositIndex: deposit.index + 1n };
    if (i < MAX_DEPOSITS_PER_HEIGHT) next = takeDeposit(next, deposit, context);
  });
  for (const withdrawal of requests.withdrawals) next = takeWithdrawal(next, withdrawal, context.height);
  return next;
}

function takeDeposit(registry: Registry, deposit: DepositRequest, context: RequestContext): Registry {
  const permissioned = registry.policy === 0;
  if (permissioned && isScheduleRequest(deposit)) return scheduleRequest(registry, deposit, context);
  const pubKey = keyOfField(deposit.keyField);
  const [least, most] = permissioned ? [1n, MAX_TOTAL_POWER] : [MIN_STAKE_GWEI, MAX_STAKE_GWEI];
  if (pubKey === null || deposit.amount > most || !hasRoom(registry)) return registry;
  const known = knownOwner(registry, pubKey);
  if (known === null && deposit.amount < least) return registry;
  const owner = known ?? provenOwner(pubKey, deposit, context);
  if (owner === null) return registry;
  return queued(registry, {
    pubKey,
    owner,
    kind: permissioned ? ChangeKind.power : ChangeKind.deposit,
    value: deposit.amount,
    height: context.height,
  });
}

/** Owner of a key that is registered or waits to be: its proof of possession has been seen. */
function knownOwner(registry: Registry, pubKey: Uint8Array): Uint8Array | null {
  const entry = registryEntry(registry, pubKey);
  if (entry !== null) return entry.owner;
  return registry.changes.find((change) => bytesEqual(change.pubKey, pubKey))?.owner ?? null;
}

/** Owner of a key that nobody registered yet, if the request proves that its sender holds the key. */
function provenOwner(
  pubKey: Uint8Array,
  deposit: DepositRequest,
  context: RequestContext,
): Uint8Array | null {
  const owner = ownerOfCredentials(deposit.credentials);
  if (owner === null || !isZero(deposit.signatureField.subarray(64))) return null;
  const possession = { chainId: context.chainId, elGenesisHash: context.elGenesisHash, pubKey, owner };
  return provesPossession(possession, deposit.signatureField.subarray(0, 64)) ? owner : null;
}

function takeWithdrawal(registry: Registry, request: WithdrawalRequest, height: number): Registry {
  const pubKey = keyOfField(request.keyField);
  const entry = pubKey === null ? null : registryEntry(registry, pubKey);
  if (entry === null || entry.status !== 0 || !bytesEqual(entry.owner, request.source)) return registry;
  if (!hasRoom(registry)) return registry;
  const { pubKey: key, owner } = entry;
  if (request.amount > 0n) {
    if (registry.policy === 0) return registry;
    const kind = ChangeKind.withdraw;
    return queued(registry, { pubKey: key, owner, kind, value: request.amount, height });
  }
  const next = queued(registry, { pubKey: key, owner, kind: ChangeKind.leave, value: 0n, height });
  return { ...next, entries: withEntry(next.entries, { ...entry, status: 1 }) };
}

function hasRoom(registry: Registry): boolean {
  return registry.changes.length < MAX_QUEUED_CHANGES && registry.payouts.length < MAX_PAYOUTS;
}

function queued(registry: Registry, change: QueuedChange): Registry {
  if (registryEntry(registry, change.pubKey)?.status === 2) return registry;
  return { ...registry, changes: [...registry.changes, change] };
}
