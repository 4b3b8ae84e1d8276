import { toHexUpper } from "@quorate/crypto";
import { errnoOf, PrivvalError, stateError } from "./errors.ts";
import type { SlotDisk } from "./slot-disk.ts";
import { decodeStateFile, encodeSlot, STATE_FILE_BYTES, type StateFile, slotOffset } from "./slots.ts";
import type { SignState } from "./types.ts";

/** Nothing signed, no lock, depending on nothing. */
export const BLANK_STATE: SignState = {
  generation: 0n,
  lastSigned: null,
  lock: null,
  dependency: { sequence: 0n, crc: 0 },
};

/**
 * Reads the sign state of the key with this address.
 * @throws PrivvalError `SIGN_STATE_MISSING`, `SIGN_STATE_DAMAGED`, `SIGN_STATE_FOREIGN`, `SIGN_STATE_IO`.
 */
export async function readState(disk: SlotDisk, file: string, address: Uint8Array): Promise<StateFile> {
  const bytes = await readBytes(disk, file);
  if (bytes === null) {
    throw new PrivvalError(
      "SIGN_STATE_MISSING",
      `the sign state ${file} of this key is missing, so what the key has signed is not known: restore the file, or ` +
        "see `validator key state init --help`",
      { file },
    );
  }
  const content = decodeStateFile(bytes);
  if (content === null) {
    throw new PrivvalError(
      "SIGN_STATE_DAMAGED",
      `the sign state ${file} is damaged in both slots, so what the key has signed is not known: restore it from an ` +
        "export, or see `validator key state init --help`",
      { file, length: bytes.length },
    );
  }
  if (toHexUpper(content.address) !== toHexUpper(address)) {
    throw new PrivvalError(
      "SIGN_STATE_FOREIGN",
      `the sign state ${file} belongs to key ${toHexUpper(content.address)}, not to ${toHexUpper(address)}: put the ` +
        "right key and sign state together",
      { file, found: toHexUpper(content.address), expected: toHexUpper(address) },
    );
  }
  return content;
}

/** Content of the file, `null` when there is none. */
export async function readBytes(disk: SlotDisk, file: string): Promise<Uint8Array | null> {
  try {
    return await disk.read(file);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw stateError("read", file, error);
  }
}

/** Creates the file, or replaces its content, with `state` in both slots. */
export async function writeFreshState(
  disk: SlotDisk,
  file: string,
  address: Uint8Array,
  state: SignState,
): Promise<void> {
  try {
    await disk.create(file, STATE_FILE_BYTES);
    for (const generation of [state.generation, state.generation + 1n]) {
      await disk.write(file, slotOffset(generation), encodeSlot({ ...state, generation }, address));
    }
    await disk.fdatasync(file);
  } catch (error) {
    throw stateError("create", file, error);
  }
}

/** Writes the slot of `state.generation`; the other slot keeps the state before it. */
export async function writeSlot(
  disk: SlotDisk,
  file: string,
  address: Uint8Array,
  state: SignState,
): Promise<void> {
  const slot = encodeSlot(state, address);
  try {
    // Queued together: the disk runs them in this order.
    await Promise.all([disk.write(file, slotOffset(state.generation), slot), disk.fdatasync(file)]);
  } catch (error) {
    throw stateError("write", file, error);
  }
}
