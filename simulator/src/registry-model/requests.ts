/** Execution requests read digit by digit, for the model of the registry. */

export interface ModelDeposit {
  /** `null`: not 32 bytes and 16 zero bytes. */
  readonly key: string | null;
  /** `null`: the credentials name no address. */
  readonly owner: string | null;
  readonly amount: bigint;
  /** `null`: not 64 bytes and 32 zero bytes. */
  readonly proof: string | null;
  readonly index: bigint;
}

export interface ModelLeave {
  readonly source: string;
  readonly key: string | null;
  readonly amount: bigint;
}

const DEPOSIT_BYTES = 192;
const WITHDRAWAL_BYTES = 76;

export function depositsIn(requests: readonly string[]): readonly ModelDeposit[] {
  return itemsOf(requests, "00", DEPOSIT_BYTES).map((item) => {
    const field = (from: number, to: number): string => item.slice(2 * from, 2 * to);
    const owner = field(60, 80);
    const named = field(48, 60) === `01${"00".repeat(11)}` && !/^0*$/.test(owner);
    return {
      key: padded(field(0, 48), 32),
      owner: named ? owner : null,
      amount: little(field(80, 88)),
      proof: padded(field(88, 184), 64),
      index: little(field(184, 192)),
    };
  });
}

export function leavesIn(requests: readonly string[]): readonly ModelLeave[] {
  return itemsOf(requests, "01", WITHDRAWAL_BYTES).map((item) => ({
    source: item.slice(0, 40),
    key: padded(item.slice(40, 136), 32),
    amount: little(item.slice(136)),
  }));
}

function itemsOf(requests: readonly string[], type: string, bytes: number): string[] {
  const data = requests.find((request) => request.startsWith(type))?.slice(2) ?? "";
  if (data.length % (2 * bytes) !== 0) return [];
  return Array.from({ length: data.length / (2 * bytes) }, (_, i) =>
    data.slice(2 * bytes * i, 2 * bytes * (i + 1)),
  );
}

function padded(field: string, bytes: number): string | null {
  return /^0*$/.test(field.slice(2 * bytes)) ? field.slice(0, 2 * bytes) : null;
}

function little(digits: string): bigint {
  return BigInt(`0x${digits.match(/../g)!.reverse().join("")}`);
}
