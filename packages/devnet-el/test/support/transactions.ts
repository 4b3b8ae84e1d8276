import { concatHex, type Hex, numberToHex, padHex } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { CHAIN_ID, KEYS } from "./process.ts";

/** Signs transactions of the test accounts and counts their nonces. */
export class Signers {
  readonly accounts: readonly PrivateKeyAccount[] = KEYS.map((key) => privateKeyToAccount(key));
  private readonly nonces: number[] = KEYS.map(() => 0);

  nonce(index: number): number {
    return this.nonces[index] ?? 0;
  }

  address(index: number): Hex {
    return this.accounts[index]!.address.toLowerCase() as Hex;
  }

  /** A transaction of account `index` with its next nonce; legacy, 2930 or 1559 by `type`. */
  async sign(
    index: number,
    fields: { to?: Hex | null; value?: bigint; data?: Hex; gas?: bigint; type?: 0 | 1 | 2; tip?: bigint },
  ): Promise<Hex> {
    const account = this.accounts[index]!;
    const nonce = this.nonce(index);
    this.nonces[index] = nonce + 1;
    const common = {
      chainId: CHAIN_ID,
      nonce,
      to: fields.to ?? null,
      value: fields.value ?? 0n,
      data: fields.data ?? "0x",
      gas: fields.gas ?? 500_000n,
    } as const;
    const price = 5_000_000_000n;
    switch (fields.type ?? 2) {
      case 0:
        return account.signTransaction({ ...common, type: "legacy", gasPrice: price });
      case 1:
        return account.signTransaction({
          ...common,
          type: "eip2930",
          gasPrice: price,
          accessList: [{ address: this.address(7), storageKeys: [padHex("0x01")] }],
        });
      default:
        return account.signTransaction({
          ...common,
          type: "eip1559",
          maxFeePerGas: price,
          maxPriorityFeePerGas: fields.tip ?? 1_000_000_000n,
        });
    }
  }

  /** Account `sponsor` sends a transaction in which `authority` delegates to `target`. */
  async delegate(sponsor: number, authority: number, target: Hex, to: Hex, data: Hex = "0x"): Promise<Hex> {
    const account = this.accounts[sponsor]!;
    const nonce = this.nonce(sponsor);
    this.nonces[sponsor] = nonce + 1;
    const authorization = await this.accounts[authority]!.signAuthorization({
      chainId: CHAIN_ID,
      contractAddress: target,
      nonce: this.nonce(authority),
    });
    this.nonces[authority] = this.nonce(authority) + 1;
    return account.signTransaction({
      type: "eip7702",
      chainId: CHAIN_ID,
      nonce,
      to,
      data,
      value: 0n,
      gas: 500_000n,
      maxFeePerGas: 5_000_000_000n,
      maxPriorityFeePerGas: 1_000_000_000n,
      authorizationList: [authorization],
    });
  }
}

/** Init code that leaves `runtime` as code. */
export function deploy(runtime: Hex): Hex {
  const length = numberToHex((runtime.length - 2) / 2, { size: 2 }).slice(2);
  return concatHex([`0x61${length}600e60003961${length}6000f3`, runtime]);
}

/** Deterministic random bytes (mulberry32). */
export function random(seed: number): { byte(): number; below(n: number): number; hex(length: number): Hex } {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = (n: number): number => Math.floor(next() * n);
  const byte = (): number => below(256);
  return {
    byte,
    below,
    hex: (length) => `0x${Array.from({ length }, () => byte().toString(16).padStart(2, "0")).join("")}`,
  };
}

/** Bytecode that mostly runs: operands first, opcodes of every family, the result in storage and a log. */
export function randomCode(seed: number): Hex {
  const { byte, below, hex } = random(seed);
  const pool = [
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15,
    0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x38,
    0x3a, 0x3b, 0x3d, 0x3f, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x50, 0x54,
    0x58, 0x59, 0x5a, 0x5b, 0x5c, 0x5f, 0x80, 0x81, 0x90, 0x91,
  ];
  let code = "";
  const push = (value: number): void => {
    code += `60${value.toString(16).padStart(2, "0")}`;
  };
  for (let i = 0; i < 12; i++) code += `7f${hex(32).slice(2)}`;
  for (let i = 0; i < 60; i++) {
    const choice = below(20);
    if (choice === 0) {
      push(below(64));
      push(below(8));
      code += "55";
    } else if (choice === 1) {
      push(below(64));
      push(below(64));
      code += "20";
    } else if (choice === 2) {
      push(byte());
      push(below(96));
      code += "52";
    } else if (choice === 3) {
      push(below(32));
      push(below(64));
      push(below(64));
      code += "5e";
    } else if (choice === 4) {
      for (const value of [32, 0, 32, 0]) push(value);
      push(1 + below(10));
      code += "5afa";
    } else if (choice === 5) {
      push(byte());
      push(below(8));
      code += "5d";
    } else if (choice === 6) {
      push(0);
      push(0);
      push(0);
      code += "f050";
    } else {
      push(byte());
      push(below(300) & 255);
      code += (pool[below(pool.length)] ?? 0x50).toString(16).padStart(2, "0");
    }
  }
  push(0);
  code += "5560206000a000";
  return `0x${code}`;
}
