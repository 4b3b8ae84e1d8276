import { effectiveTip } from "../vm/transaction.ts";
import { Heap } from "./heap.ts";
import type { TxPool } from "./pool.ts";
import type { PooledTransaction } from "./rules.ts";

interface Head {
  readonly entry: PooledTransaction;
  readonly tip: bigint;
  readonly transactions: ReadonlyMap<bigint, PooledTransaction>;
}

/**
 * Transactions in the order in which a proposer wants them: highest effective tip first, first come first among
 * equals, and each sender's by nonce. One whose fee cap is below the base fee waits, and all of its sender behind it.
 */
export class Candidates {
  private readonly heap = new Heap<Head>(
    (a, b) => a.tip > b.tip || (a.tip === b.tip && a.entry.sequence < b.entry.sequence),
  );
  private readonly baseFee: bigint;

  /** Transactions in `included` are passed over. */
  constructor(pool: TxPool, baseFee: bigint, included: ReadonlySet<string>) {
    this.baseFee = baseFee;
    for (const { stateNonce, transactions } of pool.bySender()) {
      let nonce = stateNonce;
      let entry = transactions.get(nonce);
      while (entry !== undefined && included.has(entry.hash)) {
        nonce += 1n;
        entry = transactions.get(nonce);
      }
      this.offer(entry, transactions);
    }
  }

  private offer(
    entry: PooledTransaction | undefined,
    transactions: ReadonlyMap<bigint, PooledTransaction>,
  ): void {
    if (entry === undefined) return;
    const tip = effectiveTip(entry.transaction, this.baseFee);
    if (tip >= 0n) this.heap.push({ entry, tip, transactions });
  }

  /**
   * The next candidate. `follow` makes its sender's next transaction a candidate too; without that call the sender is
   * passed over.
   */
  next(): { readonly entry: PooledTransaction; follow(): void } | undefined {
    const head = this.heap.pop();
    if (head === undefined) return undefined;
    const { entry, transactions } = head;
    return { entry, follow: () => this.offer(transactions.get(entry.nonce + 1n), transactions) };
  }
}
