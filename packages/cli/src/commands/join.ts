import { readFile } from "node:fs/promises";
import { type Command, type CommandContext, JSON_FLAG } from "../command.ts";
import { CliError, ExitCode } from "../errors.ts";
import type { Registration } from "../registry/calls.ts";
import type { Call, Sent } from "../registry/send.ts";
import { nodeOf, SENDER_FLAGS, type Target, targetOf } from "../registry/target.ts";
import { textAt } from "../rpc-client.ts";

const DEFAULT_TIMEOUT_S = 60;
const ADDRESS = /^0x[0-9a-fA-F]{40}$/;

export const join: Command = {
  words: ["join"],
  summary: "Have this home's key registered as a validator",
  arguments: [],
  flags: [
    { name: "power", kind: "integer", value: "N", min: 1, help: "voting power to ask for (default 10)" },
    {
      name: "operator",
      kind: "string",
      value: "ADDR",
      help: "account that will own the validator: fees, exit (default: this home's owner)",
    },
    {
      name: "registration",
      kind: "string",
      value: "FILE",
      help: "register what --print wrote in another home",
    },
    { name: "print", kind: "boolean", help: "send nothing: print the registration and the call, as JSON" },
    ...SENDER_FLAGS,
    JSON_FLAG,
  ],
  details: `Only the registry's owner can register a key. Where that is this home's account (the first validator's of a new
chain) or one named with --key, the call is signed and sent, and the command waits until the set has the key. Else print
it here, and have the owner send it: with its multisig (to and data of the call), or with --registration.

  validator join --power 10
  validator join --print > me.json
  validator join --registration me.json --power 10 --key owner.keystore.json --password-file pw

The registration proves that this home holds the key, for this chain and this operator alone: it is no secret. The key joins
two heights after the block, the power within a third of the total per height. Exit codes: 3 when this account is not the
registry's owner, 9 when node or execution client do not answer, 10 when the set does not change in time.`,
  async run(context) {
    const { args, io, home } = context;
    const { registerCall } = await import("../registry/calls.ts");
    const file = args.string("registration");
    const registration =
      file === undefined ? await registrationOf(home, args.string("operator")) : await registrationIn(file);
    const power = BigInt(args.integer("power") ?? 10);
    const call = registerCall(registration, power);
    if (args.boolean("print")) {
      io.out(`${JSON.stringify({ ...registrationJson(registration), call: callJson(call) })}\n`);
      return ExitCode.ok;
    }
    return await sendAsOwner(context, call, registration.pubKey, power);
  },
};

export const power: Command = {
  words: ["power"],
  summary: "Set a registered validator's voting power, as the registry's owner",
  arguments: [
    { name: "VALIDATOR", help: "its address, as `validator validators` shows it", required: true },
    { name: "POWER", help: "the absolute power; 0 removes it", required: true },
  ],
  flags: [
    ...SENDER_FLAGS,
    { name: "print", kind: "boolean", help: "send nothing: print the call, as JSON" },
    JSON_FLAG,
  ],
  details: `Acts two heights after the block, within a third of the total power per height. The last validator is never removed.

  validator power 1E3D… 20 --key owner.json`,
  async run(context) {
    const { args, io } = context;
    const { powerCall } = await import("../registry/calls.ts");
    const { registryRows } = await import("../registry/send.ts");
    const [validator = "", wanted = ""] = args.positionals;
    if (!/^\d{1,19}$/.test(wanted)) {
      throw new CliError(ExitCode.usage, `${JSON.stringify(wanted)} is no power`, "write a whole number");
    }
    const rows = await registryRows(nodeOf(context));
    const row = rows.find(({ address }) => address.toUpperCase() === validator.toUpperCase());
    if (row === undefined) {
      throw new CliError(ExitCode.usage, `no validator ${validator}`, "see `validator validators`");
    }
    const pubKey = new Uint8Array(Buffer.from(row.pubKey, "base64"));
    const call = powerCall(pubKey, BigInt(wanted));
    if (args.boolean("print")) {
      io.out(`${JSON.stringify({ call: callJson(call) })}\n`);
      return ExitCode.ok;
    }
    return await sendAsOwner(context, call, pubKey, BigInt(wanted));
  },
};

export const exit: Command = {
  words: ["exit"],
  summary: "Take this home's validator out, as its owner",
  arguments: [],
  flags: [
    ...SENDER_FLAGS,
    { name: "print", kind: "boolean", help: "send nothing: print the call, as JSON" },
    JSON_FLAG,
  ],
  details: `Sends a withdrawal request (EIP-7002) from the account that owns the validator: the chain takes it from nobody else.
The node goes on as a full node. The last validator of a chain cannot leave.

  validator exit
  validator exit --key owner.keystore.json --password-file pw`,
  async run(context) {
    const { args, io, home } = context;
    const { exitCall, WITHDRAWAL_CONTRACT } = await import("../registry/calls.ts");
    const { readContract, registryRows } = await import("../registry/send.ts");
    const { readAvailableIdentity } = await import("../home/keys.ts");
    const { pubKey } = await readAvailableIdentity(home);
    const target = targetOf(context);
    const key = Buffer.from(pubKey).toString("base64");
    const row = (await registryRows(target.node)).find((candidate) => candidate.pubKey === key);
    if (row === undefined || row.power === 0n) {
      throw new CliError(
        ExitCode.config,
        "this home's key is no validator of the chain",
        "nothing is to be done",
      );
    }
    const fee = BigInt(await readContract(target.eth, WITHDRAWAL_CONTRACT, "0x"));
    const call = exitCall(pubKey, fee);
    if (args.boolean("print")) {
      io.out(`${JSON.stringify({ call: callJson(call) })}\n`);
      return ExitCode.ok;
    }
    const account = await senderOf(context);
    if (account.address.toLowerCase() !== row.owner.toLowerCase()) {
      throw new CliError(
        ExitCode.config,
        `${account.address} does not own this validator, ${row.owner} does`,
        "name its key file with --key, or send what --print shows from there",
      );
    }
    return await deliver(context, target, call, pubKey, 0n);
  },
};

/** Key, operator and proof of this home. */
async function registrationOf(home: string, given: string | undefined): Promise<Registration> {
  const { homePaths } = await import("@quorate/node/home");
  const { parseGenesis } = await import("@quorate/chain");
  const { provePossession } = await import("@quorate/privval");
  const { readAvailableIdentity } = await import("../home/keys.ts");
  const paths = homePaths(home);
  const identity = await readAvailableIdentity(home);
  const operator = given ?? identity.owner;
  if (operator === null || !ADDRESS.test(operator)) {
    throw new CliError(
      ExitCode.usage,
      "the validator needs an account that owns it",
      "name it: --operator 0x…",
    );
  }
  const genesis = parseGenesis(await readFile(paths.genesis, "utf8"));
  const owner = new Uint8Array(Buffer.from(operator.slice(2), "hex"));
  const { publicKey, proof } = await provePossession(paths.validatorKey, {
    chainId: genesis.chainId,
    elGenesisHash: genesis.elGenesisHash,
    owner,
  });
  return { pubKey: publicKey, operator, proof };
}

async function registrationIn(file: string): Promise<Registration> {
  try {
    const document: unknown = JSON.parse(await readFile(file, "utf8"));
    const bytes = (key: string): Uint8Array => new Uint8Array(Buffer.from(textAt(document, key), "base64"));
    const registration = {
      pubKey: bytes("pub_key"),
      operator: textAt(document, "operator"),
      proof: bytes("proof"),
    };
    const { pubKey, operator, proof } = registration;
    if (pubKey.length === 32 && proof.length === 64 && ADDRESS.test(operator)) return registration;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
  throw new CliError(ExitCode.config, `${file} is no registration`, "make it with `validator join --print`");
}

function registrationJson({ pubKey, operator, proof }: Registration): object {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  return { pub_key: base64(pubKey), operator, proof: base64(proof) };
}

function callJson({ what, to, data, value }: Call): object {
  return { what, to, data, value: String(value) };
}

async function senderOf({
  args,
  home,
}: CommandContext): ReturnType<typeof import("../registry/account.ts").readAccount> {
  const { ownerKeyFile } = await import("../home/keys.ts");
  const { readAccount } = await import("../registry/account.ts");
  return await readAccount(args.string("key") ?? ownerKeyFile(home), args.string("password-file"));
}

/** Sends a call of the registry contract's owner, once this account is seen to be that. */
async function sendAsOwner(
  context: CommandContext,
  call: Call,
  pubKey: Uint8Array,
  power: bigint,
): Promise<number> {
  const { ownerQuery } = await import("../registry/calls.ts");
  const { readContract } = await import("../registry/send.ts");
  const target = targetOf(context);
  const account = await senderOf(context);
  const owner = `0x${(await readContract(target.eth, call.to, ownerQuery())).slice(-40)}`;
  if (owner.length !== 42) {
    throw new CliError(
      ExitCode.config,
      `there is no registry contract at ${call.to}`,
      "this chain was made without one: its set changes by exits alone",
    );
  }
  if (owner.toLowerCase() !== account.address.toLowerCase()) {
    throw new CliError(
      ExitCode.config,
      `${account.address} is not the registry's owner, ${owner} is`,
      "name its key with --key, or have the owner send what --print shows",
    );
  }
  return await deliver(context, target, call, pubKey, power);
}

async function deliver(
  context: CommandContext,
  target: Target,
  call: Call,
  pubKey: Uint8Array,
  power: bigint,
): Promise<number> {
  const { args, io } = context;
  const { send, waitForPower } = await import("../registry/send.ts");
  const timeoutMs = (args.integer("timeout") ?? DEFAULT_TIMEOUT_S) * 1000;
  const account = await senderOf(context);
  io.err(`from ${account.address}: ${call.what} (to ${call.to})\n`);
  const sent: Sent = await send(target.eth, account, call, timeoutMs);
  io.err(`transaction ${sent.transaction} is final in block ${sent.height}\n`);
  const key = Buffer.from(pubKey).toString("base64");
  const height = await waitForPower(target, sent, key, power, timeoutMs, io);
  const document = {
    transaction: sent.transaction,
    height: sent.height,
    power: String(power),
    in_force: height,
  };
  io.out(
    args.boolean("json") ? `${JSON.stringify(document)}\n` : `power ${power} in force at height ${height}\n`,
  );
  return ExitCode.ok;
}
