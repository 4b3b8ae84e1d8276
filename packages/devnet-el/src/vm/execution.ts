import { type Block, type BlockHeader, createBlock, type HeaderData } from "@ethereumjs/block";
import { MerklePatriciaTrie } from "@ethereumjs/mpt";
import { RLP } from "@ethereumjs/rlp";
import type { TypedTransaction } from "@ethereumjs/tx";
import { Account, createAddressFromString, createContractAddress, type Withdrawal } from "@ethereumjs/util";
import { encodeReceipt, type RunTxResult, runTx } from "@ethereumjs/vm";
import type { ReceiptRecord } from "../chain/receipts.ts";
import { BEACON_ROOTS, HISTORY_STORAGE } from "../genesis/system-contracts.ts";
import { type Hex, padded } from "../hex.ts";
import { collectRequests, isMalformedDeposit } from "./requests.ts";
import type { View } from "./view.ts";

const BEACON_ROOTS_LENGTH = 8191n;
const HISTORY_LENGTH = 8191n;
const GWEI = 1_000_000_000n;

/** What executing all of a block gives; its header must say the same. */
export interface ExecutionResult {
  readonly stateRoot: Uint8Array;
  readonly receiptsRoot: Uint8Array;
  readonly logsBloom: Uint8Array;
  readonly gasUsed: bigint;
  readonly requests: readonly Uint8Array[];
  readonly receipts: readonly ReceiptRecord[];
}

/**
 * One block being executed: the same steps whether it is built or validated. Order: `begin`, `run` for each
 * transaction, `finish`. After anything was thrown the view must be thrown away.
 */
export class BlockExecution {
  readonly receipts: ReceiptRecord[] = [];
  /** Fees that went to the proposer, wei. */
  fees = 0n;
  gasUsed = 0n;
  private readonly view: View;
  private readonly context: Block;
  private readonly depositContract: Hex;
  private readonly encoded: Uint8Array[] = [];
  private readonly bloom = new Uint8Array(256);

  /** `header` must hold what transactions can read: number, timestamp, gas limit, coinbase, base fee, randao. */
  constructor(view: View, header: HeaderData | BlockHeader, depositContract: Hex) {
    this.view = view;
    this.depositContract = depositContract;
    this.context = createBlock({ header: { ...header, gasUsed: 0n } }, { common: view.vm.common });
  }

  get header(): BlockHeader {
    return this.context.header;
  }

  /** System writes at the start of a block: EIP-4788 and EIP-2935. */
  async begin(): Promise<void> {
    const { evm } = this.view;
    await evm.journal.checkpoint();
    const { header } = this.context;
    const slot = header.timestamp % BEACON_ROOTS_LENGTH;
    const root = header.parentBeaconBlockRoot ?? new Uint8Array(32);
    await this.systemWrite(BEACON_ROOTS.address, slot, padded(header.timestamp, 32));
    await this.systemWrite(BEACON_ROOTS.address, slot + BEACON_ROOTS_LENGTH, root);
    await this.systemWrite(HISTORY_STORAGE.address, (header.number - 1n) % HISTORY_LENGTH, header.parentHash);
    await evm.journal.cleanup();
  }

  private async systemWrite(contract: Hex, slot: bigint, value: Uint8Array): Promise<void> {
    const address = createAddressFromString(contract);
    if ((await this.view.state.getCode(address)).length === 0) return;
    await this.view.state.putStorage(address, padded(slot, 32), value);
  }

  /** Executes one transaction; a failing one has a receipt too. Throws when it must not be in this block. */
  async run(transaction: TypedTransaction): Promise<ReceiptRecord> {
    await this.view.meter.breathe();
    if (transaction.gasLimit > this.gasLeft) throw new Error("block gas limit reached");
    return this.record(transaction, await this.execute(transaction));
  }

  /**
   * Executes one transaction and takes it back unless it keeps the meter's deadline and every log of it that looks
   * like a deposit is one. Throws when the library refuses it, after which the view must be thrown away.
   */
  async attempt(transaction: TypedTransaction): Promise<"included" | "too slow" | "malformed deposit"> {
    const { evm, meter } = this.view;
    await meter.breathe();
    await evm.journal.checkpoint();
    const result = await this.execute(transaction);
    const malformed = result.receipt.logs.some(([address, topics, data]) =>
      isMalformedDeposit({ address, topics, data }, this.depositContract),
    );
    if (meter.exceeded || malformed) {
      await evm.journal.revert();
      return meter.exceeded ? "too slow" : "malformed deposit";
    }
    await evm.journal.commit();
    this.record(transaction, result);
    return "included";
  }

  /** Gas that transactions may still ask for. */
  get gasLeft(): bigint {
    return this.context.header.gasLimit - this.gasUsed;
  }

  private execute(transaction: TypedTransaction): Promise<RunTxResult> {
    return runTx(this.view.vm, {
      tx: transaction,
      block: this.context,
      blockGasUsed: this.gasUsed,
      skipHardForkValidation: true,
    });
  }

  private record(transaction: TypedTransaction, result: RunTxResult): ReceiptRecord {
    this.gasUsed += result.blockGasSpent;
    this.fees += result.minerValue;
    const from = transaction.getSenderAddress();
    const record: ReceiptRecord = {
      succeeded: result.execResult.exceptionError === undefined,
      gasUsed: result.totalGasSpent,
      cumulativeGasUsed: result.receipt.cumulativeBlockGasUsed,
      from: from.bytes,
      created:
        transaction.to === undefined ? createContractAddress(from, transaction.nonce).bytes : undefined,
      logs: result.receipt.logs.map(([address, topics, data]) => ({ address, topics, data })),
    };
    this.receipts.push(record);
    this.encoded.push(encodeReceipt(result.receipt, transaction.type));
    for (const [i, byte] of result.bloom.bitvector.entries()) this.bloom[i] = (this.bloom[i] ?? 0) | byte;
    return record;
  }

  /** Withdrawals, requests and roots. */
  async finish(withdrawals: readonly Withdrawal[]): Promise<ExecutionResult> {
    const { evm, state } = this.view;
    for (const { address, amount } of withdrawals) {
      const account = (await state.getAccount(address)) ?? new Account();
      account.balance += amount * GWEI;
      await evm.journal.putAccount(address, account);
    }
    await evm.journal.cleanup();
    const requests = await collectRequests(this.view, this.receipts, this.depositContract);
    const stateRoot = await state.getStateRoot();
    await evm.journal.commit();
    const trie = new MerklePatriciaTrie({ common: this.view.vm.common });
    for (const [index, receipt] of this.encoded.entries()) await trie.put(RLP.encode(index), receipt);
    return {
      stateRoot,
      receiptsRoot: trie.root(),
      logsBloom: this.bloom,
      gasUsed: this.gasUsed,
      requests,
      receipts: this.receipts,
    };
  }
}
