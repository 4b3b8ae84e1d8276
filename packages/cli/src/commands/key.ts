import { readFile } from "node:fs/promises";
import { type Command, type CommandContext, JSON_FLAG } from "../command.ts";
import { CliError, ExitCode, errorCode } from "../errors.ts";

const STATE_DETAILS = `The sign state (data/priv_validator_state.bin) is what keeps a key from signing twice: the last
signed height, round and step, and the lock. Beside an existing key it is never made anew by init. To move a validator:
stop the old node, \`key state export\` there, copy key and export, \`key state import\` here. Import only raises. Only
\`key state init --force\` creates or lowers it: do that when no other copy of the key runs and the chain has passed the
last signed height.`;

async function keyPaths(home: string): Promise<{ keyFile: string; stateFile: string }> {
  const { homePaths } = await import("@quorate/node/home");
  const paths = homePaths(home);
  return { keyFile: paths.validatorKey, stateFile: paths.signState };
}

export const keyShow: Command = {
  words: ["key", "show"],
  summary: "Show the public half of this home's keys: address, public key, peer id, owner",
  arguments: [],
  flags: [JSON_FLAG],
  details:
    "--json prints {address, pub_key, peer_id, owner}; peer_id and owner are null where there is none. Nothing secret is shown.",
  async run({ args, io, home }) {
    const { readAvailableIdentity } = await import("../home/keys.ts");
    const identity = await readAvailableIdentity(home);
    const shown = {
      address: Buffer.from(identity.address).toString("hex").toUpperCase(),
      pub_key: { type: "tendermint/PubKeyEd25519", value: Buffer.from(identity.pubKey).toString("base64") },
      peer_id: identity.peerId,
      owner: identity.owner,
    };
    if (args.boolean("json")) io.out(`${JSON.stringify(shown)}\n`);
    else {
      const peerId = shown.peer_id === null ? "" : `peer id  ${shown.peer_id}\n`;
      io.out(
        `address  ${shown.address}\npub key  ${shown.pub_key.value}\n${peerId}owner    ${shown.owner ?? "none here"}\n`,
      );
    }
    return ExitCode.ok;
  },
};

export const keyBindPeer: Command = {
  words: ["key", "bind-peer"],
  summary: "Let this home's consensus key vouch for its peer id",
  arguments: [],
  flags: [JSON_FLAG],
  details: `Writes config/peer_binding.json, which init makes together with the keys: run it when the node key is another one. The
node shows it to its peers, and as long as its key is in the validator set they keep the link to it before others and know
when it is away; without it (or a p2p.validator_peers entry at each of them) they wait out its turns. Nothing secret is in
it, and safety never rests on it. Restart the node afterwards.`,
  async run({ args, io, home }) {
    const { rename, writeFile } = await import("node:fs/promises");
    const { homePaths } = await import("@quorate/node/home");
    const { peerBindingDocument } = await import("../home/keys.ts");
    const { MODE } = await import("../home/files.ts");
    const file = homePaths(home).peerBinding;
    const document = await peerBindingDocument(home);
    await writeFile(`${file}.tmp`, document, { mode: MODE.public });
    await rename(`${file}.tmp`, file);
    const { peer_id } = JSON.parse(document) as { readonly peer_id: string };
    io.out(args.boolean("json") ? `${JSON.stringify(JSON.parse(document))}\n` : `${peer_id} is bound\n`);
    return ExitCode.ok;
  },
};

export const keyNew: Command = {
  words: ["key", "new"],
  summary: "Make a consensus key together with its sign state, where none is",
  arguments: [],
  flags: [JSON_FLAG],
  details:
    "Refuses (exit 3) when config/priv_validator_key.json exists: a key is never replaced by this command.",
  async run({ args, io, home }) {
    const { createKeyAndState } = await import("@quorate/privval");
    const { publicKey, address } = await createKeyAndState(await keyPaths(home));
    const shown = {
      address: Buffer.from(address).toString("hex").toUpperCase(),
      pub_key: { type: "tendermint/PubKeyEd25519", value: Buffer.from(publicKey).toString("base64") },
    };
    io.out(
      args.boolean("json")
        ? `${JSON.stringify(shown)}\n`
        : `address  ${shown.address}\npub key  ${shown.pub_key.value}\n`,
    );
    return ExitCode.ok;
  },
};

export const keyStateExport: Command = {
  words: ["key", "state", "export"],
  summary: "Print the sign state as JSON, to be imported on another machine",
  arguments: [],
  flags: [{ ...JSON_FLAG, help: "accepted for symmetry: the output is one JSON document anyway" }],
  details: STATE_DETAILS,
  async run({ io, home }) {
    const { exportState } = await import("@quorate/privval");
    io.out(`${JSON.stringify(await exportState(await keyPaths(home)), null, 2)}\n`);
    return ExitCode.ok;
  },
};

export const keyStateImport: Command = {
  words: ["key", "state", "import"],
  summary: "Raise the sign state to an exported one (or CometBFT's priv_validator_state.json)",
  arguments: [{ name: "FILE", help: "the export; - reads standard input", required: true }],
  flags: [JSON_FLAG],
  details: STATE_DETAILS,
  async run(context) {
    const { importState } = await import("@quorate/privval");
    const text = await inputText(context.args.positionals[0] ?? "-");
    return await withHeldHome(context, async () => {
      const { changed, state } = await importState(await keyPaths(context.home), text);
      const { args, io } = context;
      if (args.boolean("json")) io.out(`${JSON.stringify({ changed, state })}\n`);
      else
        io.out(
          changed ? "the sign state was raised\n" : "the sign state is already at or above it: unchanged\n",
        );
      return ExitCode.ok;
    });
  },
};

export const keyStateInit: Command = {
  words: ["key", "state", "init"],
  summary: "Make a blank sign state for an existing key: can make it sign twice",
  arguments: [],
  flags: [
    {
      name: "force",
      kind: "boolean",
      help: "yes, no other copy of this key runs and its last height has passed",
    },
    { name: "height", kind: "integer", value: "H", help: "start with heights up to H counted as signed" },
    JSON_FLAG,
  ],
  details: STATE_DETAILS,
  async run(context) {
    const { initState } = await import("@quorate/privval");
    const { args, io, home } = context;
    const height = args.integer("height") ?? 0;
    return await withHeldHome(context, async () => {
      const state = await initState(await keyPaths(home), {
        force: args.boolean("force"),
        ...(height > 0 ? { watermark: { height, round: 2 ** 31 - 1, step: 2 } } : {}),
      });
      io.out(args.boolean("json") ? `${JSON.stringify({ state })}\n` : "a new sign state was made\n");
      return ExitCode.ok;
    });
  },
};

/** Two writers of one sign state would race: a running node is refused (exit 4). */
async function withHeldHome(context: CommandContext, work: () => Promise<number>): Promise<number> {
  const { holdHome } = await import("../home/hold.ts");
  const release = await holdHome(context.home);
  try {
    return await work();
  } finally {
    await release();
  }
}

async function inputText(file: string): Promise<string> {
  try {
    return await readFile(file === "-" ? "/dev/stdin" : file, "utf8");
  } catch (error) {
    throw new CliError(
      ExitCode.config,
      errorCode(error) === "ENOENT" ? `${file} does not exist` : `${file} cannot be read`,
      "name the file that `validator key state export` wrote",
    );
  }
}
