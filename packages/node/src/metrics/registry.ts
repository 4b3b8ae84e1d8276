/** The validator registry in metrics: who validates, what waits, what is held, which upgrade comes. */
import {
  type ChainState,
  MAX_PAYOUTS,
  MAX_QUEUED_CHANGES,
  plannedUpgrades,
  type Registry as ValidatorRegistry,
} from "@quorate/chain";
import { Gauge, type Registry } from "prom-client";
import { unknownUpgrade } from "../upgrades.ts";

export interface RegistryMetrics {
  readonly validators: Gauge<"status">;
  readonly power: Gauge;
  readonly waiting: Gauge<"kind">;
  readonly fill: Gauge<"queue">;
  readonly stake: Gauge<"state">;
  readonly upgradeHeight: Gauge;
  readonly unknownUpgradeHeight: Gauge;
}

const STATUS = ["active", "leaving", "tombstoned"] as const;
const GWEI_PER_ETHER = 1e9;

export function createRegistryMetrics(registry: Registry): RegistryMetrics {
  const registers = [registry];
  const named = (name: string, help: string): { name: string; help: string; registers: Registry[] } => ({
    name: `quorate_${name}`,
    help,
    registers,
  });
  return {
    validators: new Gauge({
      ...named(
        "registry_validators",
        "Entries of the registry by status; tombstoned and leaving ones stay for evidence.",
      ),
      labelNames: ["status"],
    }),
    power: new Gauge(
      named(
        "registry_power",
        "Total power of the registry: that of the set two heights after the last block.",
      ),
    ),
    waiting: new Gauge({
      ...named(
        "registry_waiting",
        "What waits in the registry: changes of validators, payouts, params and upgrades that are scheduled.",
      ),
      labelNames: ["kind"],
    }),
    fill: new Gauge({
      ...named(
        "registry_fill_ratio",
        "Fill of the registry's queues, 0 to 1; requests to a full one are ignored.",
      ),
      labelNames: ["queue"],
    }),
    stake: new Gauge({
      ...named(
        "registry_stake_ether",
        "Ether at stake (active), and owed to owners but not paid yet (held).",
      ),
      labelNames: ["state"],
    }),
    upgradeHeight: new Gauge(
      named("upgrade_height", "First height of the next upgrade that is scheduled; 0 = none is."),
    ),
    unknownUpgradeHeight: new Gauge(
      named(
        "upgrade_unknown_height",
        "First height that this version does not know the rules of: it stops before it; 0 = it knows all.",
      ),
    ),
  };
}

/** The registry after the last block. */
export function showRegistry(metrics: RegistryMetrics, state: ChainState): void {
  const { registry, lastHeight } = state;
  const { entries, changes, payouts, scheduled } = registry;
  STATUS.forEach((status, index) => {
    metrics.validators.set({ status }, entries.filter((entry) => entry.status === index).length);
  });
  metrics.power.set(Number(entries.reduce((sum, { power }) => sum + power, 0n)));
  const waiting = {
    change: changes.length,
    payout: payouts.length,
    param: scheduled.filter(({ kind }) => kind === "param").length,
    upgrade: scheduled.filter(({ kind }) => kind === "upgrade").length,
  };
  for (const [kind, count] of Object.entries(waiting)) metrics.waiting.set({ kind }, count);
  metrics.fill.set({ queue: "changes" }, changes.length / MAX_QUEUED_CHANGES);
  metrics.fill.set({ queue: "payouts" }, payouts.length / MAX_PAYOUTS);
  showStake(metrics, registry);
  const next = plannedUpgrades(state).find(({ height }) => height > lastHeight);
  metrics.upgradeHeight.set(next?.height ?? 0);
  metrics.unknownUpgradeHeight.set(unknownUpgrade(state)?.height ?? 0);
}

function showStake({ stake }: RegistryMetrics, { entries, payouts }: ValidatorRegistry): void {
  const active = entries.reduce((sum, { stakeGwei }) => sum + stakeGwei, 0n);
  const held = payouts.reduce((sum, { gwei }) => sum + gwei, 0n);
  stake.set({ state: "active" }, Number(active) / GWEI_PER_ETHER);
  stake.set({ state: "held" }, Number(held) / GWEI_PER_ETHER);
}
