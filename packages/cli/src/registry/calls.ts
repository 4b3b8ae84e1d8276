/** Calls that change the registry, as bytes that any wallet can send. */
import { encodeFunctionData, type Hex } from "viem";
import { REGISTRY_ADDRESS, registryArtefact } from "../home/registry-contract.ts";
import type { Call } from "./send.ts";

/** EIP-7002: withdrawal requests. */
export const WITHDRAWAL_CONTRACT: Hex = "0x00000961ef480eb55e80d19ad83579a64c007002";

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

/** key[48] ‖ amount u64 of 0: leave. `fee` is what the contract asks for, in wei. */
export function exitCall(pubKey: Uint8Array, fee: bigint): Call {
  const data: Hex = `0x${hex(pubKey).slice(2)}${"00".repeat(16 + 8)}`;
  return { what: `take ${base64(pubKey)} out`, to: WITHDRAWAL_CONTRACT, data, value: fee };
}

export function ownerQuery(): Hex {
  return encodeFunctionData({ abi: registryArtefact().abi, functionName: "owner" });
}

function hex(bytes: Uint8Array): Hex {
  return `0x${Buffer.from(bytes).toString("hex")}`;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
