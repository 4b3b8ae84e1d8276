import { existsSync } from "node:fs";
import type { BlockId } from "@quorate/chain";
import { addressOf, ed25519Keygen, ed25519PublicKey, fromHex, toHexUpper } from "@quorate/crypto";
import { PrivvalError } from "./errors.ts";
import { comparePlaces, type Place, raisedState, stepName } from "./guard.ts";
import { type PublicKeyInfo, readPublicKey, writeKeyFile } from "./key-file.ts";
import { fileSlotDisk } from "./slot-disk.ts";
import { decodeStateFile } from "./slots.ts";
import { BLANK_STATE, readBytes, readState, writeFreshState, writeSlot } from "./state-file.ts";
import type { SignState, SignStep } from "./types.ts";

/** A key file and the sign state beside it. The home must be held by the caller: two writers would race. */
export interface KeyPaths {
  readonly keyFile: string;
  readonly stateFile: string;
}

/**
 * A new key together with its blank sign state. The state goes first: a crash in between leaves a state without a
 * key, which the next attempt replaces, and never a key without a state.
 * @throws PrivvalError `KEY_EXISTS`; `SIGN_STATE_EXISTS` when a state that has signed lies where the new one would.
 */
export async function createKeyAndState(paths: KeyPaths, seed?: Uint8Array): Promise<PublicKeyInfo> {
  const { keyFile, stateFile } = paths;
  const disk = fileSlotDisk();
  if (existsSync(keyFile)) {
    throw new PrivvalError("KEY_EXISTS", `there is already a key file ${keyFile}: it is never overwritten`, {
      file: keyFile,
    });
  }
  const present = await readBytes(disk, stateFile);
  if (present !== null && decodeStateFile(present)?.state.lastSigned !== null) {
    throw new PrivvalError(
      "SIGN_STATE_EXISTS",
      `${stateFile} is the sign state of another key, which has signed: move it to that key, then try again`,
      { file: stateFile },
    );
  }
  const used = seed ?? ed25519Keygen().seed;
  const publicKey = ed25519PublicKey(used);
  const address = addressOf(publicKey);
  await writeFreshState(disk, stateFile, address, BLANK_STATE);
  await writeKeyFile(keyFile, used);
  return { publicKey, address };
}

/** What a sign state says, for people and for another machine. CometBFT's `priv_validator_state.json` plus the lock. */
export interface ExportedState {
  readonly height: string;
  readonly round: number;
  /** 0 nothing signed, 1 proposal, 2 prevote, 3 precommit. */
  readonly step: number;
  readonly signature?: string;
  readonly signbytes?: string;
  readonly address: string;
  readonly lock: {
    readonly height: string;
    readonly round: number;
    readonly block_id: {
      readonly hash: string;
      readonly parts: { readonly total: number; readonly hash: string };
    };
  } | null;
}

export function exportedState(state: SignState, address: Uint8Array): ExportedState {
  const { lastSigned, lock } = state;
  const known = lastSigned !== null && lastSigned.signature.length > 0;
  return {
    height: String(lastSigned?.height ?? 0),
    round: lastSigned?.round ?? 0,
    step: lastSigned === null ? 0 : lastSigned.step + 1,
    ...(known
      ? {
          signature: Buffer.from(lastSigned.signature).toString("base64"),
          signbytes: toHexUpper(lastSigned.signBytes),
        }
      : {}),
    address: toHexUpper(address),
    lock:
      lock === null
        ? null
        : {
            height: String(lock.height),
            round: lock.round,
            block_id: {
              hash: toHexUpper(lock.blockId.hash),
              parts: { total: lock.blockId.parts.total, hash: toHexUpper(lock.blockId.parts.hash) },
            },
          },
  };
}

/** Reads the sign state; throws as {@link readState} and the key file's errors. */
export async function exportState(paths: KeyPaths): Promise<ExportedState> {
  const { address } = await readPublicKey(paths.keyFile);
  const { state } = await readState(fileSlotDisk(), paths.stateFile, address);
  return exportedState(state, address);
}

/** What an exported sign state says. */
export interface Imported {
  readonly place: Place | null;
  readonly lock: SignState["lock"];
  readonly address: string | null;
}

function invalid(what: string): PrivvalError {
  return new PrivvalError("IMPORT_INVALID", `the sign state to import is invalid: ${what}`, { what });
}

function record(value: unknown, name: string): ReadonlyMap<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid(`${name} is not an object`);
  }
  return new Map<string, unknown>(Object.entries(value));
}

function integer(value: unknown, name: string, most: number): number {
  const number = typeof value === "string" && /^(0|[1-9]\d{0,15})$/.test(value) ? Number(value) : value;
  if (typeof number !== "number" || !Number.isSafeInteger(number) || number < 0 || number > most) {
    throw invalid(`"${name}" is not a whole number from 0 to ${most}`);
  }
  return number;
}

function hash(value: unknown, name: string): Uint8Array {
  if (typeof value !== "string" || !/^[0-9A-Fa-f]{64}$/.test(value)) throw invalid(`"${name}" is not a hash`);
  return fromHex(value);
}

function parseLock(value: unknown): SignState["lock"] {
  if (value === undefined || value === null) return null;
  const lock = record(value, '"lock"');
  const id = record(lock.get("block_id"), '"lock.block_id"');
  const parts = record(id.get("parts"), '"lock.block_id.parts"');
  const blockId: BlockId = {
    hash: hash(id.get("hash"), "lock.block_id.hash"),
    parts: {
      total: integer(parts.get("total"), "lock.block_id.parts.total", 2 ** 32 - 1),
      hash: hash(parts.get("hash"), "lock.block_id.parts.hash"),
    },
  };
  return {
    height: integer(lock.get("height"), "lock.height", Number.MAX_SAFE_INTEGER),
    round: integer(lock.get("round"), "lock.round", 2 ** 31 - 1),
    blockId,
  };
}

/** Reads the text of an exported sign state. @throws PrivvalError `IMPORT_INVALID`. */
export function parseImport(text: string): Imported {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw invalid("it is not JSON");
  }
  const fields = record(document, "it");
  const step = integer(fields.get("step"), "step", 3);
  const height = integer(fields.get("height"), "height", Number.MAX_SAFE_INTEGER);
  const round = integer(fields.get("round"), "round", 2 ** 31 - 1);
  const address = fields.get("address");
  if (address !== undefined && typeof address !== "string") throw invalid('"address" is not text');
  return {
    // CometBFT writes step 0 only before anything was signed; a height without a step covers all of its steps.
    place:
      step === 0 && height === 0 ? null : { height, round, step: (step === 0 ? 2 : step - 1) as SignStep },
    lock: parseLock(fields.get("lock")),
    address: address?.toUpperCase() ?? null,
  };
}

export interface ImportResult {
  readonly changed: boolean;
  readonly state: ExportedState;
}

/**
 * Raises the sign state to an exported one, CometBFT's `priv_validator_state.json` included; never lowers it. What it
 * depended on in another home's log means nothing here, so the dependency becomes 0.
 * @throws PrivvalError `IMPORT_INVALID`, `IMPORT_LOWER`, `SIGN_STATE_FOREIGN` and those of reading key and state.
 */
export async function importState(paths: KeyPaths, text: string): Promise<ImportResult> {
  const imported = parseImport(text);
  const { address } = await readPublicKey(paths.keyFile);
  const disk = fileSlotDisk();
  const { state } = await readState(disk, paths.stateFile, address);
  if (imported.address !== null && imported.address !== toHexUpper(address)) {
    throw new PrivvalError(
      "SIGN_STATE_FOREIGN",
      `the sign state to import belongs to key ${imported.address}, not to ${toHexUpper(address)}`,
      { found: imported.address, expected: toHexUpper(address) },
    );
  }
  const last = state.lastSigned;
  if (last !== null && (imported.place === null || comparePlaces(imported.place, last) < 0)) {
    throw new PrivvalError(
      "IMPORT_LOWER",
      `this key has signed up to height ${last.height} round ${last.round} ${stepName(last.step)}, the state to ` +
        "import is older: nothing was changed",
      { height: last.height, round: last.round, step: last.step },
    );
  }
  let next = imported.place === null ? state : raisedState(state, imported.place);
  if (imported.lock !== null) {
    const { height, round, blockId } = imported.lock;
    // A lock is a signed precommit.
    next = raisedState(next, { height, round, step: 2 }, { round, blockId });
  }
  const changed = next !== state;
  if (changed) {
    // The generation after the newest one: its slot is the other one, whatever was raised above.
    const generation = state.generation + 1n;
    next = { ...next, generation, dependency: BLANK_STATE.dependency };
    await writeSlot(disk, paths.stateFile, address, next);
  }
  return { changed, state: exportedState(next, address) };
}

/**
 * Creates the sign state of an existing key, or lowers it: the one operation that can make a validator sign twice.
 * @throws PrivvalError `SIGN_STATE_EXISTS` or `SIGN_STATE_MISSING` without `force`, saying what is at stake.
 */
export async function initState(
  paths: KeyPaths,
  options: { readonly force: boolean; readonly watermark?: Place },
): Promise<ExportedState> {
  const { address } = await readPublicKey(paths.keyFile);
  const disk = fileSlotDisk();
  if (!options.force) {
    const present = (await readBytes(disk, paths.stateFile)) !== null;
    throw new PrivvalError(
      present ? "SIGN_STATE_EXISTS" : "SIGN_STATE_MISSING",
      `a new sign state forgets what ${toHexUpper(address)} has signed; if it signs the same height again its stake ` +
        "and its place in the set are lost: make sure that no other copy of the key runs, wait until the chain has " +
        "passed its last signed height, then repeat with --force",
      { file: paths.stateFile },
    );
  }
  const state = options.watermark === undefined ? BLANK_STATE : raisedState(BLANK_STATE, options.watermark);
  await writeFreshState(disk, paths.stateFile, address, state);
  return exportedState(state, address);
}
