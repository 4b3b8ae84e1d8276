import { type Command, type CommandContext, JSON_FLAG } from "../command.ts";
import { CliError, ExitCode } from "../errors.ts";
import type { FlagSpec } from "../flags.ts";
import type { Delivery } from "../registry/deliver.ts";
import type { Call } from "../registry/send.ts";
import { SENDER_FLAGS, targetOf } from "../registry/target.ts";
import type { RegistryRow, RegistryView } from "../registry/view.ts";

const MAX_FEE_FLAG: FlagSpec = {
  name: "max-fee",
  kind: "integer",
  value: "GWEI",
  min: 1,
  help: "most to pay the contract for the request (default 1000000 = 0.001 ether)",
};

const FLAGS: readonly FlagSpec[] = [
  MAX_FEE_FLAG,
  { name: "print", kind: "boolean", help: "send nothing: print the call, as JSON" },
  ...SENDER_FLAGS,
  JSON_FLAG,
];

const FEE = `The contract asks a fee for each request, 1 wei unless many come at once; twice of what it asks is paid, at most
--max-fee, because it may rise until the block. It passes on 16 requests per block.`;

export const exit: Command = {
  words: ["exit"],
  summary: "Take this home's validator out, as its owner",
  arguments: [],
  flags: FLAGS,
  details: `Sends a withdrawal request (EIP-7002) from the account that owns the validator: the chain takes it from nobody else.
The node goes on as a full node. The last validator of a chain cannot leave. In stake mode the whole stake is held until no
evidence against the validator can come any more, then paid to the owner by the chain itself: nothing need be claimed.

${FEE}

  validator exit
  validator exit --key owner.keystore.json --password-file pw`,
  async run(context) {
    const { exitCall } = await import("../registry/calls.ts");
    const { powerReached } = await import("../registry/deliver.ts");
    return await request(context, (row, pubKey, view) => {
      if (row.power === 0n) throw notIn();
      if (row.status !== "active") throw leaving(row);
      if (view.rows.every(({ address, power }) => address === row.address || power === 0n)) {
        throw new CliError(
          ExitCode.config,
          "the last validator of a chain cannot leave",
          "let another one join first",
        );
      }
      return { call: (value) => exitCall(pubKey, value), progress: powerReached(pubKey, 0n) };
    });
  },
};

export const withdraw: Command = {
  words: ["withdraw"],
  summary: "Take a part of this home's stake back, as its owner (stake mode)",
  arguments: [],
  flags: [
    { name: "amount", kind: "string", value: "ETHER", help: "what to take back; at least 32 ether stay" },
    ...FLAGS,
  ],
  details: `Sends a withdrawal request (EIP-7002) from the account that owns the validator: the chain takes it from nobody else.
Power falls with the stake, two heights after the block and within a third of the total per height. What is taken is held as
long as evidence against the validator may come, then paid to the owner by the chain itself. To take everything: \`validator exit\`.

${FEE}

  validator withdraw --amount 8`,
  async run(context) {
    const { MIN_STAKE_GWEI } = await import("@quorate/chain");
    const { withdrawCall } = await import("../registry/calls.ts");
    const { etherText, parseEther, rowOf } = await import("../registry/view.ts");
    const text = context.args.string("amount");
    if (text === undefined) {
      throw new CliError(ExitCode.usage, "withdraw needs --amount", "to take everything: `validator exit`");
    }
    const gwei = parseEther(text, "amount");
    return await request(context, (row, pubKey, view) => {
      if (view.policy !== "stake") {
        throw new CliError(
          ExitCode.config,
          "this chain is permissioned: its validators have no stake",
          "nothing is to be done",
        );
      }
      if (row.status !== "active") throw leaving(row);
      const free = row.stakeGwei - MIN_STAKE_GWEI;
      if (gwei > free) {
        throw new CliError(
          ExitCode.config,
          `${etherText(row.stakeGwei)} ether are at stake and ${etherText(MIN_STAKE_GWEI)} must stay: ${etherText(gwei)} cannot be taken`,
          free > 0n
            ? `take at most ${etherText(free)}, or everything with \`validator exit\``
            : "take everything with `validator exit`",
        );
      }
      const wanted = row.stakeGwei - gwei;
      return {
        call: (value) => withdrawCall(pubKey, gwei, value),
        progress: (now) => {
          const stake = rowOf(now, pubKey)?.stakeGwei ?? 0n;
          return {
            done: stake <= wanted,
            state: `stake ${etherText(stake)}, to be ${etherText(wanted)} ether`,
          };
        },
      };
    });
  },
};

interface Request {
  call(value: bigint): Call;
  readonly progress: Delivery["progress"];
}

/** One request of EIP-7002 for this home's key, from the account that owns it. */
async function request(
  context: CommandContext,
  make: (row: RegistryRow, pubKey: Uint8Array, view: RegistryView) => Request,
): Promise<number> {
  const { args, io, home } = context;
  const { callJson, deliver, senderOf } = await import("../registry/deliver.ts");
  const { DEFAULT_MAX_FEE_GWEI, requestValue } = await import("../registry/fee.ts");
  const { readRegistry, rowOf } = await import("../registry/view.ts");
  const { readAvailableIdentity } = await import("../home/keys.ts");
  const { pubKey } = await readAvailableIdentity(home);
  const target = targetOf(context);
  const view = await readRegistry(target.node);
  const row = rowOf(view, pubKey);
  if (row === undefined) throw notIn();
  const { call: callWith, progress } = make(row, pubKey, view);
  const call = callWith(await requestValue(target.eth, args.integer("max-fee") ?? DEFAULT_MAX_FEE_GWEI));
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
  return await deliver(context, { target, account, call, pubKey, progress });
}

function notIn(): CliError {
  return new CliError(
    ExitCode.config,
    "this home's key is no validator of the chain",
    "nothing is to be done",
  );
}

function leaving({ address, status }: RegistryRow): CliError {
  return status === "tombstoned"
    ? new CliError(ExitCode.config, `${address} was punished: its power is gone`, "nothing is to be done")
    : new CliError(ExitCode.config, `${address} is leaving already`, "see `validator validators`");
}
