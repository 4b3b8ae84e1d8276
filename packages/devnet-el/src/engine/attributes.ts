import { createHash } from "node:crypto";
import { RLP } from "@ethereumjs/rlp";
import { createWithdrawal, type Withdrawal } from "@ethereumjs/util";
import { RPC, RpcError } from "../errors.ts";
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
  toHex,
} from "../hex.ts";

/** PayloadAttributesV3, checked. */
export interface PayloadAttributes {
  readonly timestamp: bigint;
  readonly prevRandao: Hex;
  readonly feeRecipient: Hex;
  readonly withdrawals: readonly Withdrawal[];
  readonly parentBeaconBlockRoot: Hex;
}

/** Withdrawals that one payload may carry: what fits a block many times over. */
const MAX_WITHDRAWALS = 65_536;

/** A list of WithdrawalV1. Throws -32602. */
export function withdrawalsParam(value: unknown, name: string): Withdrawal[] {
  return arrayParam(value, name, MAX_WITHDRAWALS).map((item, i) => {
    const entry = objectParam(item, `${name}[${i}]`);
    return createWithdrawal({
      index: quantityParam(entry["index"], `${name}[${i}].index`, 64),
      validatorIndex: quantityParam(entry["validatorIndex"], `${name}[${i}].validatorIndex`, 64),
      address: addressParam(entry["address"], `${name}[${i}].address`),
      amount: quantityParam(entry["amount"], `${name}[${i}].amount`, 64),
    });
  });
}

/** PayloadAttributesV3. Throws -38003 for a field that the fork requires, -32602 for a malformed one. */
export function attributesParam(value: unknown): PayloadAttributes {
  const raw = objectParam(value, "payload attributes");
  const missing = (what: string): never => {
    throw new RpcError(RPC.INVALID_ATTRIBUTES, "Invalid payload attributes", { err: `missing ${what}` });
  };
  if (raw["withdrawals"] === undefined || raw["withdrawals"] === null) missing("withdrawals");
  if (raw["parentBeaconBlockRoot"] === undefined || raw["parentBeaconBlockRoot"] === null)
    missing("beacon root");
  return {
    timestamp: quantityParam(raw["timestamp"], "timestamp", 64),
    prevRandao: hashParam(raw["prevRandao"], "prevRandao"),
    feeRecipient: toHex(dataParam(raw["suggestedFeeRecipient"], "suggestedFeeRecipient", { length: 20 })),
    withdrawals: withdrawalsParam(raw["withdrawals"], "withdrawals"),
    parentBeaconBlockRoot: hashParam(raw["parentBeaconBlockRoot"], "parentBeaconBlockRoot"),
  };
}

/** Identifier of the payload built for these attributes: equal attributes give the same, byte 0 is the version. */
export function payloadIdOf(parent: Hex, attributes: PayloadAttributes): Hex {
  const digest = createHash("sha256")
    .update(fromHex(parent))
    .update(padded(attributes.timestamp, 8))
    .update(fromHex(attributes.prevRandao))
    .update(fromHex(attributes.feeRecipient))
    .update(RLP.encode(attributes.withdrawals.map((withdrawal) => withdrawal.raw())))
    .update(fromHex(attributes.parentBeaconBlockRoot))
    .digest();
  digest[0] = 3;
  return toHex(digest.subarray(0, 8));
}
