/** Greatest RLP length of a block (EIP-7934). */
export const MAX_BLOCK_BYTES = 8_388_608;
/** What a builder leaves free of it, so that header and withdrawals always fit. */
export const BLOCK_BYTES_RESERVE = 1_048_576;
/** Greatest gas limit of a transaction (EIP-7825). */
export const MAX_TRANSACTION_GAS = 16_777_216n;

/**
 * Gas limit of the block after one with `parent`, moving towards `target` by at most 1/1024 less one, as Geth moves it.
 */
export function nextGasLimit(parent: bigint, target: bigint): bigint {
  const step = parent / 1024n - 1n;
  if (parent < target) return parent + step < target ? parent + step : target;
  return parent - step > target ? parent - step : target;
}
