import {
  type Block,
  Block as BlockClass,
  createBlockHeader,
  genTransactionsTrieRoot,
  genWithdrawalsTrieRoot,
  type HeaderData,
} from "@ethereumjs/block";
import { MerklePatriciaTrie } from "@ethereumjs/mpt";
import type { TypedTransaction } from "@ethereumjs/tx";
import { createAddressFromString } from "@ethereumjs/util";
import type { Chain, ExecutedBlock } from "../chain/chain.ts";
import type { ChainSpec } from "../genesis/parse.ts";
import { fromHex, toHex } from "../hex.ts";
import { Candidates } from "../pool/candidates.ts";
import type { TxPool } from "../pool/pool.ts";
import type { PooledTransaction } from "../pool/rules.ts";
import { BlockExecution } from "../vm/execution.ts";
import { BLOCK_BYTES_RESERVE, MAX_BLOCK_BYTES, nextGasLimit } from "../vm/limits.ts";
import { requestsHash } from "../vm/requests.ts";
import { openView, type View, type VmEnvironment } from "../vm/view.ts";
import type { PayloadAttributes } from "./attributes.ts";

/** What a finished build gives. */
export interface BuiltPayload {
  readonly block: Block;
  readonly requests: readonly Uint8Array[];
  /** fees to the proposer, wei */
  readonly value: bigint;
}

/** What every build needs. */
export interface BuildContext {
  readonly environment: VmEnvironment;
  readonly spec: ChainSpec;
  readonly chain: Chain;
  readonly pool: TxPool;
  /** gas limit that blocks move to */
  readonly gasTarget: bigint;
  /** bytes of the header's extra data, at most 32 */
  readonly extraData: Uint8Array;
  /** milliseconds of execution right after the fork choice, and again when the payload is asked for */
  readonly budget: { readonly eager: number; readonly refresh: number };
  /** Reports a transaction that is dropped because no block can hold it. */
  readonly onDropped: (hash: string, reason: string) => void;
}

/** Part of the eager budget that says a transaction fits no block. */
const WHOLE_BUDGET = 0.8;
/** Part of it that counts as a strike, and the strikes after which a transaction is dropped. */
const LARGE_SHARE = 0.25;
const MAX_STRIKES = 3;

interface Session {
  readonly view: View;
  readonly execution: BlockExecution;
  readonly included: TypedTransaction[];
  readonly includedHashes: Set<string>;
  bytes: number;
}

/**
 * Builds one payload. It is filled right after the fork choice asked for it, topped up with what has arrived when it is
 * fetched, and never changes after that. Execution keeps a time budget: what does not fit it is left for later, and a
 * transaction that used up a whole budget, or much of one again and again, leaves the pool.
 */
export class PayloadBuilder {
  private readonly context: BuildContext;
  private readonly parent: Block;
  private readonly attributes: PayloadAttributes;
  private readonly passedOver = new Set<string>();
  /** Until the payload is finished: a session holds much memory. */
  private session: Promise<Session> | undefined;
  private result: Promise<BuiltPayload> | undefined;
  private stopAt: number;

  constructor(context: BuildContext, parent: Block, attributes: PayloadAttributes) {
    this.context = context;
    this.parent = parent;
    this.attributes = attributes;
    this.stopAt = performance.now() + context.budget.eager;
    const session = this.open([]).then((opened) => this.fill(opened));
    // Whoever resolves the payload sees the failure; until then nobody listens. A build that is never resolved was
    // never promised to anybody.
    session.catch(() => undefined);
    this.session = session;
  }

  /** The payload; the first call ends the build, later ones give the same. */
  resolve(): Promise<BuiltPayload> {
    this.result ??= this.finish();
    return this.result;
  }

  /** Ends a build that nobody will ask for. */
  abandon(): void {
    this.stopAt = 0;
    this.session = undefined;
  }

  private headerData(): HeaderData {
    const { parent, attributes, context } = this;
    return {
      parentHash: parent.hash(),
      number: parent.header.number + 1n,
      timestamp: attributes.timestamp,
      coinbase: createAddressFromString(attributes.feeRecipient),
      mixHash: fromHex(attributes.prevRandao),
      parentBeaconBlockRoot: fromHex(attributes.parentBeaconBlockRoot),
      gasLimit: nextGasLimit(parent.header.gasLimit, context.gasTarget),
      extraData: context.extraData,
      baseFeePerGas: parent.header.calcNextBaseFee(),
      excessBlobGas: parent.header.calcNextExcessBlobGas(context.environment.common),
      blobGasUsed: 0n,
    };
  }

  /** A session on the parent's state with these transactions in it. */
  private async open(transactions: readonly TypedTransaction[]): Promise<Session> {
    const { environment, chain, spec } = this.context;
    const overlay = chain.overlayOn(toHex(this.parent.hash()));
    const view = openView(environment, overlay, this.parent.header.stateRoot, chain.ancestryOf(this.parent));
    const execution = new BlockExecution(view, this.headerData(), spec.depositContract);
    const session: Session = { view, execution, included: [], includedHashes: new Set(), bytes: 0 };
    await execution.begin();
    for (const transaction of transactions) {
      await execution.run(transaction);
      this.include(session, transaction, toHex(transaction.hash()), transaction.serialize().length);
    }
    return session;
  }

  private include(session: Session, transaction: TypedTransaction, hash: string, size: number): void {
    session.included.push(transaction);
    session.includedHashes.add(hash);
    session.bytes += size;
  }

  /** Adds what the pool has until gas, bytes or time run out. */
  private async fill(opened: Session): Promise<Session> {
    let session = opened;
    const baseFee = session.execution.header.baseFeePerGas ?? 0n;
    const candidates = new Candidates(this.context.pool, baseFee, session.includedHashes);
    for (let next = candidates.next(); next !== undefined; next = candidates.next()) {
      if (performance.now() >= this.stopAt || session.execution.gasLeft < 21_000n) break;
      const { entry } = next;
      if (this.passedOver.has(entry.hash) || entry.transaction.gasLimit > session.execution.gasLeft) continue;
      if (session.bytes + entry.size > MAX_BLOCK_BYTES - BLOCK_BYTES_RESERVE) continue;
      if (!(await this.affordable(session, entry))) continue;
      const before = process.cpuUsage();
      session.view.meter.deadline = this.stopAt;
      let outcome: "included" | "too slow" | "malformed deposit" | "refused";
      try {
        outcome = await session.execution.attempt(entry.transaction);
      } catch (thrown) {
        // The library may leave the state half written; only a new session is known to be clean.
        this.drop(entry, thrown instanceof Error ? thrown.message : String(thrown));
        session = await this.open(session.included);
        continue;
      }
      if (outcome === "included") {
        this.include(session, entry.transaction, entry.hash, entry.size);
        next.follow();
      } else if (outcome === "malformed deposit") this.drop(entry, outcome);
      else {
        this.passedOver.add(entry.hash);
        // Processor time, as on a busy machine any transaction may be slow by the clock.
        const { user, system } = process.cpuUsage(before);
        const share = (user + system) / 1000 / this.context.budget.eager;
        if (
          share >= WHOLE_BUDGET ||
          (share >= LARGE_SHARE && this.context.pool.strike(entry.hash) >= MAX_STRIKES)
        ) {
          this.drop(entry, outcome);
        }
        break;
      }
    }
    session.view.meter.deadline = Number.POSITIVE_INFINITY;
    session.view.meter.exceeded = false;
    return session;
  }

  private drop(entry: PooledTransaction, reason: string): void {
    this.passedOver.add(entry.hash);
    this.context.pool.remove(entry.hash);
    this.context.onDropped(entry.hash, reason);
  }

  private async affordable(session: Session, entry: PooledTransaction): Promise<boolean> {
    const account = await session.view.state.getAccount(createAddressFromString(entry.from));
    if (account === undefined) return false;
    return account.nonce === entry.nonce && account.balance >= entry.cost;
  }

  private async finish(): Promise<BuiltPayload> {
    const deadline = performance.now() + this.context.budget.refresh;
    this.stopAt = Math.min(this.stopAt, deadline);
    const opened = this.session ?? this.open([]);
    this.session = undefined;
    let session = await opened;
    if (this.context.pool.size > session.included.length) {
      this.stopAt = deadline;
      session = await this.fill(session);
    }
    const { environment, chain } = this.context;
    const withdrawals = [...this.attributes.withdrawals];
    const result = await session.execution.finish(withdrawals);
    const { common } = environment;
    const header = createBlockHeader(
      {
        ...this.headerData(),
        stateRoot: result.stateRoot,
        receiptTrie: result.receiptsRoot,
        logsBloom: result.logsBloom,
        gasUsed: result.gasUsed,
        requestsHash: requestsHash(result.requests),
        transactionsTrie: await genTransactionsTrieRoot(session.included, new MerklePatriciaTrie({ common })),
        withdrawalsRoot: await genWithdrawalsTrieRoot(withdrawals, new MerklePatriciaTrie({ common })),
      },
      { common },
    );
    // Not createBlock: it makes every transaction anew and forgets the recovered senders.
    const block = new BlockClass(header, session.included, [], withdrawals, { common });
    const executed: ExecutedBlock = {
      block,
      hash: toHex(block.hash()),
      receipts: result.receipts,
      overlay: session.view.overlay,
      touched: session.view.touched,
    };
    await chain.addExecuted(executed);
    return { block, requests: result.requests, value: session.execution.fees };
  }
}
