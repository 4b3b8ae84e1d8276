import { EVMError, type EVMOpts } from "@ethereumjs/evm";

const YIELD_EVERY_MS = 20;
const CHECK_EVERY_JUMPS = 256;
const JUMPDEST = 0x5b;

/**
 * Keeps a long execution from monopolising the process. Every loop of the EVM passes a JUMPDEST, so that is where the
 * clock is read: the event loop gets its turn every 20 ms, and past the deadline each frame fails as if out of gas.
 * The result of an execution with `exceeded` set is meaningless and must be reverted.
 */
export class Meter {
  /** Milliseconds of `performance.now()` at which execution is abandoned. */
  deadline: number = Number.POSITIVE_INFINITY;
  /** True once the deadline cut an execution short. */
  exceeded = false;
  private yieldedAt: number = performance.now();
  private jumps = 0;

  /** Gives the event loop its turn when that is due. */
  async breathe(): Promise<void> {
    const now = performance.now();
    if (now > this.deadline) this.exceeded = true;
    if (now - this.yieldedAt < YIELD_EVERY_MS) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.yieldedAt = performance.now();
  }

  /** JUMPDEST with its gas unchanged, for the EVM's `customOpcodes`. */
  get opcode(): NonNullable<EVMOpts["customOpcodes"]>[number] {
    return {
      opcode: JUMPDEST,
      opcodeName: "JUMPDEST",
      baseFee: 1,
      logicFunction: (): Promise<void> | void => {
        if (this.exceeded) throw new EVMError(EVMError.errorMessages.OUT_OF_GAS);
        this.jumps += 1;
        if (this.jumps % CHECK_EVERY_JUMPS === 0) return this.breathe();
      },
    };
  }
}
