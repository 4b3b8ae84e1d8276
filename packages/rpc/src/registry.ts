/** `registry`: the validator registry after the last block, for people and tools. CometBFT has no such method. */
import {
  type ChainState,
  ChangeKind,
  paramsToRecord,
  publicKeyJson,
  type QueuedChange,
  type RegistryEntry,
  type ScheduledChange,
} from "@quorate/chain";
import { addressOf, toHex, toHexUpper } from "@quorate/crypto";

const STATUS = ["active", "leaving", "tombstoned"] as const;
const KIND: Readonly<Record<ChangeKind, string>> = {
  [ChangeKind.power]: "power",
  [ChangeKind.deposit]: "deposit",
  [ChangeKind.withdraw]: "withdraw",
  [ChangeKind.leave]: "leave",
};

/** Powers are those of the set of `block_height` + 2, params those of the next height; amounts are gwei; 64-bit numbers are decimal strings. */
export function registryResult({ lastHeight, registry, params, appVersion }: ChainState): unknown {
  return {
    block_height: String(lastHeight),
    policy: registry.policy === 0 ? "permissioned" : "stake",
    next_deposit_index: String(registry.nextDepositIndex),
    next_withdrawal_index: String(registry.nextWithdrawalIndex),
    validators: registry.entries.map(entryJson),
    queued: registry.changes.map(changeJson),
    payouts: registry.payouts.map((payout) => ({
      address: toHexUpper(addressOf(payout.pubKey)),
      owner: `0x${toHex(payout.address)}`,
      gwei: String(payout.gwei),
      unlock_height: String(payout.unlockHeight),
      unlock_time_ms: String(payout.unlockTimeMs),
    })),
    scheduled: registry.scheduled.map(scheduledJson),
    params: Object.fromEntries(
      Object.entries(paramsToRecord(params)).map(([name, value]) => [name, String(value)]),
    ),
    app_version: String(appVersion),
  };
}

function entryJson(entry: RegistryEntry): unknown {
  return {
    address: toHexUpper(addressOf(entry.pubKey)),
    pub_key: publicKeyJson(entry.pubKey),
    owner: `0x${toHex(entry.owner)}`,
    voting_power: String(entry.power),
    status: STATUS[entry.status],
    stake_gwei: String(entry.stakeGwei),
    unlock_height: String(entry.unlockHeight),
  };
}

function changeJson(change: QueuedChange): unknown {
  return {
    address: toHexUpper(addressOf(change.pubKey)),
    pub_key: publicKeyJson(change.pubKey),
    kind: KIND[change.kind],
    value: String(change.value),
    height: String(change.height),
  };
}

function scheduledJson(change: ScheduledChange): unknown {
  return change.kind === "param"
    ? { kind: "param", name: change.name, value: String(change.value), height: String(change.height) }
    : {
        kind: "upgrade",
        name: "app_version",
        value: String(change.appVersion),
        height: String(change.height),
      };
}
