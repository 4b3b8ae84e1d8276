/** The chain state as bytes, for the store and for snapshots: our own form, canonical, decoder total. */
import { addressOf, compareBytes } from "@quorate/crypto";
import { ByteReader, ByteWriter } from "../bytes.ts";
import { ChainError } from "../errors.ts";
import { MAX_TOTAL_POWER, MAX_VALIDATORS } from "../limits.ts";
import { malformed, oneOf } from "../malformed.ts";
import { PARAM_SPECS, paramsFromRecord } from "../params/params.ts";
import { readRegistry, writeRegistry } from "../registry/codec.ts";
import type { BlockId, ChainParams, ChainState, ElHead, Upgrade, Validator, ValidatorSet } from "../types.ts";

/** 1 knew no queues of the registry, nor the genesis of the execution client. */
const FORMAT = 2;
const MAX_UPGRADES = 1_000;

/** @throws ChainError when a value is outside its range. */
export function encodeState(state: ChainState): Uint8Array {
  const writer = new ByteWriter(1024)
    .u8(FORMAT)
    .bytes(state.genesisHash)
    .bytes(state.elGenesisHash)
    .str(state.chainId)
    .u64(state.initialHeight)
    .u8(state.execution === "engine" ? 1 : 0)
    .u64(state.lastHeight)
    .i64(state.lastTime);
  writeOptional(writer, state.lastBlockId, writeBlockId);
  writeOptional(writer, state.lastValidators, writeSet);
  writeSet(writer, state.validators);
  writeSet(writer, state.nextValidators);
  for (const spec of PARAM_SPECS) writer.u64(state.params[spec.field]);
  writer.u32(state.upgrades.length);
  for (const upgrade of state.upgrades) writeUpgrade(writer, upgrade);
  writer.u64(state.appVersion).bytes(state.appHash);
  writer.bytes(state.el.blockHash).u64(state.el.number).u64(state.el.timestamp);
  writer.u64(state.el.gasLimit);
  writeRegistry(writer, state.registry);
  return writer.finish();
}

/** @throws ChainError `DECODE` for anything that is not exactly one canonical state. */
export function decodeState(bytes: Uint8Array): ChainState {
  const reader = new ByteReader(bytes);
  const format = reader.u8();
  if (format !== FORMAT) {
    throw malformed(`the stored chain state has format ${format}, this build reads ${FORMAT}`);
  }
  const state: ChainState = {
    genesisHash: reader.bytes(32),
    elGenesisHash: reader.bytes(32),
    chainId: reader.str(),
    initialHeight: reader.safeU64(),
    execution: oneOf(reader.u8(), ["none", "engine"] as const),
    lastHeight: reader.safeU64(),
    lastTime: reader.i64(),
    lastBlockId: readOptional(reader, readBlockId),
    lastValidators: readOptional(reader, readSet),
    validators: readSet(reader),
    nextValidators: readSet(reader),
    params: readParams(reader),
    upgrades: readUpgrades(reader),
    appVersion: reader.u64(),
    appHash: reader.bytes(32),
    el: readElHead(reader),
    registry: readRegistry(reader),
  };
  reader.end();
  if ((state.lastBlockId === null) !== (state.lastValidators === null)) {
    throw malformed("the stored chain state has a last block without its validators");
  }
  return state;
}

function writeOptional<T>(
  writer: ByteWriter,
  value: T | null,
  write: (writer: ByteWriter, value: T) => void,
): void {
  writer.u8(value === null ? 0 : 1);
  if (value !== null) write(writer, value);
}

function readOptional<T>(reader: ByteReader, read: (reader: ByteReader) => T): T | null {
  return oneOf(reader.u8(), [false, true] as const) ? read(reader) : null;
}

function writeBlockId(writer: ByteWriter, id: BlockId): void {
  writer.bytes(id.hash).u32(id.parts.total).bytes(id.parts.hash);
}

function readBlockId(reader: ByteReader): BlockId {
  return { hash: reader.bytes(32), parts: { total: reader.u32(), hash: reader.bytes(32) } };
}

function writeSet(writer: ByteWriter, set: ValidatorSet): void {
  const proposer = set.validators.findIndex((v) => compareBytes(v.address, set.proposer.address) === 0);
  if (proposer < 0) throw new ChainError("STATE", "a validator set names a proposer outside of it", {});
  writer.u32(set.validators.length).u32(proposer);
  for (const validator of set.validators) {
    writer.bytes(validator.pubKey).u64(validator.power).i64(validator.priority);
  }
}

function readSet(reader: ByteReader): ValidatorSet {
  const count = reader.u32();
  const proposerIndex = reader.u32();
  if (count > MAX_VALIDATORS)
    throw malformed(`a validator set of ${count}, at most ${MAX_VALIDATORS} are allowed`);
  const validators: Validator[] = [];
  let totalPower = 0n;
  for (let i = 0; i < count; i++) {
    const pubKey = reader.bytes(32);
    const validator = {
      address: addressOf(pubKey),
      pubKey,
      power: reader.u64(),
      priority: reader.i64(),
    };
    const before = validators[i - 1];
    if (validator.power === 0n || (before !== undefined && !inOrder(before, validator))) {
      throw malformed("a validator set is out of order");
    }
    validators.push(validator);
    totalPower += validator.power;
  }
  const proposer = validators[proposerIndex];
  if (proposer === undefined || totalPower > MAX_TOTAL_POWER) throw malformed("a validator set is malformed");
  return { validators, proposer, totalPower };
}

/** Power descending, then address ascending; equal addresses are never in order. */
function inOrder(a: Validator, b: Validator): boolean {
  return a.power > b.power || (a.power === b.power && compareBytes(a.address, b.address) < 0);
}

function readParams(reader: ByteReader): ChainParams {
  const record = Object.fromEntries(PARAM_SPECS.map((spec) => [spec.name, reader.safeU64()]));
  return asMalformed(() => paramsFromRecord(record));
}

function writeUpgrade(writer: ByteWriter, upgrade: Upgrade): void {
  const changed = PARAM_SPECS.flatMap((spec, index) => {
    const value = upgrade.params[spec.name];
    return value === undefined ? [] : [{ index, value }];
  });
  writer.u64(BigInt(upgrade.height)).u64(BigInt(upgrade.appVersion)).u8(changed.length);
  for (const { index, value } of changed) writer.u8(index).u64(BigInt(value));
}

function readUpgrades(reader: ByteReader): readonly Upgrade[] {
  const count = reader.u32();
  if (count > MAX_UPGRADES) throw malformed(`${count} upgrades, at most ${MAX_UPGRADES} are allowed`);
  return Array.from({ length: count }, () => readUpgrade(reader));
}

function readUpgrade(reader: ByteReader): Upgrade {
  const height = reader.safeU64();
  const appVersion = reader.safeU64();
  const changes = reader.u8();
  const params: Record<string, number> = {};
  let last = -1;
  for (let i = 0; i < changes; i++) {
    const index = reader.u8();
    const spec = PARAM_SPECS[index];
    if (spec === undefined || index <= last) throw malformed("the params of an upgrade are out of order");
    params[spec.name] = reader.safeU64();
    last = index;
  }
  return { height, appVersion, params };
}

function readElHead(reader: ByteReader): ElHead {
  return {
    blockHash: reader.bytes(32),
    number: reader.safeU64(),
    timestamp: reader.safeU64(),
    gasLimit: reader.u64(),
  };
}

function asMalformed<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof ChainError && cause.code !== "DECODE") throw malformed(cause.message);
    throw cause;
  }
}
