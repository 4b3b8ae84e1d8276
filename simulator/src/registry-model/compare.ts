/** The product's registry beside the naive model: what differs, in words. */
import type { Registry } from "@quorate/chain";
import { toHex } from "@quorate/crypto";
import type { RegistryModel } from "./model.ts";

/** The first difference, or `null`. */
export function registryDifference(registry: Registry, model: RegistryModel): string | null {
  const indexes = `${registry.nextDepositIndex}/${registry.nextWithdrawalIndex}`;
  if (indexes !== `${model.nextDeposit}/${model.nextWithdrawal}`)
    return `its next indexes are ${indexes}, the model's ${model.nextDeposit}/${model.nextWithdrawal}`;
  const entries = [...model.entries]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([key, { owner, power, status, stake, unlockHeight }]) =>
        `${key} of ${owner}: power ${power}, status ${status}, stake ${stake}, unlocked at ${unlockHeight}`,
    );
  const changes = model.changes.map(
    ({ key, owner, kind, value, height }) => `${key} of ${owner}: kind ${kind}, ${value}, asked at ${height}`,
  );
  const payouts = model.payouts.map(
    ({ key, address, gwei, unlockHeight, unlockTimeMs }) =>
      `${key} to ${address}: ${gwei} gwei at ${unlockHeight}, ${unlockTimeMs} ms`,
  );
  return (
    firstOf(
      "entry",
      registry.entries.map(
        ({ pubKey, owner, power, status, stakeGwei, unlockHeight }) =>
          `${toHex(pubKey)} of ${toHex(owner)}: power ${power}, status ${status}, stake ${stakeGwei}, unlocked at ${unlockHeight}`,
      ),
      entries,
    ) ??
    firstOf(
      "queued change",
      registry.changes.map(
        ({ pubKey, owner, kind, value, height }) =>
          `${toHex(pubKey)} of ${toHex(owner)}: kind ${kind}, ${value}, asked at ${height}`,
      ),
      changes,
    ) ??
    firstOf(
      "payout",
      registry.payouts.map(
        ({ pubKey, address, gwei, unlockHeight, unlockTimeMs }) =>
          `${toHex(pubKey)} to ${toHex(address)}: ${gwei} gwei at ${unlockHeight}, ${unlockTimeMs} ms`,
      ),
      payouts,
    )
  );
}

function firstOf(what: string, found: readonly string[], expected: readonly string[]): string | null {
  for (let i = 0; i < Math.max(found.length, expected.length); i++) {
    if (found[i] !== expected[i])
      return `its ${what} ${i} is ${found[i] ?? "not there"}, in the model ${expected[i] ?? "not there"}`;
  }
  return null;
}
