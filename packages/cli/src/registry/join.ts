/** `validator join`: a key is registered by the registry's owner, or deposited for by whoever pays. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { genesisRegistry, MAX_STAKE_GWEI, MIN_STAKE_GWEI, parseGenesis } from "@quorate/chain";
import { homePaths } from "@quorate/node/home";
import type { CommandContext } from "../command.ts";
import { CliError, ExitCode } from "../errors.ts";
import { readAvailableIdentity } from "../home/keys.ts";
import { depositCall, type Registration, registerCall } from "./calls.ts";
import { callJson, deliver, deliverAsOwner, senderOf } from "./deliver.ts";
import { checkProof, registrationIn, registrationJson, registrationOf } from "./registration.ts";
import type { Call } from "./send.ts";
import { nodeOf, targetOf } from "./target.ts";
import { base64, etherText, type Policy, parseEther, type RegistryRow, readRegistry, rowOf } from "./view.ts";

const DEFAULT_POWER = 10;
const DEFAULT_STAKE = "32";

/** @throws CliError as the command's help says. */
export async function runJoin(context: CommandContext): Promise<number> {
  const { args, io } = context;
  const policy = await policyOf(context);
  refuseFlagsOfOther(policy, context);
  const file = args.string("registration");
  const registration =
    file === undefined ? await ownRegistration(context, policy) : await registrationIn(file);
  const power = BigInt(args.integer("power") ?? DEFAULT_POWER);
  const gwei = parseEther(args.string("amount") ?? DEFAULT_STAKE, "amount");
  const call = policy === "stake" ? depositCall(registration, gwei) : registerCall(registration, power);
  if (args.boolean("print")) {
    io.out(`${JSON.stringify({ ...registrationJson(registration), call: callJson(call) })}\n`);
    return ExitCode.ok;
  }
  const asked = { registration, call };
  return policy === "stake" ? await deposit(context, asked, gwei) : await register(context, asked, power);
}

interface Asked {
  readonly registration: Registration;
  readonly call: Call;
}

async function register(
  context: CommandContext,
  { registration, call }: Asked,
  power: bigint,
): Promise<number> {
  await rowToChange(targetOf(context).node, registration);
  return await deliverAsOwner(context, call, registration.pubKey, power);
}

async function deposit(
  context: CommandContext,
  { registration, call }: Asked,
  gwei: bigint,
): Promise<number> {
  const { pubKey } = registration;
  const target = targetOf(context);
  const row = await rowToChange(target.node, registration);
  const lost =
    row === undefined && gwei < MIN_STAKE_GWEI
      ? `a new key begins with ${etherText(MIN_STAKE_GWEI)} ether or more: ${etherText(gwei)} would be lost`
      : (row?.stakeGwei ?? 0n) + gwei > MAX_STAKE_GWEI
        ? `a validator has at most ${etherText(MAX_STAKE_GWEI)} ether at stake`
        : row?.status === "leaving"
          ? `${row.address} is leaving: a deposit would be paid back, after it was held like the rest`
          : null;
  if (lost !== null) throw new CliError(ExitCode.config, lost, "nothing was sent: change --amount, or wait");
  const wanted = (row?.stakeGwei ?? 0n) + gwei;
  return await deliver(context, {
    target,
    account: await senderOf(context),
    call,
    pubKey,
    progress: (view, sent) => {
      const stake = rowOf(view, pubKey)?.stakeGwei ?? 0n;
      const waits = view.queued.some(
        ({ pubKey: key, kind, height }) =>
          key === base64(pubKey) && kind === "deposit" && height <= sent.height,
      );
      const state = `stake ${etherText(stake)} of ${etherText(wanted)} ether${waits ? ", the rest in the queue" : ""}`;
      if (waits || stake >= wanted) return { done: !waits, state };
      return { done: false, state, refused: `the deposit of block ${sent.height} was not added: ${state}` };
    },
  });
}

/** The registry's entry of a key that is to be registered; what the chain would ignore is refused. */
async function rowToChange(node: string, registration: Registration): Promise<RegistryRow | undefined> {
  const row = rowOf(await readRegistry(node), registration.pubKey);
  if (row === undefined) await checkProof(registration, node);
  if (row?.status !== "tombstoned") return row;
  throw new CliError(
    ExitCode.config,
    `the key of ${row.address} signed two blocks at once: it can never validate again`,
    "make a new home with a new key",
  );
}

/** As this home's genesis says, or the node where there is no home. */
async function policyOf(context: CommandContext): Promise<Policy> {
  const file = homePaths(context.home).genesis;
  if (!existsSync(file)) return (await readRegistry(nodeOf(context))).policy;
  const { policy } = genesisRegistry(parseGenesis(await readFile(file, "utf8")));
  return policy === 1 ? "stake" : "permissioned";
}

function refuseFlagsOfOther(policy: Policy, { args }: CommandContext): void {
  const [flag, action] =
    policy === "stake"
      ? ["power", "power is stake here, one for each ether: use --amount"]
      : ["amount", "the registry's owner decides on powers here: use --power"];
  if (args.has(flag)) throw new CliError(ExitCode.usage, `--${flag}: this chain has no use for it`, action);
}

async function ownRegistration(context: CommandContext, policy: Policy): Promise<Registration> {
  const { args, home } = context;
  const payer =
    policy === "stake" && args.has("key") && !args.has("operator") ? await senderOf(context) : null;
  const { owner } = await readAvailableIdentity(home);
  return await registrationOf(home, args.string("operator") ?? payer?.address ?? owner);
}
