/** Every bound of the evidence pool's memory, each with its reason. */
export const POOL_LIMITS = {
  /** Encoded bytes of what is held: as much as a block may carry by default. */
  bytes: 1_048_576,
  /** Items held; one conviction per validator is all that a chain needs, sets have at most 512 in a genesis. */
  items: 1024,
  /** Double votes held against one validator: the first convicts, a few more are for people to look at. */
  perValidator: 4,
  /** Attacks on light clients held: they are large, and nobody is convicted by them. */
  attacks: 16,
  /** Pairs of votes whose height is being decided and the one after it: evidence needs the time of its block. */
  waiting: 1024,
  /** Of these against one validator. */
  waitingPerValidator: 4,
} as const;
