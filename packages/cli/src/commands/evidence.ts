import { type Command, type CommandContext, JSON_FLAG } from "../command.ts";
import { CliError, ExitCode, reasonOf } from "../errors.ts";
import { NODE_FLAG, targetOf } from "../registry/target.ts";
import { at, nodeGet, nodeTell, textAt } from "../rpc-client.ts";

/** Most bytes of a file with evidence: an attack on light clients of the largest set stays below. */
const MAX_FILE_BYTES = 8 * 1_048_576;

export const evidenceList: Command = {
  words: ["evidence", "list"],
  summary: "List evidence that waits for a block and evidence that blocks carry",
  arguments: [],
  flags: [NODE_FLAG, JSON_FLAG],
  details: `Two votes of one validator for one height, round and type convict it: the block that carries them takes its power two
heights later and tombstones its key. Evidence of an attack on light clients is kept and shown until it expires.

  validator evidence list
  validator evidence list --json`,
  async run(context) {
    const { args, io } = context;
    const document = await nodeGet(nodeOf(context), "evidence");
    io.out(args.boolean("json") ? `${JSON.stringify(document)}\n` : listText(document));
    return ExitCode.ok;
  },
};

export const evidenceShow: Command = {
  words: ["evidence", "show"],
  summary: "Print one item of evidence in CometBFT's JSON",
  arguments: [{ name: "HASH", help: "its hash, or the first digits that single it out", required: true }],
  flags: [NODE_FLAG],
  details: `What it prints is what \`validator evidence submit\` takes.

  validator evidence show 5D2A91

Exit code 10 when no evidence, or more than one item, has that hash.`,
  async run(context) {
    const { args, io } = context;
    const wanted = (args.positionals[0] ?? "").toUpperCase();
    const document = await nodeGet(nodeOf(context), "evidence");
    const found = [...rows(document, "pending"), ...rows(document, "committed")].filter(
      (row) => wanted.length > 0 && textAt(row, "hash").startsWith(wanted),
    );
    const [row] = found;
    if (row === undefined || found.length > 1) {
      throw new CliError(
        ExitCode.unmet,
        `${found.length === 0 ? "no evidence has" : `${found.length} items of evidence have`} a hash that begins with ${wanted}`,
        "see `validator evidence list`",
      );
    }
    io.out(`${JSON.stringify(at(row, "evidence"), null, 2)}\n`);
    return ExitCode.ok;
  },
};

export const evidenceSubmit: Command = {
  words: ["evidence", "submit"],
  summary: "Hand evidence to the node, which verifies it and tells the others",
  arguments: [{ name: "FILE", help: "CometBFT's JSON of it; - reads standard input", required: true }],
  flags: [NODE_FLAG, JSON_FLAG],
  details: `Prints its hash when it was taken or is known already.

  validator evidence submit double-vote.json --node http://127.0.0.1:26657

Exit code 10 when the node refuses it, with the reason.`,
  async run(context) {
    const { args, io } = context;
    const evidence = await readEvidence(args.positionals[0] ?? "");
    const answer = await nodeTell(nodeOf(context), "broadcast_evidence", { evidence });
    if (answer.refusal !== null) {
      throw new CliError(
        ExitCode.unmet,
        `the node does not take the evidence: ${answer.refusal}`,
        "nothing is to be done if it is too old or its validator was convicted; else compare its fields with the chain's",
      );
    }
    const hash = textAt(answer.result, "hash");
    io.out(args.boolean("json") ? `${JSON.stringify({ hash })}\n` : `${hash}\n`);
    return ExitCode.ok;
  },
};

/** With --node no home is asked for. */
function nodeOf(context: CommandContext): string {
  return context.args.string("node") ?? targetOf(context).node;
}

async function readEvidence(file: string): Promise<unknown> {
  const { readFile } = await import("node:fs/promises");
  let text: string;
  try {
    text = await readFile(file === "-" ? "/dev/stdin" : file, "utf8");
  } catch (error) {
    throw new CliError(
      ExitCode.usage,
      `${file} cannot be read (${reasonOf(error)})`,
      "name a file with evidence",
    );
  }
  try {
    if (text.length > MAX_FILE_BYTES) throw new Error(`it is longer than ${MAX_FILE_BYTES} bytes`);
    return JSON.parse(text);
  } catch (error) {
    throw new CliError(
      ExitCode.usage,
      `${file} is no JSON (${reasonOf(error)})`,
      "give one item of evidence as `validator evidence show` prints it",
    );
  }
}

function rows(document: unknown, key: string): readonly unknown[] {
  const found = at(document, key);
  return Array.isArray(found) ? found : [];
}

function listText(document: unknown): string {
  const lines = [
    ...rows(document, "pending").map((row) => `waits        ${line(row)}`),
    ...rows(document, "committed").map(
      (row) => `block ${textAt(row, "block_height").padEnd(6)} ${line(row)}`,
    ),
  ];
  return lines.length === 0 ? "no evidence\n" : `${lines.join("\n")}\n`;
}

function line(row: unknown): string {
  const hash = textAt(row, "hash").slice(0, 12);
  const height = `height ${textAt(row, "height")}`;
  if (textAt(row, "evidence", "type") !== "tendermint/DuplicateVoteEvidence") {
    return `${hash}  attack on light clients, common ${height}`;
  }
  const vote = at(row, "evidence", "value", "vote_a");
  const type = at(vote, "type") === 1 ? "prevotes" : "precommits";
  const round = Number(at(vote, "round") ?? 0);
  return `${hash}  two ${type} of ${textAt(vote, "validator_address")}, ${height} round ${round}`;
}
