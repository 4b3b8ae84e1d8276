/** Edit distance with transpositions of neighbours (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, beforeLast[j - 2]! + 1);
      }
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}

/** Longer words are no misspelling of any option or command, and comparing costs the product of both lengths. */
const LONGEST_WORD = 64;

/** The known word that was probably meant: closest, and no further than half of its length; else `null`. */
export function nearest(word: string, known: Iterable<string>): string | null {
  if (word.length > LONGEST_WORD) return null;
  let best: string | null = null;
  let bestDistance = Number.POSITIVE_INFINITY;
  const folded = word.toLowerCase().replaceAll("_", "-");
  for (const candidate of known) {
    const target = candidate.toLowerCase().replaceAll("_", "-");
    // A word broken off is nearer than any misspelling.
    const distance = folded.length > 1 && target.startsWith(folded) ? 0 : editDistance(folded, target);
    if (distance < bestDistance && distance <= Math.max(1, Math.floor(candidate.length / 2))) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` (did you mean X?)` or nothing. */
export function hint(word: string, known: Iterable<string>, prefix = ""): string {
  const match = nearest(word, known);
  return match === null ? "" : `; did you mean ${prefix}${match}?`;
}
