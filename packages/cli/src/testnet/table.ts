/** The live table as text: pure, so that it can be tested and shown in the README. */

export interface TableRow {
  readonly name: string;
  readonly state: string;
  readonly height: number;
  readonly round: number | null;
  readonly step: string;
  readonly elHead: string;
  readonly txs: number;
  readonly peers: number | null;
  /** Since its last commit; `null` before the first. */
  readonly ageMs: number | null;
  /** Validator and EL. */
  readonly memoryMib: readonly (number | null)[];
  readonly warning: string;
}

export interface TableFacts {
  readonly chainId: string;
  readonly height: number;
  readonly sent: number;
  readonly mined: number;
  readonly intervalMs: number;
  readonly footer: string;
}

const COLUMNS: readonly (readonly [title: string, width: number, align: "left" | "right"])[] = [
  ["node", 7, "left"],
  ["state", 10, "left"],
  ["height", 7, "right"],
  ["round/step", 16, "left"],
  ["EL head", 8, "right"],
  ["txs", 5, "right"],
  ["peers", 5, "right"],
  ["age", 6, "right"],
  ["memory", 12, "right"],
  ["last warning", 0, "left"],
];

function line(cells: readonly string[]): string {
  return COLUMNS.map(([, width, align], index) => {
    const cell = cells[index] ?? "";
    return align === "left" ? cell.padEnd(width) : cell.padStart(width);
  })
    .join("  ")
    .trimEnd();
}

function age(ms: number | null): string {
  if (ms === null) return "-";
  return ms < 60_000
    ? `${(ms / 1000).toFixed(1)}s`
    : `${Math.floor(ms / 60_000)}m${Math.floor((ms % 60_000) / 1000)}s`;
}

function memory(parts: readonly (number | null)[]): string {
  const known = parts.filter((part) => part !== null);
  return known.length === 0 ? "-" : `${known.join("+")} MB`;
}

/** Lines of the table, none wider than `columns`. */
export function renderTable(facts: TableFacts, rows: readonly TableRow[], columns: number): string[] {
  const live = rows.filter(({ state }) => state === "consensus").length;
  const head = `${facts.chainId}  height ${facts.height}  ${live}/${rows.length} in consensus  ${facts.mined}/${facts.sent} transfers mined  block interval ${facts.intervalMs} ms`;
  const body = rows.map((row) =>
    line([
      row.name,
      row.state,
      String(row.height),
      row.round === null ? "-" : `${row.round}/${row.step}`,
      row.elHead === "" ? "-" : row.elHead,
      String(row.txs),
      row.peers === null ? "-" : String(row.peers),
      age(row.ageMs),
      memory(row.memoryMib),
      row.warning,
    ]),
  );
  return [head, "", line(COLUMNS.map(([title]) => title)), ...body, "", facts.footer].map((text) =>
    text.slice(0, columns),
  );
}
