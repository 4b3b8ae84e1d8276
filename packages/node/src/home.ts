/** The home directory (DESIGN §9): where everything lies, and what is refused before it is read. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { ChainError, fromBase64, type Genesis, parseGenesis } from "@quorate/chain";
import { bytesEqual, ed25519PublicKey } from "@quorate/crypto";
import { NodeError, reasonOf } from "./errors.ts";

export interface HomePaths {
  readonly config: string;
  readonly genesis: string;
  readonly elGenesis: string;
  readonly validatorKey: string;
  readonly nodeKey: string;
  /** The consensus key's word for the node key; not there on a full node, nor where the key lies elsewhere. */
  readonly peerBinding: string;
  readonly jwt: string;
  readonly data: string;
  readonly signState: string;
  readonly wal: string;
  readonly store: string;
  readonly lastExit: string;
  readonly stateDump: string;
}

export function homePaths(home: string): HomePaths {
  const data = join(home, "data");
  return {
    config: join(home, "config", "config.toml"),
    genesis: join(home, "config", "genesis.json"),
    elGenesis: join(home, "config", "el-genesis.json"),
    validatorKey: join(home, "config", "priv_validator_key.json"),
    nodeKey: join(home, "config", "node_key.json"),
    peerBinding: join(home, "config", "peer_binding.json"),
    jwt: join(home, "config", "jwt.hex"),
    data,
    signState: join(data, "priv_validator_state.bin"),
    wal: join(data, "wal"),
    store: data,
    lastExit: join(data, "last-exit.json"),
    stateDump: join(data, "state-dump.json"),
  };
}

/** Refuses a secret that others can read (exit 3), naming file and mode. */
export async function requirePrivate(file: string): Promise<void> {
  let mode: number;
  try {
    ({ mode } = await stat(file));
  } catch (error) {
    throw unreadable(file, error);
  }
  if ((mode & 0o077) === 0) return;
  throw new NodeError({
    exitCode: 3,
    code: "FILE_MODE",
    what: `${file} has mode ${(mode & 0o777).toString(8).padStart(4, "0")}: others can read it`,
    do: `chmod 600 ${file}`,
  });
}

/** The error for a file of the home that is missing or out of reach; `made`: what makes it. */
export function unreadable(
  file: string,
  cause: unknown,
  made = "check the path in config.toml, or run `validator init`",
): NodeError {
  const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
  return new NodeError({
    exitCode: 3,
    code: missing ? "FILE_MISSING" : "FILE_UNREADABLE",
    what: missing ? `${file} does not exist` : `${file} cannot be read (${reasonOf(cause)})`,
    do: missing ? made : "check owner and permissions",
    cause,
  });
}

/** Reads a file of the home or says which one is missing and how to make it. */
export async function readHomeFile(file: string, made: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw unreadable(file, error, made);
  }
}

export async function loadGenesis(
  file: string,
): Promise<{ readonly genesis: Genesis; readonly document: unknown }> {
  const text = await readHomeFile(file, "run `validator init`, or copy the genesis.json of the network");
  try {
    return { genesis: parseGenesis(text), document: JSON.parse(text) };
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
    throw new NodeError({
      exitCode: 3,
      code: "GENESIS_INVALID",
      what: `${file}: ${error.message}`,
      do: "take the genesis.json that the other validators use; its hash is shown by `validator status`",
      cause: error,
    });
  }
}

/** CometBFT's node_key.json: the private key is base64 of seed ‖ public key. Returns the 32-byte seed. */
export async function loadNodeKey(file: string): Promise<Uint8Array> {
  const text = await readHomeFile(file, "run `validator init`");
  await requirePrivate(file);
  const seed = parseNodeKey(text);
  if (seed !== null) return seed;
  throw new NodeError({
    exitCode: 3,
    code: "NODE_KEY_INVALID",
    what: `${file} does not hold an Ed25519 key (priv_key.value: base64 of 64 bytes, the public key last)`,
    do: "restore the file, or remove it and run `validator init` (the node then has a new peer id)",
  });
}

/** The seed in the text of a node_key.json; `null` unless it is one whose public half belongs to the private one. */
export function parseNodeKey(text: string): Uint8Array | null {
  let value: unknown;
  try {
    const document: unknown = JSON.parse(text);
    value = (document as { priv_key?: { value?: unknown } }).priv_key?.value;
  } catch {
    return null;
  }
  const bytes = typeof value === "string" ? fromBase64(value) : null;
  if (bytes?.length !== 64) return null;
  const seed = bytes.slice(0, 32);
  return bytesEqual(ed25519PublicKey(seed), bytes.subarray(32)) ? seed : null;
}
