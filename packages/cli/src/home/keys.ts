import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { createNodeKey, nodeKeyFromSeed, peerIdOf } from "@quorate/gossip/node-key";
import { homePaths, parseNodeKey } from "@quorate/node/home";
import { bindPeer, createKeyAndState, readPublicKey } from "@quorate/privval";
import { generatePrivateKey, privateKeyToAddress } from "viem/accounts";
import { CliError, ExitCode, errorCode } from "../errors.ts";
import { type Inventory, MODE, writeNew } from "./files.ts";

/** Public half of everything secret in a home. */
export interface HomeIdentity {
  readonly address: Uint8Array;
  readonly pubKey: Uint8Array;
  readonly peerId: string;
  /** 0x address of the account made beside the node; `null` when there is none. */
  readonly owner: `0x${string}` | null;
}

/** config/owner_key.json: the account that receives the fees. Not needed to run; keep it elsewhere if you like. */
export function ownerKeyFile(home: string): string {
  return join(home, "config", "owner_key.json");
}

/**
 * Makes the keys that are missing: consensus key together with its sign state, node key, JWT secret, owner account
 * (unless `withOwner` is false). Beside an existing consensus key no sign state is ever made (DESIGN §5.6).
 */
export async function ensureKeys(
  home: string,
  withOwner: boolean,
  inventory: Inventory,
): Promise<HomeIdentity> {
  const paths = homePaths(home);
  const fresh = !existsSync(paths.validatorKey);
  if (fresh) await createKeyAndState({ keyFile: paths.validatorKey, stateFile: paths.signState });
  inventory.note("config/priv_validator_key.json", fresh);
  if (fresh || existsSync(paths.signState)) inventory.note("data/priv_validator_state.bin", fresh);
  const freshPeer = await writeNew(paths.nodeKey, nodeKeyDocument(createNodeKey()), MODE.secret);
  inventory.note("config/node_key.json", freshPeer);
  inventory.note(
    "config/jwt.hex",
    await writeNew(paths.jwt, `${randomBytes(32).toString("hex")}\n`, MODE.secret),
  );
  // What was said of other keys holds no more.
  if (fresh || freshPeer) await rm(paths.peerBinding, { force: true });
  const binding = await peerBindingDocument(home);
  inventory.note("config/peer_binding.json", await writeNew(paths.peerBinding, binding, MODE.public));
  if (withOwner) {
    const created = await writeNew(ownerKeyFile(home), ownerDocument(generatePrivateKey()), MODE.secret);
    inventory.note("config/owner_key.json", created);
  }
  return await readIdentity(home);
}

/**
 * The text of config/peer_binding.json: the consensus key's word for the peer id of the node key. Nothing in it is secret.
 * @throws CliError config, PrivvalError.
 */
export async function peerBindingDocument(home: string): Promise<string> {
  const paths = homePaths(home);
  const peerId = peerIdOf(await readNodeKey(paths.nodeKey));
  const { publicKey, signature } = await bindPeer(paths.validatorKey, peerId);
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  const document = { peer_id: peerId, pub_key: base64(publicKey), signature: base64(signature) };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** @throws CliError config when a key file is missing or malformed. */
export async function readIdentity(home: string): Promise<HomeIdentity> {
  const { nodeKey } = homePaths(home);
  return { ...(await readPublicKeys(home)), peerId: peerIdOf(await readNodeKey(nodeKey)) };
}

/**
 * Like `readIdentity`, also of a home that holds a consensus key alone, as `key new` makes it: the peer id is `null`
 * there.
 * @throws CliError config when another key file is missing, or one is malformed.
 */
export async function readAvailableIdentity(
  home: string,
): Promise<Omit<HomeIdentity, "peerId"> & { readonly peerId: string | null }> {
  if (existsSync(homePaths(home).nodeKey)) return await readIdentity(home);
  return { ...(await readPublicKeys(home)), peerId: null };
}

async function readPublicKeys(home: string): Promise<Omit<HomeIdentity, "peerId">> {
  const paths = homePaths(home);
  const { publicKey, address } = await readPublicKey(paths.validatorKey);
  return { pubKey: publicKey, address, owner: await readOwner(home) };
}

/** CometBFT's node_key.json: base64 of seed ‖ public key. */
function nodeKeyDocument(libp2pKey: Uint8Array): string {
  const value = Buffer.from(libp2pKey.slice(-64)).toString("base64");
  return `${JSON.stringify({ priv_key: { type: "tendermint/PrivKeyEd25519", value } }, null, 2)}\n`;
}

/** The libp2p private key (protobuf: type Ed25519, 64 bytes) of a node_key.json. */
async function readNodeKey(file: string): Promise<Uint8Array> {
  const seed = parseNodeKey(await readText(file));
  if (seed === null) {
    throw new CliError(
      ExitCode.config,
      `${file} does not hold an Ed25519 key (priv_key.value: base64 of 64 bytes, the public key last)`,
      "restore the file, or remove it and run `validator init` (the node then has a new peer id)",
    );
  }
  return nodeKeyFromSeed(seed);
}

/** An account as config/owner_key.json holds it. */
export function ownerDocument(privateKey: `0x${string}`): string {
  const document = { address: privateKeyToAddress(privateKey), private_key: privateKey };
  return `${JSON.stringify(document, null, 2)}\n`;
}

async function readOwner(home: string): Promise<`0x${string}` | null> {
  const file = ownerKeyFile(home);
  if (!existsSync(file)) return null;
  const address = (await readJson(file)) as { address?: unknown };
  if (typeof address.address === "string" && /^0x[0-9a-fA-F]{40}$/.test(address.address)) {
    return address.address as `0x${string}`;
  }
  throw new CliError(ExitCode.config, `${file} holds no account address`, "restore or remove the file");
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
    throw new CliError(ExitCode.config, `${file} does not exist`, "run `validator init`");
  }
}

async function readJson(file: string): Promise<unknown> {
  const text = await readText(file);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new CliError(ExitCode.config, `${file} is not a JSON object`, "restore the file");
}
