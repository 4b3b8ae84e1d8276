/** Validators come, change, are punished and go, and the owner changes a rule: the scenes of `--demo validators`. */
import { readFile } from "node:fs/promises";
import { type Genesis, parseGenesis } from "@quorate/chain";
import { homePaths } from "@quorate/node/home";
import { exit } from "../../commands/exit.ts";
import { join as joinCommand } from "../../commands/join.ts";
import { power } from "../../commands/power.ts";
import { param } from "../../commands/rules.ts";
import { CliError, ExitCode } from "../../errors.ts";
import { at, nodeGet, numberAt, textAt } from "../../rpc-client.ts";
import { registryOwnerFile } from "../manifest.ts";
import type { Member } from "../network.ts";
import { CopiedKey } from "./copied-key.ts";
import type { Scene } from "./scene.ts";
import type { Stage } from "./stage.ts";

const JOINED_POWER = 10;
const RAISED_POWER = 15;
/** What the owner makes of the block interval, in percent: seen at a glance. */
const INTERVAL_PERCENT = 150;
/** Heights at which the copied key tries to contradict its original. */
const MOST_TRIES = 10;

/** Who plays what. Four validators of genesis and a full node at least. */
interface Cast {
  readonly genesis: Genesis;
  readonly ownerKey: string;
  readonly joiner: Member;
  readonly offender: Member;
  readonly leaver: Member;
}

/** @throws CliError usage when the network has too few nodes for it. */
export async function validatorScenes(stage: Stage): Promise<readonly Scene[]> {
  const { members, home } = stage.network;
  const validators = members.filter(({ entry }) => entry.validator);
  const joiner = members.find(({ entry }) => !entry.validator);
  const [narrator, offender] = validators;
  const leaver = validators.at(-1);
  if (joiner === undefined || narrator === undefined || offender === undefined || leaver === undefined) {
    throw new CliError(
      ExitCode.usage,
      "the demo needs four validators and a full node",
      "leave --validators out",
    );
  }
  const genesis = parseGenesis(await readFile(homePaths(narrator.child.home).genesis, "utf8"));
  const cast: Cast = { genesis, ownerKey: registryOwnerFile(home), joiner, offender, leaver };
  return [joins(cast), changesPower(cast), isPunished(cast), leaves(cast), changesParams(cast)];
}

function joins({ joiner, ownerKey }: Cast): Scene {
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

function changesPower({ joiner, ownerKey }: Cast): Scene {
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

function isPunished({ offender, genesis }: Cast): Scene {
  const { name, address } = offender.entry;
  return {
    name: "punishment",
    title: `${name} equivocates: a copy of its key, without the sign state, signs a second block of a decided height`,
    async play(stage) {
      // Who sees its own key sign elsewhere stops at once (exit 5).
      stage.doomed.set(name, ExitCode.signState);
      const from = stage.watch.height;
      const peers = stage.alive.map((member) => stage.network.info(member).p2p);
      const copy = await CopiedKey.open(offender.child.home, genesis, peers);
      try {
        await stage.until("links of the copied key to all nodes", () =>
          copy.listeners >= stage.alive.length - 1 ? true : null,
        );
        await contradictUntilSeen(stage, copy, offender);
      } finally {
        await copy.close();
      }
      const evidence = await evidenceHeight(stage, address, from);
      stage.say(`      the others have committed the evidence in block ${evidence}`);
      await expectPower(stage, address, { until: evidence + 1, before: null, after: 0 });
      const row = await stage.until(`${name} tombstoned`, async () => {
        const found = await stage.registryRow(address);
        return textAt(found, "status") === "tombstoned" ? found : null;
      });
      return `${name} has power ${textAt(row, "voting_power")} from height ${evidence + 2} and is ${textAt(row, "status")} for ever. Set: ${await stage.setText(evidence + 2)}`;
    },
  };
}

/** Contradicts one decided height after the other until the offender's own node has seen it and ended. */
async function contradictUntilSeen(stage: Stage, copy: CopiedKey, offender: Member): Promise<void> {
  const { name, address } = offender.entry;
  const ended = (): boolean => offender.child.state === "dead";
  for (let attempt = 0; attempt < MOST_TRIES && !ended(); attempt++) {
    const height = await stage.nextHeight();
    if (ended()) break;
    const place = await stage.signedAt(address, height);
    if (place === null) continue;
    const conflict = await copy.contradict({ height, round: place.round, validatorIndex: place.index });
    if (conflict === null) continue;
    stage.scripted.add(conflict.signBytes);
    stage.say(
      `      height ${height}: the copy signs block ${conflict.block.slice(0, 12)}… too, and tells ${copy.listeners} peers`,
    );
  }
  await stage.until(`${name} sees that its key signs elsewhere and stops`, () => (ended() ? true : null));
  stage.say(`      ${name}: ${offender.child.failure ?? "it said nothing"}`);
  const exitCode = stage.doomed.get(name);
  if (offender.child.lastExit !== exitCode) {
    throw new CliError(
      ExitCode.unmet,
      `${name} ended with exit ${offender.child.lastExit} instead of ${exitCode}`,
      `see ${offender.child.logFile}`,
    );
  }
}

function leaves({ leaver }: Cast): Scene {
  const { name, address } = leaver.entry;
  return {
    name: "exit",
    title: `${name} leaves: its owner sends a withdrawal request (EIP-7002)`,
    async play(stage) {
      const height = numberAt(await stage.command(leaver, exit, []), "height");
      await expectPower(stage, address, { until: height + 1, before: null, after: 0 });
      const follows = Math.max(stage.watch.height, height + 2) + 1;
      await stage.reached(follows);
      return `out of the set from height ${height + 2}; the node follows as a full node (height ${follows}). Set: ${await stage.setText(height + 2)}`;
    },
  };
}

function changesParams({ genesis, ownerKey }: Cast): Scene {
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

/** That the power is `before` in the set of height `until` (null = not looked at) and `after` in the next one. */
async function expectPower(
  stage: Stage,
  address: string,
  {
    until,
    before,
    after,
  }: { readonly until: number; readonly before: number | null; readonly after: number },
): Promise<void> {
  const [was, is] = [await stage.powersAt(until), await stage.powersAt(until + 1)].map(
    (powers) => powers.get(address) ?? 0,
  );
  if ((before === null || was === before) && is === after) return;
  throw new CliError(
    ExitCode.unmet,
    `${stage.nameOf(address)} has power ${was} at height ${until} and ${is} at ${until + 1}, not ${before ?? was} and ${after}`,
    "report it",
  );
}

/** First height from `from` on whose commit has the member's signature. */
async function firstSignature(stage: Stage, { entry }: Member, from: number): Promise<number> {
  let height = from;
  return await stage.until(`a commit signed by ${entry.name}`, async () => {
    for (; height < stage.watch.height; height++) {
      if ((await stage.signedAt(entry.address, height)) !== null) return height;
    }
    return null;
  });
}

/** Height above `from` whose block carries evidence against the validator. */
async function evidenceHeight(stage: Stage, address: string, from: number): Promise<number> {
  let height = from + 1;
  return await stage.until("a block with the evidence", async () => {
    for (; height <= stage.watch.height; height++) {
      const found = at(await nodeGet(stage.rpc, `block?height=${height}`), "block", "evidence", "evidence");
      const rows: readonly unknown[] = Array.isArray(found) ? found : [];
      if (rows.some((row) => textAt(row, "value", "vote_a", "validator_address") === address)) return height;
    }
    return null;
  });
}

async function headerTimeMs(stage: Stage, height: number): Promise<number> {
  return Date.parse(textAt(await nodeGet(stage.rpc, `header?height=${height}`), "header", "time"));
}
