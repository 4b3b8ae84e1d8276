import { type Command, JSON_FLAG } from "../command.ts";
import { CliError, ExitCode } from "../errors.ts";
import { nodeOf, SENDER_FLAGS } from "../registry/target.ts";

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
In stake mode there is no such owner: powers follow from \`validator join\`, \`withdraw\` and \`exit\`.

  validator power 1E3D… 20 --key owner.json`,
  async run(context) {
    const { args, io } = context;
    const { powerCall } = await import("../registry/calls.ts");
    const { callJson, deliverAsOwner } = await import("../registry/deliver.ts");
    const { readRegistry } = await import("../registry/view.ts");
    const [validator = "", wanted = ""] = args.positionals;
    if (!/^\d{1,19}$/.test(wanted)) {
      throw new CliError(ExitCode.usage, `${JSON.stringify(wanted)} is no power`, "write a whole number");
    }
    const { policy, rows } = await readRegistry(nodeOf(context));
    if (policy === "stake") {
      throw new CliError(
        ExitCode.config,
        "this chain is in stake mode: power is stake, one for each ether",
        "use `validator join --amount`, `withdraw` or `exit`",
      );
    }
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
    return await deliverAsOwner(context, call, pubKey, BigInt(wanted));
  },
};
