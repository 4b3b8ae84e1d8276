import { type Command, JSON_FLAG } from "../command.ts";
import { ExitCode } from "../errors.ts";
import { NODE_FLAG, nodeOf } from "../registry/target.ts";
import { at, nodeGet, textAt } from "../rpc-client.ts";

const PER_PAGE = 100;

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
validate again.

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

/** Every page of the set of a height. */
async function setOf(node: string, height: number): Promise<unknown> {
  const found: unknown[] = [];
  for (let page = 1; ; page++) {
    const answer = await nodeGet(node, `validators?height=${height}&per_page=${PER_PAGE}&page=${page}`);
    const rows = at(answer, "validators");
    if (Array.isArray(rows)) found.push(...rows);
    if (!Array.isArray(rows) || rows.length === 0 || found.length >= Number(textAt(answer, "total"))) {
      return { block_height: String(height), validators: found, total: String(found.length) };
    }
  }
}

function text(document: unknown, registry: boolean): string {
  const rows = (key: string): readonly unknown[] => {
    const found = at(document, key);
    return Array.isArray(found) ? found : [];
  };
  const lines = rows("validators").map((row) => {
    const power = textAt(row, "voting_power").padStart(12);
    return registry
      ? `${textAt(row, "address")} ${power}  ${textAt(row, "status").padEnd(10)}  owner ${textAt(row, "owner")}`
      : `${textAt(row, "address")} ${power}  priority ${textAt(row, "proposer_priority")}`;
  });
  for (const row of rows("queued")) {
    lines.push(`queued: ${textAt(row, "kind")} ${textAt(row, "address")} ${textAt(row, "value")}`);
  }
  for (const row of rows("scheduled")) {
    lines.push(
      `scheduled: ${textAt(row, "kind")} ${textAt(row, "name")} ${textAt(row, "value")} at height ${textAt(row, "height")}`,
    );
  }
  return `height ${textAt(document, "block_height")}\n${lines.join("\n")}\n`;
}
