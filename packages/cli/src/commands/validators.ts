import { type Command, JSON_FLAG } from "../command.ts";
import { ExitCode } from "../errors.ts";
import { setOf } from "../registry/sets.ts";
import { NODE_FLAG, nodeOf } from "../registry/target.ts";
import { etherText, payoutText, registryView, rowsAt } from "../registry/view.ts";
import { nodeGet, textAt } from "../rpc-client.ts";

export const validators: Command = {
  words: ["validators"],
  summary: "List the validators, also those that leave or were punished, and what waits in the queue",
  arguments: [],
  flags: [
    {
      name: "height",
      kind: "integer",
      value: "H",
      min: 1,
      help: "the set of that height, as CometBFT's /validators shows it",
    },
    NODE_FLAG,
    JSON_FLAG,
  ],
  details: `Without --height: the registry after the last block, whose powers are those of the set two heights on. A change
that is queued acts within a third of the power per height. A tombstoned key signed two blocks at once and can never
validate again. In stake mode also what each has at stake, and what is held before it is paid to its owner: until that height and
that time have both passed, and in this order, at most 16 in a block.

  validator validators
  validator validators --height 120 --json`,
  async run(context) {
    const { args, io } = context;
    const node = nodeOf(context);
    const height = args.integer("height");
    const document = height === undefined ? await nodeGet(node, "registry") : await setOf(node, height);
    io.out(args.boolean("json") ? `${JSON.stringify(document)}\n` : text(document, height === undefined));
    return ExitCode.ok;
  },
};

function text(document: unknown, registry: boolean): string {
  const lines = registry ? registryLines(document) : setLines(document);
  return `height ${textAt(document, "block_height")}\n${lines.join("\n")}\n`;
}

function setLines(document: unknown): readonly string[] {
  return rowsAt(document, "validators").map(
    (row) =>
      `${textAt(row, "address")} ${textAt(row, "voting_power").padStart(12)}  priority ${textAt(row, "proposer_priority")}`,
  );
}

function registryLines(document: unknown): readonly string[] {
  const { policy, rows, payouts } = registryView(document);
  const staked = policy === "stake";
  return [
    ...rows.map(({ address, power, status, owner, stakeGwei }) => {
      const stake = staked ? `stake ${etherText(stakeGwei).padEnd(12)}  ` : "";
      return `${address} ${String(power).padStart(12)}  ${status.padEnd(10)}  ${stake}owner ${owner}`;
    }),
    ...rowsAt(document, "queued").map((row) => {
      const [kind, value] = [textAt(row, "kind"), textAt(row, "value")];
      const shown =
        staked && kind !== "leave" && /^\d+$/.test(value) ? `${etherText(BigInt(value))} ether` : value;
      return `queued: ${kind} ${textAt(row, "address")} ${shown}`;
    }),
    ...payouts.filter(({ gwei }) => gwei > 0n).map((payout) => `held: ${payoutText(payout)}`),
    ...rowsAt(document, "scheduled").map(
      (row) =>
        `scheduled: ${textAt(row, "kind")} ${textAt(row, "name")} ${textAt(row, "value")} at height ${textAt(row, "height")}`,
    ),
  ];
}
