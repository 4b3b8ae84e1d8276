/**
 * Genesis as a document: CometBFT's shape with our `app_state` (docs/protocol.md). Reading is strict and every
 * complaint names the field and what to write; writing produces what reading accepts.
 */
import { addressOf, bytesEqual, isCanonicalNonSmallOrderKey, toHex, toHexUpper } from "@quorate/crypto";
import { ChainError } from "../errors.ts";
import { publicKeyFromJson, publicKeyJson } from "../json/keys.ts";
import { consensusParamsJson } from "../json/params.ts";
import { MAX_HEIGHT, MAX_TOTAL_POWER } from "../limits.ts";
import { paramSpec, paramsFromRecord, paramsToRecord, withParams } from "../params/params.ts";
import { GWEI_PER_POWER, MAX_STAKE_GWEI } from "../registry/bounds.ts";
import { STANDARD_DEPOSIT_CONTRACT } from "../registry/registry.ts";
import { stateFromGenesis } from "../state/initial.ts";
import { formatTime, parseTime } from "../time.ts";
import type { ChainParams, Genesis, GenesisValidator, Time, Upgrade } from "../types.ts";
import { makeValidatorSet } from "../validators/set.ts";
import { Field, genesisError, required } from "./field.ts";

/** Largest accepted genesis document: 512 validators need about 200 kB. */
export const MAX_GENESIS_BYTES: number = 16 * 1_048_576;
/** Most validators of a genesis: what gossip is dimensioned for. */
const MAX_GENESIS_VALIDATORS = 512;
const MAX_UPGRADES = 1_000;

/** @throws ChainError `GENESIS`; the message names the field and says what to write. */
export function parseGenesis(text: string): Genesis {
  if (text.length > MAX_GENESIS_BYTES) {
    throw genesisError("document", `is longer than ${MAX_GENESIS_BYTES} characters`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw genesisError("document", `is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  const document = new Field("document", value).object([
    "genesis_time",
    "chain_id",
    "initial_height",
    "consensus_params",
    "validators",
    "app_hash",
    "app_state",
  ]);
  const app = required(document, "app_state", "", "it holds execution, params and owners").object([
    "execution",
    "evm_chain_id",
    "el_genesis_hash",
    "anchor_number",
    "anchor_hash",
    "deposit_contract_address",
    "params",
    "owners",
    "upgrades",
  ]);
  const execution = parseExecution(required(app, "execution", "app_state", 'write "engine" or "none"'));
  const initialHeight = document.get("initial_height")?.integer(1, MAX_HEIGHT) ?? 1;
  const params = parseParams(required(app, "params", "app_state", "write every param out"), execution);
  const genesis: Genesis = {
    chainId: parseChainId(required(document, "chain_id", "", "give the chain a name")),
    genesisTime: parseGenesisTime(required(document, "genesis_time", "", "an RFC 3339 time in UTC")),
    initialHeight,
    execution,
    ...parseAnchor(app, execution, initialHeight),
    params,
    validators: parseValidators(document, app, execution),
    upgrades: parseUpgrades(app.get("upgrades"), initialHeight, params, execution),
  };
  checkStakes(genesis);
  checkConsensusParams(document.get("consensus_params"), params);
  checkAppHash(document.get("app_hash"), genesis);
  return genesis;
}

/** The document of a genesis, two-space indented, ending with a newline. `parseGenesis` reads it back unchanged. */
export function genesisToJson(genesis: Genesis): string {
  return `${JSON.stringify(genesisDocument(genesis), null, 2)}\n`;
}

/** The same as a JSON value: what `/genesis` shows. */
export function genesisDocument(genesis: Genesis): Readonly<Record<string, unknown>> {
  return {
    genesis_time: formatTime(genesis.genesisTime),
    chain_id: genesis.chainId,
    initial_height: String(genesis.initialHeight),
    consensus_params: consensusParamsJson(genesis.params, 1n),
    validators: genesis.validators.map((validator) => ({
      address: toHexUpper(addressOf(validator.pubKey)),
      pub_key: publicKeyJson(validator.pubKey),
      power: String(validator.power),
      name: validator.name,
    })),
    app_hash: "",
    app_state: {
      execution: genesis.execution,
      evm_chain_id: String(genesis.evmChainId),
      el_genesis_hash: `0x${toHex(genesis.elGenesisHash)}`,
      anchor_number: String(genesis.anchorNumber),
      anchor_hash: `0x${toHex(genesis.anchorHash)}`,
      deposit_contract_address: `0x${toHex(genesis.depositContractAddress)}`,
      params: paramsToRecord(genesis.params),
      owners: Object.fromEntries(
        genesis.validators.map((v) => [toHexUpper(addressOf(v.pubKey)), `0x${toHex(v.owner)}`]),
      ),
      upgrades: genesis.upgrades.map((upgrade) => ({
        height: String(upgrade.height),
        app_version: String(upgrade.appVersion),
        ...(Object.keys(upgrade.params).length > 0 ? { params: upgrade.params } : {}),
      })),
    },
  };
}

function parseChainId(field: Field): string {
  const text = field.text();
  if (!/^[A-Za-z0-9._-]{1,50}$/.test(text)) {
    field.fail(`must be 1 to 50 letters, digits, dots, hyphens or underscores`);
  }
  return text;
}

function parseGenesisTime(field: Field): Time {
  const time = within(field, () => parseTime(field.text()));
  if (time < 0n) field.fail("must not be before 1970");
  if (time % 1_000_000n !== 0n) field.fail("must be whole milliseconds");
  // The state holds times as 64-bit nanoseconds.
  if (BigInt.asIntN(64, time) !== time) field.fail("must not be after the year 2262");
  return time;
}

function parseExecution(field: Field): Genesis["execution"] {
  const text = field.text();
  if (text !== "engine" && text !== "none") field.fail('must be "engine" (an execution client) or "none"');
  return text;
}

function parseAnchor(
  app: ReadonlyMap<string, Field>,
  execution: Genesis["execution"],
  initialHeight: number,
): Pick<Genesis, "evmChainId" | "elGenesisHash" | "anchorNumber" | "anchorHash" | "depositContractAddress"> {
  const anchorNumber = app.get("anchor_number")?.integer(0, MAX_HEIGHT) ?? initialHeight - 1;
  if (anchorNumber !== initialHeight - 1) {
    throw genesisError(
      "app_state.anchor_number",
      `is ${anchorNumber}, but EL block number and height are equal: write initial_height - 1 = ${initialHeight - 1}`,
    );
  }
  if (execution === "none") {
    const zero = (key: string, length: number): Uint8Array => {
      const field = app.get(key);
      const bytes = field?.hex0x(length) ?? new Uint8Array(length);
      if (bytes.some((byte) => byte !== 0)) field?.fail('must be zero or left out with execution "none"');
      return bytes;
    };
    return {
      evmChainId: app.get("evm_chain_id")?.integer(0, MAX_HEIGHT) ?? 0,
      elGenesisHash: zero("el_genesis_hash", 32),
      anchorNumber,
      anchorHash: zero("anchor_hash", 32),
      depositContractAddress: zero("deposit_contract_address", 20),
    };
  }
  const elGenesisHash = required(
    app,
    "el_genesis_hash",
    "app_state",
    "write the hash of the EL's block 0",
  ).hex0x(32);
  const anchor = required(app, "anchor_hash", "app_state", "write the hash of the EL block to build on");
  const anchorHash = anchor.hex0x(32);
  if (anchorNumber === 0 && !bytesEqual(anchorHash, elGenesisHash)) {
    anchor.fail("must equal app_state.el_genesis_hash, since the anchor is EL block 0");
  }
  return {
    evmChainId: required(app, "evm_chain_id", "app_state", "write the EL's chain id").integer(1, MAX_HEIGHT),
    elGenesisHash,
    anchorNumber,
    anchorHash,
    depositContractAddress: required(
      app,
      "deposit_contract_address",
      "app_state",
      "write the address of the EL genesis",
    ).hex0x(20),
  };
}

function parseParams(field: Field, execution: Genesis["execution"]): ChainParams {
  const params = within(field, () => paramsFromRecord(paramRecord(field)));
  checkIntervalWith(execution, params, `${field.path}.block_interval`);
  return params;
}

function paramRecord(field: Field): Record<string, number> {
  return Object.fromEntries(
    [...field.object(null)].map(([name, member]) => {
      const spec = paramSpec(name);
      if (spec === undefined) return [name, 0];
      return [name, member.integer(spec.min, spec.max)];
    }),
  );
}

function checkIntervalWith(execution: Genesis["execution"], params: ChainParams, path: string): void {
  if (execution === "engine" && params.blockIntervalMs < 1) {
    throw genesisError(
      path,
      'may be 0 only with execution "none"; write at least 1 (the usual value is 1000)',
    );
  }
}

function parseValidators(
  document: ReadonlyMap<string, Field>,
  app: ReadonlyMap<string, Field>,
  execution: Genesis["execution"],
): readonly GenesisValidator[] {
  const field = required(document, "validators", "", "list at least one validator");
  const items = field.array();
  if (items.length < 1 || items.length > MAX_GENESIS_VALIDATORS) {
    field.fail(`has ${items.length} entries, but must have 1 to ${MAX_GENESIS_VALIDATORS}`);
  }
  const owners = app.get("owners")?.object(null) ?? new Map<string, Field>();
  const seen = new Set<string>();
  const validators = items.map((item): GenesisValidator => {
    const validator = parseValidator(item, owners, execution);
    const address = toHexUpper(addressOf(validator.pubKey));
    if (seen.has(address)) item.fail(`repeats the validator ${address}`);
    seen.add(address);
    return validator;
  });
  for (const [address, owner] of owners) {
    if (!seen.has(address))
      owner.fail("is no validator of this genesis (keys are addresses in upper-case hex)");
  }
  within(field, () => makeValidatorSet(validators));
  return validators;
}

function parseValidator(
  item: Field,
  owners: ReadonlyMap<string, Field>,
  execution: Genesis["execution"],
): GenesisValidator {
  const members = item.object(["address", "pub_key", "power", "name"]);
  const keyField: Field = required(members, "pub_key", item.path, "write {type, value}");
  const pubKey = publicKeyFromJson(keyField.value);
  if (pubKey === null) {
    keyField.fail('must be {"type":"tendermint/PubKeyEd25519","value":<32 bytes in base64>}');
  }
  if (!isCanonicalNonSmallOrderKey(pubKey)) {
    keyField.fail("is a small-order or non-canonical Ed25519 key: anybody could sign for it");
  }
  const address = addressOf(pubKey);
  const written = members.get("address");
  if (written !== undefined && written.value !== "" && !bytesEqual(written.hex(20), address)) {
    written.fail(`does not belong to pub_key; write ${toHexUpper(address)} or leave it out`);
  }
  const owner = owners.get(toHexUpper(address));
  if (owner === undefined && execution === "engine") {
    throw genesisError(
      `app_state.owners.${toHexUpper(address)}`,
      "is missing; write the 0x address that receives this validator's fees",
    );
  }
  const ownerBytes = owner?.hex0x(20) ?? new Uint8Array(20);
  if (execution === "engine" && ownerBytes.every((byte) => byte === 0)) {
    owner?.fail("is the zero address; write the address that receives this validator's fees");
  }
  return {
    pubKey,
    power: required(members, "power", item.path, "write its voting power").bigint(1n, MAX_TOTAL_POWER),
    name: members.get("name")?.text() ?? "",
    owner: ownerBytes,
  };
}

function parseUpgrades(
  field: Field | undefined,
  initialHeight: number,
  params: ChainParams,
  execution: Genesis["execution"],
): readonly Upgrade[] {
  if (field === undefined) return [];
  const items = field.array();
  if (items.length > MAX_UPGRADES)
    field.fail(`has ${items.length} entries, at most ${MAX_UPGRADES} are allowed`);
  let lastHeight = initialHeight;
  let lastVersion = 1;
  let current = params;
  return items.map((item): Upgrade => {
    const members = item.object(["height", "app_version", "params"]);
    const heightField = required(members, "height", item.path, "the first height of the new version");
    const height = heightField.integer(1, MAX_HEIGHT);
    if (height <= lastHeight) heightField.fail(`is ${height}, but must be above ${lastHeight}`);
    const versionField = required(
      members,
      "app_version",
      item.path,
      "the version of the rules from there on",
    );
    const appVersion = versionField.integer(1, MAX_HEIGHT);
    if (appVersion < lastVersion)
      versionField.fail(`is ${appVersion}, but must not fall below ${lastVersion}`);
    const changes = members.get("params");
    const upgrade = { height, appVersion, params: changes === undefined ? {} : paramRecord(changes) };
    current = within(changes ?? item, () => withParams(current, upgrade.params));
    checkIntervalWith(execution, current, `${item.path}.params.block_interval`);
    lastHeight = height;
    lastVersion = appVersion;
    return upgrade;
  });
}

/** In stake mode the powers of genesis stand for stake, which has a bound. */
function checkStakes(genesis: Genesis): void {
  const most = MAX_STAKE_GWEI / GWEI_PER_POWER;
  if (!bytesEqual(genesis.depositContractAddress, STANDARD_DEPOSIT_CONTRACT)) return;
  genesis.validators.forEach(({ power }, i) => {
    if (power <= most) return;
    const what = `is ${power}, but stands for as many ether in stake mode: at most ${most}`;
    throw genesisError(`validators[${i}].power`, what);
  });
}

/** `consensus_params` repeats what `app_state.params` says, for CometBFT's tools; a contradiction is refused. */
function checkConsensusParams(field: Field | undefined, params: ChainParams): void {
  if (field === undefined) return;
  const compare = (given: Field, expected: unknown): void => {
    if (typeof expected !== "object" || expected === null || Array.isArray(expected)) {
      if (JSON.stringify(given.value) !== JSON.stringify(expected)) {
        given.fail(`must be ${JSON.stringify(expected)}, as app_state.params says`);
      }
      return;
    }
    const members: ReadonlyMap<string, unknown> = new Map(Object.entries(expected));
    for (const [key, member] of given.object([...members.keys()])) compare(member, members.get(key));
  };
  compare(field, consensusParamsJson(params, 1n));
}

/** app_hash follows from the rest; a document that names another one was changed after it was made. */
function checkAppHash(field: Field | undefined, genesis: Genesis): void {
  if (field === undefined || field.value === "") return;
  const expected = stateFromGenesis(genesis).appHash;
  if (!bytesEqual(field.hex(32), expected)) {
    field.fail(`is not the app hash of this genesis (${toHexUpper(expected)}); leave it empty`);
  }
}

/** Runs a check of another part and puts the field's name before what it says. */
function within<T>(field: Field, check: () => T): T {
  try {
    return check();
  } catch (cause) {
    if (cause instanceof ChainError && cause.code !== "GENESIS")
      throw genesisError(field.path, `is refused: ${cause.message}`);
    throw cause;
  }
}
