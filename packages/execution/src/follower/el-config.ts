import { bytesEqual, toHex } from "@quorate/crypto";
import { textOf } from "../engine/failure.ts";
import { readData, readNumber, readQuantity, readRecord, ShapeError } from "../payload/hex.ts";

export interface ElConfigExpectation {
  readonly chainId: bigint;
  readonly depositContractAddress: Uint8Array;
  /** Seconds. */
  readonly forkOsaka: number;
  readonly blobSchedule: {
    readonly target: number;
    readonly max: number;
    readonly baseFeeUpdateFraction: number;
  } | null;
  /** Seconds, of the EL's head. */
  readonly headTimestamp: number;
}

/** Why the answer of `eth_config` (EIP-7910) does not fit the chain; `null`: it fits. */
export function faultOfConfig(answer: unknown, expected: ElConfigExpectation): string | null {
  try {
    return compare(answer, expected);
  } catch (error) {
    if (error instanceof ShapeError)
      return `the execution client's eth_config is unreadable (${error.message})`;
    throw error;
  }
}

function compare(answer: unknown, expected: ElConfigExpectation): string | null {
  const config = readRecord(answer, "eth_config");
  const current = readRecord(config["current"], "current");
  const chainId = readQuantity(current["chainId"], "chainId");
  if (chainId !== expected.chainId) return `the execution client's config has chain id ${chainId}`;

  const contracts = readRecord(current["systemContracts"], "systemContracts");
  const deposit = contracts["DEPOSIT_CONTRACT_ADDRESS"];
  const unset = expected.depositContractAddress.every((byte) => byte === 0);
  if (
    deposit === undefined
      ? !unset
      : !bytesEqual(readData(deposit, "deposit", 20), expected.depositContractAddress)
  ) {
    const wanted = toHex(expected.depositContractAddress);
    return `the execution client's deposit contract is ${textOf(deposit) || "none"}, the chain's is 0x${wanted}`;
  }

  const osaka = "P256VERIFY" in readRecord(current["precompiles"], "precompiles");
  const due = expected.headTimestamp >= expected.forkOsaka;
  if (osaka !== due) {
    return `the execution client ${osaka ? "runs" : "does not run"} the Osaka rules at ${expected.headTimestamp}, the chain's fork time is ${expected.forkOsaka}`;
  }
  if (!due) {
    const next = config["next"];
    const time = next === null ? null : readRecord(next, "next")["activationTime"];
    if (time !== expected.forkOsaka) {
      return `the execution client's next fork comes at ${textOf(time) || "no time"}, the chain's Osaka at ${expected.forkOsaka}`;
    }
  }
  return expected.blobSchedule === null ? null : compareBlobs(current["blobSchedule"], expected.blobSchedule);
}

function compareBlobs(
  answer: unknown,
  expected: { readonly target: number; readonly max: number; readonly baseFeeUpdateFraction: number },
): string | null {
  const schedule = readRecord(answer, "blobSchedule");
  for (const field of ["target", "max", "baseFeeUpdateFraction"] as const) {
    const found = schedule[field];
    const value = typeof found === "number" ? found : readNumber(found, field);
    if (value !== expected[field]) {
      return `the execution client's blob schedule has ${field} ${value}, the chain's has ${expected[field]}`;
    }
  }
  return null;
}
