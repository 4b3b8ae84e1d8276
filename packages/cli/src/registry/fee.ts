/** What a request of EIP-7002 costs beside its gas: a fee that rises while more than two come per block. */
import { CliError, ExitCode } from "../errors.ts";
import { WITHDRAWAL_CONTRACT } from "./calls.ts";
import { readContract } from "./send.ts";

/** Most that is paid for one request unless the user says more: 0.001 ether. */
export const DEFAULT_MAX_FEE_GWEI = 1_000_000;

/**
 * Wei to send with a request: twice what the contract asks for now, because the fee may rise until the request's block
 * and what is too little is refused, while nothing is given back.
 * @throws CliError unreachable; unmet when the fee is above the most that may be paid, or the contract does not answer.
 */
export async function requestValue(eth: string, maxFeeGwei: number): Promise<bigint> {
  const answer = await readContract(eth, WITHDRAWAL_CONTRACT, "0x");
  if (!/^0x[0-9a-f]{64}$/i.test(answer)) {
    throw new CliError(
      ExitCode.config,
      `the execution client has no contract of EIP-7002 at ${WITHDRAWAL_CONTRACT}`,
      "the chain's execution genesis lacks it: validators cannot leave by themselves",
    );
  }
  const fee = BigInt(answer);
  const most = BigInt(maxFeeGwei) * 1_000_000_000n;
  if (fee > most) {
    throw new CliError(
      ExitCode.unmet,
      `a request costs ${fee} wei now, more than ${most}`,
      "wait: the fee falls by itself while few requests come; or allow more with --max-fee",
    );
  }
  const twice = 2n * fee;
  return twice < most ? twice : most;
}
