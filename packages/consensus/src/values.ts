/**
 * What is known about blocks of this height, by id: is the body here, what did the EL say. Facts about a block, never
 * about a round: VALID is final, INVALID may become VALID, an open question stays open across rounds.
 */
import { type Address, type BlockId, blockIdKey, type Round, type Time } from "@quorate/chain";
import { LIMITS } from "./limits.ts";

export interface Value {
  /** {@link blockIdKey} of `blockId`. */
  readonly key: string;
  readonly blockId: BlockId;
  /** Header facts of a body that the shell holds; null: not here. */
  readonly body: { readonly time: Time; readonly proposer: Address } | null;
  readonly verdict: "valid" | "invalid" | null;
  /** A `validate` has no answer yet. */
  readonly asking: boolean;
  /** Round in which `validate` was last issued; -1 never. */
  readonly askedRound: Round;
  /** Round in which `want_body` was last issued; -1 never. */
  readonly wantedRound: Round;
}

export type Values = readonly Value[];

export function factsOf(values: Values, blockId: BlockId): Value | null {
  const key = blockIdKey(blockId);
  return values.find((value) => value.key === key) ?? null;
}

/** Changes the facts about one block, which is entered if new. `keep` says whose facts must not make room. */
export function updateValue(
  values: Values,
  blockId: BlockId,
  change: Partial<Omit<Value, "key" | "blockId">>,
  keep: (value: Value) => boolean,
): Values {
  const key = blockIdKey(blockId);
  const at = values.findIndex((value) => value.key === key);
  const known = values[at];
  if (known) return values.with(at, { ...known, ...change });
  const blank: Value = {
    key,
    blockId,
    body: null,
    verdict: null,
    asking: false,
    askedRound: -1,
    wantedRound: -1,
  };
  const entered = [...values, { ...blank, ...change }];
  if (entered.length <= LIMITS.values) return entered;
  const out = entered.findIndex((value) => value.key !== key && !keep(value));
  return entered.toSpliced(Math.max(out, 0), 1);
}
