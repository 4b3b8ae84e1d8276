import { type Command, type CommandContext, JSON_FLAG } from "../command.ts";
import { CliError, ExitCode } from "../errors.ts";
import { hint } from "../nearest.ts";
import type { Call } from "../registry/send.ts";
import { SENDER_FLAGS, targetOf } from "../registry/target.ts";
import { foundInRegistry } from "../registry/wait.ts";
import { at, textAt } from "../rpc-client.ts";

const DEFAULT_TIMEOUT_S = 60;
const FLAGS = [
  ...SENDER_FLAGS,
  { name: "print", kind: "boolean", help: "send nothing: print the call, as JSON" },
  JSON_FLAG,
] as const;

export const param: Command = {
  words: ["param"],
  summary: "Set a param of the chain, as the registry's owner",
  arguments: [
    { name: "NAME", help: "as genesis names it: block_interval, timeout_propose, …", required: true },
    { name: "VALUE", help: "a whole number within the limits below", required: true },
  ],
  flags: FLAGS,
  details: `Acts two heights after the block, on every node at once. Limits:

  block_interval            100 … 60000 ms
  empty_block_interval      0 … 3600000 ms
  evidence_max_age          3600000 … 31536000000 ms
  evidence_max_age_blocks   1000 … 1000000000 blocks
  max_block_bytes           10485760 … 16777216 bytes
  max_el_time_drift         0 … 60 s
  max_evidence_bytes        65536 … 10485760 bytes
  message_delay             500 … 60000 ms
  precision                 50 … 30000 ms
  timeout_max               10000 … 60000 ms
  timeout_precommit         50 … 60000 ms
  timeout_precommit_delta   50 … 60000 ms
  timeout_prevote           50 … 60000 ms
  timeout_prevote_delta     50 … 60000 ms
  timeout_propose           200 … 60000 ms
  timeout_propose_absent    50 … 60000 ms
  timeout_propose_delta     50 … 60000 ms

gas_limit and fork.osaka are those of the execution clients' genesis and stay. What is in force: \`validator validators --json\`.

  validator param block_interval 2000 --key owner.json`,
  async run(context) {
    const [name = "", text = ""] = context.args.positionals;
    const value = whole(text);
    await requireSettable(name, value);
    const { paramCall } = await import("../registry/calls.ts");
    return await sendRule(context, paramCall(name, value), (registry) =>
      textAt(registry, "params", name) === String(value)
        ? { text: `${name} ${value} holds`, facts: { param: name, value: String(value) } }
        : null,
    );
  },
};

export const upgrade: Command = {
  words: ["upgrade"],
  summary: "Schedule a version of the rules for a height, as the registry's owner",
  arguments: [
    { name: "HEIGHT", help: "the first height that follows it", required: true },
    { name: "VERSION", help: "app version; 0 withdraws the one of that height", required: true },
  ],
  flags: FLAGS,
  details: `From that height on blocks follow the version. A node whose release does not know it warns from now on (log, status,
metrics) and stops before the height with exit 8: let every validator install the release first.

  validator upgrade 500000 2 --key owner.json
  validator upgrade 500000 0 --key owner.json      withdraws it`,
  async run(context) {
    const [height, version] = [0, 1].map((index) => whole(context.args.positionals[index] ?? ""));
    if (height === undefined || version === undefined) throw new Error("two arguments are required");
    const { upgradeCall } = await import("../registry/calls.ts");
    const scheduled = (registry: unknown): boolean => {
      const rows = at(registry, "scheduled");
      return (
        Array.isArray(rows) &&
        rows.some(
          (row: unknown) =>
            textAt(row, "kind") === "upgrade" &&
            textAt(row, "height") === String(height) &&
            (version === 0n || textAt(row, "value") === String(version)),
        )
      );
    };
    return await sendRule(context, upgradeCall(height, version), (registry) => {
      if (scheduled(registry) !== version > 0n) return null;
      const text = version > 0n ? `version ${version} is scheduled for height ${height}` : "it is withdrawn";
      return { text, facts: { upgrade_height: String(height), app_version: String(version) } };
    });
  },
};

/** @throws CliError usage, for what the chain would ignore. */
async function requireSettable(name: string, value: bigint): Promise<void> {
  const { OWNER_RANGES, PARAM_SPECS, paramSpec } = await import("@quorate/chain");
  const spec = paramSpec(name);
  const range = spec === undefined ? undefined : OWNER_RANGES.get(spec.field);
  if (spec === undefined || range === undefined) {
    const settable = PARAM_SPECS.filter(({ field }) => OWNER_RANGES.has(field)).map((each) => each.name);
    const what = spec === undefined ? `no param ${JSON.stringify(name)}` : `${name} is fixed in genesis`;
    throw new CliError(ExitCode.usage, `${what}${hint(name, settable)}`, "see `validator param --help`");
  }
  const [min, max] = range;
  if (value >= BigInt(min) && value <= BigInt(max)) return;
  throw new CliError(
    ExitCode.usage,
    `${name} ${value}: the chain takes ${min} to ${max} ${spec.unit}`,
    "write a value within these limits",
  );
}

function whole(text: string): bigint {
  if (/^\d{1,19}$/.test(text)) return BigInt(text);
  throw new CliError(ExitCode.usage, `${JSON.stringify(text)} is no whole number`, "write one");
}

interface Done {
  readonly text: string;
  readonly facts: Readonly<Record<string, string>>;
}

/** Sends the call as the registry's owner, and waits until `look` finds it in the registry that a node shows. */
async function sendRule(
  context: CommandContext,
  call: Call,
  look: (registry: unknown) => Done | null,
): Promise<number> {
  const { args, io } = context;
  const { callJson, requireRegistryOwner, senderOf } = await import("../registry/deliver.ts");
  if (args.boolean("print")) {
    io.out(`${JSON.stringify({ call: callJson(call) })}\n`);
    return ExitCode.ok;
  }
  const { send } = await import("../registry/send.ts");
  const target = targetOf(context);
  const account = await senderOf(context);
  await requireRegistryOwner(target.eth, call.to, account.address);
  const timeoutMs = (args.integer("timeout") ?? DEFAULT_TIMEOUT_S) * 1000;
  io.err(`from ${account.address}: ${call.what} (to ${call.to})\n`);
  const sent = await send(target, account, call, timeoutMs);
  io.err(`transaction ${sent.transaction} is final in block ${sent.height}\n`);
  const deadline = performance.now() + timeoutMs;
  const { text, facts } = await foundInRegistry(target.node, sent, deadline, look);
  const document = { transaction: sent.transaction, height: sent.height, ...facts };
  io.out(args.boolean("json") ? `${JSON.stringify(document)}\n` : `${text}\n`);
  return ExitCode.ok;
}
