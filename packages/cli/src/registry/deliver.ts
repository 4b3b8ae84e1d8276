/** From a call to a set that has changed: signed by the account that was named, told step by step. */
import { formatEther } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import type { CommandContext } from "../command.ts";
import { CliError, ExitCode } from "../errors.ts";
import { readAccount } from "./account.ts";
import { type Call, readContract, type Sent, send } from "./send.ts";
import { type Target, targetOf } from "./target.ts";
import { base64, etherText, payoutText, type RegistryView, rowOf } from "./view.ts";
import { inForce, type Progress, waitUntil } from "./wait.ts";

const DEFAULT_TIMEOUT_S = 60;

export function callJson({ what, to, data, value }: Call): object {
  return { what, to, data, value: String(value) };
}

/** The account that `--key` names, or that of the home. */
export async function senderOf({ args, home }: CommandContext): Promise<PrivateKeyAccount> {
  const { ownerKeyFile } = await import("../home/keys.ts");
  return await readAccount(args.string("key") ?? ownerKeyFile(home), args.string("password-file"));
}

/** What is sent, and when the chain has done it. */
export interface Delivery {
  readonly target: Target;
  readonly account: PrivateKeyAccount;
  readonly call: Call;
  readonly pubKey: Uint8Array;
  /** Judges the registry as it is after the transaction's block. */
  progress(view: RegistryView, sent: Sent): Progress;
}

/** Sends, waits until the set has changed, says so. @throws CliError unreachable, unmet. */
export async function deliver({ args, io }: CommandContext, delivery: Delivery): Promise<number> {
  const { target, account, call, pubKey } = delivery;
  const timeoutMs = (args.integer("timeout") ?? DEFAULT_TIMEOUT_S) * 1000;
  const paid = call.value === 0n ? "" : `, with ${formatEther(call.value)} ether`;
  io.err(`from ${account.address}: ${call.what} (to ${call.to}${paid})\n`);
  const sent = await send(target, account, call, timeoutMs);
  io.err(`transaction ${sent.transaction} is final in block ${sent.height}\n`);
  const deadline = performance.now() + timeoutMs;
  const judge = (view: RegistryView): Progress => delivery.progress(view, sent);
  const view = await waitUntil(target.node, sent, judge, deadline, io);
  const row = rowOf(view, pubKey);
  const power = row?.power ?? 0n;
  const height = await inForce(target.node, sent, base64(pubKey), power, deadline);
  const staked = view.policy === "stake";
  const document = {
    transaction: sent.transaction,
    height: sent.height,
    power: String(power),
    in_force: height,
    ...(staked ? { stake_gwei: String(row?.stakeGwei ?? 0n) } : {}),
  };
  if (args.boolean("json")) {
    io.out(`${JSON.stringify(document)}\n`);
    return ExitCode.ok;
  }
  io.out(`power ${power} in force at height ${height}\n`);
  if (!staked || row === undefined) return ExitCode.ok;
  io.out(`stake ${etherText(row.stakeGwei)} ether\n`);
  for (const payout of view.payouts) {
    if (payout.address === row.address && payout.gwei > 0n) io.out(`held: ${payoutText(payout)}\n`);
  }
  return ExitCode.ok;
}

/** Done when the key has exactly this power. */
export function powerReached(pubKey: Uint8Array, power: bigint): Delivery["progress"] {
  return (view) => {
    const found = rowOf(view, pubKey)?.power ?? 0n;
    return { done: found === power, state: `power ${found} of ${power}` };
  };
}

/** Sends a call of the registry contract's owner, once this account is seen to be that. @throws CliError config. */
export async function deliverAsOwner(
  context: CommandContext,
  call: Call,
  pubKey: Uint8Array,
  power: bigint,
): Promise<number> {
  const target = targetOf(context);
  const account = await senderOf(context);
  await requireRegistryOwner(target.eth, call.to, account.address);
  return await deliver(context, { target, account, call, pubKey, progress: powerReached(pubKey, power) });
}

/** @throws CliError config when there is no registry contract, or `account` does not own it. */
export async function requireRegistryOwner(
  eth: string,
  registry: `0x${string}`,
  account: string,
): Promise<void> {
  const { ownerQuery } = await import("./calls.ts");
  const owner = `0x${(await readContract(eth, registry, ownerQuery())).slice(-40)}`;
  if (owner.length !== 42) {
    throw new CliError(
      ExitCode.config,
      `there is no registry contract at ${registry}`,
      "this chain was made without one: nobody owns its set and its rules",
    );
  }
  if (owner.toLowerCase() === account.toLowerCase()) return;
  throw new CliError(
    ExitCode.config,
    `${account} is not the registry's owner, ${owner} is`,
    "name its key with --key, or have the owner send what --print shows",
  );
}
