/** Calls that change the set, as bytes that any wallet can send. */
import { sha256 } from "@quorate/crypto";
import { encodeFunctionData, type Hex } from "viem";
import { DEPOSIT_ADDRESS, depositArtefact } from "../home/deposit-contract.ts";
import { REGISTRY_ADDRESS, registryArtefact } from "../home/registry-contract.ts";
import type { Call } from "./send.ts";
import { base64, etherText } from "./view.ts";

/** EIP-7002: withdrawal requests. */
export const WITHDRAWAL_CONTRACT: Hex = "0x00000961ef480eb55e80d19ad83579a64c007002";

const WEI_PER_GWEI = 1_000_000_000n;

function registryCall(what: string, functionName: string, args: readonly unknown[]): Call {
  const data = encodeFunctionData({ abi: registryArtefact().abi, functionName, args });
  return { what, to: REGISTRY_ADDRESS, data, value: 0n };
}

/** A key, who will own it, and the proof that its holder agrees. */
export interface Registration {
  readonly pubKey: Uint8Array;
  readonly operator: string;
  readonly proof: Uint8Array;
}

export function registerCall({ pubKey, operator, proof }: Registration, power: bigint): Call {
  const what = `register ${base64(pubKey)} with power ${power}, owned by ${operator}`;
  return registryCall(what, "register", [hex(pubKey), operator, power, hex(proof)]);
}

export function powerCall(pubKey: Uint8Array, power: bigint): Call {
  const what = power === 0n ? `remove ${base64(pubKey)}` : `give ${base64(pubKey)} power ${power}`;
  return registryCall(what, "setPower", [hex(pubKey), power]);
}

export function paramCall(name: string, value: bigint): Call {
  return registryCall(`set ${name} to ${value}`, "setParam", [name, value]);
}

/** `version` 0 withdraws what was scheduled for the height. */
export function upgradeCall(height: bigint, version: bigint): Call {
  const what =
    version === 0n
      ? `withdraw the upgrade of height ${height}`
      : `from height ${height} on follow version ${version} of the rules`;
  return registryCall(what, "scheduleUpgrade", [height, version]);
}

/** A deposit, the first of a key or more for one that is known. */
export function depositCall({ pubKey, operator, proof }: Registration, gwei: bigint): Call {
  const key = padded(pubKey, 48);
  const credentials = credentialsOf(operator);
  const signature = padded(proof, 96);
  const root = depositDataRoot(key, credentials, gwei, signature);
  const data = encodeFunctionData({
    abi: depositArtefact().abi,
    functionName: "deposit",
    args: [hex(key), hex(credentials), hex(signature), hex(root)],
  });
  return {
    what: `deposit ${etherText(gwei)} ether for ${base64(pubKey)}, owned by ${operator}`,
    to: DEPOSIT_ADDRESS,
    data,
    value: gwei * WEI_PER_GWEI,
  };
}

/** 0x01 ‖ 11 zero bytes ‖ address: who owns the stake. */
function credentialsOf(operator: string): Uint8Array {
  const credentials = new Uint8Array(32);
  credentials[0] = 1;
  credentials.set(Buffer.from(operator.slice(2), "hex"), 12);
  return credentials;
}

/** SSZ root of Ethereum's DepositData: the contract compares it with the fields that it gets. */
export function depositDataRoot(
  key: Uint8Array,
  credentials: Uint8Array,
  gwei: bigint,
  signature: Uint8Array,
): Uint8Array {
  const pair = (left: Uint8Array, right: Uint8Array): Uint8Array =>
    sha256(new Uint8Array(Buffer.concat([left, right])));
  const amount = new Uint8Array(32);
  new DataView(amount.buffer).setBigUint64(0, gwei, true);
  const zero = new Uint8Array(32);
  return pair(
    pair(sha256(padded(key, 64)), credentials),
    pair(
      amount,
      pair(
        pair(signature.subarray(0, 32), signature.subarray(32, 64)),
        pair(signature.subarray(64, 96), zero),
      ),
    ),
  );
}

/** Leave. `value` is what is paid for the request, in wei. */
export function exitCall(pubKey: Uint8Array, value: bigint): Call {
  return withdrawalRequest(`take ${base64(pubKey)} out`, pubKey, 0n, value);
}

/** Take `gwei` of the stake back, as far as it is above the least. */
export function withdrawCall(pubKey: Uint8Array, gwei: bigint, value: bigint): Call {
  const what = `withdraw ${etherText(gwei)} ether of the stake of ${base64(pubKey)}`;
  return withdrawalRequest(what, pubKey, gwei, value);
}

/** EIP-7002: key[48] ‖ amount u64, big-endian; amount 0 = leave. */
function withdrawalRequest(what: string, pubKey: Uint8Array, gwei: bigint, value: bigint): Call {
  const amount = gwei.toString(16).padStart(16, "0");
  return { what, to: WITHDRAWAL_CONTRACT, data: `${hex(padded(pubKey, 48))}${amount}`, value };
}

export function ownerQuery(): Hex {
  return encodeFunctionData({ abi: registryArtefact().abi, functionName: "owner" });
}

function padded(bytes: Uint8Array, length: number): Uint8Array {
  const result = new Uint8Array(length);
  result.set(bytes);
  return result;
}

function hex(bytes: Uint8Array): Hex {
  return `0x${Buffer.from(bytes).toString("hex")}`;
}
