import { MAX_VALIDATORS, PUBLIC_KEY_SIZE } from "../limits.ts";
import type { Validator, ValidatorSet } from "../types.ts";
import { totalPowerOf } from "../validators/priority.ts";
import { arrangementFault, validatorFault } from "../validators/set.ts";
import { ProtoReader, ProtoWriter } from "./proto.ts";

const ED25519_FIELD = 1;

function writePublicKey(writer: ProtoWriter, field: number, pubKey: Uint8Array): void {
  const mark = writer.open(field);
  writer.element(ED25519_FIELD, pubKey).close(mark);
}

/** Protobuf PublicKey (a oneof) of an Ed25519 key. */
export function encodePublicKey(pubKey: Uint8Array): Uint8Array {
  return new ProtoWriter(40).element(ED25519_FIELD, pubKey).finish();
}

export function writeValidator(writer: ProtoWriter, validator: Validator): void {
  writer.bytes(1, validator.address);
  writePublicKey(writer, 2, validator.pubKey);
  writer.int64(3, validator.power).int64(4, validator.priority);
}

export function readValidator(reader: ProtoReader): Validator {
  const address = reader.bytes(1);
  const key = reader.message(2, "public key");
  const pubKey = key.bytes(ED25519_FIELD);
  key.end();
  if (pubKey.length !== PUBLIC_KEY_SIZE) throw key.fault("no Ed25519 key of 32 bytes");
  const validator: Validator = { address, pubKey, power: reader.int64(3), priority: reader.int64(4) };
  reader.end();
  const fault = validatorFault(validator);
  if (fault !== null) throw reader.fault(fault);
  return validator;
}

export function writeValidatorSet(writer: ProtoWriter, set: ValidatorSet): void {
  for (const validator of set.validators) {
    const mark = writer.open(1);
    writeValidator(writer, validator);
    writer.close(mark);
  }
  const proposer = writer.open(2);
  writeValidator(writer, set.proposer);
  writer.close(proposer);
}

export function readValidatorSet(reader: ProtoReader): ValidatorSet {
  const validators: Validator[] = [];
  for (let inner = reader.optional(1, "validator"); inner !== null; inner = reader.optional(1, "validator")) {
    if (validators.length === MAX_VALIDATORS) throw reader.fault(`more than ${MAX_VALIDATORS} validators`);
    validators.push(readValidator(inner));
  }
  const proposer = readValidator(reader.message(2, "proposer"));
  reader.end();
  const fault = arrangementFault(validators);
  if (fault !== null) throw reader.fault(fault);
  return { validators, proposer, totalPower: totalPowerOf(validators) };
}

/** Protobuf Validator. */
export function encodeValidator(validator: Validator): Uint8Array {
  const writer = new ProtoWriter(96);
  writeValidator(writer, validator);
  return writer.finish();
}

/** @throws ChainError `DECODE` unless the bytes are one canonical validator whose address is that of its key. */
export function decodeValidator(bytes: Uint8Array): Validator {
  return readValidator(new ProtoReader("validator", bytes));
}

/** Protobuf SimpleValidator: a leaf of the validators hash; neither address nor priority. */
export function encodeSimpleValidator(validator: Pick<Validator, "pubKey" | "power">): Uint8Array {
  const writer = new ProtoWriter(64);
  writePublicKey(writer, 1, validator.pubKey);
  return writer.int64(2, validator.power).finish();
}

/** Protobuf ValidatorSet; the total power is left out, as in CometBFT. */
export function encodeValidatorSet(set: ValidatorSet): Uint8Array {
  const writer = new ProtoWriter(96 * (set.validators.length + 1));
  writeValidatorSet(writer, set);
  return writer.finish();
}

/** @throws ChainError `DECODE` unless the bytes are one canonical set: in order, without doubles, total in bounds. */
export function decodeValidatorSet(bytes: Uint8Array): ValidatorSet {
  return readValidatorSet(new ProtoReader("validator set", bytes));
}
