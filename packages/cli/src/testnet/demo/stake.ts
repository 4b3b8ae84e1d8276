/** `--demo stake`: nobody owns the set. Deposits make validators, an equivocation burns stake, who leaves is paid. */
import { join as joinCommand } from "../../commands/join.ts";
import { CliError, ExitCode } from "../../errors.ts";
import { etherText, payoutText, readRegistry, rowsAt } from "../../registry/view.ts";
import { at, numberAt, textAt } from "../../rpc-client.ts";
import { call } from "../load.ts";
import type { Member } from "../network.ts";
import { type Cast, castOf } from "./cast.ts";
import { expectPower, firstSignature } from "./checks.ts";
import { isPunished } from "./equivocation.ts";
import { leaves } from "./leaving.ts";
import type { Scene } from "./scene.ts";
import type { Stage } from "./stage.ts";

const DEPOSIT_ETHER = 32;
const TOP_UP_ETHER = 8;
const GWEI = 1_000_000_000n;
/** Of the stake, an equivocation burns one in so many. */
const BURNT_PART = 20n;
/** Beside the time that stake is held, for blocks to pay it. */
const PAYING_S = 60;

/** @throws CliError usage when the network has too few nodes. */
export async function stakeScenes(stage: Stage): Promise<readonly Scene[]> {
  const cast = await castOf(stage);
  return [deposits(cast), toppedUp(cast), isPunished(cast, burns), leaves(cast, isPaid)];
}

function deposits({ joiner }: Cast): Scene {
  const { name, address } = joiner.entry;
  return {
    name: "join",
    title: `${name} joins: its owner deposits ${DEPOSIT_ETHER} ether, and nobody is asked`,
    async play(stage) {
      const words = ["--amount", String(DEPOSIT_ETHER)];
      const height = numberAt(await stage.command(joiner, joinCommand, words), "height");
      await expectPower(stage, address, { until: height + 1, before: 0, after: DEPOSIT_ETHER });
      const signed = await firstSignature(stage, joiner, height + 2);
      return `in the set from height ${height + 2}, one power per ether; its signature is in the commit of height ${signed}. Set: ${await stage.setText(height + 2)}`;
    },
  };
}

function toppedUp({ joiner }: Cast): Scene {
  const { name, address } = joiner.entry;
  return {
    name: "power",
    title: `${name} gets more power: its owner deposits ${TOP_UP_ETHER} ether more`,
    async play(stage) {
      const words = ["--amount", String(TOP_UP_ETHER)];
      const height = numberAt(await stage.command(joiner, joinCommand, words), "height");
      const after = DEPOSIT_ETHER + TOP_UP_ETHER;
      await expectPower(stage, address, { until: height + 1, before: DEPOSIT_ETHER, after });
      return `in force from height ${height + 2}. Set: ${await stage.setText(height + 2)}`;
    },
  };
}

/** A twentieth of the stake is gone, the rest waits as long as more evidence may come. */
async function burns(stage: Stage, { entry }: Member): Promise<string> {
  const whole = BigInt(DEPOSIT_ETHER) * GWEI;
  const held = await stage.until("what is left of its stake is held", async () => {
    const { payouts } = await readRegistry(stage.rpc);
    return payouts.find(({ address, unlockHeight }) => address === entry.address && unlockHeight > 0) ?? null;
  });
  if (held.gwei !== whole - whole / BURNT_PART) {
    throw new CliError(
      ExitCode.unmet,
      `${etherText(held.gwei)} of ${DEPOSIT_ETHER} ether are held`,
      "report it",
    );
  }
  return `; ${etherText(whole - held.gwei)} ether burnt, ${payoutText(held)}`;
}

/** The stake comes back to the account of the owner in a block, as a withdrawal that every validator has checked. */
async function isPaid(stage: Stage, { entry, child }: Member, left: number): Promise<string> {
  const { payouts } = await readRegistry(stage.rpc);
  const held = payouts.find(({ address, gwei }) => address === entry.address && gwei > 0n);
  if (held === undefined)
    throw new CliError(ExitCode.unmet, `nothing is held for ${entry.name}`, "report it");
  stage.say(`      held: ${payoutText(held)}`);
  const { unbondingS } = stage.network.manifest;
  let height = left;
  const url = stage.network.info(stage.narrator).eth_rpc;
  const payment = await stage.until(
    `the stake of ${entry.name} is paid`,
    async () => {
      for (; height < stage.watch.heightOf(stage.narrator.entry.name); height++) {
        const block = await call(url, "eth_getBlockByNumber", [`0x${height.toString(16)}`, false]);
        const found = withdrawalTo(block, held.owner);
        if (found !== null) return { height, gwei: found };
      }
      return null;
    },
    unbondingS + PAYING_S,
  );
  const gained =
    (await balance(url, held.owner, payment.height)) - (await balance(url, held.owner, payment.height - 1));
  if (payment.gwei !== held.gwei || gained < held.gwei * GWEI) {
    throw new CliError(
      ExitCode.unmet,
      `${etherText(payment.gwei)} of ${etherText(held.gwei)} ether were paid, and the account has ${gained} wei more`,
      `see ${child.logFile}`,
    );
  }
  return `; block ${payment.height} paid ${etherText(payment.gwei)} ether to ${held.owner}`;
}

/** Gwei that the block pays to this account; `null` = nothing. */
function withdrawalTo(block: unknown, owner: string): bigint | null {
  const row = rowsAt(at(block, "result"), "withdrawals").find(
    (each) => textAt(each, "address").toLowerCase() === owner.toLowerCase(),
  );
  return row === undefined ? null : BigInt(textAt(row, "amount"));
}

/** Wei of the account after the block of `height`. */
async function balance(url: string, account: string, height: number): Promise<bigint> {
  const answer = await call(url, "eth_getBalance", [account, `0x${height.toString(16)}`]);
  const wei = textAt(answer, "result");
  if (wei !== "") return BigInt(wei);
  throw new CliError(ExitCode.unreachable, `${url} does not tell the balance of ${account}`, "see its log");
}
