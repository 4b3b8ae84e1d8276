/**
 * `--demo validators`: one joins, its power changes, one is punished, one leaves, a rule changes, by the word of the owner
 * of the registry contract.
 */
import { join as joinCommand } from "../../commands/join.ts";
import { power } from "../../commands/power.ts";
import { param } from "../../commands/rules.ts";
import { CliError, ExitCode } from "../../errors.ts";
import { numberAt } from "../../rpc-client.ts";
import { registryOwnerFile } from "../manifest.ts";
import { type Cast, castOf } from "./cast.ts";
import { expectPower, firstSignature, headerTimeMs } from "./checks.ts";
import { isPunished } from "./equivocation.ts";
import { leaves } from "./leaving.ts";
import type { Scene } from "./scene.ts";
import type { Stage } from "./stage.ts";

const JOINED_POWER = 10;
const RAISED_POWER = 15;
/** What the owner makes of the block interval, in percent: seen at a glance. */
const INTERVAL_PERCENT = 150;

/** @throws CliError usage when the network has too few nodes. */
export async function validatorScenes(stage: Stage): Promise<readonly Scene[]> {
  const cast = await castOf(stage);
  const ownerKey = registryOwnerFile(stage.network.home);
  return [
    joins(cast, ownerKey),
    changesPower(cast, ownerKey),
    isPunished(cast),
    leaves(cast),
    changesParams(cast, ownerKey),
  ];
}

function joins({ joiner }: Cast, ownerKey: string): Scene {
  const { name, address } = joiner.entry;
  return {
    name: "join",
    title: `${name} joins: a full node's key is registered by the owner of the registry contract`,
    async play(stage) {
      const words = ["--power", String(JOINED_POWER), "--key", ownerKey];
      const height = numberAt(await stage.command(joiner, joinCommand, words), "height");
      await expectPower(stage, address, { until: height + 1, before: 0, after: JOINED_POWER });
      const signed = await firstSignature(stage, joiner, height + 2);
      return `in the set from height ${height + 2}; its signature is in the commit of height ${signed}. Set: ${await stage.setText(height + 2)}`;
    },
  };
}

function changesPower({ joiner }: Cast, ownerKey: string): Scene {
  const { name, address } = joiner.entry;
  return {
    name: "power",
    title: `${name} gets more power: ${JOINED_POWER} becomes ${RAISED_POWER}`,
    async play(stage) {
      const words = [address, String(RAISED_POWER), "--key", ownerKey];
      const height = numberAt(await stage.command(joiner, power, words), "height");
      await expectPower(stage, address, { until: height + 1, before: JOINED_POWER, after: RAISED_POWER });
      return `in force from height ${height + 2}. Set: ${await stage.setText(height + 2)}`;
    },
  };
}

function changesParams({ genesis }: Cast, ownerKey: string): Scene {
  const before = genesis.params.blockIntervalMs;
  const after = Math.max(100, Math.round((before * INTERVAL_PERCENT) / 100));
  return {
    name: "params",
    title: `the owner changes a param of the chain: block_interval ${before} ms becomes ${after} ms`,
    async play(stage) {
      const words = ["block_interval", String(after), "--key", ownerKey];
      const height = numberAt(await stage.command(stage.narrator, param, words), "height");
      const last = height + 4;
      await stage.reached(last);
      const times: number[] = [];
      for (let at = height + 1; at <= last; at++) times.push(await headerTimeMs(stage, at));
      const gaps = times.slice(1).map((time, index) => time - times[index]!);
      if (gaps.some((gap) => gap < after)) {
        throw new CliError(ExitCode.unmet, `block times differ by ${gaps.join(", ")} ms`, "report it");
      }
      return `blocks from height ${height + 2} on are ${gaps.join(", ")} ms apart`;
    },
  };
}
