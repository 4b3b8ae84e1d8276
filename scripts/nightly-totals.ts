/** What all nights together have done, as kept in docs/evidence/totals.json. */

export interface Total {
  readonly unit: string;
  readonly count: number;
  readonly failed: number;
  readonly next_seed: number;
  /** Runs of the campaign's command. */
  readonly runs: number;
  readonly minutes: number;
}

/** By campaign. */
export type Totals = Readonly<Record<string, Total>>;

const NOTHING: Omit<Total, "unit"> = { count: 0, failed: 0, next_seed: 0, runs: 0, minutes: 0 };

export function totalOf(totals: Totals, name: string, unit: string): Total {
  return totals[name] ?? { unit, ...NOTHING };
}

/** `read` throws where no totals lie yet. @throws SyntaxError, Error for a file that is damaged. */
export function readTotals(read: () => string): Totals {
  let text: string;
  try {
    text = read();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw error;
  }
  const { campaigns } = JSON.parse(text) as { readonly campaigns?: Totals };
  if (campaigns === undefined) throw new Error("totals without campaigns");
  return campaigns;
}

export function totalsText(totals: Totals): string {
  const sorted = Object.fromEntries(Object.entries(totals).sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify({ campaigns: sorted }, null, 2)}\n`;
}
