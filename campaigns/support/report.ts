/** What every campaign tells, for people and as one JSON document. */

/** A case that did not hold, and how to look at it again. */
export interface Violation {
  readonly where: string;
  readonly what: string;
}

export interface CampaignReport {
  readonly campaign: string;
  /** Names of the bars in question. */
  readonly bars: readonly string[];
  readonly seed: number;
  /** Which part of the enumeration ran. */
  readonly share: "all" | "1/16";
  readonly cases: number;
  /** How many cases fell into which class, and other figures. */
  readonly counts: Readonly<Record<string, number>>;
  /** The first {@link MAX_SHOWN} of them. */
  readonly violations: readonly Violation[];
  readonly violated: number;
  readonly wall_ms: number;
}

export interface CampaignOptions {
  readonly all: boolean;
  /** Which sixteenth runs without `all`, and whatever else is drawn. */
  readonly seed: number;
  readonly progress: (line: string) => void;
}

export type Campaign = (options: CampaignOptions) => Promise<CampaignReport>;

export const MAX_SHOWN = 20;
export const SHARES = 16;

/** Collects the outcome of a campaign. */
export class Tally {
  private readonly startedAt = performance.now();
  private readonly counts = new Map<string, number>();
  private readonly violations: Violation[] = [];
  private violated = 0;
  cases = 0;

  count(name: string, by = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + by);
  }

  violation(where: string, what: string): void {
    this.violated++;
    if (this.violations.length < MAX_SHOWN) this.violations.push({ where, what });
  }

  /** So many cases failed that more of them tell nothing new: a campaign ends here. */
  get full(): boolean {
    return this.violated >= MAX_SHOWN;
  }

  report(campaign: string, bars: readonly string[], { all, seed }: CampaignOptions): CampaignReport {
    return {
      campaign,
      bars,
      seed,
      share: all ? "all" : "1/16",
      cases: this.cases,
      counts: Object.fromEntries([...this.counts].sort(([a], [b]) => (a < b ? -1 : 1))),
      violations: this.violations,
      violated: this.violated,
      wall_ms: Math.round(performance.now() - this.startedAt),
    };
  }
}

/**
 * Whether case `index` belongs to the sixteenth of this seed. Sixteen seeds in a row cover every case once; neighbours
 * of one share are spread, so that no bit of a byte and no step of a pattern is always left out.
 */
export function inShare(index: number, { all, seed }: Pick<CampaignOptions, "all" | "seed">): boolean {
  return all || (index + Math.floor(index / SHARES) * 7 + seed) % SHARES === 0;
}
