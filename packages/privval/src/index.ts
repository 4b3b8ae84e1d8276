export { PrivvalError, type PrivvalErrorCode } from "./errors.ts";
export { FilePrivVal, type FilePrivValOptions, type SigningKey } from "./file-privval.ts";
export { comparePlaces, type Place, stepName } from "./guard.ts";
export { keyFileText, type PublicKeyInfo, readPublicKey } from "./key-file.ts";
export { bindPeer } from "./peer-binding.ts";
export { provePossession } from "./possession.ts";
export { fileSlotDisk, type SlotDisk } from "./slot-disk.ts";
export { decodeStateFile, type StateFile } from "./slots.ts";
export { BLANK_STATE, writeFreshState } from "./state-file.ts";
export {
  createKeyAndState,
  type ExportedState,
  exportState,
  type ImportResult,
  importState,
  initState,
  type KeyPaths,
} from "./tools.ts";
export * from "./types.ts";
