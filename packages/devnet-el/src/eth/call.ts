import { type Block, createBlock } from "@ethereumjs/block";
import {
  createTx,
  type EOACode7702TxData,
  type FeeMarketEIP1559TxData,
  TransactionType,
  type TypedTransaction,
} from "@ethereumjs/tx";
import { Account, createAddressFromString, type PrefixedHexString } from "@ethereumjs/util";
import { runTx } from "@ethereumjs/vm";
import { RPC, RpcError, reasonOf } from "../errors.ts";
import {
  addressParam,
  arrayParam,
  dataParam,
  fromHex,
  type Hex,
  hashParam,
  objectParam,
  padded,
  quantityParam,
  slotParam,
  toHex,
  ZERO_ADDRESS,
} from "../hex.ts";
import { MAX_TRANSACTION_GAS } from "../vm/limits.ts";
import type { View } from "../vm/view.ts";
import type { EthContext } from "./context.ts";

/** An unsigned transaction to be tried out. */
export interface CallRequest {
  readonly from: Hex;
  readonly to: Hex | undefined;
  readonly value: bigint;
  readonly data: Uint8Array;
  readonly gas: bigint | undefined;
  readonly feeCap: bigint;
  readonly tipCap: bigint;
  readonly accessList: { readonly address: Hex; readonly storageKeys: readonly Hex[] }[];
  readonly authorizations: readonly Readonly<Record<string, Hex>>[] | undefined;
}

/** Outcome of a call. */
export interface CallResult {
  readonly error: string | undefined;
  readonly returned: Uint8Array;
  readonly gasUsed: bigint;
  /** Gas needed at some moment of the execution, before refunds. */
  readonly peakGas: bigint;
  readonly accessList: { readonly address: Hex; readonly storageKeys: readonly Hex[] }[];
}

/** Milliseconds that one call may execute. */
const CALL_TIMEOUT_MS = 5_000;
const TIMEOUT = "execution aborted (timeout = 5s)";
const MAX_CALL_DATA = 1_048_576;
const MAX_ACCESS_LIST = 4096;
const MAX_AUTHORIZATIONS = 256;
const MAX_OVERRIDES = 1024;

function accessListParam(value: unknown): { address: Hex; storageKeys: Hex[] }[] {
  if (value === undefined || value === null) return [];
  return arrayParam(value, "accessList", MAX_ACCESS_LIST).map((item) => {
    const entry = objectParam(item, "accessList entry");
    return {
      address: addressParam(entry["address"], "accessList address"),
      storageKeys: arrayParam(entry["storageKeys"] ?? [], "storageKeys", MAX_ACCESS_LIST).map((key) =>
        hashParam(key, "storage key"),
      ),
    };
  });
}

function authorizationsParam(value: unknown): Readonly<Record<string, Hex>>[] | undefined {
  if (value === undefined || value === null) return undefined;
  return arrayParam(value, "authorizationList", MAX_AUTHORIZATIONS).map((item) => {
    const entry = objectParam(item, "authorization");
    const number = (name: string, bits: number): Hex => {
      const parsed = quantityParam(
        entry[name] ?? (name === "yParity" ? entry["v"] : undefined) ?? "0x0",
        name,
        bits,
      );
      return parsed === 0n ? "0x" : toHex(padded(parsed, Math.ceil(parsed.toString(16).length / 2)));
    };
    return {
      chainId: number("chainId", 256),
      address: addressParam(entry["address"], "authorization address"),
      nonce: number("nonce", 64),
      yParity: number("yParity", 8),
      r: number("r", 256),
      s: number("s", 256),
    };
  });
}

/** The transaction object of eth_call and eth_estimateGas. Throws -32602. */
export function callParam(value: unknown): CallRequest {
  const raw = objectParam(value, "transaction");
  const optional = (name: string, bits = 256): bigint | undefined =>
    raw[name] === undefined || raw[name] === null ? undefined : quantityParam(raw[name], name, bits);
  const input = raw["input"] ?? raw["data"];
  const gasPrice = optional("gasPrice");
  const feeCap = optional("maxFeePerGas") ?? gasPrice ?? 0n;
  const tipCap = optional("maxPriorityFeePerGas") ?? gasPrice ?? 0n;
  if (gasPrice !== undefined && optional("maxFeePerGas") !== undefined) {
    throw new RpcError(RPC.SERVER, "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified");
  }
  if (tipCap > feeCap && feeCap > 0n) {
    throw new RpcError(
      RPC.SERVER,
      `max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: ${tipCap}, maxFeePerGas: ${feeCap}`,
    );
  }
  return {
    from:
      raw["from"] === undefined || raw["from"] === null ? ZERO_ADDRESS : addressParam(raw["from"], "from"),
    to: raw["to"] === undefined || raw["to"] === null ? undefined : addressParam(raw["to"], "to"),
    value: optional("value") ?? 0n,
    data:
      input === undefined || input === null
        ? new Uint8Array(0)
        : dataParam(input, "input", { max: MAX_CALL_DATA }),
    gas: optional("gas", 64),
    feeCap,
    tipCap: feeCap === 0n ? 0n : tipCap,
    accessList: accessListParam(raw["accessList"]),
    authorizations: authorizationsParam(raw["authorizationList"]),
  };
}

/** State overrides of eth_call, applied to a view. Throws -32602. */
async function applyOverrides(view: View, overrides: unknown): Promise<void> {
  if (overrides === undefined || overrides === null) return;
  const entries = Object.entries(objectParam(overrides, "state overrides"));
  if (entries.length > MAX_OVERRIDES)
    throw new RpcError(RPC.INVALID_PARAMS, `at most ${MAX_OVERRIDES} overrides`);
  for (const [rawAddress, rawEntry] of entries) {
    const address = createAddressFromString(addressParam(rawAddress, "override address"));
    const entry = objectParam(rawEntry, "override");
    const account = (await view.state.getAccount(address)) ?? new Account();
    if (entry["balance"] !== undefined) account.balance = quantityParam(entry["balance"], "balance");
    if (entry["nonce"] !== undefined) account.nonce = quantityParam(entry["nonce"], "nonce", 64);
    await view.state.putAccount(address, account);
    if (entry["code"] !== undefined) await view.state.putCode(address, dataParam(entry["code"], "code"));
    if (entry["state"] !== undefined) await view.state.clearStorage(address);
    const slots = objectParam(entry["state"] ?? entry["stateDiff"] ?? {}, "override storage");
    for (const [slot, word] of Object.entries(slots)) {
      await view.state.putStorage(
        address,
        slotParam(slot, "slot"),
        dataParam(word, "storage word", { length: 32 }),
      );
    }
  }
  await view.state.flush();
}

function unsigned(view: View, request: CallRequest, nonce: bigint, gas: bigint): TypedTransaction {
  const { common } = view.vm;
  const fields: FeeMarketEIP1559TxData = {
    value: request.value,
    data: request.data,
    gasLimit: gas,
    maxFeePerGas: request.feeCap,
    maxPriorityFeePerGas: request.tipCap,
    nonce,
    chainId: common.chainId(),
    accessList: request.accessList.map(({ address, storageKeys }) => ({
      address,
      storageKeys: [...storageKeys],
    })),
    ...(request.to === undefined ? {} : { to: request.to }),
  };
  let transaction: TypedTransaction;
  if (request.authorizations === undefined) {
    transaction = createTx({ ...fields, type: TransactionType.FeeMarketEIP1559 }, { common, freeze: false });
  } else {
    const list = request.authorizations.map((entry) => ({
      chainId: entry["chainId"] as PrefixedHexString,
      address: entry["address"] as PrefixedHexString,
      nonce: entry["nonce"] as PrefixedHexString,
      yParity: entry["yParity"] as PrefixedHexString,
      r: entry["r"] as PrefixedHexString,
      s: entry["s"] as PrefixedHexString,
    }));
    const data: EOACode7702TxData = {
      ...fields,
      authorizationList: list,
      type: TransactionType.EOACodeEIP7702,
    };
    transaction = createTx(data, { common, freeze: false });
  }
  const from = createAddressFromString(request.from);
  transaction.getSenderAddress = () => from;
  transaction.isSigned = () => true;
  return transaction;
}

function greater(a: bigint, b: bigint): bigint {
  if (a > b) return a;
  return b;
}

/** Greatest gas of a call: what a transaction may have. */
export const CALL_GAS_CAP: bigint = MAX_TRANSACTION_GAS;

/**
 * Runs a call as a whole transaction on the state after `block`, so that gas is what a block would charge. Throws
 * RpcError when the transaction could not even start, or takes longer than 5 s.
 */
export async function simulate(
  context: EthContext,
  block: Block,
  request: CallRequest,
  gas: bigint,
  options: {
    readonly overrides?: unknown;
    readonly signal?: AbortSignal;
    readonly reportAccessList?: boolean;
    /** milliseconds of `performance.now()` after which to give up; at most 5 s from now */
    readonly deadline?: number;
  } = {},
): Promise<CallResult> {
  if (options.signal?.aborted === true) throw new RpcError(RPC.SERVER, "request canceled");
  const view = context.viewAfter(block);
  await applyOverrides(view, options.overrides);
  const account = (await view.state.getAccount(createAddressFromString(request.from))) ?? new Account();
  if (account.balance < request.value) {
    throw new RpcError(
      RPC.SERVER,
      `insufficient funds for gas * price + value: address ${request.from} have ${account.balance} want ${request.value}`,
    );
  }
  const free = request.feeCap === 0n;
  const header = free ? { ...block.header, baseFeePerGas: 0n } : block.header;
  view.meter.deadline = Math.min(
    performance.now() + CALL_TIMEOUT_MS,
    options.deadline ?? Number.POSITIVE_INFINITY,
  );
  if (performance.now() > view.meter.deadline) throw new RpcError(RPC.SERVER, TIMEOUT);
  try {
    const transaction = unsigned(view, request, account.nonce, gas);
    const result = await runTx(view.vm, {
      tx: transaction,
      block: createBlock({ header }, { common: view.vm.common }),
      skipBalance: free,
      skipNonce: true,
      skipBlockGasLimitValidation: true,
      skipHardForkValidation: true,
      reportAccessList: options.reportAccessList ?? false,
    });
    if (view.meter.exceeded) throw new RpcError(RPC.SERVER, TIMEOUT);
    const spent = result.execResult.executionGasUsed + transaction.getIntrinsicGas();
    return {
      error: result.execResult.exceptionError?.error,
      returned: result.execResult.returnValue,
      gasUsed: result.totalGasSpent,
      peakGas: greater(spent, result.totalGasSpent),
      accessList: (result.accessList ?? []).map(({ address, storageKeys }) => ({
        address: address as Hex,
        storageKeys: storageKeys as Hex[],
      })),
    };
  } catch (thrown) {
    if (thrown instanceof RpcError || thrown instanceof TypeError) throw thrown;
    throw new RpcError(RPC.SERVER, `err: ${reasonOf(thrown)} (supplied gas ${gas})`);
  }
}

const ERROR_SELECTOR = "0x08c379a0";
const PANIC_SELECTOR = "0x4e487b71";

/** The reason in the data of a revert, as solidity encodes it; empty when there is none. */
export function revertReason(data: Uint8Array): string {
  const hex = toHex(data);
  if (hex.startsWith(PANIC_SELECTOR) && data.length === 36)
    return `: panic code 0x${BigInt(`0x${hex.slice(10)}`).toString(16)}`;
  if (!hex.startsWith(ERROR_SELECTOR) || data.length < 68) return "";
  const length = BigInt(`0x${hex.slice(74, 138)}`);
  if (length > BigInt(data.length - 68)) return "";
  return `: ${Buffer.from(fromHex(`0x${hex.slice(138, 138 + Number(length) * 2)}`)).toString("utf8")}`;
}

/** The RpcError of a call that failed. */
export function callFailure(result: CallResult): RpcError {
  if (result.error === "revert") {
    return new RpcError(
      RPC.EXECUTION_REVERTED,
      `execution reverted${revertReason(result.returned)}`,
      toHex(result.returned),
    );
  }
  return new RpcError(RPC.SERVER, result.error ?? "execution failed");
}
