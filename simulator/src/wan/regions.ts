/**
 * Where validators stand and how far apart that is.
 *
 * Source of the table: the CometBFT project's record of average latencies between data centres of AWS, with which it
 * emulates a wide-area network in its own release tests (cometbft v1.0.1, test/e2e/pkg/files/aws-latencies.csv; used in
 * docs/references/qa/CometBFT-QA-v1.md, "Latency emulation"). One-way times in ms, as that emulation adds them to what a
 * node sends; the row is the sender. Small asymmetries are the source's.
 */

/** In the order of the table. */
export const REGIONS = [
  "N_Virginia",
  "Canada",
  "N_California",
  "London",
  "Oregon",
  "Ireland",
  "Frankfurt",
  "S_Paulo",
  "Tokyo",
  "Mumbai",
  "Sydney",
  "Seoul",
  "Singapore",
] as const;

export type Region = (typeof REGIONS)[number];

const ONE_WAY_MS: Readonly<Record<Region, readonly number[]>> = {
  N_Virginia: [0, 7, 30, 38, 39, 33, 44, 58, 73, 93, 98, 87, 105],
  Canada: [7, 0, 38, 39, 29, 35, 46, 63, 70, 94, 97, 85, 103],
  N_California: [30, 39, 0, 68, 10, 68, 75, 88, 54, 116, 69, 67, 86],
  London: [38, 39, 68, 0, 63, 5, 8, 94, 104, 56, 131, 118, 82],
  Oregon: [39, 29, 10, 63, 0, 59, 68, 88, 49, 109, 69, 63, 84],
  Ireland: [33, 35, 68, 5, 59, 0, 13, 88, 100, 61, 127, 114, 90],
  Frankfurt: [44, 46, 75, 8, 68, 13, 0, 101, 111, 60, 143, 109, 77],
  S_Paulo: [58, 63, 88, 94, 88, 89, 101, 0, 128, 151, 155, 142, 161],
  Tokyo: [73, 70, 54, 104, 49, 100, 111, 128, 0, 60, 57, 16, 39],
  Mumbai: [93, 94, 116, 56, 109, 61, 60, 151, 60, 0, 76, 57, 27],
  Sydney: [98, 97, 69, 131, 69, 127, 143, 155, 57, 76, 0, 69, 45],
  Seoul: [87, 84, 67, 118, 63, 114, 109, 142, 17, 57, 69, 0, 36],
  Singapore: [105, 103, 86, 82, 81, 90, 77, 161, 39, 27, 45, 36, 0],
};

/**
 * Within a region the table has 0. Between two availability zones of one region AWS shows round trips of 0.3 to 3 ms; half
 * of a typical one.
 */
export const SAME_REGION_MS = 0.5;

/** Mean of what comes on top, as a share of the way: routes and queues vary by some per cent. */
export const JITTER_SHARE = 0.05;

/** Mean one-way time of a small packet, ms. */
export function oneWayMs(from: Region, to: Region): number {
  if (from === to) return SAME_REGION_MS;
  return ONE_WAY_MS[from][REGIONS.indexOf(to)] ?? Number.NaN;
}

/** One region after the other, so that every region has as many as any other, or one more. */
export function spread(validators: number, regions: readonly Region[] = REGIONS): Region[] {
  return Array.from({ length: validators }, (_, i) => {
    const region = regions[i % regions.length];
    if (region === undefined) throw new Error("validators need at least one region");
    return region;
  });
}

/** @throws Error naming the regions there are when one of these is none of them */
export function regionsNamed(names: readonly string[]): Region[] {
  return names.map((name) => {
    const region = REGIONS.find((each) => each.toLowerCase() === name.toLowerCase());
    if (region === undefined) throw new Error(`"${name}" is no region; there are ${REGIONS.join(", ")}`);
    return region;
  });
}
