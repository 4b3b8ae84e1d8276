import type { Block } from "@ethereumjs/block";
import { createAddressFromString } from "@ethereumjs/util";
import { RPC, RpcError } from "../errors.ts";
import { quantity, toHex } from "../hex.ts";
import type { Methods } from "../server/jsonrpc.ts";
import { CALL_GAS_CAP, type CallRequest, type CallResult, callFailure, callParam, simulate } from "./call.ts";
import type { EthContext } from "./context.ts";
import { Gate } from "./gate.ts";

const TRANSFER_GAS = 21_000n;
const STIPEND = 2_300n;
/** The search for a gas limit stops when it is known to this part, as in Geth. */
const ESTIMATE_PRECISION = 0.015;
const MAX_ACCESS_LIST_ROUNDS = 8;
/** Milliseconds that all executions of one estimate may take together. */
const ESTIMATE_TIMEOUT_MS = 10_000;

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

/** eth_call, eth_estimateGas, eth_createAccessList: at most two at a time, the rest waits in a bounded queue. */
export function executionMethods(context: EthContext): Methods {
  const gate = new Gate(2, 256);

  const call = async (params: readonly unknown[], signal: AbortSignal): Promise<string> => {
    if (params[3] !== undefined && params[3] !== null) {
      throw new RpcError(RPC.INVALID_PARAMS, "block overrides are not supported by this client");
    }
    const request = callParam(params[0]);
    const block = context.block(params[1]);
    const gas = min(request.gas ?? CALL_GAS_CAP, CALL_GAS_CAP);
    const result = await simulate(context, block, request, gas, { overrides: params[2], signal });
    if (result.error !== undefined) throw callFailure(result);
    return toHex(result.returned);
  };

  /** Upper end of the search: what the caller allows, the block takes and the sender can pay. */
  const highestGas = async (request: CallRequest, block: Block): Promise<bigint> => {
    const asked =
      request.gas !== undefined && request.gas >= TRANSFER_GAS ? request.gas : block.header.gasLimit;
    const highest = min(asked, CALL_GAS_CAP);
    if (request.feeCap === 0n) return highest;
    const account = await context.stateAfter(block).getAccount(createAddressFromString(request.from));
    const balance = account?.balance ?? 0n;
    if (request.value >= balance && request.value > 0n)
      throw new RpcError(RPC.SERVER, "insufficient funds for transfer");
    return min(highest, (balance - request.value) / request.feeCap);
  };

  const estimate = async (params: readonly unknown[], signal: AbortSignal): Promise<string> => {
    const request = callParam(params[0]);
    const block = context.block(params[1]);
    const highest = await highestGas(request, block);
    const deadline = performance.now() + ESTIMATE_TIMEOUT_MS;
    const attempt = async (gas: bigint): Promise<CallResult | undefined> => {
      try {
        return await simulate(context, block, request, gas, { overrides: params[2], signal, deadline });
      } catch (thrown) {
        if (
          thrown instanceof RpcError &&
          /INTRINSIC_GAS|intrinsic|gas limit is too low|minimum gas limit/i.test(thrown.message)
        ) {
          return undefined;
        }
        throw thrown;
      }
    };
    if (request.data.length === 0 && request.to !== undefined && request.authorizations === undefined) {
      const code = await context.stateAfter(block).getCode(createAddressFromString(request.to));
      if (code.length === 0) {
        const plain = await attempt(TRANSFER_GAS);
        if (plain !== undefined && plain.error === undefined) return quantity(TRANSFER_GAS);
      }
    }
    const first = await attempt(highest);
    if (first === undefined || (first.error !== undefined && /out of gas/.test(first.error))) {
      throw new RpcError(RPC.SERVER, `gas required exceeds allowance (${highest})`);
    }
    if (first.error !== undefined) throw callFailure(first);
    const succeeds = async (gas: bigint): Promise<boolean> => {
      const result = await attempt(gas);
      return result !== undefined && result.error === undefined;
    };
    let low = first.gasUsed - 1n;
    let high = highest;
    const optimistic = ((first.peakGas + STIPEND) * 64n) / 63n;
    if (optimistic < high) {
      if (await succeeds(optimistic)) high = optimistic;
      else low = optimistic;
    }
    while (low + 1n < high) {
      if (Number(high - low) / Number(high) < ESTIMATE_PRECISION) break;
      const middle = min((low + high) / 2n, low * 2n);
      if (await succeeds(middle)) high = middle;
      else low = middle;
    }
    return quantity(high);
  };

  const createAccessList = async (params: readonly unknown[], signal: AbortSignal): Promise<unknown> => {
    let request = callParam(params[0]);
    const deadline = performance.now() + ESTIMATE_TIMEOUT_MS;
    const block = context.block(params[1]);
    const gas = min(request.gas ?? block.header.gasLimit, CALL_GAS_CAP);
    for (let round = 0; ; round++) {
      const result = await simulate(context, block, request, gas, {
        signal,
        deadline,
        reportAccessList: true,
      });
      const accessList = result.accessList
        .filter(
          ({ address, storageKeys }) =>
            storageKeys.length > 0 ||
            (address !== request.from && address !== request.to && BigInt(address) > 0x100n),
        )
        .map(({ address, storageKeys }) => ({ address, storageKeys: [...storageKeys].sort() }))
        .sort((a, b) => (a.address < b.address ? -1 : 1));
      const settled = JSON.stringify(accessList) === JSON.stringify(request.accessList);
      if (settled || round >= MAX_ACCESS_LIST_ROUNDS) {
        const error = result.error === undefined ? {} : { error: callFailure(result).message };
        return { accessList, gasUsed: quantity(result.gasUsed), ...error };
      }
      request = { ...request, accessList };
    }
  };

  return {
    eth_call: (params, signal) => gate.run(() => call(params, signal)),
    eth_estimateGas: (params, signal) => gate.run(() => estimate(params, signal)),
    eth_createAccessList: (params, signal) => gate.run(() => createAccessList(params, signal)),
  };
}
